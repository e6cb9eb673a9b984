//! What a credential narrows its principal to: OAuth scopes as Quay has them, and what is beyond Quay.

use std::fmt;
use std::str::FromStr;

use super::{Action, TeamRole, Who};

/// What an OAuth token may be asked for (Quay's names).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Pulling from what its user may pull from.
    RepositoryRead,
    /// Pushing and deleting as well.
    RepositoryWrite,
    /// Everything in repositories.
    RepositoryAdmin,
    /// Creating repositories.
    RepositoryCreate,
    /// Reading who its user is.
    UserRead,
    /// The user's own account, robots and organizations yet to be made.
    UserAdmin,
    /// Administering organizations.
    OrganizationAdmin,
    /// What superusers may do.
    Superuser,
}

impl Scope {
    /// Every scope, in the order in which they are written.
    pub const ALL: [Self; 8] = [
        Self::RepositoryRead,
        Self::RepositoryWrite,
        Self::RepositoryAdmin,
        Self::RepositoryCreate,
        Self::UserRead,
        Self::UserAdmin,
        Self::OrganizationAdmin,
        Self::Superuser,
    ];

    /// Its name in Quay.
    pub fn name(self) -> &'static str {
        match self {
            Self::RepositoryRead => "repo:read",
            Self::RepositoryWrite => "repo:write",
            Self::RepositoryAdmin => "repo:admin",
            Self::RepositoryCreate => "repo:create",
            Self::UserRead => "user:read",
            Self::UserAdmin => "user:admin",
            Self::OrganizationAdmin => "org:admin",
            Self::Superuser => "super:user",
        }
    }

    /// What it carries alone (Quay: the table of scope caps).
    fn cap(self) -> Cap {
        let in_repositories = |reach| Cap { repository: reach, ..Cap::NOTHING };
        match self {
            Self::RepositoryRead => in_repositories(Reach::Pull),
            Self::RepositoryWrite => in_repositories(Reach::Write),
            Self::RepositoryAdmin => in_repositories(Reach::Administer),
            Self::RepositoryCreate => {
                Cap { creates: true, namespace: Some(TeamRole::Creator), ..Cap::NOTHING }
            }
            Self::UserRead => Cap { account: Some(AccountRole::Read), ..Cap::NOTHING },
            Self::UserAdmin => Cap { account: Some(AccountRole::Admin), ..Cap::NOTHING },
            Self::OrganizationAdmin => {
                Cap { creates: true, namespace: Some(TeamRole::Admin), ..Cap::NOTHING }
            }
            Self::Superuser => Cap { is_superuser: true, ..Cap::NOTHING },
        }
    }
}

/// A set of scopes, written with blanks between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scopes(u8);

impl Scopes {
    /// All of them.
    pub const ALL: Self = Self(u8::MAX);

    /// Whether `scope` is among them.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u8) != 0
    }

    /// Whether a token with these carries all that one with `others` does: `repo:admin` carries `repo:read`.
    pub fn cover(self, others: Self) -> bool {
        self.cap().covers(others.cap())
    }

    /// The scopes in the order in which they are written.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.contains(*scope))
    }

    pub(crate) fn bits(self) -> u8 {
        self.0
    }

    pub(crate) fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    pub(crate) fn cap(self) -> Cap {
        self.iter().fold(Cap::NOTHING, |cap, scope| cap.or(scope.cap()))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | 1 << scope as u8))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(Scope::name).collect();
        f.write_str(&names.join(" "))
    }
}

/// A text that names no scope, or one that there is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("scopes are unknown or missing")]
pub struct InvalidScopes;

/// Reads names with blanks or commas between them, as clients send them.
impl FromStr for Scopes {
    type Err = InvalidScopes;

    fn from_str(text: &str) -> Result<Self, InvalidScopes> {
        let names = text.split([' ', ',']).filter(|name| !name.is_empty());
        let scope = |name| Scope::ALL.into_iter().find(|scope| scope.name() == name).ok_or(InvalidScopes);
        let scopes: Self = names.map(scope).collect::<Result<_, _>>()?;
        if scopes == Self::default() { Err(InvalidScopes) } else { Ok(scopes) }
    }
}

/// How far into a repository a credential reaches; each contains those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// Nowhere but to what is public.
    Nothing,
    /// Pulling.
    Pull,
    /// Pushing, but not deleting.
    Push,
    /// All that a role to write brings.
    Write,
    /// Everything.
    Administer,
}

/// How far into the principal's own account a credential reaches; each contains those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AccountRole {
    /// Reading who it is.
    Read,
    /// Everything.
    Admin,
}

/// What of its principal's rights a credential carries. It adds none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cap {
    pub(crate) repository: Reach,
    /// Whether it creates repositories where the principal may.
    pub(crate) creates: bool,
    /// The highest role that it carries in organizations.
    pub(crate) namespace: Option<TeamRole>,
    pub(crate) account: Option<AccountRole>,
    /// Whether it carries the powers of a superuser.
    pub(crate) is_superuser: bool,
    /// Whether it is bound to certain repositories, so that it reads nothing of namespaces.
    pub(crate) is_bound: bool,
}

impl Cap {
    /// All that the principal may do: a password, a session, a robot's token.
    pub(crate) const FULL: Self = Self {
        repository: Reach::Administer,
        creates: true,
        namespace: Some(TeamRole::Admin),
        account: Some(AccountRole::Admin),
        is_superuser: true,
        is_bound: false,
    };

    /// Nothing but what everybody who is signed in may do.
    pub(crate) const NOTHING: Self = Self {
        repository: Reach::Nothing,
        creates: false,
        namespace: None,
        account: None,
        is_superuser: false,
        is_bound: false,
    };

    /// An app-specific token stands in for the password of a client of the registry, and for nothing else.
    pub(crate) const APP: Self = Self { account: None, namespace: None, ..Self::FULL };

    /// A credential that names its repositories has no power elsewhere, or else it could give itself more.
    pub(crate) const REPOSITORIES: Self =
        Self { repository: Reach::Administer, creates: true, is_bound: true, ..Self::NOTHING };

    /// A job's.
    pub(crate) fn of_job(pushes: bool) -> Self {
        let repository = if pushes { Reach::Push } else { Reach::Pull };
        Self { repository, creates: pushes, ..Self::REPOSITORIES }
    }

    /// What either carries.
    fn or(self, other: Self) -> Self {
        Self {
            repository: self.repository.max(other.repository),
            creates: self.creates || other.creates,
            namespace: self.namespace.max(other.namespace),
            account: self.account.max(other.account),
            is_superuser: self.is_superuser || other.is_superuser,
            is_bound: self.is_bound && other.is_bound,
        }
    }

    /// What both carry.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            repository: self.repository.min(other.repository),
            creates: self.creates && other.creates,
            namespace: self.namespace.min(other.namespace),
            account: self.account.min(other.account),
            is_superuser: self.is_superuser && other.is_superuser,
            is_bound: self.is_bound || other.is_bound,
        }
    }

    /// Whether it carries all that `other` does.
    pub(crate) fn covers(self, other: Self) -> bool {
        self.and(other) == other
    }

    /// The actor as the credential lets it appear: the powers of a superuser need their own scope, and reading everything
    /// is pulling.
    pub(crate) fn narrow(self, who: Who) -> Who {
        match who {
            Who::Unrestricted if !self.is_superuser => Who::SignedIn,
            Who::Reader if self.repository < Reach::Pull => Who::SignedIn,
            who => who,
        }
    }

    /// The same where a namespace is looked at.
    pub(crate) fn narrow_in_namespaces(self, who: Who) -> Who {
        match self.narrow(who) {
            Who::Reader if self.is_bound => Who::SignedIn,
            who => who,
        }
    }

    /// Whether it carries the action on a repository that its principal may see.
    pub(crate) fn carries(self, action: Action) -> bool {
        let needed = match action {
            Action::Pull => Reach::Pull,
            Action::Create => return self.creates,
            Action::Push => Reach::Push,
            Action::Delete | Action::Describe => Reach::Write,
            Action::Administer => Reach::Administer,
        };
        self.repository >= needed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_with_blanks_and_commas_and_written_in_order() {
        let scopes: Scopes = "org:admin, repo:read,repo:read".parse().unwrap();
        assert_eq!(scopes.to_string(), "repo:read org:admin");
        assert_eq!(Scopes::from_bits(scopes.bits()), scopes);
        for wrong in ["", " ,", "repo", "repo:read repo:fly", "direct_user_login"] {
            assert_eq!(wrong.parse::<Scopes>(), Err(InvalidScopes), "{wrong}");
        }
        assert_eq!(Scopes::ALL.to_string().split(' ').count(), 8);
    }

    #[test]
    fn a_scope_covers_those_that_it_contains_and_no_others() {
        let covers = |one: &str, other: &str| one.parse::<Scopes>().unwrap().cover(other.parse().unwrap());
        assert!(covers("repo:admin", "repo:read repo:write") && covers("user:admin", "user:read"));
        assert!(covers("org:admin", "repo:create"));
        for scope in Scope::ALL {
            assert!(Scopes::ALL.cover(Scopes::from_iter([scope])));
        }
        assert!(
            !covers("repo:read", "repo:write") && !covers("repo:admin org:admin user:admin", "super:user")
        );
    }
}
