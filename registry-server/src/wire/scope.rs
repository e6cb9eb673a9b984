//! Scopes of the token protocol: what a client asks a token for.
//!
//! Grammar: `type[(class)]:name:action[,action]`. A name may hold the colon of a port, so the type ends at
//! the first colon and the actions begin after the last. What is not understood is dropped and never an
//! error.

use std::{
    collections::BTreeMap,
    fmt,
    ops::{BitOr, BitOrAssign},
};

/// The most repositories that are listed one by one; with more, [`Scopes::any`] holds instead.
pub const MAX_SCOPES: usize = 200;

/// A set of actions on a repository.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Actions(u8);

impl Actions {
    /// Reading blobs, manifests, tags and referrers.
    pub const PULL: Self = Self(1);
    /// Uploading blobs, putting manifests.
    pub const PUSH: Self = Self(2);
    /// Deleting tags, manifests and blobs.
    pub const DELETE: Self = Self(4);
    /// What `*` stands for: all of them.
    pub const ALL: Self = Self(7);

    const NAMES: [(Self, &'static str); 3] =
        [(Self::PULL, "pull"), (Self::PUSH, "push"), (Self::DELETE, "delete")];

    /// Reads comma-separated actions; unknown ones are dropped.
    pub fn parse(list: &str) -> Self {
        list.split(',').map(Self::parse_one).fold(Self::default(), Self::bitor)
    }

    fn parse_one(name: &str) -> Self {
        let known = Self::NAMES.iter().find(|(_, known)| *known == name).map(|(action, _)| *action);
        known.unwrap_or(if name == "*" { Self::ALL } else { Self::default() })
    }

    /// Whether all of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether no action is in this set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for Actions {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Actions {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

/// As in a scope or challenge: `pull,push,delete`.
impl fmt::Display for Actions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (_, name) in Self::NAMES.iter().filter(|(action, _)| self.contains(*action)) {
            write!(f, "{separator}{name}")?;
            separator = ",";
        }
        Ok(())
    }
}

/// What a token is asked for. It narrows what its bearer may do and grants nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scopes {
    /// Actions by repository name as sent; the union where a name was sent several times. Empty if `any`.
    pub repositories: BTreeMap<String, Actions>,
    /// Listing repositories: `registry:catalog:*`.
    pub catalog: bool,
    /// More than [`MAX_SCOPES`] repositories were asked for: every action on every repository counts as asked
    /// for.
    pub any: bool,
}

impl Scopes {
    /// Reads the values of `scope` parameters; each may hold several scopes, separated by spaces.
    pub fn parse<'v>(values: impl IntoIterator<Item = &'v str>) -> Self {
        let mut scopes = Self::default();
        for scope in values.into_iter().flat_map(str::split_ascii_whitespace) {
            scopes.add(scope);
        }
        scopes
    }

    /// Whether `actions` on `repository` were asked for.
    pub fn covers(&self, repository: &str, actions: Actions) -> bool {
        self.any || self.repositories.get(repository).is_some_and(|asked| asked.contains(actions))
    }

    fn add(&mut self, scope: &str) {
        let Some((kind, rest)) = scope.split_once(':') else { return };
        let Some((name, actions)) = rest.rsplit_once(':') else { return };
        match without_class(kind) {
            "repository" => self.add_repository(name, Actions::parse(actions)),
            "registry" if name == "catalog" => self.catalog |= actions.split(',').any(|action| action == "*"),
            _ => {}
        }
    }

    fn add_repository(&mut self, name: &str, actions: Actions) {
        if self.any || name.is_empty() || actions.is_empty() {
            return;
        }
        *self.repositories.entry(name.to_owned()).or_default() |= actions;
        if self.repositories.len() > MAX_SCOPES {
            self.repositories.clear();
            self.any = true;
        }
    }
}

/// `repository(plugin)` is the type `repository` with the class `plugin`, which changes nothing here.
fn without_class(kind: &str) -> &str {
    match kind.strip_suffix(')').and_then(|kind| kind.split_once('(')) {
        Some((kind, _)) => kind,
        None => kind,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Scopes as text, for tables: `name=actions` in order of names, then `catalog` and `any`.
    fn read(values: &[&str]) -> String {
        let scopes = Scopes::parse(values.iter().copied());
        let mut words: Vec<String> =
            scopes.repositories.iter().map(|(name, actions)| format!("{name}={actions}")).collect();
        words.extend(scopes.catalog.then(|| "catalog".to_owned()));
        words.extend(scopes.any.then(|| "any".to_owned()));
        words.join(" ")
    }

    const TABLE: &[(&[&str], &str)] = &[
        (&["repository:a/b:pull"], "a/b=pull"),
        (&["repository:a/b:push,pull"], "a/b=pull,push"),
        (&["repository:a:*"], "a=pull,push,delete"),
        (&["repository:a:delete"], "a=delete"),
        (&["registry:catalog:*"], "catalog"),
        // Several scopes in one value, several values, the same repository again.
        (&["repository:a:pull repository:b:push"], "a=pull b=push"),
        (&["repository:a:pull", "repository:b:pull"], "a=pull b=pull"),
        (&["repository:a:pull repository:a:pull,push", "repository:a:delete"], "a=pull,push,delete"),
        // A port in the name, a class in the type.
        (&["repository:localhost:5000/a:pull"], "localhost:5000/a=pull"),
        (&["repository(plugin):a:pull"], "a=pull"),
        // Dropped: unknown types and actions, and what is no scope.
        (&["repository:a:pull,fly"], "a=pull"),
        (&["repository:a:fly"], ""),
        (&["repository:a:"], ""),
        (&["repository:a:PULL"], ""),
        (&["repository::pull"], ""),
        (&["repository:pull"], ""),
        (&["package:a:pull"], ""),
        (&["registry:catalog:search"], ""),
        (&["registry:other:*"], ""),
        (&["", "  ", ":", "::", "nonsense"], ""),
    ];

    #[test]
    fn scopes_are_read_and_united_and_the_unknown_is_dropped() {
        for (values, expected) in TABLE {
            assert_eq!(read(values), *expected, "{values:?}");
        }
    }

    #[test]
    fn beyond_the_limit_a_token_is_asked_for_any_repository() {
        let values: Vec<String> = (0..=MAX_SCOPES).map(|n| format!("repository:r{n}:pull")).collect();
        let listed = Scopes::parse(values[1..].iter().map(String::as_str));
        assert_eq!((listed.repositories.len(), listed.any), (MAX_SCOPES, false));
        let any = Scopes::parse(values.iter().map(String::as_str));
        assert_eq!((any.repositories.len(), any.any), (0, true));
        assert!(any.covers("elsewhere", Actions::ALL));
    }

    #[test]
    fn a_scope_covers_what_it_names_and_no_more() {
        let scopes = Scopes::parse(["repository:a:pull,push"]);
        assert!(scopes.covers("a", Actions::PULL | Actions::PUSH));
        assert!(!scopes.covers("a", Actions::DELETE));
        assert!(!scopes.covers("b", Actions::PULL));
    }

    proptest! {
        #[test]
        fn any_text_is_read(values in proptest::collection::vec("[a-z:,*() ]*|.*", 0..4)) {
            let scopes = Scopes::parse(values.iter().map(String::as_str));
            prop_assert!(scopes.repositories.values().all(|actions| !actions.is_empty()));
        }

        #[test]
        fn actions_are_printed_as_they_are_read(bits in 0u8..8) {
            prop_assert_eq!(Actions::parse(&Actions(bits).to_string()), Actions(bits));
        }
    }
}
