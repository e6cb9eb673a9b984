//! An open blob, as those who send it see it.

use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;

use super::open::{OpenBlob, SMALL_BYTES};
use crate::Error;
use crate::files::DiskFile;

/// One byte of each so many is looked at to tell whether bytes are in memory. The system brings a blob in and lets it go
/// in longer runs than it reads at once, so few looks find nearly every gap; each look costs what sending 10 KiB costs.
const LOOK_BYTES: u64 = 512 << 10;
/// How much [`BlobReader::load`] reads at once.
const LOAD_BYTES: usize = 128 << 10;

/// An open blob, or another file that is sent like one: its bytes stay readable while this lives, whatever is deleted meanwhile.
#[derive(Clone, Debug)]
pub struct BlobReader(pub(super) Arc<OpenBlob>);

impl BlobReader {
    pub(crate) fn new(file: Arc<dyn DiskFile>, size: u64) -> Self {
        Self(Arc::new(OpenBlob::new(file, size)))
    }

    pub(super) fn file(&self) -> &dyn DiskFile {
        &*self.0.file
    }

    /// The size in bytes.
    pub fn size(&self) -> u64 {
        self.0.size
    }

    /// Reads into `buffer` from `offset` on; gives the number of bytes read, 0 at the end.
    ///
    /// # Errors
    /// [`Error::File`] if the disk fails.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, Error> {
        Ok(self.file().read_at(buffer, offset)?)
    }

    /// Reads as [`Self::read_at`] does, but only bytes that the system has in memory, so that it never waits for the
    /// disk: `None` if there are none at `offset`, or if the system cannot tell.
    ///
    /// # Errors
    /// [`Error::File`] if the disk fails.
    pub fn read_at_once(&self, buffer: &mut [u8], offset: u64) -> Result<Option<usize>, Error> {
        Ok(self.file().read_at_once(buffer, offset)?)
    }

    /// Whether `length` bytes from `offset` on seem to be in memory, so that the kernel can send them without waiting for
    /// the disk. It looks at a sample of them; `false` if the system cannot tell.
    pub fn is_in_memory(&self, offset: u64, length: u64) -> bool {
        let end = offset + length;
        let step = usize::try_from(LOOK_BYTES).unwrap_or(usize::MAX);
        let mut looked_at = (offset..end).step_by(step).chain(end.checked_sub(1));
        looked_at.all(|at| matches!(self.file().read_at_once(&mut [0], at), Ok(Some(_))))
    }

    /// Brings `length` bytes from `offset` on into memory; waits for the disk.
    ///
    /// # Errors
    /// [`Error::File`] if the disk fails.
    pub fn load(&self, offset: u64, length: u64) -> Result<(), Error> {
        let end = offset + length;
        let mut buffer = vec![0; LOAD_BYTES.min(usize::try_from(length).unwrap_or(LOAD_BYTES))];
        let mut at = offset;
        while at < end {
            match self.file().read_at(&mut buffer, at)? {
                // Whoever sends the bytes sees that they are missing.
                0 => return Ok(()),
                read => at += read as u64,
            }
        }
        Ok(())
    }

    /// Has the system begin to bring `length` bytes from `offset` on into memory. It may wait until that is under way.
    pub fn will_read(&self, offset: u64, length: u64) {
        self.file().will_read(offset, length);
    }

    /// All bytes of a blob of at most 64 KiB, read once and kept in memory as long as the registry keeps the blob open;
    /// `None` of a larger one.
    ///
    /// # Errors
    /// [`Error::File`] if the disk fails.
    pub fn small(&self) -> Result<Option<Bytes>, Error> {
        if self.size() > SMALL_BYTES {
            return Ok(None);
        }
        if let Some(bytes) = self.0.small.get() {
            return Ok(Some(bytes.clone()));
        }
        let bytes = self.whole()?;
        Ok(Some(self.0.small.get_or_init(|| bytes).clone()))
    }

    /// Whether [`Self::small`] answers without reading the file.
    pub fn is_at_hand(&self) -> bool {
        self.size() > SMALL_BYTES || self.0.small.get().is_some()
    }

    /// All bytes, read from the file.
    pub(crate) fn whole(&self) -> Result<Bytes, Error> {
        let mut bytes = vec![0; usize::try_from(self.size()).unwrap_or(0)];
        let mut filled = 0;
        while filled < bytes.len() {
            match self.read_at(&mut bytes[filled..], filled as u64)? {
                0 => return Err(Error::File(std::io::ErrorKind::UnexpectedEof.into())),
                read => filled += read,
            }
        }
        Ok(bytes.into())
    }

    /// The operating system's file, unless the disk is simulated: for calls in which the kernel moves the bytes. It is open
    /// for reading, and others read from it too.
    pub fn as_file(&self) -> Option<&File> {
        self.file().as_file()
    }
}

#[cfg(any(test, feature = "simulation"))]
impl From<File> for BlobReader {
    /// A blob of whatever length the file has now, for tests of how blobs are sent.
    fn from(file: File) -> Self {
        let file = crate::files::open_already(file);
        let size = file.len().unwrap_or(0);
        Self::new(file, size)
    }
}
