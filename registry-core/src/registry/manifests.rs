//! Pushing, pulling and deleting manifests.

use bytes::Bytes;
use serde_json::json;

use super::Registry;
use crate::Error;
use crate::access::{Action, Actor};
use crate::metadata::{Growth, Lane, ReadTxn, Rows, WriteTxn};
use crate::model::authorize::{Granted, granted, granted_or_created};
use crate::model::keys::UploadId;
use crate::model::repositories::NewRepository;
use crate::model::tables::{MANIFEST_BYTES, MANIFESTS};
use crate::model::{blobs, manifests, tags};
use crate::oci::{Algorithm, Digest, Manifest, Reference, RepositoryName, Tag};

/// Manifests up to this size are records; larger ones are blob files.
const RECORD_MAX_BYTES: usize = 64 << 10;

/// What is told of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestInfo {
    /// The digest that was asked for, or that the tag points at.
    pub digest: Digest,
    /// The type that it was pushed with.
    pub media_type: String,
    /// The size in bytes.
    pub size: u64,
}

/// A manifest as it was pushed, byte for byte.
#[derive(Clone, Debug)]
pub struct ManifestContent {
    /// What it is.
    pub info: ManifestInfo,
    /// Its bytes.
    pub bytes: Bytes,
}

/// What a push answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The manifest's digest.
    pub digest: Digest,
}

/// What must hold for a push to happen (`If-Match`, `If-None-Match`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// The reference stands at this digest.
    Is(Digest),
    /// The reference exists.
    Exists,
    /// The reference does not exist.
    Absent,
}

impl Registry {
    /// Stores a manifest; where `reference` is a tag, and for each of `tags`, points that tag at it. A pull sees all
    /// of the push or nothing of it.
    ///
    /// # Errors
    /// [`Error::DigestMismatch`], [`Error::ManifestBlobUnknown`], [`Error::PreconditionFailed`]; the refusals of a
    /// push.
    pub fn put_manifest(
        &self,
        actor: &Actor,
        name: &RepositoryName,
        reference: &Reference,
        tags: &[Tag],
        manifest: &Manifest,
        precondition: Option<Precondition>,
    ) -> Result<Pushed, Error> {
        let digest = digest_for(reference, manifest)?;
        let new = self.new_repository(actor, false, None, tags.len() as u64 + 1)?;
        let is_file = manifest.bytes().len() > RECORD_MAX_BYTES;
        let lock = is_file.then(|| self.0.content.lock(&digest));
        if let Some(lock) = &lock {
            self.check_push(actor, name)?;
            let staged = UploadId::from_random(self.0.entropy.bytes()?);
            // A failure may come after the file took its place.
            let written = self.0.content.write(lock, staged, manifest.bytes());
            written.inspect_err(|_| self.queue_unlink(&digest))?;
        }
        self.end_deletion(actor, name, &digest)?;
        let put = self.0.metadata.write(|txn| {
            let at = granted_or_created(txn, &self.0.settings, actor, name, &new)?;
            check(txn, at, reference, precondition)?;
            manifests::put(txn, &self.0.settings, at, &digest, manifest, is_file, new.now_ms)?;
            point_tags(txn, at, reference, tags, &digest, new.now_ms)?;
            record_push(txn, &new, (at, name), reference, tags, manifest)
        });
        if put.is_err() && is_file {
            self.queue_unlink(&digest);
        }
        put?;
        tracing::info!(%actor, repository = %name, %reference, %digest, "manifest pushed");
        Ok(Pushed { digest })
    }

    /// Whether a push into the repository, there or not, is granted now: to refuse before a body is read. It is decided
    /// again by whatever commits.
    ///
    /// # Errors
    /// The refusals of a push.
    pub fn check_push(&self, actor: &Actor, name: &RepositoryName) -> Result<(), Error> {
        self.0.metadata.read(|rows| crate::model::authorize::check_push(rows, &self.0.settings, actor, name))
    }

    /// Before a manifest is brought back: ends the tags that its deletion has yet to end, as the background would, a
    /// bounded number in each write.
    pub(super) fn end_deletion(
        &self,
        actor: &Actor,
        name: &RepositoryName,
        digest: &Digest,
    ) -> Result<(), Error> {
        let find = |rows: &ReadTxn| match granted(rows, &self.0.settings, actor, name, Action::Push) {
            Ok(at) => Ok(manifests::is_deletion_under_way(rows, at, digest)?.then_some(at)),
            Err(Error::RepositoryUnknown(_)) => Ok(None),
            Err(refusal) => Err(refusal),
        };
        let Some(at) = self.0.metadata.read(find)? else { return Ok(()) };
        let step = || {
            self.0.metadata.write_in(Lane::Foreground, Growth::MayUseReserve, |txn| {
                manifests::end_deletion(txn, at, digest)
            })
        };
        while !step()? {}
        Ok(())
    }

    /// Queues a file that was placed for nothing, unless some row names it.
    fn queue_unlink(&self, digest: &Digest) {
        let queued = self.0.metadata.write_in(Lane::Foreground, Growth::MayUseReserve, |txn| {
            blobs::queue_unlink_if_unnamed(txn, digest)
        });
        match queued {
            Ok(()) => self.0.wake.notify(),
            Err(_) => self.0.needs_sweep.store(true, std::sync::atomic::Ordering::SeqCst),
        }
    }

    /// The manifest, with its bytes.
    ///
    /// # Errors
    /// [`Error::ManifestUnknown`]; the refusals of a pull.
    pub fn manifest(
        &self,
        actor: &Actor,
        name: &RepositoryName,
        reference: &Reference,
    ) -> Result<ManifestContent, Error> {
        let (info, row) = self.manifest_row(actor, name, reference)?;
        let bytes = match row {
            Some(bytes) => bytes,
            None => {
                let file = self.open_file(&info.digest, info.size)?;
                file.ok_or_else(|| Error::ManifestUnknown(info.digest.to_string()))?.whole()?
            }
        };
        Ok(ManifestContent { info, bytes })
    }

    /// What is known of a manifest, with its bytes unless it is so large that they are a file.
    ///
    /// # Errors
    /// As [`Registry::manifest`].
    pub fn manifest_row(
        &self,
        actor: &Actor,
        name: &RepositoryName,
        reference: &Reference,
    ) -> Result<(ManifestInfo, Option<Bytes>), Error> {
        self.0.metadata.read(|rows| {
            let info = self.info(rows, actor, name, reference)?;
            let bytes = rows.get(&MANIFEST_BYTES, &info.digest)?;
            Ok((info, bytes.map(Bytes::from)))
        })
    }

    /// What is known of a manifest without its bytes.
    ///
    /// # Errors
    /// As [`Registry::manifest`].
    pub fn manifest_info(
        &self,
        actor: &Actor,
        name: &RepositoryName,
        reference: &Reference,
    ) -> Result<ManifestInfo, Error> {
        self.0.metadata.read(|rows| self.info(rows, actor, name, reference))
    }

    fn info(
        &self,
        rows: &impl Rows,
        actor: &Actor,
        name: &RepositoryName,
        reference: &Reference,
    ) -> Result<ManifestInfo, Error> {
        let at = granted(rows, &self.0.settings, actor, name, Action::Pull)?;
        let digest = resolve(rows, at, reference)?;
        let link = manifests::present(rows, at, &digest).map_err(|error| named_as_asked(error, reference))?;
        let row = rows.get(&MANIFESTS, &digest)?.ok_or(Error::Corrupt("manifests"))?;
        Ok(ManifestInfo { digest, media_type: link.media_type, size: row.size })
    }

    /// Deletes by reference: a tag, and nothing but it; or a digest, with every tag that points at it. Both can be
    /// restored within the namespace's window.
    ///
    /// # Errors
    /// [`Error::ManifestUnknown`]; the refusals of a deletion.
    pub fn delete_manifest(
        &self,
        actor: &Actor,
        name: &RepositoryName,
        reference: &Reference,
    ) -> Result<(), Error> {
        let stamp = self.stamp(actor, 1)?;
        let now_ms = stamp.now_ms;
        self.0.metadata.write_in(Lane::Foreground, Growth::MayUseReserve, |txn| {
            let at = granted(txn, &self.0.settings, actor, name, Action::Delete)?;
            match reference {
                Reference::Tag(tag) => {
                    let digest = tags::get(txn, at, tag)?.digest.0;
                    manifests::present(txn, at, &digest).map_err(|error| named_as_asked(error, reference))?;
                    tags::end(txn, at, tag, now_ms)?;
                    stamp.record_at(txn, 0, at, name, "delete_tag", json!({"tag": tag.as_str()}))
                }
                Reference::Digest(digest) => {
                    manifests::withdraw(txn, at, digest, now_ms)?;
                    // One event, since the tags that it ends may be many.
                    let metadata = json!({"manifest_digest": digest.to_string()});
                    stamp.record_at(txn, 0, at, name, "delete_manifest", metadata)
                }
            }
        })?;
        self.0.wake.notify();
        tracing::info!(%actor, repository = %name, %reference, "manifest deleted");
        Ok(())
    }
}

/// The digest that a manifest is stored under: the one named, if it is the manifest's, or its sha256.
fn digest_for(reference: &Reference, manifest: &Manifest) -> Result<Digest, Error> {
    match reference {
        Reference::Tag(_) => Ok(manifest.digest(Algorithm::Sha256)),
        Reference::Digest(expected) => {
            let actual = manifest.digest(expected.algorithm());
            if actual == *expected { Ok(actual) } else { Err(Error::DigestMismatch(actual)) }
        }
    }
}

fn point_tags(
    txn: &mut WriteTxn<'_>,
    at: Granted,
    reference: &Reference,
    more: &[Tag],
    digest: &Digest,
    now_ms: u64,
) -> Result<(), Error> {
    let own = match reference {
        Reference::Tag(tag) => Some(tag),
        Reference::Digest(_) => None,
    };
    for tag in own.into_iter().chain(more) {
        tags::set(txn, at, tag, digest, now_ms, false)?;
    }
    manifests::hold_by_push(txn, at, digest)
}

/// Records a push for each tag that it pointed at the manifest, or one if there was none.
fn record_push(
    txn: &mut WriteTxn<'_>,
    new: &NewRepository,
    (at, name): (Granted, &RepositoryName),
    reference: &Reference,
    more: &[Tag],
    manifest: &Manifest,
) -> Result<(), Error> {
    let mut record = |number: usize, key: &str, value: String| {
        let metadata = json!({key: value, "mediaType": manifest.media_type()});
        new.stamp.record_at(txn, NewRepository::EVENTS + number as u64, at, name, "push_repo", metadata)
    };
    match reference {
        Reference::Tag(tag) => record(0, "tag", tag.to_string())?,
        Reference::Digest(digest) if more.is_empty() => record(0, "manifest_digest", digest.to_string())?,
        Reference::Digest(_) => {}
    }
    more.iter().enumerate().try_for_each(|(at, tag)| record(at + 1, "tag", tag.to_string()))
}

/// What a reference leads to.
fn resolve(rows: &impl Rows, at: Granted, reference: &Reference) -> Result<Digest, Error> {
    match reference {
        Reference::Tag(tag) => Ok(tags::get(rows, at, tag)?.digest.0),
        Reference::Digest(digest) => Ok(*digest),
    }
}

fn check(
    rows: &impl Rows,
    at: Granted,
    reference: &Reference,
    precondition: Option<Precondition>,
) -> Result<(), Error> {
    let Some(precondition) = precondition else { return Ok(()) };
    let stands_at = resolve(rows, at, reference).and_then(|digest| {
        manifests::present(rows, at, &digest)?;
        Ok(digest)
    });
    let holds = match (stands_at, precondition) {
        (Ok(digest), Precondition::Is(wanted)) => digest == wanted,
        (Ok(_), Precondition::Exists) | (Err(Error::ManifestUnknown(_)), Precondition::Absent) => true,
        (Ok(_), Precondition::Absent) | (Err(Error::ManifestUnknown(_)), _) => false,
        (Err(error), _) => return Err(error),
    };
    if holds { Ok(()) } else { Err(Error::PreconditionFailed) }
}

/// A refusal names what was asked for, not what it led to.
fn named_as_asked(error: Error, reference: &Reference) -> Error {
    match error {
        Error::ManifestUnknown(_) => Error::ManifestUnknown(reference.to_string()),
        other => other,
    }
}
