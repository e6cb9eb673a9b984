//! Files that no row names: those that are queued to be unlinked, and those that an unclean stop left behind.

use std::sync::atomic::Ordering;

use super::STEP;
use crate::content::DigestLock;
use crate::metadata::Rows;
use crate::model::blobs;
use crate::model::keys::Unlink;
use crate::model::tables::{UNLINKS, UPLOADS};
use crate::oci::{Algorithm, Digest};
use crate::{Error, Registry};

/// What the search for unnamed files found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Files looked at.
    pub files: u64,
    /// Files that no row named, now queued for unlinking.
    pub unnamed: u64,
}

impl Registry {
    pub(super) fn unlink_files(&self) -> Result<bool, Error> {
        let queued = self.0.metadata.read(|rows| rows.scan(&UNLINKS, &(), None, STEP))?;
        // Held until the rows are gone: else a digest that is placed and deleted meanwhile would lose its new row.
        let mut locks = Vec::new();
        let mut tried = Vec::new();
        for (unlink, ()) in queued {
            let unlinked = match &unlink {
                Unlink::Blob(digest) => self.unlink_blob(digest).map(|lock| locks.extend(lock)),
                Unlink::Staged(upload) => self.0.content.unlink_staged(*upload),
            };
            match unlinked {
                Ok(()) => tried.push(unlink),
                // It is tried again, and does not hold up the others.
                Err(cause) => tracing::warn!(?unlink, %cause, "a file could not be unlinked"),
            }
        }
        if tried.is_empty() {
            return Ok(false);
        }
        self.background(|txn| {
            for unlink in &tried {
                let is_done = match unlink {
                    Unlink::Blob(digest) => {
                        locks.iter().any(|lock| lock.digest() == digest) || blobs::is_named(txn, digest)?
                    }
                    Unlink::Staged(_) => true,
                };
                if is_done {
                    txn.delete(&UNLINKS, unlink);
                }
            }
            Ok(true)
        })
    }

    /// Unlinks the file unless rows name it. Under the answered lock nothing can come to name it.
    fn unlink_blob(&self, digest: &Digest) -> Result<Option<DigestLock<'_>>, Error> {
        let lock = self.0.content.lock(digest);
        if self.0.metadata.read(|rows| blobs::is_named(rows, digest))? {
            return Ok(None);
        }
        self.0.content.unlink_blob(&lock)?;
        Ok(Some(lock))
    }

    /// Looks at every file once and queues those that no row names: what an unclean stop can leave behind.
    ///
    /// # Errors
    /// Whatever storage refuses; the search then begins anew at the next call.
    pub fn sweep(&self) -> Result<Swept, Error> {
        self.0.is_sweeping.store(true, Ordering::SeqCst);
        // Taken away first: what asks for a search from now on may lie where this one has been.
        self.0.needs_sweep.store(false, Ordering::SeqCst);
        let swept = self.look_through_files();
        if swept.is_err() {
            self.0.needs_sweep.store(true, Ordering::SeqCst);
        }
        self.0.is_sweeping.store(false, Ordering::SeqCst);
        swept
    }

    fn look_through_files(&self) -> Result<Swept, Error> {
        let mut swept = Swept::default();
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            for shard in 0..=u8::MAX {
                let files = self.0.content.list_shard(algorithm, shard)?;
                for some in files.chunks(STEP) {
                    swept.unnamed += self.queue_unnamed(some)?;
                }
                swept.files += files.len() as u64;
            }
        }
        let staged = self.0.content.list_staged()?;
        swept.files += staged.len() as u64;
        for some in staged.chunks(STEP) {
            swept.unnamed += self.background(|txn| {
                let mut unnamed = 0;
                for upload in some {
                    if !txn.contains(&UPLOADS, upload)? {
                        txn.put(&UNLINKS, &Unlink::Staged(*upload), &());
                        unnamed += 1;
                    }
                }
                Ok(unnamed)
            })?;
        }
        Ok(swept)
    }

    fn queue_unnamed(&self, digests: &[Digest]) -> Result<u64, Error> {
        self.background(|txn| {
            let mut unnamed = 0;
            for digest in digests {
                if !blobs::is_named(txn, digest)? {
                    txn.put(&UNLINKS, &Unlink::Blob(*digest), &());
                    unnamed += 1;
                }
            }
            Ok(unnamed)
        })
    }
}
