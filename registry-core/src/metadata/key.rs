//! The one order-preserving key codec: comparing encoded bytes compares the values.
//!
//! Components stand in order. Strings are escaped and terminated, so that no string is a prefix of another's
//! encoding; integers are big-endian; a [`Descending`] one is inverted. A key's leading components encode to a prefix
//! of its bytes, which is what scans are built on.

/// A value that can stand in a key.
pub(crate) trait Component: Sized {
    /// Appends the encoding of this value.
    fn write(&self, out: &mut Vec<u8>);

    /// Takes one value off the front of `input`; `None` if the bytes are not an encoding.
    fn read(input: &mut &[u8]) -> Option<Self>;

    /// This value alone as key bytes.
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        self.write(&mut out);
        out
    }

    /// The value that these bytes encode, whole.
    fn decode(mut bytes: &[u8]) -> Option<Self> {
        let value = Self::read(&mut bytes)?;
        bytes.is_empty().then_some(value)
    }
}

/// An integer that sorts from high to low.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descending(pub(crate) u64);

/// In the order of the keys.
impl Ord for Descending {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.0.cmp(&self.0)
    }
}

impl PartialOrd for Descending {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Takes the first `N` bytes off `input`.
pub(crate) fn take<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = input.split_first_chunk::<N>()?;
    *input = rest;
    Some(*head)
}

macro_rules! integer_components {
    ($($integer:ty),+) => {$(
        impl Component for $integer {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }
            fn read(input: &mut &[u8]) -> Option<Self> {
                take(input).map(Self::from_be_bytes)
            }
        }
    )+};
}
integer_components!(u8, u64);

impl Component for Descending {
    fn write(&self, out: &mut Vec<u8>) {
        (!self.0).write(out);
    }
    fn read(input: &mut &[u8]) -> Option<Self> {
        u64::read(input).map(|inverted| Self(!inverted))
    }
}

/// `0x00` is written as `0x00 0xff`; `0x00 0x01` ends the string and sorts before every continuation.
impl Component for String {
    fn write(&self, out: &mut Vec<u8>) {
        write_text(self, out);
    }
    fn read(input: &mut &[u8]) -> Option<Self> {
        let mut text = Vec::new();
        loop {
            match take::<1>(input)? {
                [0] => match take::<1>(input)? {
                    [1] => return Self::from_utf8(text).ok(),
                    [0xff] => text.push(0),
                    _ => return None,
                },
                [byte] => text.push(byte),
            }
        }
    }
}

/// Writes `text` as the [`String`] component does.
pub(crate) fn write_text(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        out.push(byte);
        if byte == 0 {
            out.push(0xff);
        }
    }
    out.extend_from_slice(&[0, 1]);
}

macro_rules! tuple_components {
    ($($name:ident $index:tt),*) => {
        impl<$($name: Component),*> Component for ($($name,)*) {
            fn write(&self, _out: &mut Vec<u8>) {
                $(self.$index.write(_out);)*
            }
            fn read(_input: &mut &[u8]) -> Option<Self> {
                Some(($($name::read(_input)?,)*))
            }
        }
    };
}
tuple_components!();
tuple_components!(A 0);
tuple_components!(A 0, B 1);
tuple_components!(A 0, B 1, C 2);
tuple_components!(A 0, B 1, C 2, D 3);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_sort_as_their_values_do(
            a in (".{0,6}", any::<u64>(), ".{0,6}"), b in (".{0,6}", any::<u64>(), ".{0,6}"),
        ) {
            prop_assert_eq!(a.encode().cmp(&b.encode()), a.cmp(&b));
        }

        #[test]
        fn keys_survive_the_round_trip(a in "\\PC{0,8}", n in any::<u64>(), b in "[\\x00-\\x02]{0,4}") {
            let key = (a, Descending(n), b);
            prop_assert_eq!(Component::decode(&key.encode()), Some(key));
        }

        #[test]
        fn descending_integers_sort_backwards(a in any::<u64>(), b in any::<u64>()) {
            prop_assert_eq!(Descending(a).encode().cmp(&Descending(b).encode()), b.cmp(&a));
        }

        #[test]
        fn leading_components_are_a_prefix(a in ".{0,6}", b in any::<u64>()) {
            prop_assert!((a.clone(), b).encode().starts_with(&(a,).encode()));
        }

        #[test]
        fn any_bytes_decode_or_are_refused(bytes in any::<Vec<u8>>()) {
            if let Some(key) = <(String, u64, String)>::decode(&bytes) {
                prop_assert_eq!(key.encode(), bytes);
            }
        }
    }
}
