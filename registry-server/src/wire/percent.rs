//! Percent-encoding (RFC 3986 section 2.1).

/// What a `+` in encoded text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plus {
    /// A plus sign, as RFC 3986 has it.
    Literal,
    /// A space, as in `application/x-www-form-urlencoded`.
    Space,
}

/// Why text could not be percent-decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PercentError {
    /// A `%` is not followed by two hexadecimal digits.
    #[error("percent sign without two hexadecimal digits")]
    BadEscape,
    /// The decoded bytes are not UTF-8.
    #[error("percent-encoded text is not UTF-8")]
    NotUtf8,
}

/// Decodes `%XX` escapes, and `+` as `plus` says; all other bytes stay as they are.
///
/// # Errors
/// An incomplete or non-hexadecimal escape, or a result that is not UTF-8.
pub fn decode(encoded: &str, plus: Plus) -> Result<String, PercentError> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => escaped(bytes.next(), bytes.next()).ok_or(PercentError::BadEscape)?,
            b'+' if plus == Plus::Space => b' ',
            other => other,
        });
    }
    String::from_utf8(decoded).map_err(|_| PercentError::NotUtf8)
}

fn escaped(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high?)? << 4 | digit(low?)?)
}

/// Escapes everything but the unreserved characters of RFC 3986 section 2.3.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_are_decoded_in_either_case() {
        assert_eq!(decode("sha256%3Aab%2f%C3%a9", Plus::Literal).unwrap(), "sha256:ab/é");
    }

    #[test]
    fn a_plus_means_what_the_caller_says() {
        assert_eq!(decode("a+b%2B", Plus::Literal).unwrap(), "a+b+");
        assert_eq!(decode("a+b%2B", Plus::Space).unwrap(), "a b+");
    }

    #[test]
    fn broken_escapes_are_refused() {
        for text in ["%", "%4", "%zz", "%4g", "a%", "%+1", "%-1"] {
            assert_eq!(decode(text, Plus::Literal), Err(PercentError::BadEscape), "{text}");
        }
        assert_eq!(decode("%ff", Plus::Literal), Err(PercentError::NotUtf8));
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_itself(text in ".*") {
            let escaped: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
            prop_assert_eq!(decode(&escaped, Plus::Space).unwrap(), text.clone());
            prop_assert_eq!(decode(&encode(&text), Plus::Space).unwrap(), text);
        }

        #[test]
        fn any_text_is_decoded_or_refused(text in ".*") {
            let _ = decode(&text, Plus::Literal);
            let _ = decode(&text, Plus::Space);
        }
    }
}
