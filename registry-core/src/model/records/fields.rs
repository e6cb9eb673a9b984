//! How values of the registry's own types are written into records.

use crate::access::{Role, TeamRole};
use crate::metadata::key::{Component, take};
use crate::metadata::record::{Field, Record};
use crate::oci::Digest;

impl Record for u64 {
    fn encode(&self) -> Vec<u8> {
        Component::encode(self)
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        Component::decode(bytes)
    }
}

/// A role as a field; the default only stands in for a field that an older record lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RoleField(pub(crate) Role);

impl Default for RoleField {
    fn default() -> Self {
        Self(Role::Read)
    }
}

impl Field for RoleField {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(self.0.code());
    }
    fn read(input: &mut &[u8]) -> Option<Self> {
        let [code] = take(input)?;
        Role::of_code(code).map(Self)
    }
}

impl Field for TeamRole {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(self.code());
    }
    fn read(input: &mut &[u8]) -> Option<Self> {
        let [code] = take(input)?;
        Self::of_code(code)
    }
}

/// Declares how an ordered choice is stored: as one byte.
macro_rules! stored_as_a_byte {
    ($name:ident { $($choice:ident = $code:literal),+ }) => {
        impl $name {
            fn code(self) -> u8 {
                match self { $(Self::$choice => $code),+ }
            }
            fn of_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$choice),)+ _ => None }
            }
        }
        impl Record for $name {
            fn encode(&self) -> Vec<u8> {
                vec![self.code()]
            }
            fn decode(bytes: &[u8]) -> Option<Self> {
                match bytes {
                    [code] => Self::of_code(*code),
                    _ => None,
                }
            }
        }
    };
}
stored_as_a_byte!(Role { Read = 1, Write = 2, Admin = 3 });
stored_as_a_byte!(TeamRole { Member = 1, Creator = 2, Admin = 3 });

/// A digest as a field; the default only stands in for a field that an older record lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DigestField(pub(crate) Digest);

impl Default for DigestField {
    fn default() -> Self {
        Self(Digest::of(crate::oci::Algorithm::Sha256, b""))
    }
}

impl Field for DigestField {
    fn write(&self, out: &mut Vec<u8>) {
        Component::write(&self.0, out);
    }
    fn read(input: &mut &[u8]) -> Option<Self> {
        Digest::read(input).map(Self)
    }
}
