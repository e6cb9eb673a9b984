//! Writing to an upload: appending, saving, and the commit that makes a blob of it.

use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::{Session, Slot};
use crate::access::{Action, Actor};
use crate::content::{DigestLock, hash_file};
use crate::metadata::{Growth, Lane, Rows};
use crate::model::authorize::{Granted, granted};
use crate::model::keys::{Unlink, UploadId};
use crate::model::tables::{UNLINKS, UPLOADS};
use crate::model::{blobs, uploads};
use crate::oci::{Algorithm, Digest, Hasher, RepositoryName};
use crate::{Error, Registry};

/// Below this many bytes, handing them to another thread costs more than to hash them.
const BESIDE_BYTES: usize = 64 << 10;

/// An upload that one request writes to. Dropping it lets the session rest, with every byte that was appended.
///
/// Once a sync has failed, bytes that were not saved before must be taken for lost, whatever a second sync says: the
/// session then goes on from what was saved last.
#[derive(Debug)]
pub struct UploadWriter {
    pub(super) registry: Registry,
    pub(super) actor: Actor,
    pub(super) name: RepositoryName,
    pub(super) id: UploadId,
    /// Absent once the upload has ended, or must go on from what was saved.
    pub(super) session: Option<Box<Session>>,
}

impl UploadWriter {
    /// The bytes that the upload holds.
    pub fn offset(&self) -> u64 {
        self.session.as_ref().map_or(0, |session| session.offset)
    }

    /// Appends and hashes `bytes`.
    ///
    /// # Errors
    /// [`Error::BlobTooLarge`], [`Error::StorageFull`]; what was appended before stays.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.appendable(bytes.len())?.append(bytes)?;
        self.save_if_due()
    }

    /// Appends `pieces`, one after the other. Larger ones are hashed on another thread while this one writes them.
    ///
    /// # Errors
    /// As [`UploadWriter::append`]; of what was refused, the first pieces may have been appended.
    pub fn append_pieces(&mut self, pieces: &[Bytes]) -> Result<(), Error> {
        let bytes = pieces.iter().map(Bytes::len).sum();
        if bytes < BESIDE_BYTES {
            return pieces.iter().try_for_each(|piece| self.append(piece));
        }
        let registry = self.registry.clone();
        self.appendable(bytes)?.append_beside(pieces, &registry.0.hashing)?;
        self.save_if_due()
    }

    /// The session, if so many bytes more are not too many.
    fn appendable(&mut self, bytes: usize) -> Result<&mut Session, Error> {
        let limit_bytes = self.registry.0.settings.blob_limit_bytes;
        let session = self.session.as_mut().ok_or(Error::UploadUnknown)?;
        let is_too_large = session.offset.saturating_add(bytes as u64) > limit_bytes;
        if is_too_large { Err(Error::BlobTooLarge { limit_bytes }) } else { Ok(session) }
    }

    /// Begins a save once enough has come since the last. By then that has ended, or is waited for.
    fn save_if_due(&mut self) -> Result<(), Error> {
        let session = self.session.as_mut().ok_or(Error::UploadUnknown)?;
        if session.offset - session.saved < self.registry.0.settings.upload_save_bytes {
            return Ok(());
        }
        let saving = self.registry.save_beside(self.id, session, self.registry.now_ms());
        saving.inspect_err(|_| self.session = None)
    }

    /// Makes what was appended survive a power cut: for a request that ended short.
    ///
    /// # Errors
    /// Whatever the disk refuses.
    pub fn save(&mut self) -> Result<(), Error> {
        let session = self.session.as_mut().ok_or(Error::UploadUnknown)?;
        self.registry.save(self.id, session, self.registry.now_ms()).inspect_err(|_| self.session = None)
    }

    /// Ends the upload: verifies the digest, makes the bytes durable, and links the blob to the repository.
    ///
    /// # Errors
    /// [`Error::DigestMismatch`], after which the session is gone; the refusals of a push; what the disk refuses,
    /// after which it can be tried again.
    pub fn finish(mut self, expected: &Digest) -> Result<(), Error> {
        let session = self.session.as_mut().ok_or(Error::UploadUnknown)?;
        let saved_and_hashed = session.finish_saving().and_then(|()| session.hasher());
        let hasher = saved_and_hashed.inspect_err(|_| self.session = None)?;
        let session = self.session.as_ref().ok_or(Error::UploadUnknown)?;
        let actual = digest_of(session, hasher, expected.algorithm())?;
        if actual != *expected {
            self.session = None;
            self.registry.discard(self.id)?;
            return Err(Error::DigestMismatch(actual));
        }
        let sealed = self.registry.0.content.seal(&*session.file, session.offset);
        sealed.inspect_err(|_| self.session = None)?;
        self.commit(expected)?;
        self.session = None;
        tracing::info!(actor = %self.actor, repository = %self.name, digest = %expected, "blob pushed");
        Ok(())
    }

    fn commit(&mut self, digest: &Digest) -> Result<(), Error> {
        let session = self.session.as_ref().ok_or(Error::UploadUnknown)?;
        let registry = self.registry.clone();
        let inner = &registry.0;
        let (size, grace_ms) = (session.offset, self.registry.now_ms() + inner.settings.blob_grace_ms);
        let lock = inner.content.lock(digest);
        // Asked before the file takes its place, so that a refusal leaves everything as it was.
        inner.metadata.require_room()?;
        inner.metadata.read(|rows| self.check(rows).map(drop))?;
        // The repository may have been deleted since, and the staged file with it.
        inner.content.place(&lock, self.id).or_else(|refused| self.gone_or(refused))?;
        let named = inner.content.sync_placed(&lock).and_then(|()| {
            inner.metadata.write(|txn| {
                let at = self.check(txn)?;
                uploads::end(txn, self.id)?;
                blobs::link(txn, at, digest, size, grace_ms)
            })
        });
        if named.is_err() {
            self.session = self.session.take().filter(|_| self.take_back(&lock, digest));
        }
        named.or_else(|refused| self.gone_or(refused))
    }

    fn check(&self, rows: &impl Rows) -> Result<Granted, Error> {
        let upload = uploads::get(rows, self.id)?;
        let at = granted(rows, &self.registry.0.settings, &self.actor, &self.name, Action::Push)?;
        // Another repository may have taken the name.
        if at.repository == upload.repository { Ok(at) } else { Err(Error::UploadUnknown) }
    }

    /// [`Error::UploadUnknown`] if the session is gone, whose staged file then goes too; otherwise `refused`.
    fn gone_or(&mut self, refused: Error) -> Result<(), Error> {
        let metadata = &self.registry.0.metadata;
        if metadata.read(|rows| rows.contains(&UPLOADS, &self.id))? {
            return Err(refused);
        }
        self.session = None;
        metadata.write_in(Lane::Foreground, Growth::MayUseReserve, |txn| {
            txn.put(&UNLINKS, &Unlink::Staged(self.id), &());
            Ok(())
        })?;
        Err(Error::UploadUnknown)
    }

    /// After a commit that failed: whether the staged file came back. It does not if rows name the digest, in this
    /// repository or another: then it is their file, the session must not write to it, and begins anew.
    fn take_back(&self, lock: &DigestLock<'_>, digest: &Digest) -> bool {
        let inner = &self.registry.0;
        let is_named = inner.metadata.read(|rows| blobs::is_named(rows, digest));
        match is_named {
            Ok(true) => false,
            Ok(false) if inner.content.take_back(lock, self.id).is_ok() => true,
            _ => {
                inner.needs_sweep.store(true, Ordering::SeqCst);
                false
            }
        }
    }
}

impl Drop for UploadWriter {
    fn drop(&mut self) {
        match self.session.take() {
            #[cfg_attr(
                not(any(test, feature = "simulation")),
                expect(unused_mut, reason = "only simulations defer")
            )]
            Some(mut session) => {
                #[cfg(any(test, feature = "simulation"))]
                session.catch_up();
                let resting = Slot::Resting(session, self.registry.now_ms());
                self.registry.0.sessions.lock().insert(self.id, resting);
            }
            None => self.registry.0.sessions.forget(self.id),
        }
    }
}

/// The digest of what was appended; hashed again from the file when the client closes with another algorithm than it
/// announced (the suite never announces one).
fn digest_of(session: &Session, hasher: Hasher, algorithm: Algorithm) -> Result<Digest, Error> {
    if hasher.algorithm() == algorithm {
        return Ok(hasher.finish());
    }
    Ok(hash_file(&*session.file, algorithm, session.offset)?.finish())
}
