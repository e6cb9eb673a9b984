//! What deleting leaves behind. For people it is over with one write, which takes the names away; the rows and the files
//! behind them go in the background, in bounded steps.

use super::authorize::{Granted, namespace_row};
use super::keys::{NamespaceId, RepositoryId, Work};
use super::records::Namespace;
use super::tables::{
    NAMESPACE, NAMESPACE_APPLICATIONS, NAMESPACES, PROFILES, PROTOTYPES, PUBLIC_NAMESPACES, REPOSITORIES,
    REPOSITORY, REPOSITORY_UPLOADS, ROBOT_NAMES, TEAM_NAMES, TEAMS, USERS, WORK,
};
use super::{
    accounts, applications, blobs, grants, manifests, repositories, robots, sessions, stars, tags, teams,
    tokens, uploads,
};
use crate::Error;
use crate::access::PrincipalId;
use crate::metadata::{Rows, WriteTxn};

/// Rows that one step takes up; each stands for a handful.
const STEP: usize = 40;
/// Edges of manifests that one step takes up.
const EDGES: usize = 100;
/// Work of a whole namespace is queued behind that of its repositories, none of which has this id.
const BEHIND_ALL: RepositoryId = RepositoryId(u64::MAX);

/// Takes the namespace's name away, so that nobody finds it any more and the name can be used again.
pub(crate) fn bury_namespace(txn: &mut WriteTxn<'_>, id: NamespaceId) -> Result<Namespace, Error> {
    let mut row = namespace_row(txn, id)?;
    row.is_deleted = true;
    txn.put(&NAMESPACE, &id, &row);
    txn.delete(&NAMESPACES, &row.name);
    txn.delete(&PUBLIC_NAMESPACES, &row.name);
    txn.put(&WORK, &(id, BEHIND_ALL, Work::PurgeNamespace), &Vec::new());
    Ok(row)
}

/// Ends the account and everything that is signed in with it. Its namespace is another matter.
pub(crate) fn bury_account(txn: &mut WriteTxn<'_>, id: PrincipalId) -> Result<(), Error> {
    accounts::update(txn, id, |user| {
        user.is_deleted = true;
        user.generation += 1;
        user.password_hash.clear();
    })?;
    sessions::remove_all(txn, id, None)?;
    txn.put(&WORK, &(id.into(), BEHIND_ALL, Work::PurgeAccount), &Vec::new());
    Ok(())
}

/// One step of removing what is left of a deleted repository; true once nothing is.
pub(crate) fn purge_repository(txn: &mut WriteTxn<'_>, at: Granted) -> Result<bool, Error> {
    if !txn.contains(&REPOSITORY, &at.repository)? {
        return Ok(true);
    }
    // In this order, since tags hold manifests, and manifests blobs.
    let is_empty = abandon_uploads(txn, at)?
        && grants::delete_some(txn, at, STEP)?
        && stars::delete_some_of_repository(txn, at.repository, STEP)?
        && tags::forget_some(txn, at, STEP)?
        && manifests::forget_some(txn, at, EDGES)?
        && blobs::unlink_some(txn, at, STEP)?;
    if is_empty {
        txn.delete(&REPOSITORY, &at.repository);
    }
    Ok(is_empty)
}

/// A request that is writing to one finds at its end that the session is gone.
fn abandon_uploads(txn: &mut WriteTxn<'_>, at: Granted) -> Result<bool, Error> {
    let open = txn.scan(&REPOSITORY_UPLOADS, &(at.repository,), None, STEP)?;
    for ((_, upload), ()) in &open {
        uploads::abandon(txn, *upload)?;
    }
    Ok(open.len() < STEP)
}

/// One step of removing what is left of a deleted account; true once nothing is.
pub(crate) fn purge_account(txn: &mut WriteTxn<'_>, id: PrincipalId) -> Result<bool, Error> {
    let is_bare = tokens::remove_some_of(txn, id, STEP)? && accounts::strip_step(txn, id, STEP)?;
    if is_bare {
        txn.delete(&USERS, &id);
    }
    Ok(is_bare)
}

/// One step of removing what is left of a deleted namespace; true once nothing is.
pub(crate) fn purge_namespace(txn: &mut WriteTxn<'_>, id: NamespaceId) -> Result<bool, Error> {
    let is_empty = bury_repositories(txn, id)?
        && purge_application(txn, id)?
        && purge_robot(txn, id)?
        && purge_team(txn, id)?
        && drop_prototypes(txn, id)?
        && is_last_work(txn, id)?;
    if is_empty {
        txn.delete(&PROFILES, &id);
        txn.delete(&NAMESPACE, &id);
    }
    Ok(is_empty)
}

fn bury_repositories(txn: &mut WriteTxn<'_>, id: NamespaceId) -> Result<bool, Error> {
    let some = txn.scan(&REPOSITORIES, &(id,), None, STEP)?;
    for (_, repository) in &some {
        repositories::bury(txn, Granted::for_background(id, *repository))?;
    }
    Ok(some.len() < STEP)
}

fn purge_application(txn: &mut WriteTxn<'_>, id: NamespaceId) -> Result<bool, Error> {
    let Some(((_, application), ())) = txn.first(&NAMESPACE_APPLICATIONS, &(id,))? else { return Ok(true) };
    applications::delete_step(txn, application, STEP)?;
    Ok(false)
}

fn purge_robot(txn: &mut WriteTxn<'_>, id: NamespaceId) -> Result<bool, Error> {
    let Some((_, robot)) = txn.first(&ROBOT_NAMES, &(id,))? else { return Ok(true) };
    robots::delete_step(txn, robot, STEP)?;
    Ok(false)
}

fn purge_team(txn: &mut WriteTxn<'_>, id: NamespaceId) -> Result<bool, Error> {
    let Some((_, team)) = txn.first(&TEAM_NAMES, &(id,))? else { return Ok(true) };
    let row = txn.get(&TEAMS, &team)?.ok_or(Error::Corrupt("teams"))?;
    teams::remove_step(txn, team, &row, STEP)?;
    Ok(false)
}

fn drop_prototypes(txn: &mut WriteTxn<'_>, id: NamespaceId) -> Result<bool, Error> {
    let some = txn.scan(&PROTOTYPES, &(id,), None, STEP)?;
    for (key, _) in &some {
        txn.delete(&PROTOTYPES, key);
    }
    Ok(some.len() < STEP)
}

/// Whether nothing else of the namespace waits: its repositories and its account read its row until they are gone.
fn is_last_work(rows: &impl Rows, id: NamespaceId) -> Result<bool, Error> {
    Ok(rows.scan(&WORK, &(id,), None, 2)?.len() < 2)
}
