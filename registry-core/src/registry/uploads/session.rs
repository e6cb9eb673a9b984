//! A session while it is written to: its staged file, the hash of what lies there, and how far it is saved.

use std::sync::Arc;

use bytes::Bytes;

use crate::Error;
use crate::content::hash_file;
use crate::files::DiskFile;
use crate::helpers::{Helpers, Task};
use crate::oci::{Algorithm, Hasher};

/// A session that is being written to, or was a moment ago.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) file: Arc<dyn DiskFile>,
    algorithm: Algorithm,
    /// The hash of the first `offset` bytes.
    hasher: Task<Hasher>,
    /// The bytes that were appended.
    pub(super) offset: u64,
    /// Of them, what is saved or being saved.
    pub(super) saved: u64,
    /// The save that may be under way. It refers to the file as it is, so nobody may cut that before the save has ended:
    /// a session that is dropped waits for it.
    saving: Task<Result<(), Error>>,
}

impl Session {
    /// A session of which all that there is is saved.
    pub(super) fn new(file: Arc<dyn DiskFile>, hasher: Hasher, offset: u64) -> Self {
        let algorithm = hasher.algorithm();
        let (hasher, saving) = (Task::done(hasher), Task::done(Ok(())));
        Self { file, algorithm, hasher, offset, saved: offset, saving }
    }

    /// The hash of all that was appended.
    ///
    /// # Errors
    /// What the disk refuses where the hash was lost to a panic and is made again.
    pub(super) fn hasher(&mut self) -> Result<Hasher, Error> {
        let hasher = match self.hasher.take() {
            Some(hasher) => hasher,
            None => hash_file(&*self.file, self.algorithm, self.offset)?,
        };
        self.hasher = Task::done(hasher.clone());
        Ok(hasher)
    }

    /// Writes and hashes `bytes`.
    ///
    /// # Errors
    /// What the disk refuses; then nothing was appended.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut hasher = self.hasher()?;
        self.file.write_all_at(bytes, self.offset)?;
        hasher.update(bytes);
        self.hasher = Task::done(hasher);
        self.offset += bytes.len() as u64;
        Ok(())
    }

    /// As [`Self::append`] of all `pieces` together, while a helper hashes them: it may still be at it when this returns.
    pub(super) fn append_beside(&mut self, pieces: &[Bytes], helpers: &Helpers) -> Result<(), Error> {
        let before = self.hasher()?;
        let (mut hasher, hashed) = (before.clone(), pieces.to_vec());
        self.hasher = helpers.run(move || {
            hashed.iter().for_each(|piece| hasher.update(piece));
            hasher
        });
        let mut end = self.offset;
        for piece in pieces {
            if let Err(refused) = self.file.write_all_at(piece, end) {
                self.hasher = Task::done(before);
                return Err(refused.into());
            }
            end += piece.len() as u64;
        }
        self.offset = end;
        Ok(())
    }

    /// Notes that what was appended is being saved.
    pub(super) fn is_being_saved(&mut self, saving: Task<Result<(), Error>>) {
        (self.saving, self.saved) = (saving, self.offset);
    }

    /// Waits for the save that may be under way.
    ///
    /// # Errors
    /// Its own, once: the session must go on from what was saved before.
    pub(super) fn finish_saving(&mut self) -> Result<(), Error> {
        let saved = self.saving.take().unwrap_or(Err(Error::Unavailable));
        self.saving = Task::done(Ok(()));
        saved
    }

    /// Does what a simulation has deferred.
    #[cfg(any(test, feature = "simulation"))]
    pub(super) fn catch_up(&mut self) {
        self.hasher.catch_up();
        self.saving.catch_up();
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::files::{Disk, SimulatedDisk};
    use crate::oci::Digest;

    #[test]
    fn a_hash_that_was_lost_is_made_again() {
        let file = SimulatedDisk::new().create(Path::new("/staged")).unwrap();
        let mut session = Session::new(file, Hasher::new(Algorithm::Sha256), 0);
        session.append(b"bytes").unwrap();
        session.hasher = Helpers::new("test", 1).run(|| panic!("on purpose"));
        session.append(b" and more").unwrap();
        assert_eq!(session.hasher().unwrap().finish(), Digest::of(Algorithm::Sha256, b"bytes and more"));
    }
}
