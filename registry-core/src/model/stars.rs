//! Stars: repositories that users marked for themselves.

use super::keys::RepositoryId;
use super::repositories;
use super::tables::{STARRED_BY, STARS};
use crate::Error;
use crate::access::PrincipalId;
use crate::metadata::{Rows, WriteTxn};

/// Gives a repository somebody's star; a second time it changes nothing.
pub(crate) fn put(txn: &mut WriteTxn<'_>, user: PrincipalId, repository: RepositoryId) -> Result<(), Error> {
    if txn.contains(&STARS, &(user, repository))? {
        return Ok(());
    }
    txn.put(&STARS, &(user, repository), &());
    txn.put(&STARRED_BY, &(repository, user), &());
    repositories::update(txn, repository, |row| row.stars += 1).map(drop)
}

/// Takes it away again, if it is there.
pub(crate) fn delete(
    txn: &mut WriteTxn<'_>,
    user: PrincipalId,
    repository: RepositoryId,
) -> Result<(), Error> {
    if !txn.contains(&STARS, &(user, repository))? {
        return Ok(());
    }
    txn.delete(&STARS, &(user, repository));
    txn.delete(&STARRED_BY, &(repository, user));
    repositories::update(txn, repository, |row| row.stars = row.stars.saturating_sub(1)).map(drop)
}

/// Takes some of a repository's stars away, before it is deleted; true once none is left.
pub(crate) fn delete_some_of_repository(
    txn: &mut WriteTxn<'_>,
    repository: RepositoryId,
    limit: usize,
) -> Result<bool, Error> {
    let rows = txn.scan(&STARRED_BY, &(repository,), None, limit)?;
    for ((_, user), ()) in &rows {
        delete(txn, *user, repository)?;
    }
    Ok(rows.len() < limit)
}

/// Takes some of a user's or a robot's stars away, before it is deleted; true once none is left.
pub(crate) fn delete_some_of_user(
    txn: &mut WriteTxn<'_>,
    user: PrincipalId,
    limit: usize,
) -> Result<bool, Error> {
    let rows = txn.scan(&STARS, &(user,), None, limit)?;
    for ((_, repository), ()) in &rows {
        delete(txn, user, *repository)?;
    }
    Ok(rows.len() < limit)
}
