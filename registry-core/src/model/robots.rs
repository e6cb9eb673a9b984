//! Robots: accounts without a password that belong to a namespace.

use std::net::IpAddr;

use super::accounts;
use super::keys::NamespaceId;
use super::records::{Robot, User};
use super::tables::{ROBOT_NAMES, ROBOTS, USERS};
use crate::Error;
use crate::access::{Globs, PrincipalId};
use crate::address::AddressBlock;
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

/// The repositories that a robot keeps to, if it is bound to any.
pub(crate) fn repositories(rows: &impl Rows, id: PrincipalId) -> Result<Option<Globs>, Error> {
    let robot = rows.get(&ROBOTS, &id)?.ok_or(Error::Corrupt("robots"))?;
    globs(&robot)
}

/// The patterns in a robot's row.
pub(crate) fn globs(robot: &Robot) -> Result<Option<Globs>, Error> {
    if robot.repositories.is_empty() {
        return Ok(None);
    }
    let patterns = robot.repositories.split(' ').map(str::to_owned);
    Globs::new(patterns).map(Some).map_err(|_| Error::Corrupt("robots"))
}

/// The blocks of addresses in a robot's row.
pub(crate) fn networks(robot: &Robot) -> Result<Vec<AddressBlock>, Error> {
    let blocks = robot.networks.split(' ').filter(|block| !block.is_empty());
    blocks.map(|block| AddressBlock::parse(block).ok_or(Error::Corrupt("robots"))).collect()
}

/// Whether a robot's credentials are good at this time and from this address.
///
/// # Errors
/// [`Error::CredentialRevoked`] once they have expired, [`Error::AddressRefused`].
pub(crate) fn admit(robot: &Robot, address: &str, now_ms: u64) -> Result<(), Error> {
    if robot.expires_ms.is_some_and(|expires_ms| expires_ms <= now_ms) {
        return Err(Error::CredentialRevoked);
    }
    let blocks = networks(robot)?;
    let is_inside = |address: IpAddr| blocks.iter().any(|block| block.contains(address));
    // Who is not known to come from there does not.
    if blocks.is_empty() || address.parse().is_ok_and(is_inside) {
        Ok(())
    } else {
        Err(Error::AddressRefused)
    }
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
