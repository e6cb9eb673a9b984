//! Who may do what. [`decide`] is the only place that grants: it takes facts, not a database, so that its whole
//! table can be tested and read (`access/policy.expected`).

use std::fmt;

/// The id of a user, and of the namespace that bears the user's name. Never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PrincipalId(pub u64);

/// A principal as a credential named it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Principal {
    /// Who.
    pub id: PrincipalId,
    /// The credential generation that the credential belongs to. An operation is refused once the principal's row
    /// has another one.
    pub generation: u64,
}

/// On whose behalf an operation runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// The program that embeds the registry: everything is granted.
    Owner,
    /// Nobody is signed in.
    Anonymous,
    /// A signed-in principal.
    User(Principal),
}

/// As log lines name it.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner => f.write_str("owner"),
            Self::Anonymous => f.write_str("anonymous"),
            Self::User(principal) => write!(f, "user {}", principal.id.0),
        }
    }
}

/// What an operation does to a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Reading blobs, manifests, tags and referrers.
    Pull,
    /// Uploading blobs, putting manifests and tags; creating the repository by doing so.
    Push,
    /// Deleting blobs, manifests and tags.
    Delete,
}

impl Action {
    /// Every action, so that tests leave none out.
    pub const ALL: [Self; 3] = [Self::Pull, Self::Push, Self::Delete];
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
        })
    }
}

/// A role on a repository; each contains those before it (Quay).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Everything in the repository: what owning its namespace brings.
    Admin,
}

/// The kind of actor, as far as rights go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// The embedder, or a superuser with full access.
    Unrestricted,
    /// Nobody is signed in.
    Anonymous,
    /// Somebody is.
    SignedIn,
}

/// What an action aims at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Neither the namespace nor the repository exists.
    NoNamespace,
    /// The namespace exists, the repository does not.
    Missing,
    /// A private repository.
    Private,
    /// A repository that everybody may pull from.
    Public,
}

/// All that a decision depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) who: Who,
    pub(crate) role: Option<Role>,
    pub(crate) target: Target,
    /// Whether a push of this actor may create what is missing.
    pub(crate) may_create: bool,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Go on.
    Granted,
    /// Refused openly: the actor may know of the repository, or learns nothing from the refusal.
    Denied,
    /// Answered as if the repository did not exist.
    Hidden,
    /// Refused for now: somebody who signs in may be granted it.
    SignIn,
}

/// Decides one action.
pub(crate) fn decide(facts: &Facts, action: Action) -> Verdict {
    if facts.who == Who::Anonymous {
        let is_open = facts.target == Target::Public && action == Action::Pull;
        return if is_open { Verdict::Granted } else { Verdict::SignIn };
    }
    let exists = matches!(facts.target, Target::Private | Target::Public);
    let is_granted = match action {
        Action::Pull => facts.role.is_some() || facts.target == Target::Public,
        Action::Push if !exists => facts.may_create,
        Action::Push | Action::Delete => facts.role == Some(Role::Admin),
    };
    if is_granted || (facts.who == Who::Unrestricted && (exists || action != Action::Push)) {
        return Verdict::Granted;
    }
    // A push into what does not exist is refused as creating it would be, so it hides nothing and tells nothing.
    if facts.target == Target::Public || action == Action::Push { Verdict::Denied } else { Verdict::Hidden }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    /// Prints the whole policy, one line for each combination of facts.
    fn policy() -> String {
        let mut table = String::new();
        for target in [Target::NoNamespace, Target::Missing, Target::Private, Target::Public] {
            for who in [Who::Unrestricted, Who::Anonymous, Who::SignedIn] {
                for role in [None, Some(Role::Admin)] {
                    for may_create in [false, true] {
                        let facts = Facts { who, role, target, may_create };
                        let role = role.map_or("-".into(), |role| format!("{role:?}"));
                        let create = if may_create { "create" } else { "-" };
                        write!(table, "{target:?} {who:?} {role} {create}:").unwrap();
                        for action in Action::ALL {
                            write!(table, " {action}={:?}", decide(&facts, action)).unwrap();
                        }
                        table.push('\n');
                    }
                }
            }
        }
        table
    }

    #[test]
    fn the_policy_is_the_reviewed_table() {
        assert_eq!(policy(), include_str!("access/policy.expected"), "\n{}", policy());
    }
}
