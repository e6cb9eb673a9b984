//! Repositories: made by a push or for themselves, listed once they got a manifest, removed if they never do.

use serde_json::json;

use super::authorize::Granted;
use super::keys::{Grantee, NamespaceId, RepositoryId, TeamId, Work};
use super::organizations::NewOrganization;
use super::records::Repository;
use super::tables::{CATALOG, NAMESPACE, PUBLIC_CATALOG, PUBLIC_NAMESPACES, REPOSITORIES, REPOSITORY, WORK};
use super::{grants, prototypes, stars, usage, words};
use crate::Error;
use crate::access::{Actor, Role};
use crate::metadata::{Rows, WriteTxn};
use crate::oci::RepositoryName;
use crate::trail::Stamp;

/// Stars that a write takes away at once.
const STARS_AT_ONCE: usize = 100;

/// What a repository that turns out to be missing is made with. The ids are fresh, handed in since a write may run
/// twice; unused ones are lost, which costs nothing.
#[derive(Clone, Debug)]
pub(crate) struct NewRepository {
    pub(crate) repository: RepositoryId,
    pub(crate) namespace: NamespaceId,
    /// The team of those who own a namespace that is made.
    pub(crate) owners: TeamId,
    pub(crate) is_public: bool,
    /// Created for itself, and not by a push.
    pub(crate) was_created: bool,
    pub(crate) now_ms: u64,
    /// For the events of making it, and for those of the write that does: these are numbered from [`Self::EVENTS`] on.
    pub(crate) stamp: Stamp,
}

impl NewRepository {
    /// How many events making it can be.
    pub(crate) const EVENTS: u64 = 2;
}

impl NewRepository {
    /// The organization that is made where the repository's namespace is missing.
    pub(crate) fn organization(&self, name: &RepositoryName) -> NewOrganization {
        NewOrganization {
            id: self.namespace,
            owners: self.owners,
            name: name.namespace().to_owned(),
            email: String::new(),
            stamp: self.stamp.clone(),
        }
    }
}

/// Makes a repository in `namespace`; who makes it administers it, and default permissions apply.
pub(crate) fn create(
    txn: &mut WriteTxn<'_>,
    actor: &Actor,
    namespace: NamespaceId,
    name: &RepositoryName,
    new: &NewRepository,
) -> Result<Granted, Error> {
    let row = Repository {
        namespace,
        path: name.path().to_owned(),
        is_public: new.is_public,
        created_ms: new.now_ms,
        was_created: new.was_created,
        description: None,
        ..Repository::default()
    };
    txn.put(&REPOSITORIES, &(namespace, row.path.clone()), &new.repository);
    txn.put(&REPOSITORY, &new.repository, &row);
    usage::update(txn, namespace, |usage| usage.repositories += 1)?;
    let at = Granted { namespace, repository: new.repository };
    words::add(txn, at, &row.path);
    if let Some(creator) = actor.principal_id() {
        grants::put(txn, at, Grantee::Principal(creator), Role::Admin);
        prototypes::apply(txn, at, creator)?;
    }
    new.stamp.record_at(txn, 1, at, name, "create_repo", json!({}))?;
    Ok(at)
}

/// The repository, unless it was deleted.
pub(crate) fn live(rows: &impl Rows, id: RepositoryId) -> Result<Option<Repository>, Error> {
    Ok(rows.get(&REPOSITORY, &id)?.filter(|row| !row.is_deleted))
}

/// Changes the repository's row.
pub(crate) fn update(
    txn: &mut WriteTxn<'_>,
    repository: RepositoryId,
    change: impl FnOnce(&mut Repository),
) -> Result<Repository, Error> {
    let mut row = txn.get(&REPOSITORY, &repository)?.ok_or(Error::Corrupt("repository"))?;
    change(&mut row);
    txn.put(&REPOSITORY, &repository, &row);
    Ok(row)
}

/// Counts a manifest that was linked; the first one brings the repository into the listings.
pub(crate) fn count_manifest(txn: &mut WriteTxn<'_>, at: Granted, size: u64) -> Result<(), Error> {
    usage::update(txn, at.namespace, |usage| {
        usage.manifests += 1;
        usage.manifest_bytes += size;
    })?;
    let mut is_first = false;
    let row = update(txn, at.repository, |row| {
        is_first = !row.had_manifest;
        row.had_manifest = true;
        row.manifests += 1;
        row.manifest_bytes += size;
    })?;
    if !is_first {
        return Ok(());
    }
    list(txn, at, &row)
}

/// Counts a manifest of this size that was forgotten.
pub(crate) fn uncount_manifest(txn: &mut WriteTxn<'_>, at: Granted, size: u64) -> Result<(), Error> {
    usage::update(txn, at.namespace, |usage| {
        usage.manifests -= 1;
        usage.manifest_bytes -= size;
    })?;
    update(txn, at.repository, |row| {
        row.manifests -= 1;
        row.manifest_bytes -= size;
    })
    .map(drop)
}

/// Counts a tag that came to life, or ended.
pub(crate) fn count_tag(txn: &mut WriteTxn<'_>, at: Granted, is_alive: bool) -> Result<(), Error> {
    let counted = |tags: u64| if is_alive { tags + 1 } else { tags - 1 };
    usage::update(txn, at.namespace, |usage| usage.tags = counted(usage.tags))?;
    update(txn, at.repository, |row| row.tags = counted(row.tags)).map(drop)
}

fn list_publicly(txn: &mut WriteTxn<'_>, at: Granted, key: &(NamespaceId, String)) -> Result<(), Error> {
    txn.put(&PUBLIC_CATALOG, key, &at.repository);
    words::publish(txn, at, &key.1);
    let mut namespace = super::authorize::namespace_row(txn, at.namespace)?;
    namespace.public_repositories += 1;
    txn.put(&PUBLIC_NAMESPACES, &namespace.name, &at.namespace);
    txn.put(&NAMESPACE, &at.namespace, &namespace);
    Ok(())
}

/// Opens the repository to everybody, or closes it again.
pub(crate) fn set_public(txn: &mut WriteTxn<'_>, at: Granted, is_public: bool) -> Result<(), Error> {
    let mut was_public = false;
    let row =
        update(txn, at.repository, |row| was_public = std::mem::replace(&mut row.is_public, is_public))?;
    if was_public == is_public || !row.had_manifest {
        return Ok(());
    }
    let key = (at.namespace, row.path);
    if is_public {
        return list_publicly(txn, at, &key);
    }
    unlist_publicly(txn, at, &key)
}

fn unlist_publicly(txn: &mut WriteTxn<'_>, at: Granted, key: &(NamespaceId, String)) -> Result<(), Error> {
    txn.delete(&PUBLIC_CATALOG, key);
    words::withdraw(txn, at, &key.1);
    let mut namespace = super::authorize::namespace_row(txn, at.namespace)?;
    namespace.public_repositories -= 1;
    // The name of a deleted namespace may be another's by now.
    if namespace.public_repositories == 0 && !namespace.is_deleted {
        txn.delete(&PUBLIC_NAMESPACES, &namespace.name);
    }
    txn.put(&NAMESPACE, &at.namespace, &namespace);
    Ok(())
}

/// Takes the repository's name away, so that nobody finds it any more and the name can be used again. What it held goes in
/// the background.
pub(crate) fn bury(txn: &mut WriteTxn<'_>, at: Granted) -> Result<(), Error> {
    let row = update(txn, at.repository, |row| row.is_deleted = true)?;
    usage::update(txn, at.namespace, |usage| usage.repositories -= 1)?;
    unlist(txn, at, &row)?;
    words::remove(txn, at, &row.path);
    txn.put(&WORK, &(at.namespace, at.repository, Work::PurgeRepository), &Vec::new());
    Ok(())
}

/// Gives the repository another path in its namespace.
///
/// # Errors
/// [`Error::NameTaken`].
pub(crate) fn rename(txn: &mut WriteTxn<'_>, at: Granted, name: &RepositoryName) -> Result<(), Error> {
    let key = (at.namespace, name.path().to_owned());
    if txn.contains(&REPOSITORIES, &key)? {
        return Err(Error::NameTaken(name.to_string()));
    }
    let row = txn.get(&REPOSITORY, &at.repository)?.ok_or(Error::Corrupt("repository"))?;
    unlist(txn, at, &row)?;
    words::remove(txn, at, &row.path);
    let row = update(txn, at.repository, |row| row.path.clone_from(&key.1))?;
    txn.put(&REPOSITORIES, &key, &at.repository);
    words::add(txn, at, &row.path);
    if row.had_manifest { list(txn, at, &row) } else { Ok(()) }
}

/// Brings a repository that got a manifest into the listings.
fn list(txn: &mut WriteTxn<'_>, at: Granted, row: &Repository) -> Result<(), Error> {
    let key = (at.namespace, row.path.clone());
    txn.put(&CATALOG, &key, &at.repository);
    if row.is_public { list_publicly(txn, at, &key) } else { Ok(()) }
}

/// Takes the repository's path out of every listing.
fn unlist(txn: &mut WriteTxn<'_>, at: Granted, row: &Repository) -> Result<(), Error> {
    let key = (at.namespace, row.path.clone());
    txn.delete(&REPOSITORIES, &key);
    txn.delete(&CATALOG, &key);
    if row.had_manifest && row.is_public { unlist_publicly(txn, at, &key) } else { Ok(()) }
}

/// Removes a repository that a push made, if that never came to a manifest and nothing is left of it.
pub(crate) fn remove_if_never_used(txn: &mut WriteTxn<'_>, at: Granted) -> Result<(), Error> {
    let Some(row) = txn.get(&REPOSITORY, &at.repository)? else { return Ok(()) };
    let is_used = row.had_manifest || row.blobs > 0 || row.uploads > 0;
    if row.was_created || row.is_deleted || is_used {
        return Ok(());
    }
    // One on which so much was granted, or that so many starred, is no accident of a push, and stays.
    if row.stars >= STARS_AT_ONCE as u64 || !grants::delete_all(txn, at)? {
        return Ok(());
    }
    stars::delete_some_of_repository(txn, at.repository, STARS_AT_ONCE)?;
    words::remove(txn, at, &row.path);
    txn.delete(&REPOSITORIES, &(at.namespace, row.path));
    txn.delete(&REPOSITORY, &at.repository);
    usage::update(txn, at.namespace, |usage| usage.repositories -= 1)
}
