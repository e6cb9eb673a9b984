//! How a registry is opened and closed.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::{FORMAT_ROW, Inner, Registry, trail, uploads};
use crate::content::Content;
use crate::files::{Disk, RealDisk, SyncPoint};
use crate::helpers::Helpers;
use crate::ids::Ids;
use crate::metadata::{Growth, Lane, Metadata, Rows};
use crate::model::tables::SYSTEM;
use crate::trail::{Archives, Exports};
use crate::{Clock, Entropy, Error, Settings};

/// The format that this build reads and writes.
const FORMAT: u8 = 4;
/// Uploads that are saved while they go on, at once. Others wait for their saves.
const SAVES: usize = 16;
/// Name of the row that is there only while no server runs: its absence at start means an unclean stop.
const STOPPED: &str = "stopped";

impl Registry {
    /// Opens the registry in `directory`, or makes one there; its parent must exist.
    ///
    /// # Errors
    /// [`Error::InUse`] if another process has it open, [`Error::Corrupt`] if a later version wrote it, and whatever
    /// the disk refuses.
    pub fn open(directory: &Path, settings: Settings) -> Result<Self, Error> {
        let registry = Self::open_on(
            Arc::new(RealDisk),
            directory,
            settings,
            Clock::System,
            Entropy::System,
            helpers(),
        )?;
        registry.spawn_background();
        Ok(registry)
    }

    /// Opens the registry on a simulated disk.
    ///
    /// # Errors
    /// As [`Registry::open`].
    #[cfg(any(test, feature = "simulation"))]
    pub fn open_simulated(
        disk: &crate::simulation::SimulatedDisk,
        settings: Settings,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Self, Error> {
        let helpers = [Helpers::deferring(), Helpers::deferring()];
        Self::open_on(Arc::new(disk.clone()), Path::new("/data"), settings, clock, entropy, helpers)
    }

    fn open_on(
        disk: Arc<dyn Disk>,
        directory: &Path,
        settings: Settings,
        clock: Clock,
        entropy: Entropy,
        [hashing, saving]: [Helpers; 2],
    ) -> Result<Self, Error> {
        disk.create_directory(directory)?;
        let lock = disk.lock(&directory.join("lock")).map_err(in_use)?;
        let metadata = Metadata::open(
            Arc::clone(&disk),
            directory.join("registry.redb"),
            settings.metadata_cache_bytes,
        )?;
        let logs = Metadata::open(Arc::clone(&disk), directory.join("logs.redb"), trail::CACHE_BYTES)?;
        let archives = Archives::new(Arc::clone(&disk), directory);
        let exports = Exports::new(Arc::clone(&disk), directory);
        // A relative path of one component lies in the working directory.
        let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
        disk.sync_directory(parent.unwrap_or(Path::new(".")), SyncPoint::DataDirectory)?;
        let was_stopped = begin(&metadata)?;
        let inner = Inner {
            content: Content::open(Arc::clone(&disk), directory)?,
            disk,
            directory: directory.to_owned(),
            sessions: uploads::Sessions::default(),
            ids: Ids::default(),
            hashing,
            saving,
            wake: Arc::default(),
            trail: trail::Trail::new(logs, archives, exports),
            trail_wake: Arc::default(),
            last_worked: Mutex::default(),
            last_collected: Mutex::default(),
            trusted_time: super::trusted_time::TrustedTime::default(),
            next_expiry_ms: AtomicU64::new(0),
            needs_sweep: AtomicBool::new(!was_stopped),
            is_sweeping: AtomicBool::new(false),
            missing_blobs: AtomicU64::new(0),
            settings,
            clock,
            entropy,
            metadata,
            _lock: lock,
        };
        Ok(Self(Arc::new(inner), None))
    }

    /// Ends the background, writes the events that are in memory, saves what resting uploads hold and marks the stop as
    /// clean, unless uploads are still being written to: then the next start has more to look through. Nothing refuses
    /// operations after this, but if they are killed, files that no row names may stay until the next unclean stop.
    ///
    /// # Errors
    /// Whatever the disk refuses.
    pub fn close(&self) -> Result<(), Error> {
        self.0.wake.stop();
        self.0.trail_wake.stop();
        // What is recorded is safe where it is, and a full disk must not stand in the way of a clean stop.
        let _ = self.end_trail().inspect_err(|cause| tracing::warn!(%cause, "events were left unwritten"));
        self.save_uploads()?;
        if self.0.needs_sweep.load(Ordering::SeqCst) || !self.0.sessions.are_resting() {
            return Ok(());
        }
        self.0.metadata.write_in(Lane::Foreground, Growth::MayUseReserve, |txn| {
            txn.put(&SYSTEM, &STOPPED.to_owned(), &Vec::new());
            Ok(())
        })
    }
}

/// Checks the format, takes the mark of a clean stop away and says whether it was there.
fn begin(metadata: &Metadata) -> Result<bool, Error> {
    metadata.write_in(Lane::Foreground, Growth::MayUseReserve, |txn| {
        let format = txn.get(&SYSTEM, &FORMAT_ROW.to_owned())?;
        let is_new = format.is_none();
        if format.is_some_and(|format| format != [FORMAT]) {
            return Err(Error::Corrupt("system"));
        }
        txn.put(&SYSTEM, &FORMAT_ROW.to_owned(), &vec![FORMAT]);
        let was_stopped = txn.contains(&SYSTEM, &STOPPED.to_owned())?;
        txn.delete(&SYSTEM, &STOPPED.to_owned());
        Ok(is_new || was_stopped)
    })
}

/// The threads for hashing and for saving uploads.
fn helpers() -> [Helpers; 2] {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    [Helpers::new("registry-hashing", processors), Helpers::new("registry-saving", SAVES)]
}

fn in_use(cause: std::io::Error) -> Error {
    if cause.kind() == std::io::ErrorKind::WouldBlock {
        Error::InUse(cause.to_string())
    } else {
        cause.into()
    }
}
