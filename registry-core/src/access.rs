//! Who may do what. [`decide`] is the only place that grants: it takes facts, not a database, so that its whole
//! table can be tested and read (`access/policy.expected`).

mod account;
mod cap;
mod credential;
mod globs;
mod role;

use std::fmt;

pub use self::account::AccountAction;
pub(crate) use self::account::{AccountFacts, decide_for_account};
pub(crate) use self::cap::{AccountRole, Cap};
pub use self::cap::{InvalidScopes, Scope, Scopes};
pub use self::credential::{Actor, Credential, Job, TokenId};
pub use self::globs::{Globs, InvalidGlob};
pub use self::role::{Role, TeamRole};

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

/// What an operation does to a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Reading blobs, manifests, tags, referrers, and what the repository is.
    Pull,
    /// Uploading blobs, putting manifests and tags; creating the repository by doing so.
    Push,
    /// Creating the repository for itself, empty. Where it exists this is a push.
    Create,
    /// Deleting blobs, manifests and tags.
    Delete,
    /// Changing what is said of the repository, such as its description.
    Describe,
    /// Deciding who may do what in it, who sees it and whether it takes pushes; deleting it.
    Administer,
}

impl Action {
    /// Every action, so that tests leave none out.
    pub const ALL: [Self; 6] =
        [Self::Pull, Self::Push, Self::Create, Self::Delete, Self::Describe, Self::Administer];

    /// The least role that brings it.
    fn needs(self) -> Role {
        match self {
            Self::Pull => Role::Read,
            Self::Push | Self::Create | Self::Delete | Self::Describe => Role::Write,
            Self::Administer => Role::Admin,
        }
    }

    /// Whether it changes content, which a repository that is read-only refuses to everybody.
    fn changes_content(self) -> bool {
        self.adds() || self == Self::Delete
    }

    /// Whether it adds, so that it may be refused as adding what does not exist is.
    fn adds(self) -> bool {
        matches!(self, Self::Push | Self::Create)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Create => "create",
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
    /// Whether a push of this actor may create what is missing, apart from a superuser's powers.
    pub(crate) may_create: bool,
    pub(crate) intake: Intake,
    /// What of this the actor's credential carries there.
    pub(crate) cap: Cap,
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

/// Decides one action. What is public is open to every credential, since it is to everybody.
pub(crate) fn decide(facts: &Facts, action: Action) -> Verdict {
    if facts.who == Who::Anonymous {
        let is_open = facts.target == Target::Public && action == Action::Pull;
        return if is_open { Verdict::Granted } else { Verdict::SignIn };
    }
    let who = facts.cap.narrow(facts.who);
    let role = facts.role.filter(|_| facts.cap.carries(Action::Pull));
    let exists = matches!(facts.target, Target::Private | Target::Public);
    if action.adds() && !exists {
        // Refused as creating it would be, so it hides nothing and tells nothing.
        return if may_create(facts, who, action) { Verdict::Granted } else { Verdict::Denied };
    }
    let sees = who != Who::SignedIn || role.is_some() || facts.target == Target::Public;
    if action.changes_content() && exists && !takes_content(facts, action) {
        return if sees || action.adds() { Verdict::Denied } else { Verdict::Hidden };
    }
    let is_granted = who == Who::Unrestricted
        || (role >= Some(action.needs()) && facts.cap.carries(action))
        || (action == Action::Pull && sees);
    match is_granted {
        true => Verdict::Granted,
        false if sees && exists || action.adds() => Verdict::Denied,
        false => Verdict::Hidden,
    }
}

/// Whether what is missing may be made by the action. A namespace that a push makes is founded by an account.
fn may_create(facts: &Facts, who: Who, action: Action) -> bool {
    let cap = facts.cap;
    let founds = facts.target == Target::NoNamespace;
    let is_carried = cap.creates && cap.carries(action);
    let is_own_right = facts.may_create && is_carried && (!founds || cap.account == Some(AccountRole::Admin));
    is_own_right || (who == Who::Unrestricted && !founds)
}

fn takes_content(facts: &Facts, action: Action) -> bool {
    match facts.intake {
        Intake::Open => true,
        Intake::Barred => !action.adds(),
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
    /// Whether it is the actor's own namespace, which belongs to the account.
    pub(crate) is_own: bool,
    /// Whether the actor is restricted in a namespace of their own.
    pub(crate) is_barred: bool,
    /// What of this the actor's credential carries.
    pub(crate) cap: Cap,
}

impl NamespaceFacts {
    /// The role that the credential carries.
    pub(crate) fn carried_role(&self) -> Option<TeamRole> {
        let of_account = match self.cap.account {
            Some(AccountRole::Admin) => Some(TeamRole::Admin),
            _ => None,
        };
        self.role.min(if self.is_own { of_account } else { self.cap.namespace })
    }
}

/// Decides one action on a namespace. Names of namespaces are no secret: everybody may ask who has one.
pub(crate) fn decide_in_namespace(facts: &NamespaceFacts, action: NamespaceAction) -> Verdict {
    let (who, role) = (facts.cap.narrow_in_namespaces(facts.who), facts.carried_role());
    let is_granted = match action {
        NamespaceAction::Look => role.is_some() || who == Who::Reader,
        NamespaceAction::Create => {
            facts.role >= Some(TeamRole::Creator) && facts.cap.creates && !facts.is_barred
        }
        NamespaceAction::Administer => role == Some(TeamRole::Admin),
    };
    match who {
        Who::Anonymous => Verdict::SignIn,
        Who::Unrestricted if facts.exists => Verdict::Granted,
        Who::Unrestricted => Verdict::Hidden,
        _ if is_granted && facts.exists => Verdict::Granted,
        _ => Verdict::Denied,
    }
}

#[cfg(test)]
mod tests;
