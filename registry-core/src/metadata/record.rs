//! Records: a version byte, then the fields in order.
//!
//! A record written before a field existed ends early, and that field takes its default; so fields are only ever
//! added at the end. A version above the one this build knows is refused.

/// A value that can be stored in a row.
pub(crate) trait Record: Sized {
    /// The stored bytes.
    fn encode(&self) -> Vec<u8>;
    /// The value that these bytes encode; `None` if they are damaged or of a later version.
    fn decode(bytes: &[u8]) -> Option<Self>;
}

/// The version that every record of this build is written with.
pub(crate) const VERSION: u8 = 1;

/// A value that can be a field of a record.
pub(crate) trait Field: Default {
    /// Appends the encoding of this value.
    fn write(&self, out: &mut Vec<u8>);
    /// Takes one value off the front of `input`, which is not empty.
    fn read(input: &mut &[u8]) -> Option<Self>;
}

/// Takes the next field, or its default where the record ended before it.
pub(crate) fn next<F: Field>(input: &mut &[u8]) -> Option<F> {
    if input.is_empty() { Some(F::default()) } else { F::read(input) }
}

/// Declares a record and its encoding: the fields, in the order in which they were ever added.
macro_rules! record {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        $vis struct $name { $($(#[$field_meta])* $vis $field: $type,)* }

        impl $crate::metadata::Record for $name {
            fn encode(&self) -> Vec<u8> {
                let mut out = vec![$crate::metadata::record::VERSION];
                $($crate::metadata::record::Field::write(&self.$field, &mut out);)*
                out
            }
            fn decode(bytes: &[u8]) -> Option<Self> {
                let (version, mut rest) = bytes.split_first()?;
                if *version > $crate::metadata::record::VERSION {
                    return None;
                }
                Some(Self { $($field: $crate::metadata::record::next(&mut rest)?,)* })
            }
        }
    };
}
pub(crate) use record;

/// Integers are LEB128: seven bits a byte, low bits first.
impl Field for u64 {
    fn write(&self, out: &mut Vec<u8>) {
        let mut rest = *self;
        while rest >= 0x80 {
            out.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        out.push(rest as u8);
    }
    fn read(input: &mut &[u8]) -> Option<Self> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = input.split_first()?;
            *input = rest;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                return None;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

impl Field for u32 {
    fn write(&self, out: &mut Vec<u8>) {
        u64::from(*self).write(out);
    }
    fn read(input: &mut &[u8]) -> Option<Self> {
        u64::read(input)?.try_into().ok()
    }
}

impl Field for bool {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn read(input: &mut &[u8]) -> Option<Self> {
        match u64::read(input)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Field for Vec<u8> {
    fn write(&self, out: &mut Vec<u8>) {
        (self.len() as u64).write(out);
        out.extend_from_slice(self);
    }
    fn read(input: &mut &[u8]) -> Option<Self> {
        let len = usize::try_from(u64::read(input)?).ok()?;
        let (bytes, rest) = input.split_at_checked(len)?;
        *input = rest;
        Some(bytes.to_vec())
    }
}

impl Field for String {
    fn write(&self, out: &mut Vec<u8>) {
        (self.len() as u64).write(out);
        out.extend_from_slice(self.as_bytes());
    }
    fn read(input: &mut &[u8]) -> Option<Self> {
        Self::from_utf8(Vec::read(input)?).ok()
    }
}

impl<F: Field> Field for Option<F> {
    fn write(&self, out: &mut Vec<u8>) {
        self.is_some().write(out);
        if let Some(value) = self {
            value.write(out);
        }
    }
    fn read(input: &mut &[u8]) -> Option<Self> {
        if bool::read(input)? { F::read(input).map(Some) } else { Some(None) }
    }
}

/// A row whose key says everything.
impl Record for () {
    fn encode(&self) -> Vec<u8> {
        Vec::new()
    }
    fn decode(_: &[u8]) -> Option<Self> {
        Some(())
    }
}

/// Bytes stored as they are.
impl Record for Vec<u8> {
    fn encode(&self) -> Vec<u8> {
        self.clone()
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        Some(bytes.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    record! {
        /// As it was first written.
        struct Early { name: String, count: u64, }
    }
    record! {
        /// The same with fields added since.
        struct Late { name: String, count: u64, since: Option<u64>, flag: bool, }
    }

    #[test]
    fn a_record_gains_a_field_without_being_rewritten() {
        let early = Early { name: "a".into(), count: 300 };
        let late = Late { name: "a".into(), count: 300, since: None, flag: false };
        assert_eq!(Late::decode(&early.encode()), Some(late));
    }

    #[test]
    fn a_later_version_is_refused() {
        let mut bytes = Early::default().encode();
        bytes[0] = VERSION + 1;
        assert_eq!(Early::decode(&bytes), None);
    }

    proptest! {
        #[test]
        fn records_survive_the_round_trip(
            name in ".{0,9}", count in any::<u64>(), since in any::<Option<u64>>(), flag in any::<bool>(),
        ) {
            let record = Late { name, count, since, flag };
            prop_assert_eq!(Late::decode(&record.encode()), Some(record));
        }

        #[test]
        fn damaged_records_are_refused_without_panic(bytes in any::<Vec<u8>>()) {
            let _ = Late::decode(&bytes);
        }
    }
}
