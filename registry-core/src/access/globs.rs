//! Patterns that name repositories.

use std::fmt;

/// The most patterns in one list.
const MOST: usize = 32;
/// The most bytes of all patterns in one list: they travel in tokens.
const MOST_BYTES: usize = 2048;

/// Why a list of patterns was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGlob {
    /// A pattern is no `namespace/path` of lower-case letters, digits, `.`, `_`, `-`, `/` and stars.
    #[error("'{0}' is no pattern of repositories such as acme/app-*")]
    Malformed(String),
    /// More than 32 patterns, or more than 2048 bytes.
    #[error("the patterns are too many or too long")]
    TooMany,
}

/// Patterns of full names, such as `acme/app-*`: a `*` stands for any characters but a slash, `**` for any at all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Globs(Vec<String>);

impl Globs {
    /// Reads patterns. An empty list matches nothing.
    ///
    /// # Errors
    /// [`InvalidGlob`].
    pub fn new(patterns: impl IntoIterator<Item = String>) -> Result<Self, InvalidGlob> {
        let (mut kept, mut bytes) = (Vec::new(), 0);
        for pattern in patterns {
            if !is_pattern(&pattern) {
                return Err(InvalidGlob::Malformed(pattern.chars().take(80).collect()));
            }
            bytes += pattern.len();
            kept.push(pattern);
            if kept.len() > MOST || bytes > MOST_BYTES {
                return Err(InvalidGlob::TooMany);
            }
        }
        Ok(Self(kept))
    }

    /// The patterns, as they were given.
    pub fn patterns(&self) -> &[String] {
        &self.0
    }

    /// Whether a pattern matches the repository's full name.
    pub fn matches(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| matches(pattern.as_bytes(), name.as_bytes()))
    }
}

impl fmt::Display for Globs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

fn is_pattern(text: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-/*".contains(&byte);
    // A star can stand for a namespace alone, or for all of a name.
    (text.contains('/') || text == "**") && text.bytes().all(is_known)
}

/// Whether the whole name matches, in time of both lengths multiplied whatever the stars.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    // Which lengths of the name the pattern read so far can stand for.
    let mut reached = vec![false; name.len() + 1];
    reached[0] = true;
    let mut rest = pattern;
    while let Some((first, after)) = rest.split_first() {
        let is_deep = *first == b'*' && after.first() == Some(&b'*');
        rest = if is_deep { &after[1..] } else { after };
        if *first == b'*' {
            for at in 0..name.len() {
                reached[at + 1] |= reached[at] && (is_deep || name[at] != b'/');
            }
        } else {
            for at in (0..name.len()).rev() {
                reached[at + 1] = reached[at] && name[at] == *first;
            }
            reached[0] = false;
        }
    }
    reached[name.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globs(patterns: &[&str]) -> Result<Globs, InvalidGlob> {
        Globs::new(patterns.iter().map(|pattern| (*pattern).to_owned()))
    }

    #[test]
    fn a_star_stays_within_a_component_and_two_do_not() {
        for (pattern, name, does_match) in [
            ("acme/app", "acme/app", true),
            ("acme/app", "acme/app2", false),
            ("acme/app", "xacme/app", false),
            ("acme/*", "acme/app", true),
            ("acme/*", "acme/team/app", false),
            ("acme/*", "acme2/app", false),
            ("acme/**", "acme/team/app", true),
            ("acme/app-*", "acme/app-", true),
            ("acme/*-*-x", "acme/a-b-c-x", true),
            ("acme/*-*-x", "acme/a-x", false),
            ("*/app", "acme/app", true),
            ("*/app", "acme/team/app", false),
            ("**/app", "acme/team/app", true),
            ("**", "acme/app", true),
            ("acme/***", "acme/a/b", true),
        ] {
            assert_eq!(globs(&[pattern]).unwrap().matches(name), does_match, "{pattern} {name}");
        }
        assert!(globs(&["acme/a", "acme/b"]).unwrap().matches("acme/b"));
        assert!(!globs(&[]).unwrap().matches("acme/b"));
    }

    #[test]
    fn stars_cost_no_more_than_their_number() {
        let pattern = "a/".to_owned() + &"*a".repeat(200) + "b";
        assert!(!globs(&[&pattern]).unwrap().matches(&("a/".to_owned() + &"a".repeat(250))));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for pattern in ["", "*", "acme", "Acme/app", "acme/app?", "acme/a b", "acme/[ab]"] {
            assert!(matches!(globs(&[pattern]), Err(InvalidGlob::Malformed(_))), "{pattern}");
        }
        assert_eq!(globs(&["a/b"; MOST + 1]), Err(InvalidGlob::TooMany));
        assert_eq!(globs(&[&("a/".to_owned() + &"b".repeat(MOST_BYTES))]), Err(InvalidGlob::TooMany));
    }
}
