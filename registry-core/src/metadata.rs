//! The one door to the registry's rows. It alone knows redb.
//!
//! [`Metadata::read`] sees what is committed. [`Metadata::write`] runs a closure on the open transaction that all
//! callers share, through an overlay, and returns once that transaction's one commit is durable: all of it happened,
//! or none. Closures may run more than once, so they take the time, fresh ids and secrets as arguments and touch
//! nothing but the transaction.
//!
//! A second engine, for a site that outgrows one machine, fits behind this door: keys and records are bytes, keys
//! sort, and nothing else of redb shows.

mod batch;
mod commits;
mod database;
pub(crate) mod key;
mod lanes;
mod overlay;
pub(crate) mod record;
mod table;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use batch::{Held, OpenBatch};
pub(crate) use commits::Commits;
use database::Opened;
pub(crate) use database::ReadTxn;
pub(crate) use lanes::Lane;
use lanes::Lanes;
pub(crate) use overlay::WriteTxn;
pub(crate) use record::Record;
pub(crate) use table::{Rows, Table};

use crate::Error;
use crate::files::Disk;

/// What a write does to the space in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Growth {
    /// It adds rows: refused with [`Error::StorageFull`] once the space kept ahead is no longer whole.
    Grows,
    /// It frees space, or is needed to free space (a login, a deletion): it may use the space kept ahead.
    MayUseReserve,
}

/// The registry's rows.
#[derive(Debug)]
pub(crate) struct Metadata {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    cache_bytes: usize,
    /// `None` after a reopening that failed: the next caller tries again.
    opened: RwLock<Option<Opened>>,
    /// Locked before `opened`, by writers and by a reopening.
    batch: Mutex<OpenBatch>,
    lanes: Lanes,
    held: Held,
    reopenings: AtomicU64,
    commits: Commits,
}

impl Metadata {
    /// Opens the database file at `path`, or makes it; `cache_bytes` bounds the pages kept in memory.
    pub(crate) fn open(disk: Arc<dyn Disk>, path: PathBuf, cache_bytes: usize) -> Result<Self, Error> {
        let opened = database::open(&disk, &path, cache_bytes)?;
        Ok(Self {
            disk,
            path,
            cache_bytes,
            opened: RwLock::new(Some(opened)),
            batch: Mutex::default(),
            lanes: Lanes::default(),
            held: Held::default(),
            reopenings: AtomicU64::new(0),
            commits: Commits::default(),
        })
    }

    /// Runs `work` on what is committed by now.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&ReadTxn) -> Result<T, Error>) -> Result<T, Error> {
        let seen = self.reopenings();
        let begun = match &*self.opened.read().unwrap_or_else(PoisonError::into_inner) {
            Some(opened) => database::begin_read(&opened.database),
            None => Err(Error::Unavailable),
        };
        begun.and_then(|txn| work(&txn)).inspect_err(|error| {
            if is_failure(error) {
                self.reopen(&mut self.batch.lock().unwrap_or_else(PoisonError::into_inner), seen);
            }
        })
    }

    /// Whether a read now is likely to be answered without waiting for the disk.
    pub(crate) fn is_in_memory(&self) -> bool {
        // A lock that is held is that of a reopening, which waits for the disk.
        match self.opened.try_read() {
            Ok(opened) => opened.as_ref().is_some_and(|opened| opened.warmth.is_warm()),
            Err(_) => false,
        }
    }

    /// Runs `work` in a write and returns its value once that is durable. What adds rows is refused when space is
    /// short; see [`Self::write_in`].
    pub(crate) fn write<T>(&self, work: impl Fn(&mut WriteTxn<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.write_in(Lane::Foreground, Growth::Grows, work)
    }

    /// How often the database was closed and opened again after a failure.
    pub(crate) fn reopenings(&self) -> u64 {
        self.reopenings.load(Ordering::Relaxed)
    }

    /// The commits so far.
    pub(crate) fn commits(&self) -> &Commits {
        &self.commits
    }

    /// Closes and opens the database unless somebody has since `seen`. The caller holds the batch, so no transaction
    /// is being filled; one that was begun before the failure is given up.
    fn reopen(&self, batch: &mut OpenBatch, seen: u64) {
        if self.reopenings() != seen {
            return;
        }
        batch.give_up();
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        // Dropping closes: older reads then get "database closed", which they answer as unavailable.
        *opened = None;
        self.reopenings.fetch_add(1, Ordering::Relaxed);
        match database::open(&self.disk, &self.path, self.cache_bytes) {
            Ok(again) => *opened = Some(again),
            Err(cause) => tracing::error!(%cause, "metadata could not be opened again"),
        }
    }
}

/// Whether an error means that redb may answer nothing more until it is reopened.
fn is_failure(error: &Error) -> bool {
    matches!(error, Error::Unavailable | Error::StorageFull | Error::Metadata(_))
}

#[cfg(test)]
mod tests;
