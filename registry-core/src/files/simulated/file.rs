//! An open file of the simulated disk.

use std::fs::File;
use std::io;

use rustix::io::Errno;

use super::tree::{Contents, DataChange, Inode, index};
use super::{Entry, SimulatedDisk, State};
use crate::files::{DiskFile, FileStat, SyncPoint};

#[derive(Debug)]
pub(super) struct SimulatedFile {
    disk: SimulatedDisk,
    inode: Inode,
    writable: bool,
}

impl SimulatedFile {
    pub(super) fn new(disk: SimulatedDisk, inode: Inode, writable: bool) -> Self {
        Self { disk, inode, writable }
    }

    fn require_writable(&self) -> io::Result<()> {
        if self.writable { Ok(()) } else { Err(Errno::BADF.into()) }
    }

    /// Makes sure of room for the first `end` bytes.
    fn require_space(&self, state: &State, end: u64) -> io::Result<()> {
        state.require_room(end.saturating_sub(self.contents(state).space()))
    }

    fn contents<'state>(&self, state: &'state State) -> &'state Contents {
        &state.live.contents[&self.inode]
    }
}

impl DiskFile for SimulatedFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.contents(&self.disk.state()).bytes.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.state();
        let held = self.contents(&state).bytes.get(index(offset)..).unwrap_or_default();
        let count = buffer.len().min(held.len());
        buffer[..count].copy_from_slice(&held[..count]);
        Ok(count)
    }

    fn will_read(&self, _: u64, _: u64) {}

    fn as_file(&self) -> Option<&File> {
        None
    }

    fn read_at_once(&self, buffer: &mut [u8], offset: u64) -> io::Result<Option<usize>> {
        if self.disk.state().is_cold { Ok(None) } else { self.read_at(buffer, offset).map(Some) }
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.require_writable()?;
        if bytes.is_empty() {
            return Ok(());
        }
        let mut state = self.disk.state();
        let refused = self.require_space(&state, offset + bytes.len() as u64);
        let written = match &refused {
            Ok(()) => bytes,
            // As on a real disk, what there is room for is written before the refusal.
            Err(_) => {
                let fits = (self.contents(&state).space() + state.room()).saturating_sub(offset);
                &bytes[..bytes.len().min(index(fits))]
            }
        };
        if !written.is_empty() {
            state.change_data(self.inode, DataChange::Write { offset, bytes: written.into() });
        }
        refused
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.require_writable()?;
        let mut state = self.disk.state();
        self.require_space(&state, len)?;
        state.change_data(self.inode, DataChange::SetLen(len));
        Ok(())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.require_writable()?;
        let mut state = self.disk.state();
        self.require_space(&state, len)?;
        let contents = state.live.contents.entry(self.inode).or_default();
        contents.allocated = contents.allocated.max(len);
        Ok(())
    }

    fn stat(&self) -> io::Result<FileStat> {
        let state = self.disk.state();
        Ok(FileStat { len: self.contents(&state).bytes.len() as u64, names: state.live.names_of(self.inode) })
    }

    fn sync(&self, point: SyncPoint) -> io::Result<()> {
        let mut state = self.disk.state();
        state.require_sync(point)?;
        state.log.push(Entry::Sync(self.inode, point));
        Ok(())
    }
}
