//! The operating system's files.

#![expect(clippy::disallowed_methods, reason = "all file calls are made here")]

#[cfg(test)]
mod tests;

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, IoSliceMut, Read};
use std::num::NonZeroU64;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Advice, FallocateFlags};
use rustix::io::{Errno, ReadWriteFlags};

use super::{Disk, DiskFile, DiskLock, FileStat, SyncPoint};

/// The operating system's files. No descriptor is passed on to programs that are run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RealDisk;

impl Disk for RealDisk {
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            made => made,
        }
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        open(OpenOptions::new().read(true).write(true).create_new(true).mode(0o600), path)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        open(OpenOptions::new().read(true).write(true), path)
    }

    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        open(OpenOptions::new().read(true), path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
            unlinked => unlinked,
        }
    }

    fn sync_directory(&self, path: &Path, _: SyncPoint) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(path)? {
            // A name that is not UTF-8 is none of ours.
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn lock(&self, path: &Path) -> io::Result<DiskLock> {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        match file.try_lock() {
            Ok(()) => {
                // The number is a courtesy to people: a full disk must not keep the registry from starting.
                let _ = name_holder(&file);
                Ok(DiskLock::new(file))
            }
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder)?;
                Err(io::Error::new(io::ErrorKind::WouldBlock, format!("held by process {}", holder.trim())))
            }
            Err(TryLockError::Error(cause)) => Err(cause),
        }
    }
}

fn open(options: &OpenOptions, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
    Ok(Arc::new(RealFile(options.open(path)?)))
}

/// A file that somebody else opened.
#[cfg(any(test, feature = "simulation"))]
pub(crate) fn open_already(file: File) -> Arc<dyn DiskFile> {
    Arc::new(RealFile(file))
}

fn name_holder(file: &File) -> io::Result<()> {
    let holder = format!("{}\n", std::process::id());
    file.write_all_at(holder.as_bytes(), 0)?;
    file.set_len(holder.len() as u64)
}

#[derive(Debug)]
struct RealFile(File);

impl DiskFile for RealFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        rustix::io::retry_on_intr(|| rustix::io::pread(&self.0, &mut *buffer, offset)).map_err(Into::into)
    }

    fn read_at_once(&self, buffer: &mut [u8], offset: u64) -> io::Result<Option<usize>> {
        let read = || {
            let mut buffers = [IoSliceMut::new(&mut *buffer)];
            rustix::io::preadv2(&self.0, &mut buffers, offset, ReadWriteFlags::NOWAIT)
        };
        match rustix::io::retry_on_intr(read) {
            // Older systems, and some file systems, do not know the question.
            Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(None),
            read => Ok(Some(read?)),
        }
    }

    fn will_read(&self, offset: u64, len: u64) {
        if let Some(len) = NonZeroU64::new(len) {
            // It is a hint, and some file systems do not take it.
            let _ = rustix::fs::fadvise(&self.0, offset, Some(len), Advice::WillNeed);
        }
    }

    fn as_file(&self) -> Option<&File> {
        Some(&self.0)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let allocate = || rustix::fs::fallocate(&self.0, FallocateFlags::KEEP_SIZE, 0, len);
        match rustix::io::retry_on_intr(allocate) {
            // An empty range is refused by the system; a file system may not know the call at all.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(Errno::INVAL) if len == 0 => Ok(()),
            allocated => Ok(allocated?),
        }
    }

    fn stat(&self) -> io::Result<FileStat> {
        let metadata = self.0.metadata()?;
        Ok(FileStat { len: metadata.len(), names: metadata.nlink() })
    }

    fn sync(&self, _: SyncPoint) -> io::Result<()> {
        self.0.sync_data()
    }
}
