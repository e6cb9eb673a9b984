//! Blobs in repositories: links, graces and counts. A blob is visible only where it was linked.

use super::authorize::Granted;
use super::keys::Unlink;
use super::records::{Blob, RepositoryBlob};
use super::tables::{
    BLOB_GRACE, BLOB_REPOSITORIES, BLOBS, MANIFESTS, NAMESPACE_BLOBS, REPOSITORY_BLOBS, UNLINKS,
};
use super::{repositories, totals, usage};
use crate::Error;
use crate::metadata::{Rows, WriteTxn};
use crate::oci::Digest;

/// The blob's row in the repository; a default one if there is none.
pub(crate) fn row(rows: &impl Rows, at: Granted, digest: &Digest) -> Result<RepositoryBlob, Error> {
    Ok(rows.get(&REPOSITORY_BLOBS, &(at.repository, *digest))?.unwrap_or_default())
}

/// The size of a blob that can be pulled from the repository.
///
/// # Errors
/// [`Error::BlobUnknown`].
pub(crate) fn visible(rows: &impl Rows, at: Granted, digest: &Digest) -> Result<Blob, Error> {
    let blob = if row(rows, at, digest)?.is_visible() { rows.get(&BLOBS, digest)? } else { None };
    blob.ok_or(Error::BlobUnknown(*digest))
}

/// Links a blob whose bytes are in place. Until `grace_ms` it stays although no manifest refers to it.
pub(crate) fn link(
    txn: &mut WriteTxn<'_>,
    at: Granted,
    digest: &Digest,
    size: u64,
    grace_ms: u64,
) -> Result<(), Error> {
    let mut blob = row(txn, at, digest)?;
    if !blob.is_linked {
        blob.is_linked = true;
        txn.put(&BLOB_REPOSITORIES, &(*digest, at.repository), &());
        repositories::update(txn, at.repository, |row| {
            row.blobs += 1;
            row.blob_bytes += size;
        })?;
        count_in_namespace(txn, at, digest, size)?;
    }
    let grace = (blob.manifests == 0).then_some(grace_ms);
    set_grace(txn, at, digest, &mut blob, grace);
    txn.put(&REPOSITORY_BLOBS, &(at.repository, *digest), &blob);
    txn.delete(&UNLINKS, &Unlink::Blob(*digest));
    Ok(())
}

fn count_in_namespace(txn: &mut WriteTxn<'_>, at: Granted, digest: &Digest, size: u64) -> Result<(), Error> {
    let key = (at.namespace, *digest);
    let mut in_namespace = txn.get(&NAMESPACE_BLOBS, &key)?.unwrap_or_default();
    in_namespace.count += 1;
    if in_namespace.count == 1 {
        let mut blob = match txn.get(&BLOBS, digest)? {
            Some(blob) => blob,
            None => new_blob(txn, digest, size)?,
        };
        blob.namespaces += 1;
        txn.put(&BLOBS, digest, &blob);
        usage::update(txn, at.namespace, |usage| {
            usage.blobs += 1;
            usage.blob_bytes += blob.size;
        })?;
    }
    txn.put(&NAMESPACE_BLOBS, &key, &in_namespace);
    Ok(())
}

/// A blob that no namespace linked before.
fn new_blob(txn: &mut WriteTxn<'_>, digest: &Digest, size: u64) -> Result<Blob, Error> {
    totals::update(txn, totals::row_of(digest), |row| {
        row.blobs += 1;
        row.blob_bytes += size;
    })?;
    Ok(Blob { size, place: 0, namespaces: 0 })
}

/// Removes the link. The last one queues the file for unlinking.
pub(crate) fn unlink(txn: &mut WriteTxn<'_>, at: Granted, digest: &Digest) -> Result<(), Error> {
    let mut blob = row(txn, at, digest)?;
    set_grace(txn, at, digest, &mut blob, None);
    if blob.is_linked {
        blob.is_linked = false;
        txn.delete(&BLOB_REPOSITORIES, &(*digest, at.repository));
        let size = txn.get(&BLOBS, digest)?.ok_or(Error::Corrupt("blobs"))?.size;
        repositories::update(txn, at.repository, |row| {
            row.blobs -= 1;
            row.blob_bytes -= size;
        })?;
        uncount_in_namespace(txn, at, digest)?;
    }
    store(txn, at, digest, &blob);
    Ok(())
}

fn uncount_in_namespace(txn: &mut WriteTxn<'_>, at: Granted, digest: &Digest) -> Result<(), Error> {
    let key = (at.namespace, *digest);
    let mut in_namespace = txn.get(&NAMESPACE_BLOBS, &key)?.ok_or(Error::Corrupt("namespace blobs"))?;
    in_namespace.count -= 1;
    if in_namespace.count > 0 {
        txn.put(&NAMESPACE_BLOBS, &key, &in_namespace);
        return Ok(());
    }
    txn.delete(&NAMESPACE_BLOBS, &key);
    let mut blob = txn.get(&BLOBS, digest)?.ok_or(Error::Corrupt("blobs"))?;
    usage::update(txn, at.namespace, |usage| {
        usage.blobs -= 1;
        usage.blob_bytes -= blob.size;
    })?;
    blob.namespaces -= 1;
    if blob.namespaces > 0 {
        txn.put(&BLOBS, digest, &blob);
        return Ok(());
    }
    txn.delete(&BLOBS, digest);
    totals::update(txn, totals::row_of(digest), |row| {
        row.blobs -= 1;
        row.blob_bytes -= blob.size;
    })?;
    queue_unlink_if_unnamed(txn, digest)
}

/// Whether a row names the file of this digest: as a blob, or as a manifest too large for a record.
pub(crate) fn is_named(rows: &impl Rows, digest: &Digest) -> Result<bool, Error> {
    Ok(rows.contains(&BLOBS, digest)? || rows.get(&MANIFESTS, digest)?.is_some_and(|row| row.is_file))
}

/// Queues the digest's file for unlinking, unless a row names it.
pub(crate) fn queue_unlink_if_unnamed(txn: &mut WriteTxn<'_>, digest: &Digest) -> Result<(), Error> {
    if !is_named(txn, digest)? {
        txn.put(&UNLINKS, &Unlink::Blob(*digest), &());
    }
    Ok(())
}

/// Deletes a blob that was pushed and that no live manifest refers to.
///
/// # Errors
/// [`Error::BlobUnknown`], [`Error::BlobInUse`].
pub(crate) fn delete(txn: &mut WriteTxn<'_>, at: Granted, digest: &Digest) -> Result<(), Error> {
    let mut blob = row(txn, at, digest)?;
    if !blob.is_visible() {
        return Err(Error::BlobUnknown(*digest));
    }
    if blob.manifests > 0 {
        return Err(Error::BlobInUse(*digest));
    }
    if blob.withdrawn == 0 {
        return unlink(txn, at, digest);
    }
    // A manifest that can be restored still needs the bytes, so they only go out of sight.
    set_grace(txn, at, digest, &mut blob, None);
    store(txn, at, digest, &blob);
    Ok(())
}

/// Ends a push grace: a blob that no manifest refers to goes.
pub(crate) fn end_grace(txn: &mut WriteTxn<'_>, at: Granted, digest: &Digest) -> Result<(), Error> {
    let mut blob = row(txn, at, digest)?;
    if blob.manifests == 0 && blob.withdrawn == 0 {
        return unlink(txn, at, digest);
    }
    set_grace(txn, at, digest, &mut blob, None);
    store(txn, at, digest, &blob);
    Ok(())
}

/// How a manifest's reference to a blob changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reference {
    /// A manifest begins to refer to it.
    Taken,
    /// A manifest that refers to it was withdrawn.
    Withdrawn,
    /// A withdrawn one came back.
    Revived,
    /// A manifest that refers to it goes, and was present.
    Dropped,
    /// A withdrawn one goes.
    WithdrawnDropped,
}

/// Counts a change of a manifest's reference. A blob that a manifest takes needs its grace no longer.
pub(crate) fn count_reference(
    txn: &mut WriteTxn<'_>,
    at: Granted,
    digest: &Digest,
    reference: Reference,
) -> Result<(), Error> {
    let mut blob = row(txn, at, digest)?;
    match reference {
        Reference::Taken => blob.manifests += 1,
        Reference::Withdrawn => (blob.manifests, blob.withdrawn) = (blob.manifests - 1, blob.withdrawn + 1),
        Reference::Revived => (blob.manifests, blob.withdrawn) = (blob.manifests + 1, blob.withdrawn - 1),
        Reference::Dropped => blob.manifests -= 1,
        Reference::WithdrawnDropped => blob.withdrawn -= 1,
    }
    let is_kept = blob.manifests + blob.withdrawn > 0 || blob.grace_ms.is_some();
    if blob.manifests > 0 {
        set_grace(txn, at, digest, &mut blob, None);
    }
    store(txn, at, digest, &blob);
    if is_kept { Ok(()) } else { unlink(txn, at, digest) }
}

/// Unlinks some of the repository's blobs, whatever keeps them; true once none is left.
pub(crate) fn unlink_some(txn: &mut WriteTxn<'_>, at: Granted, limit: usize) -> Result<bool, Error> {
    let some = txn.scan(&REPOSITORY_BLOBS, &(at.repository,), None, limit)?;
    for ((_, digest), _) in &some {
        unlink(txn, at, digest)?;
    }
    Ok(some.len() < limit)
}

fn set_grace(
    txn: &mut WriteTxn<'_>,
    at: Granted,
    digest: &Digest,
    blob: &mut RepositoryBlob,
    grace_ms: Option<u64>,
) {
    if let Some(old) = blob.grace_ms {
        txn.delete(&BLOB_GRACE, &(old, at.repository, *digest));
    }
    if let Some(new) = grace_ms {
        txn.put(&BLOB_GRACE, &(new, at.repository, *digest), &());
    }
    blob.grace_ms = grace_ms;
}

/// Stores the row, or removes it once nothing is left in it.
fn store(txn: &mut WriteTxn<'_>, at: Granted, digest: &Digest, blob: &RepositoryBlob) {
    let key = (at.repository, *digest);
    if *blob == RepositoryBlob::default() {
        txn.delete(&REPOSITORY_BLOBS, &key);
    } else {
        txn.put(&REPOSITORY_BLOBS, &key, blob);
    }
}
