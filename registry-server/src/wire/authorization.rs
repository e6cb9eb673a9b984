//! The `Authorization` header: Basic (RFC 7617) and Bearer (RFC 6750).

use base64::{Engine, engine::general_purpose::STANDARD};
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderValue};

use super::secret::Secret;

/// The longest Basic credentials that are looked at, in encoded bytes.
pub const MAX_BASIC_BYTES: usize = 8 * 1024;

/// The longest Bearer token that is looked at, in bytes.
pub const MAX_BEARER_BYTES: usize = 48 * 1024;

/// What a client says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorization {
    /// A name and a password.
    Basic {
        /// All before the first colon; may be empty.
        user: String,
        /// All after the first colon; may be empty and may contain colons.
        password: Secret,
    },
    /// A token.
    Bearer(Secret),
}

/// Why an `Authorization` header was refused. None of them repeats what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizationError {
    /// More than one header: something in front may have looked at another one than the registry would.
    #[error("a request carries one credential")]
    Several,
    /// Neither Basic nor Bearer.
    #[error("authorization scheme is neither Basic nor Bearer")]
    UnknownScheme,
    /// Longer than [`MAX_BASIC_BYTES`] or [`MAX_BEARER_BYTES`].
    #[error("credentials are too long")]
    TooLong,
    /// Not base64, not UTF-8, without a colon, or with ASCII control characters.
    #[error("credentials are malformed")]
    Malformed,
}

impl Authorization {
    /// The header that a request carries, if it carries one.
    ///
    /// # Errors
    /// [`AuthorizationError::Several`].
    pub fn only_header(headers: &HeaderMap) -> Result<Option<&HeaderValue>, AuthorizationError> {
        let mut all = headers.get_all(AUTHORIZATION).iter();
        let first = all.next();
        if all.next().is_some() { Err(AuthorizationError::Several) } else { Ok(first) }
    }

    /// Reads the value of an `Authorization` header; the scheme is case-insensitive.
    ///
    /// # Errors
    /// Another scheme, credentials that are too long or malformed, an empty token.
    pub fn parse(header: &str) -> Result<Self, AuthorizationError> {
        let header = header.trim();
        let (scheme, credentials) = header.split_once(' ').unwrap_or((header, ""));
        let credentials = credentials.trim_start();
        if scheme.eq_ignore_ascii_case("basic") {
            parse_basic(credentials)
        } else if scheme.eq_ignore_ascii_case("bearer") {
            parse_bearer(credentials)
        } else {
            Err(AuthorizationError::UnknownScheme)
        }
    }
}

fn parse_basic(encoded: &str) -> Result<Authorization, AuthorizationError> {
    if encoded.len() > MAX_BASIC_BYTES {
        return Err(AuthorizationError::TooLong);
    }
    let decoded = STANDARD.decode(encoded).map_err(|_| AuthorizationError::Malformed)?;
    let decoded = String::from_utf8(decoded).map_err(|_| AuthorizationError::Malformed)?;
    match decoded.split_once(':') {
        Some((user, password)) if !decoded.contains(|c: char| c.is_ascii_control()) => {
            Ok(Authorization::Basic { user: user.to_owned(), password: Secret::new(password) })
        }
        _ => Err(AuthorizationError::Malformed),
    }
}

fn parse_bearer(token: &str) -> Result<Authorization, AuthorizationError> {
    if token.len() > MAX_BEARER_BYTES {
        return Err(AuthorizationError::TooLong);
    }
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(AuthorizationError::Malformed);
    }
    Ok(Authorization::Bearer(Secret::new(token)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn basic(plain: impl AsRef<[u8]>) -> String {
        format!("Basic {}", STANDARD.encode(plain))
    }

    #[test]
    fn a_name_and_password_are_read_whatever_the_case_of_the_scheme() {
        for (header, user, password) in [
            (basic("dev:secret"), "dev", "secret"),
            (basic("dev+robot:a:b"), "dev+robot", "a:b"),
            (basic("jürgen:pässwörd"), "jürgen", "pässwörd"),
            (basic(":"), "", ""),
            ("bAsIc   ZGV2OnNlY3JldA== ".to_owned(), "dev", "secret"),
        ] {
            let expected = Authorization::Basic { user: user.to_owned(), password: Secret::new(password) };
            assert_eq!(Authorization::parse(&header), Ok(expected), "{header}");
        }
    }

    #[test]
    fn a_token_is_read_whatever_the_case_of_the_scheme() {
        for header in ["Bearer a.b-c_d~e+f/g=", "BEARER  a.b-c_d~e+f/g= "] {
            let expected = Authorization::Bearer(Secret::new("a.b-c_d~e+f/g="));
            assert_eq!(Authorization::parse(header), Ok(expected), "{header}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (header, error) in [
            (String::new(), AuthorizationError::UnknownScheme),
            ("Negotiate abc".to_owned(), AuthorizationError::UnknownScheme),
            ("Basic".to_owned(), AuthorizationError::Malformed),
            ("Basic !!!".to_owned(), AuthorizationError::Malformed),
            ("Basic ZGV2".to_owned(), AuthorizationError::Malformed),
            (basic(b"\xff:a"), AuthorizationError::Malformed),
            (basic("a\0:b"), AuthorizationError::Malformed),
            (basic("a:b\n"), AuthorizationError::Malformed),
            (basic(vec![b':'; MAX_BASIC_BYTES]), AuthorizationError::TooLong),
            ("Bearer".to_owned(), AuthorizationError::Malformed),
            ("Bearer a b".to_owned(), AuthorizationError::Malformed),
            ("Bearer é".to_owned(), AuthorizationError::Malformed),
            (format!("Bearer {}", "a".repeat(MAX_BEARER_BYTES + 1)), AuthorizationError::TooLong),
        ] {
            assert_eq!(Authorization::parse(&header), Err(error), "{header:.40}");
        }
    }

    #[test]
    fn credentials_are_not_printed() {
        let printed = format!("{:?}", Authorization::parse(&basic("dev:hunter2")));
        assert!(printed.contains("***") && !printed.contains("hunter2"), "{printed}");
    }

    proptest! {
        #[test]
        fn any_password_survives_the_header(user in "[^:[:cntrl:]]*", password in "[^[:cntrl:]]*") {
            let parsed = Authorization::parse(&basic(format!("{user}:{password}")));
            prop_assert_eq!(parsed, Ok(Authorization::Basic { user, password: Secret::new(password) }));
        }

        #[test]
        fn any_text_is_read_or_refused(header in "(?i:basic|bearer) [A-Za-z0-9+/=]*|.*") {
            let _ = Authorization::parse(&header);
        }
    }
}
