//! Teams and their members.

use super::keys::{Grantee, NamespaceId, TeamId};
use super::records::Team;
use super::tables::{MEMBERSHIPS, TEAM_MEMBERS, TEAM_NAMES, TEAM_ROLES, TEAMS};
use super::{grants, organizations};
use crate::Error;
use crate::access::{PrincipalId, TeamRole};
use crate::metadata::{Rows, WriteTxn};

/// The team of this name.
///
/// # Errors
/// [`Error::TeamUnknown`].
pub(crate) fn find(rows: &impl Rows, organization: NamespaceId, name: &str) -> Result<(TeamId, Team), Error> {
    let unknown = || Error::TeamUnknown(name.to_owned());
    let id = rows.get(&TEAM_NAMES, &(organization, name.to_owned()))?.ok_or_else(unknown)?;
    Ok((id, rows.get(&TEAMS, &id)?.ok_or(Error::Corrupt("teams"))?))
}

/// Stores a new team under its name, which nobody has.
pub(crate) fn create(txn: &mut WriteTxn<'_>, id: TeamId, team: &Team) {
    txn.put(&TEAM_NAMES, &(team.organization, team.name.clone()), &id);
    put(txn, id, team);
}

fn put(txn: &mut WriteTxn<'_>, id: TeamId, team: &Team) {
    txn.put(&TEAMS, &id, team);
    if team.role == TeamRole::Member {
        txn.delete(&TEAM_ROLES, &(team.organization, id));
    } else {
        txn.put(&TEAM_ROLES, &(team.organization, id), &team.role);
    }
}

/// Changes a team's description and role.
///
/// # Errors
/// [`Error::LastAdministrator`].
pub(crate) fn change(
    txn: &mut WriteTxn<'_>,
    id: TeamId,
    mut team: Team,
    role: TeamRole,
    description: Option<&str>,
) -> Result<(), Error> {
    if team.role == TeamRole::Admin && role != TeamRole::Admin {
        keep_administered(txn, team.organization, |other, _| other == id)?;
    }
    team.role = role;
    if let Some(description) = description {
        team.description = description.to_owned();
    }
    put(txn, id, &team);
    Ok(())
}

fn keep_administered(
    rows: &impl Rows,
    organization: NamespaceId,
    but: impl Fn(TeamId, PrincipalId) -> bool,
) -> Result<(), Error> {
    if organizations::is_administered_without(rows, organization, but)? {
        Ok(())
    } else {
        Err(Error::LastAdministrator)
    }
}

/// Adds a member; false if it was one.
pub(crate) fn add(txn: &mut WriteTxn<'_>, id: TeamId, member: PrincipalId) -> Result<bool, Error> {
    if txn.contains(&TEAM_MEMBERS, &(id, member))? {
        return Ok(false);
    }
    let mut team = txn.get(&TEAMS, &id)?.ok_or(Error::Corrupt("teams"))?;
    team.members += 1;
    txn.put(&TEAM_MEMBERS, &(id, member), &());
    txn.put(&MEMBERSHIPS, &(member, team.organization, id), &());
    txn.put(&TEAMS, &id, &team);
    Ok(true)
}

/// Removes a member; false if it was none.
///
/// # Errors
/// [`Error::LastAdministrator`].
pub(crate) fn remove(
    txn: &mut WriteTxn<'_>,
    id: TeamId,
    team: &Team,
    member: PrincipalId,
) -> Result<bool, Error> {
    if !txn.contains(&TEAM_MEMBERS, &(id, member))? {
        return Ok(false);
    }
    if team.role == TeamRole::Admin {
        keep_administered(txn, team.organization, |other, principal| other == id && principal == member)?;
    }
    drop_member(txn, id, team.organization, member)?;
    Ok(true)
}

/// Removes a member whatever that leaves behind.
pub(crate) fn drop_member(
    txn: &mut WriteTxn<'_>,
    id: TeamId,
    organization: NamespaceId,
    member: PrincipalId,
) -> Result<(), Error> {
    let mut team = txn.get(&TEAMS, &id)?.ok_or(Error::Corrupt("teams"))?;
    team.members -= 1;
    txn.delete(&TEAM_MEMBERS, &(id, member));
    txn.delete(&MEMBERSHIPS, &(member, organization, id));
    txn.put(&TEAMS, &id, &team);
    Ok(())
}

/// One step of deleting a team: takes some of its grants and members away, and at the end the team; true once it is gone.
///
/// # Errors
/// [`Error::LastAdministrator`].
pub(crate) fn delete_step(
    txn: &mut WriteTxn<'_>,
    id: TeamId,
    team: &Team,
    limit: usize,
) -> Result<bool, Error> {
    if team.role == TeamRole::Admin {
        keep_administered(txn, team.organization, |other, _| other == id)?;
    }
    remove_step(txn, id, team, limit)
}

/// One step of removing a team, whatever that leaves behind; true once it is gone.
pub(crate) fn remove_step(
    txn: &mut WriteTxn<'_>,
    id: TeamId,
    team: &Team,
    limit: usize,
) -> Result<bool, Error> {
    if !grants::delete_some_of(txn, Grantee::Team(id), None, limit)? {
        return Ok(false);
    }
    let members = txn.scan(&TEAM_MEMBERS, &(id,), None, limit)?;
    for ((_, member), ()) in &members {
        drop_member(txn, id, team.organization, *member)?;
    }
    if members.len() == limit {
        return Ok(false);
    }
    txn.delete(&TEAM_NAMES, &(team.organization, team.name.clone()));
    txn.delete(&TEAM_ROLES, &(team.organization, id));
    txn.delete(&TEAMS, &id);
    Ok(true)
}
