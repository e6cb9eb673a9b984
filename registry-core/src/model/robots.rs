//! Robots: accounts without a password that belong to a namespace.

use super::accounts;
use super::keys::NamespaceId;
use super::records::{Robot, User};
use super::tables::{ROBOT_NAMES, ROBOTS, USERS};
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
    let user = accounts::get(rows, id)?.ok_or(Error::Corrupt("users"))?;
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
    let key = (namespace, user.name.clone());
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
pub(crate) fn delete_step(txn: &mut WriteTxn<'_>, id: PrincipalId, limit: usize) -> Result<bool, Error> {
    if !accounts::strip_step(txn, id, limit)? {
        return Ok(false);
    }
    let row = txn.get(&USERS, &id)?.ok_or(Error::Corrupt("users"))?;
    let home = row.robot_of.ok_or(Error::Corrupt("users"))?;
    txn.delete(&ROBOT_NAMES, &(home, row.name));
    txn.delete(&ROBOTS, &id);
    txn.delete(&USERS, &id);
    Ok(true)
}
