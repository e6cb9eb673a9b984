//! What an actor is, in a namespace and in a repository: the facts that a decision is made of.

use super::keys::{Grantee, NamespaceId, RepositoryId, TeamId};
use super::records::User;
use super::tables::{GRANTS, MEMBERSHIPS, TEAM_ROLES, USERS};
use crate::Error;
use crate::access::{Actor, Principal, PrincipalId, Role, TeamRole, Who};
use crate::metadata::Rows;
use crate::settings::Settings;

/// Up to so many grants of a repository are read at once; of more, only those are looked up that may be the actor's.
const GRANTS_READ: usize = 64;

/// An actor whose account was read.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) who: Who,
    /// Who is signed in.
    pub(crate) account: Option<(PrincipalId, User)>,
    /// Whether the actor may not create or push in a namespace of their own (Quay: `FEATURE_RESTRICTED_USERS`).
    pub(crate) is_restricted: bool,
}

impl Caller {
    /// Whether it is a robot.
    pub(crate) fn is_robot(&self) -> bool {
        self.account.as_ref().is_some_and(|(_, user)| user.robot_of.is_some())
    }

    /// The actor's own namespace: a user's, or that of the user whose robot it is.
    fn own(&self) -> Option<NamespaceId> {
        self.account.as_ref().map(|(id, user)| user.robot_of.unwrap_or((*id).into()))
    }

    /// Whether the actor is restricted there.
    pub(crate) fn is_barred_in(&self, namespace: NamespaceId) -> bool {
        self.is_restricted && self.own() == Some(namespace)
    }
}

/// What an actor is in a namespace.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    /// The highest role among the actor's teams; that of an administrator in a namespace of one's own.
    pub(crate) role: Option<TeamRole>,
    pub(crate) teams: Vec<TeamId>,
}

/// Reads the actor's account, as every request does: revocation is immediate.
///
/// # Errors
/// [`Error::CredentialRevoked`] if it is gone, disabled, or has another generation.
pub(crate) fn caller(rows: &impl Rows, settings: &Settings, actor: &Actor) -> Result<Caller, Error> {
    let principal = match actor {
        Actor::Owner => return Ok(Caller { who: Who::Unrestricted, account: None, is_restricted: false }),
        Actor::Anonymous => return Ok(Caller { who: Who::Anonymous, account: None, is_restricted: false }),
        Actor::User(principal) => principal,
    };
    let user = signed_in(rows, principal)?;
    let is_refused = settings.robots_are_disallowed && !settings.allowed_robots.contains(&user.name);
    if user.robot_of.is_some() && is_refused {
        return Err(Error::CredentialRevoked);
    }
    let who = who(settings, &user);
    let is_restricted = who == Who::SignedIn && is_restricted(rows, settings, &user)?;
    Ok(Caller { who, account: Some((principal.id, user)), is_restricted })
}

/// The account of a signed-in principal.
///
/// # Errors
/// [`Error::CredentialRevoked`] if it is gone, disabled, or has another generation; for a robot also if its owner is
/// disabled.
pub(crate) fn signed_in(rows: &impl Rows, principal: &Principal) -> Result<User, Error> {
    let user = rows.get(&USERS, &principal.id)?.ok_or(Error::CredentialRevoked)?;
    if user.is_disabled || user.generation != principal.generation {
        return Err(Error::CredentialRevoked);
    }
    if let Some(namespace) = user.robot_of
        && rows.get(&USERS, &PrincipalId(namespace.0))?.is_some_and(|owner| owner.is_disabled)
    {
        return Err(Error::CredentialRevoked);
    }
    Ok(user)
}

fn who(settings: &Settings, user: &User) -> Who {
    if settings.readers.contains(&user.name) {
        Who::Reader
    } else if settings.superusers_have_full_access && is_superuser(settings, user) {
        Who::Unrestricted
    } else {
        Who::SignedIn
    }
}

/// Whether this user or robot is a superuser, by the flag on the row or by the settings.
pub(crate) fn is_superuser(settings: &Settings, user: &User) -> bool {
    let is_named = user.is_superuser || settings.superusers.contains(&user.name);
    is_named && !settings.readers.contains(&user.name)
}

/// Whether the actor is a superuser, or the embedder.
///
/// # Errors
/// [`Error::NotSignedIn`], [`Error::CredentialRevoked`], [`Error::SuperuserNeeded`].
pub(crate) fn check_superuser(rows: &impl Rows, settings: &Settings, actor: &Actor) -> Result<(), Error> {
    match caller(rows, settings, actor)? {
        Caller { who: Who::Anonymous, .. } => Err(Error::NotSignedIn),
        Caller { account: Some((_, user)), .. } if !is_superuser(settings, &user) => {
            Err(Error::SuperuserNeeded)
        }
        Caller { .. } => Ok(()),
    }
}

/// Robots are restricted with the user whose they are.
fn is_restricted(rows: &impl Rows, settings: &Settings, user: &User) -> Result<bool, Error> {
    if !settings.users_are_restricted || is_superuser(settings, user) {
        return Ok(false);
    }
    let name = match user.robot_of {
        Some(namespace) => super::authorize::namespace_row(rows, namespace)?.name,
        None => user.name.clone(),
    };
    Ok(!settings.unrestricted_users.contains(&name))
}

/// What the caller is in a namespace.
pub(crate) fn in_namespace(
    rows: &impl Rows,
    caller: &Caller,
    namespace: NamespaceId,
) -> Result<Standing, Error> {
    let Some((id, _)) = &caller.account else { return Ok(Standing::default()) };
    if NamespaceId::from(*id) == namespace {
        return Ok(Standing { role: Some(TeamRole::Admin), teams: Vec::new() });
    }
    let memberships = rows.scan(&MEMBERSHIPS, &(*id, namespace), None, usize::MAX)?;
    let teams: Vec<TeamId> = memberships.into_iter().map(|((_, _, team), ())| team).collect();
    if teams.is_empty() {
        return Ok(Standing::default());
    }
    let higher = rows.scan(&TEAM_ROLES, &(namespace,), None, usize::MAX)?;
    let higher = higher.into_iter().filter(|((_, team), _)| teams.contains(team)).map(|(_, role)| role).max();
    Ok(Standing { role: Some(higher.unwrap_or(TeamRole::Member)), teams })
}

/// The caller's role in a repository: the highest of what was granted and of what the namespace brings.
pub(crate) fn in_repository(
    rows: &impl Rows,
    caller: &Caller,
    namespace: NamespaceId,
    repository: RepositoryId,
) -> Result<Option<Role>, Error> {
    let Some((id, _)) = &caller.account else { return Ok(None) };
    let standing = in_namespace(rows, caller, namespace)?;
    if standing.role == Some(TeamRole::Admin) {
        return Ok(Some(Role::Admin));
    }
    let mut mine = vec![Grantee::Principal(*id)];
    mine.extend(standing.teams.into_iter().map(Grantee::Team));
    highest(rows, repository, &mine)
}

fn highest(rows: &impl Rows, repository: RepositoryId, mine: &[Grantee]) -> Result<Option<Role>, Error> {
    let grants = rows.scan(&GRANTS, &(repository,), None, GRANTS_READ)?;
    if grants.len() < GRANTS_READ {
        return Ok(grants.iter().filter(|((_, to), _)| mine.contains(to)).map(|(_, role)| *role).max());
    }
    let mut highest = None;
    for grantee in mine {
        highest = highest.max(rows.get(&GRANTS, &(repository, *grantee))?);
    }
    Ok(highest)
}
