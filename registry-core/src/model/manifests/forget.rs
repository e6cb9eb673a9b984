//! Removing a manifest from a repository for good, with everything that it referred to there.

use super::super::authorize::Granted;
use super::super::blobs::{self, Reference};
use super::super::keys::Hold;
use super::super::records::{DigestField, ManifestLink};
use super::super::tables::{
    BLOB_MANIFESTS, HOLDS, MANIFEST_BLOBS, MANIFEST_BYTES, MANIFEST_CHILDREN, MANIFEST_LINKS, MANIFESTS,
    REFERRERS, WITHDRAWN,
};
use super::super::{repositories, totals};
use crate::Error;
use crate::metadata::{Rows, WriteTxn};
use crate::oci::{self, Digest};

/// Removes some of the repository's manifests, until about `edges` of what they refer to went with them; true once none is
/// left. Nothing may hold them but each other.
pub(crate) fn forget_some(txn: &mut WriteTxn<'_>, at: Granted, edges: usize) -> Result<bool, Error> {
    let mut removed = 0;
    while removed < edges {
        let Some(((_, digest), link)) = txn.first(&MANIFEST_LINKS, &(at.repository,))? else {
            return Ok(true);
        };
        removed += 1 + forget(txn, at, &digest, &link)?;
    }
    Ok(false)
}

/// Removes a manifest's link and edges; gives how many edges there were. The bytes go with the last repository's link.
pub(crate) fn forget(
    txn: &mut WriteTxn<'_>,
    at: Granted,
    digest: &Digest,
    link: &ManifestLink,
) -> Result<usize, Error> {
    let edges = forget_blobs(txn, at, digest, link)? + forget_children(txn, at, digest)?;
    if let Some(DigestField(subject)) = link.subject {
        txn.delete(&REFERRERS, &(at.repository, subject, *digest));
    }
    if let Some(withdrawn_ms) = link.withdrawn_ms {
        txn.delete(&WITHDRAWN, &(at.namespace, withdrawn_ms, at.repository, *digest));
        txn.delete(&HOLDS, &(at.repository, *digest, Hold::Withdrawn));
    }
    txn.delete(&HOLDS, &(at.repository, *digest, Hold::Push));
    txn.delete(&MANIFEST_LINKS, &(at.repository, *digest));
    let size = forget_bytes(txn, digest)?;
    repositories::uncount_manifest(txn, at, size)?;
    Ok(edges)
}

fn forget_blobs(
    txn: &mut WriteTxn<'_>,
    at: Granted,
    digest: &Digest,
    link: &ManifestLink,
) -> Result<usize, Error> {
    let is_withdrawn = link.withdrawn_ms.is_some();
    let reference = if is_withdrawn { Reference::WithdrawnDropped } else { Reference::Dropped };
    let limit = oci::manifest::MAX_DESCRIPTORS;
    let referred = txn.scan(&MANIFEST_BLOBS, &(at.repository, *digest), None, limit)?;
    for ((_, _, blob), ()) in &referred {
        txn.delete(&MANIFEST_BLOBS, &(at.repository, *digest, *blob));
        txn.delete(&BLOB_MANIFESTS, &(at.repository, *blob, *digest));
        blobs::count_reference(txn, at, blob, reference)?;
    }
    Ok(referred.len())
}

fn forget_children(txn: &mut WriteTxn<'_>, at: Granted, index: &Digest) -> Result<usize, Error> {
    let limit = oci::manifest::MAX_DESCRIPTORS;
    let children = txn.scan(&MANIFEST_CHILDREN, &(at.repository, *index), None, limit)?;
    for ((_, _, child), ()) in &children {
        txn.delete(&MANIFEST_CHILDREN, &(at.repository, *index, *child));
        txn.delete(&HOLDS, &(at.repository, *child, Hold::Index(*index)));
    }
    Ok(children.len())
}

/// Gives the size of what was forgotten here, be it kept for others.
fn forget_bytes(txn: &mut WriteTxn<'_>, digest: &Digest) -> Result<u64, Error> {
    let mut row = txn.get(&MANIFESTS, digest)?.ok_or(Error::Corrupt("manifests"))?;
    row.repositories -= 1;
    if row.repositories > 0 {
        txn.put(&MANIFESTS, digest, &row);
        return Ok(row.size);
    }
    txn.delete(&MANIFESTS, digest);
    totals::update(txn, totals::row_of(digest), |totals| {
        totals.manifests -= 1;
        totals.manifest_bytes -= row.size;
    })?;
    if row.is_file {
        blobs::queue_unlink_if_unnamed(txn, digest)?;
    } else {
        txn.delete(&MANIFEST_BYTES, digest);
    }
    Ok(row.size)
}
