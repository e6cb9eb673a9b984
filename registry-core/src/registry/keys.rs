//! Keys that lie outside the database: a copy of that does not give away what was made with them.

use std::io;
use std::path::Path;

use super::Registry;
use crate::Error;
use crate::files::{Disk, SyncPoint};

/// Bytes of a key.
const LENGTH: usize = 32;

impl Registry {
    /// The key in the file `name` of the data directory, which only its owner may read; made of random bytes when it is
    /// first asked for, and durable before it is given out.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the file does not hold a key; whatever the disk refuses.
    pub fn key_file(&self, name: &str) -> Result<[u8; 32], Error> {
        let (disk, path) = (&*self.0.disk, self.0.directory.join(name));
        match disk.open_read(&path) {
            Ok(file) => read(&*file),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                make(disk, &self.0.directory, &path, self.0.entropy.bytes()?)
            }
            Err(cause) => Err(cause.into()),
        }
    }
}

fn read(file: &dyn crate::files::DiskFile) -> Result<[u8; 32], Error> {
    let mut key = [0; LENGTH];
    if file.len()? != LENGTH as u64 || file.read_at(&mut key, 0)? != LENGTH {
        return Err(Error::Corrupt("key file"));
    }
    Ok(key)
}

/// The name appears whole or not at all, whenever the power fails.
fn make(disk: &dyn Disk, directory: &Path, path: &Path, key: [u8; 32]) -> Result<[u8; 32], Error> {
    let staged = path.with_extension("new");
    disk.unlink(&staged)?;
    let file = disk.create(&staged)?;
    file.write_all_at(&key, 0)?;
    file.sync(SyncPoint::StagedBytes)?;
    disk.rename(&staged, path)?;
    disk.sync_directory(directory, SyncPoint::DataDirectory)?;
    Ok(key)
}
