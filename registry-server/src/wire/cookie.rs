//! The `Cookie` header (RFC 6265, section 4.2), and the values of the session cookie.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The values of the cookies of this name in one `Cookie` header, in the order sent, without quotes.
pub fn values<'h>(header: &'h str, name: &str) -> impl Iterator<Item = &'h str> {
    let pairs = header.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(move |(found, _)| *found == name).map(|(_, value)| unquoted(value))
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

/// An id as a cookie carries it: a letter for its kind, a dot, and 32 bytes in the URL's alphabet of base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaggedId {
    /// The kind.
    pub kind: char,
    /// The id itself.
    pub bytes: [u8; 32],
}

impl TaggedId {
    /// Reads the text; `None` if it is anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut characters = text.chars();
        let (kind, encoded) = (characters.next()?, characters.as_str().strip_prefix('.')?);
        let bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?.try_into().ok()?;
        kind.is_ascii_lowercase().then_some(Self { kind, bytes })
    }

    /// The text that [`TaggedId::parse`] reads.
    pub fn text(&self) -> String {
        format!("{}.{}", self.kind, URL_SAFE_NO_PAD.encode(self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let found = |header| values(header, "a").collect::<Vec<_>>();
        assert_eq!(found("a=1"), ["1"]);
        assert_eq!(found("b=2; a=1;a=\"3\" ; ab=4"), ["1", "3"]);
        assert_eq!(found("a=x=y; A=2"), ["x=y"]);
        assert_eq!(found("a; =1; ;"), [""; 0]);
    }

    #[test]
    fn an_id_has_one_spelling() {
        let id = TaggedId { kind: 's', bytes: [7; 32] };
        assert_eq!(TaggedId::parse(&id.text()), Some(id));
        for broken in ["", "s", "s.", "S.AAAA", "s.AAAA", &id.text()[1..], &format!("{}=", id.text())] {
            assert_eq!(TaggedId::parse(broken), None, "{broken}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(header in ".{0,80}") {
            for value in values(&header, "a") {
                prop_assert!(TaggedId::parse(value).is_none_or(|id| id.text() == value));
            }
        }
    }
}
