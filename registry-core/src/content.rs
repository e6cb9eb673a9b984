//! The bytes: one file for each digest under `blobs/`, one for each open upload under `uploads/`.
//!
//! Bytes are durable before they are named. They are written to a staged file, synced, renamed into place and their
//! directory is synced; only then may a transaction name the digest. Blob files are never written in place and never
//! truncated: a new one is renamed over the old, which an open handle goes on reading.

mod open;
mod reader;

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

pub use self::open::OpenBlobCounts;
use self::open::OpenBlobs;
pub use self::reader::BlobReader;
use crate::Error;
use crate::files::{Disk, DiskFile, SyncPoint};
use crate::model::keys::UploadId;
use crate::oci::{Algorithm, Digest, Hasher};

/// How much is read at once to hash a file again.
const READ_BYTES: usize = 256 << 10;

/// The files of a registry.
#[derive(Debug)]
pub(crate) struct Content {
    disk: Arc<dyn Disk>,
    blobs: PathBuf,
    uploads: PathBuf,
    /// Staged files that belong to no session: manifests that are being written.
    writing: Mutex<HashSet<UploadId>>,
    locked: Mutex<HashSet<Digest>>,
    unlocked: Condvar,
    open: OpenBlobs,
}

/// Excludes placing and unlinking the file of one digest while it is held.
#[derive(Debug)]
pub(crate) struct DigestLock<'a> {
    content: &'a Content,
    digest: Digest,
}

impl DigestLock<'_> {
    /// The digest that is locked.
    pub(crate) fn digest(&self) -> &Digest {
        &self.digest
    }
}

impl Drop for DigestLock<'_> {
    fn drop(&mut self) {
        let mut locked = self.content.locked.lock().unwrap_or_else(PoisonError::into_inner);
        locked.remove(&self.digest);
        self.content.unlocked.notify_all();
    }
}

impl Content {
    /// Opens the content under `root`, making what directories lack.
    pub(crate) fn open(disk: Arc<dyn Disk>, root: &Path) -> Result<Self, Error> {
        let (blobs, uploads) = (root.join("blobs"), root.join("uploads"));
        disk.create_directory(&blobs)?;
        disk.create_directory(&uploads)?;
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let directory = blobs.join(algorithm.name());
            disk.create_directory(&directory)?;
            for shard in 0..=u8::MAX {
                disk.create_directory(&directory.join(format!("{shard:02x}")))?;
            }
            // Every time, since whoever made them may have been stopped before this.
            disk.sync_directory(&directory, SyncPoint::Layout)?;
        }
        disk.sync_directory(&blobs, SyncPoint::Layout)?;
        disk.sync_directory(root, SyncPoint::Layout)?;
        Ok(Self {
            disk,
            blobs,
            uploads,
            writing: Mutex::default(),
            locked: Mutex::default(),
            unlocked: Condvar::new(),
            open: OpenBlobs::default(),
        })
    }

    fn shard(&self, digest: &Digest) -> PathBuf {
        self.blobs.join(digest.algorithm().name()).join(&digest.hex()[..2])
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.shard(digest).join(digest.hex())
    }

    fn staged_path(&self, upload: UploadId) -> PathBuf {
        self.uploads.join(upload.to_string())
    }

    /// Waits for the digest's lock: held from the rename to the commit that names it, and around an unlink.
    pub(crate) fn lock(&self, digest: &Digest) -> DigestLock<'_> {
        let mut locked = self.locked.lock().unwrap_or_else(PoisonError::into_inner);
        while !locked.insert(*digest) {
            locked = self.unlocked.wait(locked).unwrap_or_else(PoisonError::into_inner);
        }
        DigestLock { content: self, digest: *digest }
    }

    /// The staged file of an upload; an empty one if there is none to write to.
    pub(crate) fn staged(&self, upload: UploadId) -> Result<Arc<dyn DiskFile>, Error> {
        let path = self.staged_path(upload);
        match self.disk.open(&path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            opened => {
                let file = opened?;
                if file.stat()?.names == 1 {
                    return Ok(file);
                }
                // The power went while it was placed: it is a blob's file as well, which nobody may write to.
                self.disk.unlink(&path)?;
            }
        }
        Ok(self.disk.create(&path)?)
    }

    /// Makes a staged file durable as a blob of `len` bytes: a write that was refused may have left more.
    pub(crate) fn seal(&self, file: &dyn DiskFile, len: u64) -> Result<(), Error> {
        if file.len()? != len {
            file.set_len(len)?;
        }
        Ok(file.sync(SyncPoint::StagedBytes)?)
    }

    /// Makes what was appended to a staged file survive a power cut: the bytes and the file's name.
    pub(crate) fn sync_staged(&self, file: &dyn DiskFile) -> Result<(), Error> {
        file.sync(SyncPoint::StagedBytes)?;
        Ok(self.disk.sync_directory(&self.uploads, SyncPoint::StagingDirectory)?)
    }

    /// Moves the sealed staged file to the place of its digest, over whatever lies there: a file that is already
    /// there is never trusted.
    pub(crate) fn place(&self, lock: &DigestLock<'_>, upload: UploadId) -> Result<(), Error> {
        self.change(lock, |path| self.disk.rename(&self.staged_path(upload), path))
    }

    /// Makes the place that a file was moved to survive a power cut.
    pub(crate) fn sync_placed(&self, lock: &DigestLock<'_>) -> Result<(), Error> {
        Ok(self.disk.sync_directory(&self.shard(&lock.digest), SyncPoint::BlobDirectory)?)
    }

    /// Moves a placed file that no row came to name back to its upload.
    pub(crate) fn take_back(&self, lock: &DigestLock<'_>, upload: UploadId) -> Result<(), Error> {
        self.change(lock, |path| self.disk.rename(path, &self.staged_path(upload)))
    }

    /// Writes `bytes` to the place of their digest, durably.
    pub(crate) fn write(&self, lock: &DigestLock<'_>, upload: UploadId, bytes: &[u8]) -> Result<(), Error> {
        self.writing().insert(upload);
        let written = self.write_staged(lock, upload, bytes);
        self.writing().remove(&upload);
        written
    }

    fn writing(&self) -> MutexGuard<'_, HashSet<UploadId>> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_staged(&self, lock: &DigestLock<'_>, upload: UploadId, bytes: &[u8]) -> Result<(), Error> {
        let file = self.staged(upload)?;
        let written =
            file.write_all_at(bytes, 0).and_then(|()| file.sync(SyncPoint::StagedBytes)).map_err(Error::from);
        written.and_then(|()| self.place(lock, upload)).inspect_err(|_| {
            // Best effort: a file left behind is found after an unclean stop.
            let _ = self.disk.unlink(&self.staged_path(upload));
        })?;
        self.sync_placed(lock)
    }

    /// Opens the file of a digest, or shares it with others who read it; `None` if it is absent or not `size` bytes long,
    /// so that a push can heal it.
    pub(crate) fn read(&self, digest: &Digest, size: u64) -> Result<Option<BlobReader>, Error> {
        let before = match self.open.get(digest, size) {
            Ok(blob) => return Ok(Some(BlobReader(blob))),
            Err(before) => before,
        };
        let opened = self.open_by_path(digest, size)?;
        if let Some(BlobReader(blob)) = &opened {
            self.open.insert(digest, blob, before);
        }
        Ok(opened)
    }

    /// As [`Self::read`], if others read it already.
    pub(crate) fn at_hand(&self, digest: &Digest, size: u64) -> Option<BlobReader> {
        self.open.at_hand(digest, size).map(BlobReader)
    }

    /// As [`Self::read`], for who looks at many files once: by its path, whatever is open already.
    pub(crate) fn open_by_path(&self, digest: &Digest, size: u64) -> Result<Option<BlobReader>, Error> {
        let file = match self.disk.open_read(&self.blob_path(digest)) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        Ok((file.len()? == size).then(|| BlobReader::new(file, size)))
    }

    /// How the cache of open blobs does.
    pub(crate) fn open_blobs(&self) -> OpenBlobCounts {
        self.open.counts()
    }

    /// Whether the digest has a file, of whatever length.
    pub(crate) fn has_file(&self, digest: &Digest) -> Result<bool, Error> {
        match self.disk.open_read(&self.blob_path(digest)) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(false),
            opened => Ok(opened.map(|_| true)?),
        }
    }

    /// Removes the file of a digest that no row names.
    pub(crate) fn unlink_blob(&self, lock: &DigestLock<'_>) -> Result<(), Error> {
        self.change(lock, |path| self.disk.unlink(path))
    }

    /// Changes what lies at the place of a digest, and lets go of what was open there: it may have changed even where
    /// the disk says that it failed.
    fn change(
        &self,
        lock: &DigestLock<'_>,
        change: impl FnOnce(&Path) -> io::Result<()>,
    ) -> Result<(), Error> {
        let changed = change(&self.blob_path(&lock.digest));
        self.open.evict(&lock.digest);
        Ok(changed?)
    }

    /// Removes the staged file of an upload that has ended.
    pub(crate) fn unlink_staged(&self, upload: UploadId) -> Result<(), Error> {
        Ok(self.disk.unlink(&self.staged_path(upload))?)
    }

    /// The digests that have a file, of one algorithm and one first byte of the hash.
    pub(crate) fn list_shard(&self, algorithm: Algorithm, shard: u8) -> Result<Vec<Digest>, Error> {
        let names = self.disk.list(&self.blobs.join(algorithm.name()).join(format!("{shard:02x}")))?;
        Ok(names.iter().filter_map(|hex| format!("{}:{hex}", algorithm.name()).parse().ok()).collect())
    }

    /// The uploads that have a staged file.
    pub(crate) fn list_staged(&self) -> Result<Vec<UploadId>, Error> {
        let mut staged: Vec<UploadId> =
            self.disk.list(&self.uploads)?.iter().filter_map(|name| name.parse().ok()).collect();
        // Asked after the listing: what was being written then is so still, or has its place by now.
        staged.retain(|upload| !self.writing().contains(upload));
        Ok(staged)
    }
}

/// Hashes the first `len` bytes of a file.
pub(crate) fn hash_file(file: &dyn DiskFile, algorithm: Algorithm, len: u64) -> Result<Hasher, Error> {
    let mut hasher = Hasher::new(algorithm);
    let mut buffer = vec![0; READ_BYTES];
    let mut offset = 0;
    while offset < len {
        let want = READ_BYTES.min(usize::try_from(len - offset).unwrap_or(READ_BYTES));
        let got = file.read_at(&mut buffer[..want], offset)?;
        if got == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        hasher.update(&buffer[..got]);
        offset += got as u64;
    }
    Ok(hasher)
}

/// Hashes a blob whole.
pub(crate) fn hash_file_of(blob: &BlobReader, algorithm: Algorithm) -> Result<Digest, Error> {
    Ok(hash_file(blob.file(), algorithm, blob.size())?.finish())
}
