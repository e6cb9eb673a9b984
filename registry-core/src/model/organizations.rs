//! Organizations.

use serde_json::json;

use super::accounts::create_namespace;
use super::authorize::namespace_row;
use super::keys::{NamespaceId, TeamId};
use super::records::{Namespace, Team};
use super::tables::{MEMBERSHIPS, TEAM_MEMBERS, TEAM_NAMES, TEAM_ROLES};
use super::{standing, teams};
use crate::Error;
use crate::access::{Actor, PrincipalId, TeamRole};
use crate::metadata::{Rows, WriteTxn};
use crate::trail::Stamp;

/// The team that every organization begins with (Quay).
const OWNERS: &str = "owners";

/// What an organization is made with. The ids are fresh, handed in since a write may run twice.
#[derive(Clone, Debug)]
pub(crate) struct NewOrganization {
    pub(crate) id: NamespaceId,
    pub(crate) owners: TeamId,
    pub(crate) name: String,
    pub(crate) email: String,
    /// For the event, number 0, of making it.
    pub(crate) stamp: Stamp,
}

/// Makes an organization whose one administrator is the actor.
///
/// # Errors
/// [`Error::NameTaken`].
pub(crate) fn create(
    txn: &mut WriteTxn<'_>,
    actor: &Actor,
    new: &NewOrganization,
) -> Result<NamespaceId, Error> {
    let row = Namespace {
        name: new.name.clone(),
        is_organization: true,
        created_ms: new.stamp.now_ms,
        email: new.email.clone(),
        ..Namespace::default()
    };
    create_namespace(txn, new.id, &row)?;
    create_owners(txn, new.id, new.owners)?;
    if let Some(owner) = actor.principal_id() {
        teams::add(txn, new.owners, owner)?;
    }
    let metadata = json!({"email": new.email, "namespace": new.name});
    new.stamp.record_in(txn, 0, (new.id, &new.name), "org_create", &metadata)?;
    Ok(new.id)
}

/// Makes the team of those who administer the organization, under a name that is free.
pub(crate) fn create_owners(
    txn: &mut WriteTxn<'_>,
    organization: NamespaceId,
    id: TeamId,
) -> Result<TeamId, Error> {
    let mut name = OWNERS.to_owned();
    while txn.contains(&TEAM_NAMES, &(organization, name.clone()))? {
        name.push_str("-new");
    }
    teams::create(txn, id, &Team { organization, name, role: TeamRole::Admin, ..Team::default() });
    Ok(id)
}

/// The organizations that a principal is in any team of.
pub(crate) fn of(rows: &impl Rows, principal: PrincipalId) -> Result<Vec<NamespaceId>, Error> {
    let memberships = rows.scan(&MEMBERSHIPS, &(principal,), None, usize::MAX)?;
    let mut found: Vec<NamespaceId> = memberships.into_iter().map(|((_, at, _), ())| at).collect();
    found.dedup();
    Ok(found)
}

/// Whether anybody administers the organization, apart from one principal, or from one principal in one team, or from
/// one whole team.
pub(crate) fn is_administered_without(
    rows: &impl Rows,
    organization: NamespaceId,
    but: impl Fn(TeamId, PrincipalId) -> bool,
) -> Result<bool, Error> {
    for ((_, team), role) in rows.scan(&TEAM_ROLES, &(organization,), None, usize::MAX)? {
        if role != TeamRole::Admin {
            continue;
        }
        let mut after = None;
        // Robots count as they do in Quay; all but a few members are passed over by the first row.
        while let Some(((_, member), ())) = rows.scan(&TEAM_MEMBERS, &(team,), after.as_ref(), 1)?.pop() {
            // One who is disabled or being deleted administers nothing any more.
            match standing::enabled(rows, member) {
                _ if but(team, member) => {}
                Ok(_) => return Ok(true),
                Err(Error::CredentialRevoked) => {}
                Err(error) => return Err(error),
            }
            after = Some((team, member));
        }
    }
    Ok(false)
}

/// Whether the principal is an administrator of the organization, and nobody else is.
pub(crate) fn depends_on(
    rows: &impl Rows,
    organization: NamespaceId,
    principal: PrincipalId,
) -> Result<bool, Error> {
    let mut is_administrator = false;
    for team in teams_of(rows, organization, principal)? {
        is_administrator |= rows.get(&TEAM_ROLES, &(organization, team))? == Some(TeamRole::Admin);
    }
    Ok(is_administrator && !is_administered_without(rows, organization, |_, other| other == principal)?)
}

/// Whether any organization depends on the principal.
pub(crate) fn any_depends_on(rows: &impl Rows, principal: PrincipalId) -> Result<bool, Error> {
    for organization in of(rows, principal)? {
        let is_gone = namespace_row(rows, organization)?.is_deleted;
        if !is_gone && depends_on(rows, organization, principal)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The teams of the organization that a principal is in.
pub(crate) fn teams_of(
    rows: &impl Rows,
    organization: NamespaceId,
    principal: PrincipalId,
) -> Result<Vec<TeamId>, Error> {
    let memberships = rows.scan(&MEMBERSHIPS, &(principal, organization), None, usize::MAX)?;
    Ok(memberships.into_iter().map(|((_, _, team), ())| team).collect())
}
