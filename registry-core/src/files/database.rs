//! A database file as redb drives it, with space kept ahead of it.
//!
//! redb is of no use after one failed write until it is opened again. So the disk is asked for space before redb writes,
//! and whoever adds rows asks [`Reserve::is_whole`] first. What frees space may still write, into the reserve.

#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::{Disk, DiskFile, SyncPoint};
use crate::error::is_full;

/// The space in bytes that is kept allocated beyond the end of a database file.
const RESERVE_BYTES: u64 = 64 * 1024 * 1024;

/// A database file for redb. It takes no locks: the data directory has its own.
#[derive(Debug)]
pub(crate) struct DatabaseFile {
    file: Arc<dyn DiskFile>,
    reserve: Arc<Reserve>,
    warmth: Arc<Warmth>,
    closed: AtomicBool,
}

impl DatabaseFile {
    /// Opens the database file at `path`, or makes it, and makes its name durable.
    ///
    /// A new one is an empty database before it has the name: redb takes a file for damaged whose first bytes a power
    /// cut has prevented. A full disk is no error here, see [`Reserve::is_whole`].
    pub(crate) fn open(disk: &Arc<dyn Disk>, path: &Path) -> io::Result<Self> {
        let file = match disk.open(path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                create(disk, path)?;
                disk.open(path)?
            }
            opened => opened?,
        };
        let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        // Also when it was there: an earlier opening may have ended between making and syncing.
        disk.sync_directory(directory, SyncPoint::DataDirectory)?;
        Ok(Self::on(file))
    }

    fn on(file: Arc<dyn DiskFile>) -> Self {
        let reserve = Arc::new(Reserve { file: Arc::clone(&file), short: AtomicBool::new(true) });
        reserve.is_whole();
        Self { file, reserve, warmth: Arc::default(), closed: AtomicBool::new(false) }
    }

    /// The space kept ahead of this file.
    pub(crate) fn reserve(&self) -> Arc<Reserve> {
        Arc::clone(&self.reserve)
    }

    /// Whether reads of this file wait for the disk.
    pub(crate) fn warmth(&self) -> Arc<Warmth> {
        Arc::clone(&self.warmth)
    }

    fn opened(&self) -> io::Result<&dyn DiskFile> {
        if self.closed.load(Ordering::Acquire) {
            return Err(io::Error::other("the database file is closed"));
        }
        Ok(&*self.file)
    }
}

/// Makes an empty database beside `path` and gives it the name.
fn create(disk: &Arc<dyn Disk>, path: &Path) -> io::Result<()> {
    let draft = path.with_added_extension("new");
    disk.unlink(&draft)?;
    let file = DatabaseFile::on(disk.create(&draft)?);
    let database = redb::Builder::new().create_with_backend(file).map_err(io_error)?;
    database.close().map_err(io_error)?;
    disk.rename(&draft, path)
}

fn io_error(cause: impl Into<redb::Error>) -> io::Error {
    match cause.into() {
        redb::Error::Io(cause) => cause,
        cause => io::Error::other(cause),
    }
}

impl redb::StorageBackend for DatabaseFile {
    fn len(&self) -> io::Result<u64> {
        self.opened()?.len()
    }

    fn read(&self, mut offset: u64, out: &mut [u8]) -> io::Result<()> {
        let file = self.opened()?;
        let mut rest = out;
        while !rest.is_empty() {
            let count = match file.read_at_once(rest, offset)? {
                Some(count) => count,
                None => {
                    self.warmth.waited();
                    file.read_at(rest, offset)?
                }
            };
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            offset += count as u64;
            rest = &mut rest[count..];
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let file = self.opened()?;
        if len > file.len()? {
            self.reserve.keep_ahead_of(len)?;
            file.set_len(len)
        } else {
            // Cutting gives up what was allocated beyond the end.
            file.set_len(len)?;
            self.reserve.keep_ahead_of(len)
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.opened()?.sync(SyncPoint::Metadata)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.opened()?.write_all_at(data, offset)
    }

    fn close(&self) -> io::Result<()> {
        self.closed.store(true, Ordering::Release);
        Ok(())
    }
}

/// How many callers are told to expect a wait after a read that had to wait for the disk.
const COLD_CALLS: u32 = 64;

/// Whether the pages of a database file are in memory, going by the reads of late.
#[derive(Debug, Default)]
pub(crate) struct Warmth {
    /// Callers that are yet to be told to expect a wait.
    cold_calls: AtomicU32,
}

impl Warmth {
    fn waited(&self) {
        self.cold_calls.store(COLD_CALLS, Ordering::Relaxed);
    }

    /// Whether the next read is likely to be answered from memory. It may still wait, but where many do, all but one in
    /// [`COLD_CALLS`] callers are told before.
    pub(crate) fn is_warm(&self) -> bool {
        let one_less = |calls: u32| calls.checked_sub(1);
        self.cold_calls.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_err()
    }
}

/// The space kept ahead of a database file.
#[derive(Debug)]
pub(crate) struct Reserve {
    file: Arc<dyn DiskFile>,
    short: AtomicBool,
}

impl Reserve {
    /// Whether [`RESERVE_BYTES`] are allocated beyond the end of the file. If they were not, tries again first.
    pub(crate) fn is_whole(&self) -> bool {
        !self.short.load(Ordering::Acquire) || self.file.len().and_then(|len| self.allocate(len)).is_ok()
    }

    /// Allocates a file of `len` bytes and the reserve. Where the disk has no room for both, the file takes from the
    /// reserve; an error where not even that is enough.
    fn keep_ahead_of(&self, len: u64) -> io::Result<()> {
        match self.allocate(len) {
            Err(cause) if is_full(&cause) => self.file.allocate(len),
            allocated => allocated,
        }
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let allocated = self.file.allocate(len.saturating_add(RESERVE_BYTES));
        self.short.store(allocated.is_err(), Ordering::Release);
        allocated
    }
}
