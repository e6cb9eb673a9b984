//! Names: of namespaces, of repositories, and tags (distribution-spec, "Pulling manifests").

mod tag;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::excerpt;

pub use tag::{InvalidTag, MAX_TAG_LEN, Tag};

/// The longest name of a namespace or a repository, in bytes (all of them ASCII).
///
/// Many clients refuse longer names (distribution-spec); the database's keys are bounded by it too.
pub const MAX_NAME_LEN: usize = 255;

/// Why a text is no name of a namespace or repository. The text is repeated, cut to a few hundred bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Not within the specification's grammar.
    #[error(
        "name {0:?} is invalid: its parts, separated by slashes, are lower-case letters and digits, \
         joined by one dot, one or two underscores, or dashes"
    )]
    Malformed(String),
    /// Longer than [`MAX_NAME_LEN`], for a repository with its namespace.
    #[error("name {0:?} is longer than {MAX_NAME_LEN} characters")]
    TooLong(String),
}

/// The name of a namespace: one part of the specification's grammar, 1 to 255 characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NamespaceName(Arc<str>);

impl NamespaceName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NamespaceName {
    type Err = InvalidName;

    fn from_str(name: &str) -> Result<Self, InvalidName> {
        if !is_component(name) {
            return Err(InvalidName::Malformed(excerpt(name)));
        }
        if name.len() > MAX_NAME_LEN {
            return Err(InvalidName::TooLong(excerpt(name)));
        }
        Ok(Self(name.into()))
    }
}

impl fmt::Display for NamespaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NamespaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// The full name of a repository: a namespace, a slash, and a path that may hold further slashes.
///
/// Cheap to clone. Ordered byte by byte over the whole name, which is the order of the catalog;
/// ordering by namespace and then path would differ, since `-` and `.` sort before `/`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryName {
    name: Arc<str>,
    /// Where the first slash stands; it follows from `name`, so the derived comparisons hold.
    namespace_len: usize,
}

impl RepositoryName {
    /// Parses a name as a client sends it; one without a slash lies in `library`.
    pub fn parse(name: &str, library: &NamespaceName) -> Result<Self, InvalidName> {
        match name.split_once('/') {
            Some((namespace, path)) => Self::of_parts(namespace, path, name),
            None => Self::of_parts(library.as_str(), name, name),
        }
    }

    /// The repository at `path` within `namespace`.
    pub fn new(namespace: &NamespaceName, path: &str) -> Result<Self, InvalidName> {
        Self::of_parts(namespace.as_str(), path, path)
    }

    /// `given` is what the caller wrote, for the error.
    fn of_parts(namespace: &str, path: &str, given: &str) -> Result<Self, InvalidName> {
        if !is_component(namespace) || !path.split('/').all(is_component) {
            return Err(InvalidName::Malformed(excerpt(given)));
        }
        let name = format!("{namespace}/{path}");
        if name.len() > MAX_NAME_LEN {
            return Err(InvalidName::TooLong(excerpt(&name)));
        }
        Ok(Self { name: name.into(), namespace_len: namespace.len() })
    }

    /// The namespace: what stands before the first slash.
    pub fn namespace(&self) -> &str {
        &self.name[..self.namespace_len]
    }

    /// The path within the namespace: all that follows the first slash.
    pub fn path(&self) -> &str {
        &self.name[self.namespace_len + 1..]
    }

    /// The whole name, `namespace/path`.
    pub fn as_str(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.name, f)
    }
}

/// One part of a name: `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*` (distribution-spec).
fn is_component(text: &str) -> bool {
    let is_alphanumeric = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9');
    let runs = text.as_bytes().chunk_by(|a, b| is_alphanumeric(a) == is_alphanumeric(b));
    let between_alphanumerics = [text.as_bytes().first(), text.as_bytes().last()]
        .into_iter()
        .all(|end| end.is_some_and(is_alphanumeric));
    between_alphanumerics && runs.filter(|run| !is_alphanumeric(&run[0])).all(is_separator)
}

fn is_separator(run: &[u8]) -> bool {
    matches!(run, b"." | b"_" | b"__") || run.iter().all(|byte| *byte == b'-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn library() -> NamespaceName {
        "library".parse().unwrap()
    }

    fn parse(name: &str) -> Result<RepositoryName, InvalidName> {
        RepositoryName::parse(name, &library())
    }

    #[test]
    fn names_within_the_grammar_are_accepted() {
        let names = [
            "a/b",
            "0/1",
            "a.b/c_d",
            "a__b/c-d",
            "a---b/c",
            "a/b/c/d/e/f/g/h",
            "a/blobs/uploads",
            "a/manifests/latest",
            "openshift-release-dev/ocp-v4.0-art-dev",
            "a.b-c__d.e/f",
        ];
        for name in names {
            assert_eq!(parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn names_outside_the_grammar_are_refused() {
        let names = [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            "a/b/",
            "A/b",
            "a/B",
            ".a/b",
            "a./b",
            "_a/b",
            "a_/b",
            "-a/b",
            "a-/b",
            "a..b/c",
            "a___b/c",
            "a._b/c",
            "a-.b/c",
            "a-_b/c",
            "a/_catalog",
            "a/../b",
            "a/./b",
            "a b/c",
            "a/b\n",
            "a/b\0",
            "é/b",
            "a%2fb/c",
            "a:b/c",
            "a@b/c",
            "a\\b",
            "_",
            "a/-",
            "robot+name/a",
        ];
        for name in names {
            assert_eq!(parse(name), Err(InvalidName::Malformed(name.to_owned())), "{name:?}");
        }
    }

    #[test]
    fn a_name_without_a_slash_lies_in_the_library() {
        let name = parse("busybox").unwrap();
        assert_eq!((name.namespace(), name.path(), name.as_str()), ("library", "busybox", "library/busybox"));
    }

    #[test]
    fn the_first_slash_ends_the_namespace() {
        let name = parse("ns/path/with/slashes").unwrap();
        assert_eq!((name.namespace(), name.path()), ("ns", "path/with/slashes"));
        assert_eq!(RepositoryName::new(&"ns".parse().unwrap(), "path/with/slashes"), Ok(name));
        assert!(RepositoryName::new(&library(), "").is_err());
        assert!(RepositoryName::new(&library(), "/a").is_err());
    }

    #[test]
    fn a_repository_name_with_its_namespace_has_at_most_255_characters() {
        assert_eq!(parse(&format!("a/{}", "b".repeat(253))).unwrap().as_str().len(), 255);
        assert!(matches!(parse(&format!("a/{}", "b".repeat(254))), Err(InvalidName::TooLong(_))));
        assert!(parse(&"b".repeat(247)).is_ok());
        assert!(matches!(parse(&"b".repeat(248)), Err(InvalidName::TooLong(_))));
    }

    #[test]
    fn a_namespace_is_one_part_of_at_most_255_characters() {
        assert!("a".repeat(255).parse::<NamespaceName>().is_ok());
        assert!(matches!("a".repeat(256).parse::<NamespaceName>(), Err(InvalidName::TooLong(_))));
        for name in ["", "a/b", "A", "a.", "a b"] {
            assert!(name.parse::<NamespaceName>().is_err(), "{name:?}");
        }
    }

    #[test]
    fn names_are_ordered_as_their_text() {
        assert!(parse("a-b/c").unwrap() < parse("a/c").unwrap());
        assert!(parse("a/c").unwrap() < parse("a/c/d").unwrap());
    }

    proptest! {
        #[test]
        fn every_sentence_of_the_grammar_is_a_name(
            name in "[a-z0-9]{1,4}((\\.|_|__|-{1,3})[a-z0-9]{1,3}){0,3}(/[a-z0-9]{1,4}((\\.|_|__|-{1,3})[a-z0-9]{1,3}){0,3}){1,4}",
        ) {
            let parsed = parse(&name).unwrap();
            prop_assert_eq!(format!("{}/{}", parsed.namespace(), parsed.path()), parsed.as_str());
            prop_assert_eq!(parsed.as_str(), name);
        }

        #[test]
        fn any_text_is_a_name_that_parses_again_or_an_error(name in "\\PC*|[a-b._/-]{0,12}") {
            if let Ok(parsed) = parse(&name) {
                prop_assert_eq!(parse(parsed.as_str()), Ok(parsed));
            }
        }
    }
}
