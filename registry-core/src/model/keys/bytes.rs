//! Components that nobody can guess: random ids, and hashes of what was given out.

use crate::access::TokenId;
use crate::metadata::key::{Component, take};
use crate::metadata::record::Record;

/// Declares how so many bytes are stored: as they are.
macro_rules! stored_as_they_are {
    ($($name:ident),+) => {
        $(impl Component for $name {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.0);
            }
            fn read(input: &mut &[u8]) -> Option<Self> {
                take(input).map(Self)
            }
        })+
    };
}
stored_as_they_are!(PrototypeId, UploadId, SessionKey, SecretHash, TokenId);

/// Names a default permission to clients: a random UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PrototypeId(pub(crate) [u8; 16]);

impl PrototypeId {
    /// The id made of these random bytes.
    pub(crate) fn from_random(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid().into_bytes())
    }
}

impl std::fmt::Display for PrototypeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        uuid::Uuid::from_bytes(self.0).hyphenated().fmt(f)
    }
}

impl std::str::FromStr for PrototypeId {
    type Err = crate::Error;

    /// Reads the hyphenated form.
    ///
    /// # Errors
    /// [`crate::Error::PrototypeUnknown`]: no default permission has such a name.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        uuid::Uuid::try_parse(text)
            .map(|id| Self(id.into_bytes()))
            .map_err(|_| crate::Error::PrototypeUnknown)
    }
}

/// The name of an upload session: a random UUID (RFC 9562, version 4), unguessable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UploadId(pub(crate) [u8; 16]);

impl UploadId {
    /// The id made of these random bytes.
    pub(crate) fn from_random(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid().into_bytes())
    }
}

impl std::fmt::Display for UploadId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        uuid::Uuid::from_bytes(self.0).hyphenated().fmt(f)
    }
}

impl std::str::FromStr for UploadId {
    type Err = crate::Error;

    /// Reads the hyphenated form.
    ///
    /// # Errors
    /// [`crate::Error::UploadUnknown`]: no session has such a name.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let id = uuid::Uuid::try_parse(text).map_err(|_| crate::Error::UploadUnknown)?;
        let id = Self(id.into_bytes());
        // One spelling only: the session's URL is what was given out.
        if id.to_string() == text { Ok(id) } else { Err(crate::Error::UploadUnknown) }
    }
}

/// What a session's row lies under: the SHA-256 of its id, so that whoever reads the rows cannot use any of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SessionKey(pub(crate) [u8; 32]);

/// The SHA-256 of a token or a code, under which it is found: whoever reads the rows cannot use any of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SecretHash(pub(crate) [u8; 32]);

impl Record for TokenId {
    fn encode(&self) -> Vec<u8> {
        Component::encode(self)
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        Component::decode(bytes)
    }
}
