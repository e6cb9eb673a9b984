//! The one-time code that lets somebody create the first administrator.
//!
//! A registry without users prints it at start; who can read that output owns the machine. A new one is made at each
//! start, until an administrator exists.

use std::fmt;

use subtle::ConstantTimeEq;

/// Crockford's base32: no letter that is taken for a digit (<https://www.crockford.com/base32.html>).
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// 128 bits in digits of five bits.
const DIGITS: usize = 26;

/// Digits between two dashes.
const GROUP: usize = 4;

/// A code of 128 random bits; `Display` prints it in groups, `Debug` does not show it.
pub struct SetupCode([u8; DIGITS]);

impl SetupCode {
    /// The code made of `random`.
    pub fn new(random: [u8; 16]) -> Self {
        let mut rest = u128::from_be_bytes(random);
        let mut digits = [0; DIGITS];
        for digit in digits.iter_mut().rev() {
            *digit = ALPHABET[(rest & 31) as usize];
            rest >>= 5;
        }
        Self(digits)
    }

    /// Whether `typed` is this code, in time that does not depend on where they differ. Case, dashes and blanks do not
    /// count, and the letters that the alphabet leaves out are read as the digits they look like.
    pub fn matches(&self, typed: &str) -> bool {
        let digits = typed.bytes().filter(|byte| !matches!(byte, b'-' | b' ')).map(read_digit);
        // One digit too many is enough to differ, so a long text is not kept.
        let read: Vec<u8> = digits.take(DIGITS + 1).collect();
        read.as_slice().ct_eq(&self.0).into()
    }
}

fn read_digit(byte: u8) -> u8 {
    match byte.to_ascii_uppercase() {
        b'O' => b'0',
        b'I' | b'L' => b'1',
        other => other,
    }
}

impl fmt::Display for SetupCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, digit) in self.0.iter().enumerate() {
            if index > 0 && index % GROUP == 0 {
                f.write_str("-")?;
            }
            write!(f, "{}", char::from(*digit))?;
        }
        Ok(())
    }
}

impl fmt::Debug for SetupCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SetupCode(***)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RANDOM: [u8; 16] = *b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\xfc\xfd\xfe\xff";

    #[test]
    fn a_code_is_printed_in_groups() {
        assert_eq!(SetupCode::new(RANDOM).to_string(), "0004-1061-050R-3GG2-8A1F-YFVZ-QZ");
        assert_eq!(SetupCode::new([0xff; 16]).to_string(), "7ZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZ");
    }

    #[test]
    fn case_dashes_blanks_and_look_alikes_do_not_count() {
        let code = SetupCode::new([0; 16]);
        for typed in
            ["00000000000000000000000000", "0000 0000 0000 0000 0000 0000 00", "oOoO-0000000000000000000000-"]
        {
            assert!(code.matches(typed), "{typed}");
        }
        let code = SetupCode::new([0xaa; 16]);
        assert!(code.matches(&code.to_string().to_lowercase()));
        let ones = SetupCode::new((0..26).fold(0u128, |code, _| code << 5 | 1).to_be_bytes());
        assert!(ones.matches("1iIlL111111111111111111111"));
    }

    #[test]
    fn anything_else_does_not_match() {
        let code = SetupCode::new([0; 16]);
        for typed in ["", "0", "-", "0000000000000000000000000", "000000000000000000000000000", "é", "\0"] {
            assert!(!code.matches(typed), "{typed:?}");
        }
        assert!(!code.matches(&"0".repeat(1_000_000)));
        assert!(!code.matches("00000000000000000000000001"));
    }

    #[test]
    fn a_code_is_not_shown_by_debug() {
        assert_eq!(format!("{:?}", SetupCode::new(RANDOM)), "SetupCode(***)");
    }

    proptest! {
        #[test]
        fn a_code_matches_itself_and_no_other(one: [u8; 16], other: [u8; 16]) {
            let code = SetupCode::new(one);
            prop_assert!(code.matches(&code.to_string()));
            prop_assert_eq!(code.matches(&SetupCode::new(other).to_string()), one == other);
        }

        #[test]
        fn any_text_is_compared(typed in ".*") {
            prop_assert!(!SetupCode::new(RANDOM).matches(&typed));
        }
    }
}
