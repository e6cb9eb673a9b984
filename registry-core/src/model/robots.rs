//! Robots: accounts without a password that belong to a namespace.

use super::accounts;
use super::keys::{Grantee, NamespaceId};
use super::records::{Robot, User};
use super::tables::{MEMBERSHIPS, ROBOT_NAMES, ROBOTS, USERS};
use super::{grants, stars, teams};
use crate::Error;
use crate::access::PrincipalId;
use crate::metadata::{Rows, WriteTxn};

/// The robot of this short name.
///
/// # Errors
/// [`Error::PrincipalUnknown`].
pub(crate) fn find(
    rows: &impl Rows,
    namespace: NamespaceId,
    short_name: &str,
) -> Result<(PrincipalId, User, Robot), Error> {
    let id = rows.get(&ROBOT_NAMES, &(namespace, short_name.to_owned()))?;
    let id = id.ok_or_else(|| Error::PrincipalUnknown(short_name.to_owned()))?;
    let user = rows.get(&USERS, &id)?.ok_or(Error::Corrupt("users"))?;
    Ok((id, user, rows.get(&ROBOTS, &id)?.ok_or(Error::Corrupt("robots"))?))
}

/// Whether a principal may be granted anything in `namespace`: any user, the namespace's own robots, and those of others
/// that their namespace marked as usable elsewhere.
///
/// # Errors
/// [`Error::PrincipalUnknown`], as for a robot that does not exist.
pub(crate) fn check_usable(
    rows: &impl Rows,
    namespace: NamespaceId,
    id: PrincipalId,
    user: &User,
) -> Result<(), Error> {
    if user.robot_of.is_none_or(|home| home == namespace) {
        return Ok(());
    }
    match rows.get(&ROBOTS, &id)? {
        Some(robot) if robot.is_usable_elsewhere => Ok(()),
        _ => Err(Error::PrincipalUnknown(user.name.clone())),
    }
}

/// Stores a new robot.
///
/// # Errors
/// [`Error::NameTaken`].
pub(crate) fn create(
    txn: &mut WriteTxn<'_>,
    id: PrincipalId,
    namespace: NamespaceId,
    user: &User,
    robot: &Robot,
) -> Result<(), Error> {
    let key = (namespace, robot.short_name.clone());
    if txn.contains(&ROBOT_NAMES, &key)? {
        return Err(Error::NameTaken(user.name.clone()));
    }
    txn.put(&ROBOT_NAMES, &key, &id);
    txn.put(&USERS, &id, user);
    txn.put(&ROBOTS, &id, robot);
    Ok(())
}

/// Ends every credential of the robot, and gives it this token.
pub(crate) fn set_token(
    txn: &mut WriteTxn<'_>,
    id: PrincipalId,
    mut robot: Robot,
    nonce: &[u8],
    token_hash: &[u8],
) -> Result<(), Error> {
    robot.nonce = nonce.to_vec();
    robot.token_hash = token_hash.to_vec();
    txn.put(&ROBOTS, &id, &robot);
    accounts::update(txn, id, |user| user.generation += 1).map(drop)
}

/// One step of deleting a robot: first what it was granted, then its memberships, then itself; true once it is gone.
pub(crate) fn delete_step(
    txn: &mut WriteTxn<'_>,
    id: PrincipalId,
    namespace: NamespaceId,
    robot: &Robot,
    limit: usize,
) -> Result<bool, Error> {
    if !grants::delete_some_of(txn, Grantee::Principal(id), None, limit)? {
        return Ok(false);
    }
    if !stars::delete_some_of_user(txn, id, limit)? {
        return Ok(false);
    }
    let memberships = txn.scan(&MEMBERSHIPS, &(id,), None, limit)?;
    for ((_, organization, team), ()) in &memberships {
        teams::drop_member(txn, *team, *organization, id)?;
    }
    if memberships.len() == limit {
        return Ok(false);
    }
    txn.delete(&ROBOT_NAMES, &(namespace, robot.short_name.clone()));
    txn.delete(&ROBOTS, &id);
    txn.delete(&USERS, &id);
    Ok(true)
}
