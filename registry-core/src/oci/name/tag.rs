//! Tags: the movable names of manifests within a repository.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::oci::excerpt;

/// The longest tag, in bytes (all of them ASCII).
pub const MAX_TAG_LEN: usize = 128;

/// Why a text is no tag. The text is repeated, cut to a few hundred bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "tag {0:?} is invalid: a tag is 1 to {MAX_TAG_LEN} letters, digits, underscores, dots and dashes, and begins with none of the last two"
)]
pub struct InvalidTag(String);

/// A tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}` (distribution-spec). Ordered byte by byte.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(Arc<str>);

impl Tag {
    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = InvalidTag;

    fn from_str(text: &str) -> Result<Self, InvalidTag> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let valid = text.len() <= MAX_TAG_LEN
            && text.bytes().next().is_some_and(is_word)
            && text.bytes().all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'));
        if valid { Ok(Self(text.into())) } else { Err(InvalidTag(excerpt(text))) }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tags_within_the_grammar_are_accepted() {
        let longest = "t".repeat(128);
        let signature = format!("sha256-{}.sig", "0".repeat(64));
        for text in
            ["latest", "v1.2.3", "_", "__a", "0", "A.b-C_d", "a..b--", "1.0_build5", &longest, &signature]
        {
            assert_eq!(text.parse::<Tag>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn tags_outside_the_grammar_are_refused() {
        let too_long = "t".repeat(129);
        let texts = [
            "", ".", "-", ".a", "-a", "a:b", "a/b", "a b", "a+b", "é", "a\n", "a\0", "..", "a%20", &too_long,
        ];
        for text in texts {
            assert_eq!(text.parse::<Tag>(), Err(InvalidTag(text.to_owned())), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_sentence_of_the_grammar_is_a_tag(text in "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}") {
            prop_assert_eq!(text.parse::<Tag>().unwrap().to_string(), text);
        }

        #[test]
        fn any_text_is_a_tag_or_an_error(text in "\\PC*") {
            if let Ok(tag) = text.parse::<Tag>() {
                prop_assert_eq!(tag.as_str(), text);
            }
        }
    }
}
