//! Asking for a repository is the check: a [`Granted`] is only made here, and row operations want one.

use super::keys::{NamespaceId, RepositoryId};
use super::organizations;
use super::records::Namespace;
use super::repositories::{self, NewRepository};
use super::standing::{self, Caller};
use super::tables::{NAMESPACE, NAMESPACES, REPOSITORIES, REPOSITORY};
use crate::Error;
use crate::access::{
    Action, Actor, Facts, Intake, NamespaceAction, Role, Target, TeamRole, Verdict, decide,
    decide_in_namespace,
};
use crate::metadata::{Rows, WriteTxn};
use crate::oci::{NamespaceName, RepositoryName};
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

/// Whether the repository is missing and `actor` may know it, since they would administer it.
///
/// # Errors
/// [`Error::CredentialRevoked`].
pub(crate) fn is_known_to_be_missing(
    rows: &impl Rows,
    settings: &Settings,
    actor: &Actor,
    name: &RepositoryName,
) -> Result<bool, Error> {
    let caller = standing::caller(rows, settings, actor)?;
    let Some(namespace) = rows.get(&NAMESPACES, &name.namespace().to_owned())? else { return Ok(false) };
    let is_missing = !rows.contains(&REPOSITORIES, &(namespace, name.path().to_owned()))?;
    let role = standing::in_namespace(rows, &caller, namespace)?.role;
    let administers = caller.who() == crate::access::Who::Unrestricted || role == Some(TeamRole::Admin);
    let is_carried = caller.cap_in(&name.to_string()).carries(Action::Administer);
    Ok(is_missing && administers && is_carried)
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
    let action = if new.was_created { Action::Create } else { Action::Push };
    let namespace = match aim(txn, settings, actor, name, action)? {
        Aim::Repository(granted) => return Ok(granted),
        Aim::Missing(Some(namespace)) => namespace,
        Aim::Missing(None) => organizations::create(txn, actor, &new.organization(name))?,
    };
    repositories::create(txn, actor, namespace, name, new)
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
    let aim = match rows.get(&NAMESPACES, &name.namespace().to_owned())? {
        None => Aim::Missing(None),
        Some(namespace) => match rows.get(&REPOSITORIES, &(namespace, name.path().to_owned()))? {
            None => Aim::Missing(Some(namespace)),
            Some(repository) => Aim::Repository(Granted { namespace, repository }),
        },
    };
    let facts = facts(rows, settings, actor, name, &aim)?;
    let repository = name.clone();
    match decide(&facts, action) {
        Verdict::Granted => Ok(aim),
        Verdict::Hidden => Err(Error::RepositoryUnknown(repository)),
        Verdict::Denied => Err(Error::Denied { action, repository }),
        Verdict::SignIn => Err(Error::SignInNeeded { action, repository }),
    }
}

fn facts(
    rows: &impl Rows,
    settings: &Settings,
    actor: &Actor,
    name: &RepositoryName,
    aim: &Aim,
) -> Result<Facts, Error> {
    let caller = standing::caller(rows, settings, actor)?;
    let (who, cap) = (caller.who, caller.cap_in(name.as_str()));
    Ok(match *aim {
        Aim::Missing(None) => Facts {
            who,
            role: None,
            target: Target::NoNamespace,
            may_create: match actor {
                Actor::Owner => true,
                Actor::Anonymous => false,
                Actor::User(_) | Actor::Narrowed(..) => {
                    let is_open = settings.create_namespace_on_push && !caller.is_restricted;
                    // Who founds what a robot with power is named after makes themselves such a robot.
                    let is_free = !settings.gives_power(name.namespace()) || caller.rules(settings);
                    is_open && is_free && !caller.is_robot()
                }
            },
            intake: Intake::Open,
            cap,
        },
        Aim::Missing(Some(namespace)) => {
            let standing = standing::in_namespace(rows, &caller, namespace)?;
            Facts {
                who,
                role: (standing.role == Some(TeamRole::Admin)).then_some(Role::Admin),
                target: Target::Missing,
                may_create: standing.role >= Some(TeamRole::Creator) && !caller.is_barred_in(namespace),
                intake: Intake::Open,
                cap,
            }
        }
        Aim::Repository(Granted { namespace, repository }) => {
            let row = rows.get(&REPOSITORY, &repository)?.ok_or(Error::Corrupt("repository"))?;
            let is_open = row.is_public && (*actor != Actor::Anonymous || settings.anonymous_access);
            Facts {
                who,
                role: standing::in_repository(rows, &caller, namespace, repository)?,
                target: if is_open { Target::Public } else { Target::Private },
                may_create: false,
                intake: intake(&caller, namespace, row.is_read_only),
                cap,
            }
        }
    })
}

fn intake(caller: &Caller, namespace: NamespaceId, is_read_only: bool) -> Intake {
    if is_read_only {
        Intake::Closed
    } else if caller.is_barred_in(namespace) {
        Intake::Barred
    } else {
        Intake::Open
    }
}

/// The namespace, if `actor` may do `action` in it.
///
/// # Errors
/// [`Error::DeniedInNamespace`], [`Error::NotSignedIn`], [`Error::NamespaceUnknown`] for those who would be granted it in
/// any that exists, [`Error::CredentialRevoked`].
pub(crate) fn granted_in_namespace(
    rows: &impl Rows,
    settings: &Settings,
    actor: &Actor,
    name: &NamespaceName,
    action: NamespaceAction,
) -> Result<NamespaceId, Error> {
    let caller = standing::caller(rows, settings, actor)?;
    let found = rows.get(&NAMESPACES, &name.to_string())?;
    let role = match found {
        Some(namespace) => standing::in_namespace(rows, &caller, namespace)?.role,
        None => None,
    };
    match (decide_in_namespace(&caller.facts_in(found, role), action), found) {
        (Verdict::Granted, Some(namespace)) => Ok(namespace),
        (Verdict::SignIn, _) => Err(Error::NotSignedIn),
        (Verdict::Denied, _) => Err(Error::DeniedInNamespace { action, namespace: name.to_string() }),
        (Verdict::Hidden | Verdict::Granted, _) => Err(Error::NamespaceUnknown(name.to_string())),
    }
}

/// As [`granted_in_namespace`], in an organization.
///
/// # Errors
/// [`Error::NotAnOrganization`] as well.
pub(crate) fn granted_in_organization(
    rows: &impl Rows,
    settings: &Settings,
    actor: &Actor,
    name: &NamespaceName,
    action: NamespaceAction,
) -> Result<NamespaceId, Error> {
    let namespace = granted_in_namespace(rows, settings, actor, name, action)?;
    let is_organization = namespace_row(rows, namespace)?.is_organization;
    if is_organization { Ok(namespace) } else { Err(Error::NotAnOrganization(name.to_string())) }
}

/// The namespace of this name, whoever asks.
///
/// # Errors
/// [`Error::NamespaceUnknown`].
pub(crate) fn namespace_named(
    rows: &impl Rows,
    name: &NamespaceName,
) -> Result<(NamespaceId, Namespace), Error> {
    let unknown = || Error::NamespaceUnknown(name.to_string());
    let id = rows.get(&NAMESPACES, &name.to_string())?.ok_or_else(unknown)?;
    Ok((id, namespace_row(rows, id)?))
}

/// As [`namespace_named`], if it is an organization.
///
/// # Errors
/// [`Error::NotAnOrganization`] as well.
pub(crate) fn organization_named(
    rows: &impl Rows,
    name: &NamespaceName,
) -> Result<(NamespaceId, Namespace), Error> {
    let (id, row) = namespace_named(rows, name)?;
    if row.is_organization { Ok((id, row)) } else { Err(Error::NotAnOrganization(name.to_string())) }
}

/// A namespace row that must be there because an id led to it.
pub(crate) fn namespace_row(rows: &impl Rows, namespace: NamespaceId) -> Result<Namespace, Error> {
    rows.get(&NAMESPACE, &namespace)?.ok_or(Error::Corrupt("namespace"))
}
