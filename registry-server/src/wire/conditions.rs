//! Conditional requests (RFC 9110 section 13) against an entity tag that is a digest.
//!
//! The `ETag` of a blob or manifest is its digest in quotes. Clients also send it without quotes, so a bare
//! digest is understood everywhere.

/// Whether one of the values of `If-None-Match` names `current`, the digest that is there now.
///
/// `true` means 304 on GET and HEAD, 412 on a write. The comparison is weak: `W/"d"` names `d`. `*` names
/// anything that exists.
pub fn if_none_match<'v>(values: impl IntoIterator<Item = &'v str>, current: Option<&str>) -> bool {
    names(values, current, Comparison::Weak)
}

/// Whether one of the values of `If-Match` names `current`; `false` means 412.
///
/// The comparison is strong: `W/"d"` names nothing. `*` names anything that exists.
pub fn if_match<'v>(values: impl IntoIterator<Item = &'v str>, current: Option<&str>) -> bool {
    names(values, current, Comparison::Strong)
}

/// Whether `If-Range` holds, so that `Range` is honoured; otherwise the whole content is the answer.
///
/// The comparison is strong. A date never holds: content has no date.
pub fn if_range(value: &str, current: &str) -> bool {
    let mut tags = EntityTags { rest: value };
    tags.next() == Some(EntityTag { weak: false, opaque: current }) && tags.next().is_none()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

fn names<'v>(
    values: impl IntoIterator<Item = &'v str>,
    current: Option<&str>,
    comparison: Comparison,
) -> bool {
    let Some(current) = current else { return false };
    values.into_iter().any(|value| {
        value.trim() == "*"
            || EntityTags { rest: value }
                .any(|tag| tag.opaque == current && !(tag.weak && comparison == Comparison::Strong))
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct EntityTag<'v> {
    weak: bool,
    opaque: &'v str,
}

/// The entity tags of a comma-separated list; a tag may stand without quotes.
struct EntityTags<'v> {
    rest: &'v str,
}

impl<'v> Iterator for EntityTags<'v> {
    type Item = EntityTag<'v>;

    fn next(&mut self) -> Option<EntityTag<'v>> {
        let rest = self.rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return None;
        }
        let (weak, rest) = match rest.strip_prefix("W/") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let (opaque, rest) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(',').unwrap_or((rest, "")),
        };
        self.rest = rest;
        Some(EntityTag { weak, opaque: opaque.trim_end() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const D: &str = "sha256:ab";

    /// Header value, then whether it names [`D`]: compared weakly, compared strongly, as `If-Range`.
    const TABLE: &[(&str, bool, bool, bool)] = &[
        (r#""sha256:ab""#, true, true, true),
        ("sha256:ab", true, true, true),
        (r#"W/"sha256:ab""#, true, false, false),
        ("W/sha256:ab", true, false, false),
        (r#""x", "sha256:ab""#, true, true, false),
        (r#""x","y,z" , W/"sha256:ab","#, true, false, false),
        ("x, sha256:ab ,y", true, true, false),
        ("*", true, true, false),
        (" * ", true, true, false),
        (r#""sha256:cd""#, false, false, false),
        (r#""SHA256:AB""#, false, false, false),
        (r#""x,sha256:ab""#, false, false, false),
        ("Mon, 23 Nov 2026 07:00:00 GMT", false, false, false),
        (r#"""#, false, false, false),
        ("W/", false, false, false),
        (",,", false, false, false),
        ("", false, false, false),
    ];

    #[test]
    fn entity_tags_are_compared_as_rfc_9110_says() {
        for (value, weak, strong, range) in TABLE {
            assert_eq!(if_none_match([*value], Some(D)), *weak, "If-None-Match: {value}");
            assert_eq!(if_match([*value], Some(D)), *strong, "If-Match: {value}");
            assert_eq!(if_range(value, D), *range, "If-Range: {value}");
        }
    }

    #[test]
    fn every_header_line_counts() {
        assert!(if_none_match([r#""x""#, r#""sha256:ab""#], Some(D)));
        assert!(!if_none_match([], Some(D)));
    }

    #[test]
    fn nothing_names_what_is_absent() {
        assert!(!if_none_match(["*"], None));
        assert!(!if_match(["*", r#""sha256:ab""#], None));
    }

    proptest! {
        #[test]
        fn any_text_is_compared(value in r#"[W/",a: *]*|.*"#) {
            let _ = if_none_match([value.as_str()], Some(D));
            let _ = if_match([value.as_str()], Some(D));
            let _ = if_range(&value, D);
        }
    }
}
