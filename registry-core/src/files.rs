//! The one module that makes file calls. It knows nothing of what the files mean.
//!
//! A [`Disk`] comes in two forms: [`RealDisk`], the operating system's, and `SimulatedDisk`, in memory, on which tests
//! cut the power at any point. `contract` holds the facts that are true of both.
//!
//! What is written survives a power cut once it is synced, and a name once its directory is: [`SyncPoint`] lists every
//! such call that the registry makes.

#[cfg(test)]
mod contract;
mod database;
mod real;
#[cfg(any(test, feature = "simulation"))]
mod simulated;

use std::any::Any;
use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

pub(crate) use database::{DatabaseFile, Reserve, Warmth};
pub(crate) use real::RealDisk;
#[cfg(any(test, feature = "simulation"))]
pub(crate) use real::open_already;
#[cfg(any(test, feature = "simulation"))]
pub use simulated::SimulatedDisk;

/// Names every sync that durability relies on, so that a test can leave out each in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    not(any(test, feature = "simulation")),
    expect(unreachable_pub, reason = "only tests, through `simulation`, reach it from outside")
)]
pub enum SyncPoint {
    /// The directories of the data directory, when they are made.
    Layout,
    /// The data directory, which names the database files and the keys.
    DataDirectory,
    /// The directory of staged uploads, which names them.
    StagingDirectory,
    /// The bytes of a staged upload, or of a key that has yet to get its name.
    StagedBytes,
    /// A directory that names blobs.
    BlobDirectory,
    /// The bytes of a database file.
    Metadata,
    /// The bytes of a file of old events.
    ArchiveBytes,
    /// The directory that names files of old events, and the data directory that names it.
    ArchiveDirectory,
}

#[cfg(any(test, feature = "simulation"))]
impl SyncPoint {
    /// Every sync, once.
    pub const ALL: [Self; 8] = [
        Self::Layout,
        Self::DataDirectory,
        Self::StagingDirectory,
        Self::StagedBytes,
        Self::BlobDirectory,
        Self::Metadata,
        Self::ArchiveBytes,
        Self::ArchiveDirectory,
    ];
}

/// Directories and names. No change of a name is durable before its directory is synced.
pub(crate) trait Disk: Send + Sync + Debug + 'static {
    /// Makes one directory, for its owner alone (0700), or leaves the one that is there. Its parent must exist.
    fn create_directory(&self, path: &Path) -> io::Result<()>;

    /// Makes an empty file, for its owner alone (0600), open for reading and writing. `AlreadyExists` if the name is
    /// taken.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens a file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens a file for reading.
    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives the file `from` the name `to`, in place of the file that has it, if any.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes the name of a file; fine if there is none. Who has the file open can go on reading it.
    fn unlink(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    fn sync_directory(&self, path: &Path, point: SyncPoint) -> io::Result<()>;

    /// The names in a directory, in any order.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;

    /// Takes the lock file `path`, making it if need be, until the answer is dropped or the process ends.
    /// `WouldBlock` if another has it, with its process id in the message.
    fn lock(&self, path: &Path) -> io::Result<DiskLock>;
}

/// An open file. No change of it is durable before [`Self::sync`].
pub(crate) trait DiskFile: Send + Sync + Debug + 'static {
    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Reads what is at `offset` into `buffer` and answers how many bytes: fewer than asked for only at the end of
    /// the file, or after an interruption, but 0 only at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Reads as [`Self::read_at`] does what can be had without waiting for the disk; `None` if nothing can, or if that
    /// cannot be told.
    fn read_at_once(&self, buffer: &mut [u8], offset: u64) -> io::Result<Option<usize>>;

    /// Says that these bytes will be read soon. Nothing is promised.
    fn will_read(&self, offset: u64, len: u64);

    /// The operating system's file, if it is one: for calls in which the kernel moves the bytes.
    fn as_file(&self) -> Option<&File>;

    /// Writes all `bytes` at `offset`. After an error any part of them may be written.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Cuts the file, or lengthens it with zeros, to `len` bytes. Cutting gives up space that was allocated ahead.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Keeps space allocated for the first `len` bytes, whatever the length. Does nothing where the file system cannot.
    fn allocate(&self, len: u64) -> io::Result<()>;

    /// The length and the number of names, in one call.
    fn stat(&self) -> io::Result<FileStat>;

    /// Makes the bytes and the length durable, not the name. After an error the unsynced bytes must be taken for lost:
    /// a second sync may answer `Ok` without them.
    fn sync(&self, point: SyncPoint) -> io::Result<()>;
}

/// What a file says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileStat {
    /// The length in bytes.
    pub(crate) len: u64,
    /// How many names it has. A power cut in the middle of a rename can leave it two.
    pub(crate) names: u64,
}

/// A lock file, held until this is dropped.
#[derive(Debug)]
pub(crate) struct DiskLock {
    _held: Box<dyn Any + Send + Sync>,
}

impl DiskLock {
    fn new(held: impl Any + Send + Sync) -> Self {
        Self { _held: Box::new(held) }
    }
}
