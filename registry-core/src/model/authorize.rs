//! Asking for a repository is the check: a [`Granted`] is only made here, and row operations want one.

use super::keys::{NamespaceId, RepositoryId};
use super::records::{Namespace, User};
use super::repositories::{self, NewRepository};
use super::tables::{NAMESPACES, OWNERS, REPOSITORIES, REPOSITORY, USERS};
use crate::Error;
use crate::access::{Action, Actor, Facts, Principal, Role, Target, Verdict, Who, decide};
use crate::metadata::{Rows, WriteTxn};
use crate::oci::RepositoryName;
use crate::settings::Settings;

/// A repository in which an action was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Granted {
    pub(crate) namespace: NamespaceId,
    pub(crate) repository: RepositoryId,
}

impl Granted {
    /// The handle of background work, which acts for nobody.
    pub(crate) fn for_background(namespace: NamespaceId, repository: RepositoryId) -> Self {
        Self { namespace, repository }
    }
}

/// Where an action leads.
enum Aim {
    Repository(Granted),
    Missing(Option<NamespaceId>),
}

/// The repository, if `actor` may do `action` in it.
///
/// # Errors
/// [`Error::RepositoryUnknown`] if it is missing or hidden, [`Error::Denied`], [`Error::SignInNeeded`],
/// [`Error::CredentialRevoked`].
pub(crate) fn granted(
    rows: &impl Rows,
    settings: &Settings,
    actor: &Actor,
    name: &RepositoryName,
    action: Action,
) -> Result<Granted, Error> {
    match aim(rows, settings, actor, name, action)? {
        Aim::Repository(granted) => Ok(granted),
        Aim::Missing(_) => Err(Error::RepositoryUnknown(name.clone())),
    }
}

/// The repository to push into: made, with its namespace, where that is granted and it is missing.
///
/// # Errors
/// As [`granted`].
pub(crate) fn granted_or_created(
    txn: &mut WriteTxn<'_>,
    settings: &Settings,
    actor: &Actor,
    name: &RepositoryName,
    new: &NewRepository,
) -> Result<Granted, Error> {
    let namespace = match aim(txn, settings, actor, name, Action::Push)? {
        Aim::Repository(granted) => return Ok(granted),
        Aim::Missing(Some(namespace)) => namespace,
        Aim::Missing(None) => repositories::create_organization(txn, actor, name, new)?,
    };
    repositories::create(txn, namespace, name, new)
}

/// Whether a push into the repository, there or not, is granted now. It is decided again in the transaction that
/// commits.
///
/// # Errors
/// As [`granted`].
pub(crate) fn check_push(
    rows: &impl Rows,
    settings: &Settings,
    actor: &Actor,
    name: &RepositoryName,
) -> Result<(), Error> {
    aim(rows, settings, actor, name, Action::Push).map(drop)
}

fn aim(
    rows: &impl Rows,
    settings: &Settings,
    actor: &Actor,
    name: &RepositoryName,
    action: Action,
) -> Result<Aim, Error> {
    let namespace = rows.get(&NAMESPACES, &name.namespace().to_owned())?;
    let (aim, target) = match namespace {
        None => (Aim::Missing(None), Target::NoNamespace),
        Some(namespace) => match rows.get(&REPOSITORIES, &(namespace, name.path().to_owned()))? {
            None => (Aim::Missing(Some(namespace)), Target::Missing),
            Some(repository) => (
                Aim::Repository(Granted { namespace, repository }),
                visibility(rows, settings, actor, repository)?,
            ),
        },
    };
    let facts = facts(rows, settings, actor, namespace, target)?;
    let repository = name.clone();
    match decide(&facts, action) {
        Verdict::Granted => Ok(aim),
        Verdict::Hidden => Err(Error::RepositoryUnknown(repository)),
        Verdict::Denied => Err(Error::Denied { action, repository }),
        Verdict::SignIn => Err(Error::SignInNeeded { action, repository }),
    }
}

fn visibility(
    rows: &impl Rows,
    settings: &Settings,
    actor: &Actor,
    repository: RepositoryId,
) -> Result<Target, Error> {
    let is_public = rows.get(&REPOSITORY, &repository)?.is_some_and(|row| row.is_public);
    let is_open = *actor != Actor::Anonymous || settings.anonymous_access;
    Ok(if is_public && is_open { Target::Public } else { Target::Private })
}

fn facts(
    rows: &impl Rows,
    settings: &Settings,
    actor: &Actor,
    namespace: Option<NamespaceId>,
    target: Target,
) -> Result<Facts, Error> {
    let (who, role) = match actor {
        Actor::Owner => (Who::Unrestricted, None),
        Actor::Anonymous => (Who::Anonymous, None),
        Actor::User(principal) => {
            let user = signed_in(rows, principal)?;
            let who = if has_full_access(settings, &user) { Who::Unrestricted } else { Who::SignedIn };
            (who, namespace.map_or(Ok(None), |namespace| role(rows, principal, namespace))?)
        }
    };
    let may_create = match target {
        Target::NoNamespace => match actor {
            Actor::Owner => true,
            Actor::Anonymous => false,
            Actor::User(_) => settings.create_namespace_on_push,
        },
        Target::Missing => role.is_some() || who == Who::Unrestricted,
        Target::Private | Target::Public => false,
    };
    Ok(Facts { who, role, target, may_create })
}

/// The account of a signed-in principal, which every request reads: revocation is immediate.
///
/// # Errors
/// [`Error::CredentialRevoked`] if it is gone, disabled, or has another generation.
pub(crate) fn signed_in(rows: &impl Rows, principal: &Principal) -> Result<User, Error> {
    let user = rows.get(&USERS, &principal.id)?.ok_or(Error::CredentialRevoked)?;
    if user.is_disabled || user.generation != principal.generation {
        return Err(Error::CredentialRevoked);
    }
    Ok(user)
}

/// Whether this user passes every check in every namespace (Quay: `FEATURE_SUPERUSERS_FULL_ACCESS`).
pub(crate) fn has_full_access(settings: &Settings, user: &User) -> bool {
    settings.superusers_have_full_access && (user.is_superuser || settings.superusers.contains(&user.name))
}

/// The role that owning brings: in one's own namespace, and in the organizations one owns.
pub(crate) fn role(
    rows: &impl Rows,
    principal: &Principal,
    namespace: NamespaceId,
) -> Result<Option<Role>, Error> {
    let is_owner =
        NamespaceId::from(principal.id) == namespace || rows.contains(&OWNERS, &(namespace, principal.id))?;
    Ok(is_owner.then_some(Role::Admin))
}

/// A namespace row that must be there because an id led to it.
pub(crate) fn namespace_row(rows: &impl Rows, namespace: NamespaceId) -> Result<Namespace, Error> {
    rows.get(&super::tables::NAMESPACE, &namespace)?.ok_or(Error::Corrupt("namespace"))
}
