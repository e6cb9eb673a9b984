//! Manifests in repositories: links, edges, what holds them, withdrawal.

mod forget;

pub(crate) use self::forget::{forget, forget_some};
use super::authorize::Granted;
use super::blobs::{self, Reference};
use super::keys::{Hold, NamespaceId, Work};
use super::records::{DigestField, Manifest, ManifestLink, Referrer};
use super::tables::{
    BLOB_MANIFESTS, HOLDS, MANIFEST_BLOBS, MANIFEST_BYTES, MANIFEST_CHILDREN, MANIFEST_LINKS, MANIFESTS,
    REFERRERS, WITHDRAWN, WORK,
};
use super::{collection, repositories, tags, totals};
use crate::Error;
use crate::metadata::{Rows, WriteTxn};
use crate::oci::{self, Digest};
use crate::settings::Settings;

/// A deletion ends this many tags at once; the background lane ends the others.
const TAGS_ENDED_AT_ONCE: usize = 100;

/// The manifest's presence, unless it is withdrawn.
///
/// # Errors
/// [`Error::ManifestUnknown`].
pub(crate) fn present(rows: &impl Rows, at: Granted, digest: &Digest) -> Result<ManifestLink, Error> {
    rows.get(&MANIFEST_LINKS, &(at.repository, *digest))?
        .filter(|link| link.withdrawn_ms.is_none())
        .ok_or_else(|| Error::ManifestUnknown(digest.to_string()))
}

fn is_present(rows: &impl Rows, at: Granted, digest: &Digest) -> Result<bool, Error> {
    let link = rows.get(&MANIFEST_LINKS, &(at.repository, *digest))?;
    Ok(link.is_some_and(|link| link.withdrawn_ms.is_none()))
}

/// Stores a pushed manifest in the repository: all of it, or nothing if it refers to what is not there.
///
/// Bytes above the size of a record must lie in the digest's file already (`is_file`).
///
/// # Errors
/// [`Error::ManifestBlobUnknown`].
pub(crate) fn put(
    txn: &mut WriteTxn<'_>,
    settings: &Settings,
    at: Granted,
    digest: &Digest,
    manifest: &oci::Manifest,
    is_file: bool,
    now_ms: u64,
) -> Result<(), Error> {
    require(txn, settings, at, manifest)?;
    collection::note_change(txn, at);
    let key = (at.repository, *digest);
    match txn.get(&MANIFEST_LINKS, &key)? {
        None => insert(txn, at, digest, manifest, is_file, now_ms),
        Some(mut link) => {
            if link.withdrawn_ms.is_some() {
                link = revive(txn, at, digest, link)?;
            }
            link.media_type = manifest.media_type().to_owned();
            link.pushed_ms = now_ms;
            txn.put(&MANIFEST_LINKS, &key, &link);
            for child in manifest.children() {
                txn.delete(&HOLDS, &(at.repository, *child, Hold::Push));
            }
            Ok(())
        }
    }
}

/// Refuses a manifest whose required content the repository does not hold.
///
/// `subject` is not among it: a signature may arrive before what it signs (distribution-spec, "Pushing Manifests
/// with Subject").
fn require(
    rows: &impl Rows,
    settings: &Settings,
    at: Granted,
    manifest: &oci::Manifest,
) -> Result<(), Error> {
    let mut missing = Vec::new();
    for blob in manifest.blobs() {
        let is_needed = blob.required && !settings.sparse_images;
        if is_needed && !blobs::row(rows, at, &blob.digest)?.is_visible() {
            missing.push(blob.digest);
        }
    }
    for child in manifest.children() {
        let is_needed = !settings.sparse_indexes;
        if is_needed && !is_present(rows, at, child)? && !blobs::row(rows, at, child)?.is_visible() {
            missing.push(*child);
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(Error::ManifestBlobUnknown(missing)) }
}

fn insert(
    txn: &mut WriteTxn<'_>,
    at: Granted,
    digest: &Digest,
    manifest: &oci::Manifest,
    is_file: bool,
    now_ms: u64,
) -> Result<(), Error> {
    store_bytes(txn, digest, manifest, is_file)?;
    let link = ManifestLink {
        media_type: manifest.media_type().to_owned(),
        pushed_ms: now_ms,
        withdrawn_ms: None,
        subject: manifest.subject().copied().map(DigestField),
        artifact_type: manifest.artifact_type().map(str::to_owned),
        layers_bytes: manifest.layers_bytes(),
    };
    txn.put(&MANIFEST_LINKS, &(at.repository, *digest), &link);
    for blob in manifest.blobs() {
        refer_to_blob(txn, at, digest, &blob.digest)?;
    }
    for child in manifest.children() {
        refer_to_child(txn, at, digest, child)?;
    }
    list_as_referrer(txn, at, digest, &link);
    take_over_referrers(txn, at, digest)?;
    repositories::count_manifest(txn, at, manifest.bytes().len() as u64)
}

/// Lets the background hand to a subject what came to refer to it while it was absent.
fn take_over_referrers(txn: &mut WriteTxn<'_>, at: Granted, subject: &Digest) -> Result<(), Error> {
    if txn.first(&REFERRERS, &(at.repository, *subject))?.is_some() {
        txn.put(&WORK, &(at.namespace, at.repository, Work::HoldReferrers(*subject)), &Vec::new());
    }
    Ok(())
}

fn store_bytes(
    txn: &mut WriteTxn<'_>,
    digest: &Digest,
    manifest: &oci::Manifest,
    is_file: bool,
) -> Result<(), Error> {
    let size = manifest.bytes().len() as u64;
    let mut row = txn.get(&MANIFESTS, digest)?.unwrap_or(Manifest { size, is_file, repositories: 0 });
    if row.repositories == 0 {
        totals::update(txn, totals::row_of(digest), |row| {
            row.manifests += 1;
            row.manifest_bytes += size;
        })?;
    }
    row.repositories += 1;
    txn.put(&MANIFESTS, digest, &row);
    if !row.is_file {
        txn.put(&MANIFEST_BYTES, digest, &manifest.bytes().to_vec());
    }
    Ok(())
}

fn refer_to_blob(txn: &mut WriteTxn<'_>, at: Granted, manifest: &Digest, blob: &Digest) -> Result<(), Error> {
    txn.put(&MANIFEST_BLOBS, &(at.repository, *manifest, *blob), &());
    txn.put(&BLOB_MANIFESTS, &(at.repository, *blob, *manifest), &());
    blobs::count_reference(txn, at, blob, Reference::Taken)
}

/// An index's entry is a manifest, present or not, unless only a blob has the digest (BuildKit's cache).
fn refer_to_child(txn: &mut WriteTxn<'_>, at: Granted, index: &Digest, child: &Digest) -> Result<(), Error> {
    let is_manifest = txn.contains(&MANIFEST_LINKS, &(at.repository, *child))?;
    if !is_manifest && blobs::row(txn, at, child)?.is_visible() {
        return refer_to_blob(txn, at, index, child);
    }
    txn.put(&MANIFEST_CHILDREN, &(at.repository, *index, *child), &());
    txn.put(&HOLDS, &(at.repository, *child, Hold::Index(*index)), &());
    txn.delete(&HOLDS, &(at.repository, *child, Hold::Push));
    Ok(())
}

fn list_as_referrer(txn: &mut WriteTxn<'_>, at: Granted, digest: &Digest, link: &ManifestLink) {
    let Some(DigestField(subject)) = link.subject else { return };
    let referrer = Referrer { artifact_type: link.artifact_type.clone() };
    txn.put(&REFERRERS, &(at.repository, subject, *digest), &referrer);
}

/// Lets a manifest that was pushed by digest alone stay until it is deleted, unless a tag or its subject holds it. An
/// index that lists it may be about to go while one that relies on this push is on its way: only an index that is pushed
/// later takes over.
pub(crate) fn hold_by_push(txn: &mut WriteTxn<'_>, at: Granted, digest: &Digest) -> Result<(), Error> {
    if !is_held(txn, at, digest)? {
        txn.put(&HOLDS, &(at.repository, *digest, Hold::Push), &());
    }
    Ok(())
}

fn is_held(rows: &impl Rows, at: Granted, digest: &Digest) -> Result<bool, Error> {
    if !tags::pointing_at(rows, at, digest, 1)?.is_empty() {
        return Ok(true);
    }
    let subject = rows.get(&MANIFEST_LINKS, &(at.repository, *digest))?.and_then(|link| link.subject);
    subject.map_or(Ok(false), |DigestField(subject)| is_present(rows, at, &subject))
}

/// Deletes a manifest by its digest: its tags end, and it is absent to everybody until it is pushed again or
/// restored.
///
/// # Errors
/// [`Error::ManifestUnknown`].
pub(crate) fn withdraw(
    txn: &mut WriteTxn<'_>,
    at: Granted,
    digest: &Digest,
    now_ms: u64,
) -> Result<(), Error> {
    let mut link = present(txn, at, digest)?;
    collection::note_change(txn, at);
    if !end_some_tags(txn, at, digest, now_ms)? {
        txn.put(&WORK, &(at.namespace, at.repository, Work::EndTags(*digest)), &Vec::new());
    }
    link.withdrawn_ms = Some(now_ms);
    txn.put(&MANIFEST_LINKS, &(at.repository, *digest), &link);
    txn.put(&WITHDRAWN, &(at.namespace, now_ms, at.repository, *digest), &());
    txn.delete(&HOLDS, &(at.repository, *digest, Hold::Push));
    txn.put(&HOLDS, &(at.repository, *digest, Hold::Withdrawn), &());
    if let Some(DigestField(subject)) = link.subject {
        txn.delete(&REFERRERS, &(at.repository, subject, *digest));
    }
    count_references(txn, at, digest, Reference::Withdrawn)
}

/// Ends, for some of the namespace's manifests that were deleted by `until_ms`, that they can be restored; true once none
/// is left.
pub(crate) fn expire_some_withdrawn(
    txn: &mut WriteTxn<'_>,
    namespace: NamespaceId,
    until_ms: u64,
    limit: usize,
) -> Result<bool, Error> {
    let withdrawn = txn.scan(&WITHDRAWN, &(namespace,), None, limit)?;
    let due = withdrawn.iter().filter(|((_, at_ms, _, _), ())| *at_ms <= until_ms);
    let mut expired = 0;
    for (key @ (_, _, repository, digest), ()) in due {
        txn.delete(&WITHDRAWN, key);
        txn.delete(&HOLDS, &(*repository, *digest, Hold::Withdrawn));
        collection::nominate(txn, Granted::for_background(namespace, *repository), digest);
        expired += 1;
    }
    Ok(expired < limit)
}

/// Ends tags that point at `digest`, a bounded number of them; true once none is left.
pub(crate) fn end_some_tags(
    txn: &mut WriteTxn<'_>,
    at: Granted,
    digest: &Digest,
    now_ms: u64,
) -> Result<bool, Error> {
    let pointing = tags::pointing_at(txn, at, digest, TAGS_ENDED_AT_ONCE + 1)?;
    for tag in pointing.iter().take(TAGS_ENDED_AT_ONCE) {
        tags::end(txn, at, tag, now_ms)?;
    }
    Ok(pointing.len() <= TAGS_ENDED_AT_ONCE)
}

/// One step before a withdrawn manifest is brought back: ends tags that its deletion has yet to end; true once none is
/// left, or there is no such manifest.
pub(crate) fn end_deletion(txn: &mut WriteTxn<'_>, at: Granted, digest: &Digest) -> Result<bool, Error> {
    let link = txn.get(&MANIFEST_LINKS, &(at.repository, *digest))?;
    match link.and_then(|link| link.withdrawn_ms) {
        Some(withdrawn_ms) => end_some_tags(txn, at, digest, withdrawn_ms),
        None => Ok(true),
    }
}

/// Whether tags wait to be ended because of a deletion of this digest.
pub(crate) fn is_deletion_under_way(rows: &impl Rows, at: Granted, digest: &Digest) -> Result<bool, Error> {
    rows.contains(&WORK, &(at.namespace, at.repository, Work::EndTags(*digest)))
}

/// Clears the mark of a withdrawn manifest and ends the tags that its deletion has yet to end; see [`end_deletion`].
pub(crate) fn revive(
    txn: &mut WriteTxn<'_>,
    at: Granted,
    digest: &Digest,
    mut link: ManifestLink,
) -> Result<ManifestLink, Error> {
    if let Some(withdrawn_ms) = link.withdrawn_ms.take() {
        collection::note_change(txn, at);
        txn.delete(&WITHDRAWN, &(at.namespace, withdrawn_ms, at.repository, *digest));
        // They must not come back. The caller has ended them in steps, unless the deletion came since.
        while !end_some_tags(txn, at, digest, withdrawn_ms)? {}
        txn.delete(&WORK, &(at.namespace, at.repository, Work::EndTags(*digest)));
        txn.delete(&HOLDS, &(at.repository, *digest, Hold::Withdrawn));
        txn.put(&MANIFEST_LINKS, &(at.repository, *digest), &link);
        list_as_referrer(txn, at, digest, &link);
        take_over_referrers(txn, at, digest)?;
        count_references(txn, at, digest, Reference::Revived)?;
    }
    Ok(link)
}

/// Lets a subject that came after its referrers hold them, `limit` of them after the referrer `after`. Gives the last
/// one done, or none at the end. A subject that went meanwhile holds nothing; it is queued again when it comes back.
pub(crate) fn hold_referrers(
    txn: &mut WriteTxn<'_>,
    at: Granted,
    subject: &Digest,
    after: Option<Digest>,
    limit: usize,
) -> Result<Option<Digest>, Error> {
    if !is_present(txn, at, subject)? {
        return Ok(None);
    }
    let after = after.map(|referrer| (at.repository, *subject, referrer));
    let referrers = txn.scan(&REFERRERS, &(at.repository, *subject), after.as_ref(), limit)?;
    for ((_, _, referrer), _) in &referrers {
        txn.delete(&HOLDS, &(at.repository, *referrer, Hold::Push));
    }
    if referrers.len() < limit {
        // If nothing held it, it waited for this: see `collection::walk`.
        collection::nominate(txn, at, subject);
        return Ok(None);
    }
    Ok(referrers.last().map(|((_, _, last), _)| *last))
}

fn count_references(
    txn: &mut WriteTxn<'_>,
    at: Granted,
    digest: &Digest,
    reference: Reference,
) -> Result<(), Error> {
    for ((_, _, blob), ()) in
        txn.scan(&MANIFEST_BLOBS, &(at.repository, *digest), None, oci::manifest::MAX_DESCRIPTORS)?
    {
        blobs::count_reference(txn, at, &blob, reference)?;
    }
    Ok(())
}
