//! Query strings and forms: pairs of decoded names and values.

use std::fmt;

use super::percent::{self, PercentError, Plus};

/// The most pairs a query or form may hold: enough for a token request with hundreds of scopes.
pub const MAX_PAIRS: usize = 4096;

/// The pairs of a query string or form, in the order sent; a name may occur several times.
///
/// `Debug` prints the names alone: a form may carry a password.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

/// Why a query or form was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A name or value cannot be percent-decoded.
    #[error(transparent)]
    Encoding(#[from] PercentError),
    /// More than [`MAX_PAIRS`] pairs.
    #[error("more than {MAX_PAIRS} parameters")]
    TooMany,
}

impl Query {
    /// Reads the query of a request target, without its `?`. A `+` stays a plus sign.
    ///
    /// Media types contain plus signs, and `?artifactType=application/vnd.example+json` is what people type,
    /// although clients send `%2B`. No value that `/v2/` knows contains a space, so nothing is lost.
    ///
    /// # Errors
    /// A broken percent escape, text that is not UTF-8, or more than [`MAX_PAIRS`] pairs.
    pub fn parse(raw: &str) -> Result<Self, QueryError> {
        Self::parse_with(raw, Plus::Literal)
    }

    /// Reads `application/x-www-form-urlencoded` text, in which a `+` is a space.
    ///
    /// # Errors
    /// As [`Query::parse`].
    pub fn parse_form(raw: &str) -> Result<Self, QueryError> {
        Self::parse_with(raw, Plus::Space)
    }

    fn parse_with(raw: &str, plus: Plus) -> Result<Self, QueryError> {
        let mut pairs = Vec::new();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            if pairs.len() == MAX_PAIRS {
                return Err(QueryError::TooMany);
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            pairs.push((percent::decode(name, plus)?, percent::decode(value, plus)?));
        }
        Ok(Self { pairs })
    }

    /// The first value of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value of `name`, in the order sent.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.pairs.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.pairs.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_found_by_name_in_the_order_sent() {
        let query = Query::parse("n=5&tag=a&&tag=b&last&x==y=").unwrap();
        assert_eq!(query.get("n"), Some("5"));
        assert_eq!(query.all("tag").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(query.get("last"), Some(""));
        assert_eq!(query.get("x"), Some("=y="));
        assert_eq!(query.get("absent"), None);
    }

    #[test]
    fn a_plus_in_a_query_is_a_plus_and_in_a_form_a_space() {
        for raw in ["artifactType=application/vnd.x+json", "artifactType=application%2Fvnd.x%2Bjson"] {
            assert_eq!(Query::parse(raw).unwrap().get("artifactType"), Some("application/vnd.x+json"));
        }
        assert_eq!(Query::parse_form("scope=a+b%2Bc%20d").unwrap().get("scope"), Some("a b+c d"));
    }

    #[test]
    fn broken_or_endless_queries_are_refused() {
        assert_eq!(Query::parse("a=%f"), Err(QueryError::Encoding(PercentError::BadEscape)));
        assert_eq!(Query::parse("%ff=a"), Err(QueryError::Encoding(PercentError::NotUtf8)));
        assert!(Query::parse(&"a&".repeat(MAX_PAIRS)).is_ok());
        assert_eq!(Query::parse(&"a&".repeat(MAX_PAIRS + 1)), Err(QueryError::TooMany));
    }

    #[test]
    fn values_are_not_printed() {
        let printed = format!("{:?}", Query::parse("password=hunter2").unwrap());
        assert_eq!(printed, r#"{"password"}"#);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(raw in "[a-z%0-9+&=]*|.*") {
            let _ = Query::parse(&raw);
            let _ = Query::parse_form(&raw);
        }
    }
}
