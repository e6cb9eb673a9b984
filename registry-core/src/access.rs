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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Reading blobs, manifests, tags, referrers, and what the repository is.
    Pull,
    /// Uploading blobs, putting manifests and tags; creating the repository by doing so.
    Push,
    /// Deleting blobs, manifests and tags.
    Delete,
    /// Changing what is said of the repository, such as its description.
    Describe,
    /// Deciding who may do what in it, who sees it and whether it takes pushes; deleting it.
    Administer,
}

impl Action {
    /// Every action, so that tests leave none out.
    pub const ALL: [Self; 5] = [Self::Pull, Self::Push, Self::Delete, Self::Describe, Self::Administer];

    /// The least role that brings it.
    fn needs(self) -> Role {
        match self {
            Self::Pull => Role::Read,
            Self::Push | Self::Delete | Self::Describe => Role::Write,
            Self::Administer => Role::Admin,
        }
    }

    /// Whether it changes content, which a repository that is read-only refuses to everybody.
    fn changes_content(self) -> bool {
        matches!(self, Self::Push | Self::Delete)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
            Self::Describe => "describe",
            Self::Administer => "administer",
        })
    }
}

/// What an operation does to a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamespaceAction {
    /// Seeing its teams, members and robots.
    Look,
    /// Creating repositories in it.
    Create,
    /// Changing its members, teams, robots and default permissions; deleting it.
    Administer,
}

impl NamespaceAction {
    /// Every action, so that tests leave none out.
    pub const ALL: [Self; 3] = [Self::Look, Self::Create, Self::Administer];
}

impl fmt::Display for NamespaceAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Look => "look into",
            Self::Create => "create repositories in",
            Self::Administer => "administer",
        })
    }
}

/// What an operation does to the registry as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistryAction {
    /// Seeing every user, every organization and what was done by whom.
    Survey,
    /// Creating, changing and deleting users; renaming, deleting and taking over namespaces.
    Govern,
}

impl RegistryAction {
    /// Every action, so that tests leave none out.
    pub const ALL: [Self; 2] = [Self::Survey, Self::Govern];
}

impl fmt::Display for RegistryAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Survey => "survey",
            Self::Govern => "govern",
        })
    }
}

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

/// The kind of actor, as far as rights go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// The embedder, or a superuser with full access.
    Unrestricted,
    /// Reads everything; otherwise as anybody who is signed in (Quay: global read-only superuser).
    Reader,
    /// Nobody is signed in.
    Anonymous,
    /// Somebody is.
    SignedIn,
}

impl Who {
    #[cfg(test)]
    const ALL: [Self; 4] = [Self::Unrestricted, Self::Reader, Self::Anonymous, Self::SignedIn];
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

/// Whether a repository takes content from this actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intake {
    /// As the roles say.
    Open,
    /// Not from the actor, who is restricted in a namespace of their own (Quay: `FEATURE_RESTRICTED_USERS`).
    Barred,
    /// From nobody: the repository is read-only.
    Closed,
}

impl Intake {
    #[cfg(test)]
    const ALL: [Self; 3] = [Self::Open, Self::Barred, Self::Closed];
}

/// All that a decision depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) who: Who,
    /// The actor's role on the repository, or, where that is missing, on all repositories of the namespace.
    pub(crate) role: Option<Role>,
    pub(crate) target: Target,
    /// Whether a push of this actor may create what is missing.
    pub(crate) may_create: bool,
    pub(crate) intake: Intake,
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
    if action == Action::Push && !exists {
        // Refused as creating it would be, so it hides nothing and tells nothing.
        return if facts.may_create { Verdict::Granted } else { Verdict::Denied };
    }
    let sees = facts.who != Who::SignedIn || facts.role.is_some() || facts.target == Target::Public;
    if action.changes_content() && exists && !takes_content(facts, action) {
        return if sees || action == Action::Push { Verdict::Denied } else { Verdict::Hidden };
    }
    let is_granted = facts.who == Who::Unrestricted
        || facts.role >= Some(action.needs())
        || (action == Action::Pull && sees);
    match is_granted {
        true => Verdict::Granted,
        false if sees && exists || action == Action::Push => Verdict::Denied,
        false => Verdict::Hidden,
    }
}

fn takes_content(facts: &Facts, action: Action) -> bool {
    match facts.intake {
        Intake::Open => true,
        Intake::Barred => action != Action::Push,
        Intake::Closed => false,
    }
}

/// All that a decision about a namespace depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NamespaceFacts {
    pub(crate) who: Who,
    pub(crate) exists: bool,
    /// The highest role among the actor's teams; [`TeamRole::Admin`] in a namespace of one's own.
    pub(crate) role: Option<TeamRole>,
    /// Whether the actor is restricted in a namespace of their own.
    pub(crate) is_barred: bool,
}

/// Decides one action on a namespace. Names of namespaces are no secret: everybody may ask who has one.
pub(crate) fn decide_in_namespace(facts: &NamespaceFacts, action: NamespaceAction) -> Verdict {
    let is_granted = match action {
        NamespaceAction::Look => facts.role.is_some() || facts.who == Who::Reader,
        NamespaceAction::Create => facts.role >= Some(TeamRole::Creator) && !facts.is_barred,
        NamespaceAction::Administer => facts.role == Some(TeamRole::Admin),
    };
    match facts.who {
        Who::Anonymous => Verdict::SignIn,
        Who::Unrestricted if facts.exists => Verdict::Granted,
        Who::Unrestricted => Verdict::Hidden,
        _ if is_granted && facts.exists => Verdict::Granted,
        _ => Verdict::Denied,
    }
}

/// Decides one action on the whole registry (Quay's superuser panel, which needs no full access).
pub(crate) fn decide_in_registry(who: Who, is_superuser: bool, action: RegistryAction) -> Verdict {
    let is_granted = match action {
        RegistryAction::Survey => is_superuser || who == Who::Reader,
        RegistryAction::Govern => is_superuser,
    };
    match who {
        _ if is_granted => Verdict::Granted,
        Who::Anonymous => Verdict::SignIn,
        Who::Unrestricted | Who::Reader | Who::SignedIn => Verdict::Denied,
    }
}

#[cfg(test)]
mod tests;
