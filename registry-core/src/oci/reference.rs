//! References: what follows `/manifests/` in a path, a tag or a digest.

use std::fmt;
use std::str::FromStr;

use super::digest::{Digest, InvalidDigest};
use super::name::{InvalidTag, Tag};

/// Which manifest of a repository is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reference {
    /// The manifest that the tag points at now.
    Tag(Tag),
    /// The manifest with this digest.
    Digest(Digest),
}

/// Why a text is no reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReference {
    /// It has no colon and is no tag.
    #[error(transparent)]
    Tag(#[from] InvalidTag),
    /// It has a colon and is no digest.
    #[error(transparent)]
    Digest(#[from] InvalidDigest),
}

impl FromStr for Reference {
    type Err = InvalidReference;

    /// A reference is a digest exactly if it contains a colon, which no tag does (distribution-spec).
    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        if text.contains(':') { Ok(Self::Digest(text.parse()?)) } else { Ok(Self::Tag(text.parse()?)) }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => fmt::Display::fmt(digest, f),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::oci::Algorithm;

    #[test]
    fn a_colon_makes_a_reference_a_digest() {
        let digest = Digest::of(Algorithm::Sha512, b"content");
        assert_eq!(digest.to_string().parse(), Ok(Reference::Digest(digest)));
        assert_eq!("latest".parse(), Ok(Reference::Tag("latest".parse().unwrap())));
        // What tags a signature is a tag, though it spells a digest.
        assert!(matches!(format!("sha256-{}.sig", "0".repeat(64)).parse(), Ok(Reference::Tag(_))));
        assert!(matches!("sha256:latest".parse::<Reference>(), Err(InvalidReference::Digest(_))));
        assert!(matches!("la:test".parse::<Reference>(), Err(InvalidReference::Digest(_))));
        assert!(matches!("la/test".parse::<Reference>(), Err(InvalidReference::Tag(_))));
        assert!(matches!("".parse::<Reference>(), Err(InvalidReference::Tag(_))));
    }

    proptest! {
        #[test]
        fn any_text_is_a_reference_that_prints_the_same_or_an_error(text in "\\PC*|[a-zA-Z0-9._:-]*|sha256:[0-9a-f]{64}") {
            if let Ok(reference) = text.parse::<Reference>() {
                prop_assert_eq!(reference.to_string(), text);
            }
        }
    }
}
