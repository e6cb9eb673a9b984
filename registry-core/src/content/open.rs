//! Blobs that were read lately, kept open, and the small ones in memory.
//!
//! Whoever changes what lies at a digest's path evicts it. Beyond that every use looks at the open file: one that has lost
//! its name or its length is opened anew by its path, so that a missing or cut file is noticed and a healed one served.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use rustix::process::{Resource, getrlimit};

use crate::files::DiskFile;
use crate::oci::Digest;

/// Blobs up to this size are kept in memory whole: for them a read costs more than the copy.
pub(super) const SMALL_BYTES: u64 = 64 << 10;
/// What the small blobs in memory take together, at most.
const SMALL_BYTES_TOGETHER: u64 = 8 << 20;
/// The most blobs that are kept open, and the share of the files that the process may open.
const CAPACITY: usize = 1024;
const SHARE_OF_FILES: u64 = 4;

/// An open file of a digest.
#[derive(Debug)]
pub(super) struct OpenBlob {
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) size: u64,
    /// All bytes of a small one, once they were read.
    pub(super) small: OnceLock<Bytes>,
}

impl OpenBlob {
    pub(super) fn new(file: Arc<dyn DiskFile>, size: u64) -> Self {
        Self { file, size, small: OnceLock::new() }
    }

    fn cost(&self) -> u64 {
        if self.size <= SMALL_BYTES { self.size } else { 0 }
    }

    /// Whether the file still has a name and its length.
    fn stands(&self) -> bool {
        self.file.stat().is_ok_and(|stat| stat.names > 0 && stat.len == self.size)
    }
}

/// How the cache of open blobs does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenBlobCounts {
    /// Reads that found their blob open, since the start.
    pub hits: u64,
    /// Reads that had to open a file, since the start.
    pub misses: u64,
    /// Blobs that are open now.
    pub entries: usize,
}

/// The cache.
#[derive(Debug)]
pub(super) struct OpenBlobs {
    state: Mutex<State>,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// Two maps that take turns: when the young one is full it becomes the old one, and the old one goes. What is used in the
/// old one moves to the young one.
#[derive(Debug)]
struct State {
    young: Generation,
    old: Generation,
    /// Half of the blobs that are kept open.
    half: usize,
    evictions: u64,
}

#[derive(Debug, Default)]
struct Generation {
    blobs: HashMap<Digest, Arc<OpenBlob>>,
    cost: u64,
}

impl Generation {
    fn remove(&mut self, digest: &Digest) -> Option<Arc<OpenBlob>> {
        let blob = self.blobs.remove(digest)?;
        self.cost -= blob.cost();
        Some(blob)
    }
}

/// The moment before a file was opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    evictions: u64,
}

impl Default for OpenBlobs {
    fn default() -> Self {
        let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX) / SHARE_OF_FILES;
        Self::with_capacity(usize::try_from(files).unwrap_or(CAPACITY).min(CAPACITY))
    }
}

impl OpenBlobs {
    fn with_capacity(capacity: usize) -> Self {
        let (young, old) = Default::default();
        let state = State { young, old, half: capacity.div_ceil(2), evictions: 0 };
        Self { state: Mutex::new(state), hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    /// The open blob, if its file still stands; or else what [`Self::insert`] wants once it has been opened.
    pub(super) fn get(&self, digest: &Digest, size: u64) -> Result<Arc<OpenBlob>, Before> {
        if let Some(blob) = self.at_hand(digest, size) {
            return Ok(blob);
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let mut state = self.lock();
        // What is there does not stand.
        let gone = state.remove(digest);
        let evictions = state.evictions;
        drop(state);
        drop(gone);
        Err(Before { evictions })
    }

    /// The open blob, if there is one and its file still stands.
    pub(super) fn at_hand(&self, digest: &Digest, size: u64) -> Option<Arc<OpenBlob>> {
        let (found, gone) = self.lock().find(digest);
        drop(gone);
        let blob = found.filter(|blob| blob.size == size && blob.stands())?;
        self.hits.fetch_add(1, Ordering::Relaxed);
        Some(blob)
    }

    /// Keeps a blob that was opened after `before`, unless something was evicted since: it may have been this one, and
    /// what was opened may be what was replaced.
    pub(super) fn insert(&self, digest: &Digest, blob: &Arc<OpenBlob>, before: Before) {
        let mut state = self.lock();
        if state.evictions == before.evictions {
            let gone = state.insert(*digest, Arc::clone(blob));
            drop(state);
            drop(gone);
        }
    }

    /// Forgets the file of a digest. Called after each change of what lies at its path.
    pub(super) fn evict(&self, digest: &Digest) {
        let mut state = self.lock();
        state.evictions += 1;
        let gone = state.remove(digest);
        drop(state);
        drop(gone);
    }

    pub(super) fn counts(&self) -> OpenBlobCounts {
        let state = self.lock();
        OpenBlobCounts {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            entries: state.young.blobs.len() + state.old.blobs.len(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn find(&mut self, digest: &Digest) -> (Option<Arc<OpenBlob>>, Gone) {
        if let Some(blob) = self.young.blobs.get(digest) {
            return (Some(Arc::clone(blob)), Gone::default());
        }
        let Some(blob) = self.old.remove(digest) else { return (None, Gone::default()) };
        let gone = self.insert(*digest, Arc::clone(&blob));
        (Some(blob), gone)
    }

    fn insert(&mut self, digest: Digest, blob: Arc<OpenBlob>) -> Gone {
        let mut gone = self.remove(&digest);
        let cost = self.young.cost + blob.cost();
        if self.young.blobs.len() >= self.half || cost > SMALL_BYTES_TOGETHER / 2 {
            gone.turned = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
        }
        self.young.cost += blob.cost();
        self.young.blobs.insert(digest, blob);
        gone
    }

    fn remove(&mut self, digest: &Digest) -> Gone {
        let one = self.young.remove(digest).or_else(|| self.old.remove(digest));
        Gone { _one: one, turned: Generation::default() }
    }
}

/// What left the cache. To be dropped without the lock, since closing files takes time.
#[derive(Default)]
#[must_use]
struct Gone {
    _one: Option<Arc<OpenBlob>>,
    turned: Generation,
}

#[cfg(test)]
mod tests;
