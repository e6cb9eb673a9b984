//! What can be granted.

/// A role on a repository; each contains those before it (Quay).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Pulling.
    Read,
    /// Pushing and deleting content as well.
    Write,
    /// Everything in the repository: what administering its namespace brings.
    Admin,
}

impl Role {
    /// Its name in Quay.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

/// What a team's members are in its organization; each contains those before it (Quay).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum TeamRole {
    /// Nothing by itself: the team can be granted roles on repositories.
    #[default]
    Member,
    /// May create repositories.
    Creator,
    /// Administers the organization and every repository of it.
    Admin,
}

impl TeamRole {
    /// Its name in Quay.
    pub fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Creator => "creator",
            Self::Admin => "admin",
        }
    }
}
