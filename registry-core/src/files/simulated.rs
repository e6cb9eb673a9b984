//! A disk in memory, on which tests cut the power and let calls fail.
//!
//! Every change of every file and directory goes into one ordered log. A cut plays the first part of it again and decides
//! by chance about all that no sync had covered. See [`SimulatedDisk::cut`].

mod crash;
mod file;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use self::crash::Random;
use self::file::SimulatedFile;
use self::tree::{Contents, DataChange, Inode, NameChange, Node, Tree};
use super::{Disk, DiskFile, DiskLock, SyncPoint};

/// A disk in memory. Clones are the same disk. It holds only the directory `/` at first.
#[derive(Clone, Debug)]
pub struct SimulatedDisk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// What was there, durably, before the log began.
    start: Tree,
    log: Vec<Entry>,
    /// What a running system sees.
    live: Tree,
    next_inode: Inode,
    locked: BTreeSet<PathBuf>,
    omitted: HashSet<SyncPoint>,
    failing: HashMap<SyncPoint, Failing>,
    limit_bytes: u64,
    is_cold: bool,
}

/// Which of the syncs to come fail.
#[derive(Debug)]
struct Failing {
    after: usize,
    times: usize,
}

/// One operation, for a cut to play again.
#[derive(Debug)]
enum Entry {
    Data(Inode, DataChange),
    /// One or, of a rename, two changes.
    Names(Vec<NameChange>),
    Sync(Inode, SyncPoint),
    SyncDirectory(String, SyncPoint),
}

impl Default for SimulatedDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl SimulatedDisk {
    /// An empty disk without a limit, on which nothing fails.
    pub fn new() -> Self {
        Self::starting_with(Tree::new(), 0)
    }

    fn starting_with(start: Tree, next_inode: Inode) -> Self {
        Self(Arc::new(Mutex::new(State {
            live: start.clone(),
            start,
            log: Vec::new(),
            next_inode,
            locked: BTreeSet::new(),
            omitted: HashSet::new(),
            failing: HashMap::new(),
            limit_bytes: u64::MAX,
            is_cold: false,
        })))
    }

    /// Makes every sync of this name worthless: it succeeds, also where it already did, and a cut pays it no regard.
    pub fn omit(&self, point: SyncPoint) {
        self.state().omitted.insert(point);
    }

    /// Lets the next `times` syncs of this name fail with `EIO`, as a broken disk does. They make nothing durable. 0 ends
    /// it.
    pub fn fail_syncs(&self, point: SyncPoint, times: usize) {
        self.state().failing.insert(point, Failing { after: 0, times });
    }

    /// As [`SimulatedDisk::fail_syncs`] for one sync, the one that follows the next `after` syncs of this name.
    pub fn fail_sync_after(&self, point: SyncPoint, after: usize) {
        self.state().failing.insert(point, Failing { after, times: 1 });
    }

    /// Gives the disk a size: what needs more than `bytes` in all is refused with `StorageFull`, but a write first fills
    /// what room there is. What is there stays.
    pub fn limit(&self, bytes: u64) {
        self.state().limit_bytes = bytes;
    }

    /// Whether every read has to wait for the disk from now on.
    pub fn set_cold(&self, is_cold: bool) {
        self.state().is_cold = is_cold;
    }

    /// The bytes that count against the limit: of each named file its length, or the space kept for it if that is more.
    pub fn used_bytes(&self) -> u64 {
        self.state().live.used_bytes()
    }

    /// How many operations happened; syncs count, reads do not.
    pub fn log_len(&self) -> usize {
        self.state().log.len()
    }

    /// A disk with what may be left if the power goes when the first `at` operations have happened (at most all).
    ///
    /// - What a sync before that covers is there: bytes and length of a file, names of a directory.
    /// - Each other write is there, is not, or is there in some of its 512-byte sectors; each other change of a length or
    ///   name is there or is not. Where the old bytes or the old name were durable, they show.
    /// - A rename within a directory happened or did not. Of one across directories each side is its own: the file may
    ///   have both names, or none.
    ///
    /// The same log, `at` and `seed` leave the same. The new disk omits what this one omits and has its limit; all that
    /// it holds is durable, and nobody holds a lock.
    pub fn cut(&self, at: usize, seed: u64) -> Self {
        let state = self.state();
        let at = at.min(state.log.len());
        let mut random = Random::new(seed ^ (at as u64).rotate_left(32));
        let left = crash::survivors(&state.start, &state.log[..at], &state.omitted, &mut random);
        let disk = Self::starting_with(left, state.next_inode);
        disk.state().omitted.clone_from(&state.omitted);
        disk.limit(state.limit_bytes);
        disk
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, inode: Inode, writable: bool) -> Arc<dyn DiskFile> {
        Arc::new(SimulatedFile::new(self.clone(), inode, writable))
    }
}

impl State {
    fn change_names(&mut self, changes: Vec<NameChange>) {
        changes.iter().for_each(|change| self.live.apply(change));
        self.log.push(Entry::Names(changes));
    }

    fn change_data(&mut self, inode: Inode, change: DataChange) {
        self.live.contents.entry(inode).or_default().apply(&change);
        self.log.push(Entry::Data(inode, change));
    }

    fn create_file(&mut self, path: &Path) -> io::Result<Inode> {
        if self.live.find(path)?.is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.require_room(1)?;
        let inode = self.next_inode;
        self.next_inode += 1;
        self.live.contents.insert(inode, Contents::default());
        self.change_names(vec![NameChange::new(path, Some(Node::File(inode)))?]);
        Ok(inode)
    }

    fn require_room(&self, more_bytes: u64) -> io::Result<()> {
        let needs_room = more_bytes > 0 && self.limit_bytes < u64::MAX;
        if needs_room && more_bytes > self.room() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn room(&self) -> u64 {
        self.limit_bytes.saturating_sub(self.live.used_bytes())
    }

    fn require_sync(&mut self, point: SyncPoint) -> io::Result<()> {
        match self.failing.get_mut(&point) {
            Some(failing) if failing.after > 0 => {
                failing.after -= 1;
                Ok(())
            }
            Some(failing) if failing.times > 0 => {
                failing.times -= 1;
                Err(Errno::IO.into())
            }
            _ => Ok(()),
        }
    }
}

impl Disk for SimulatedDisk {
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        match state.live.find(path)? {
            Some(Node::Directory) => Ok(()),
            Some(Node::File(_)) => Err(io::ErrorKind::AlreadyExists.into()),
            None => {
                state.change_names(vec![NameChange::new(path, Some(Node::Directory))?]);
                Ok(())
            }
        }
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let inode = self.state().create_file(path)?;
        Ok(self.file(inode, true))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let inode = self.state().live.find_file(path)?;
        Ok(self.file(inode, true))
    }

    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let inode = self.state().live.find_file(path)?;
        Ok(self.file(inode, false))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        let inode = state.live.find_file(from)?;
        if state.live.find(to)? == Some(Node::Directory) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        // In this order a file that is given its own name keeps it.
        let gone = NameChange::new(from, None)?;
        state.change_names(vec![gone, NameChange::new(to, Some(Node::File(inode)))?]);
        Ok(())
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        match state.live.find(path)? {
            Some(Node::Directory) => Err(io::ErrorKind::IsADirectory.into()),
            Some(Node::File(_)) => {
                state.change_names(vec![NameChange::new(path, None)?]);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn sync_directory(&self, path: &Path, point: SyncPoint) -> io::Result<()> {
        let mut state = self.state();
        state.live.directory(path)?;
        state.require_sync(point)?;
        state.log.push(Entry::SyncDirectory(tree::text(path)?.to_owned(), point));
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        Ok(self.state().live.directory(path)?.keys().cloned().collect())
    }

    fn lock(&self, path: &Path) -> io::Result<DiskLock> {
        let mut state = self.state();
        if state.live.find(path)?.is_none() {
            state.create_file(path)?;
        }
        if !state.locked.insert(path.to_owned()) {
            let holder = format!("held by process {}", std::process::id());
            return Err(io::Error::new(io::ErrorKind::WouldBlock, holder));
        }
        Ok(DiskLock::new(SimulatedLock { disk: self.clone(), path: path.to_owned() }))
    }
}

struct SimulatedLock {
    disk: SimulatedDisk,
    path: PathBuf,
}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        self.disk.state().locked.remove(&self.path);
    }
}
