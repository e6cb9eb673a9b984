//! Files of events that somebody asked for. They are made to be fetched soon and need not survive a power cut, so they
//! have no rows: a file's name says whose it is, when it expires, and the hash of the id by which it is fetched.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::DAY_MS;
use crate::Error;
use crate::content::BlobReader;
use crate::files::{Disk, DiskFile};
use crate::model::keys::NamespaceId;
use crate::oci::{Algorithm, Digest};

/// Exports of one namespace that are kept at once, those being written among them: nobody fills the disk with them.
const KEPT: usize = 8;
/// How long one is kept.
const KEPT_MS: u64 = DAY_MS;
/// The end of a finished file's name, and of one that is being written.
const FINISHED: &str = ".json";
const DRAFT: &str = ".new";

/// The directory of the files.
#[derive(Debug)]
pub(crate) struct Exports {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    /// When the next one expires: 0 before the directory was looked at.
    next_expiry_ms: Mutex<u64>,
}

/// An export that is being written; it is gone when this is dropped unfinished.
#[derive(Debug)]
pub(crate) struct ExportDraft {
    disk: Arc<dyn Disk>,
    /// Without the end of its name.
    stem: PathBuf,
    file: Arc<dyn DiskFile>,
    len: u64,
    is_finished: bool,
}

impl Exports {
    /// Those in the data directory `root`.
    pub(crate) fn new(disk: Arc<dyn Disk>, root: &Path) -> Self {
        Self { disk, directory: root.join("exports"), next_expiry_ms: Mutex::default() }
    }

    /// Begins one that is fetched by `id`.
    ///
    /// # Errors
    /// [`Error::TooMany`] if the namespace has as many as are kept.
    pub(crate) fn begin(&self, namespace: NamespaceId, id: &str, now_ms: u64) -> Result<ExportDraft, Error> {
        let mut next_expiry_ms = self.lock();
        self.disk.create_directory(&self.directory)?;
        self.remove_expired(&mut next_expiry_ms, now_ms)?;
        let whose = format!("{:016x}-", namespace.0);
        if self.names()?.iter().filter(|name| name.starts_with(&whose)).count() >= KEPT {
            return Err(Error::TooMany("exports of these logs: each is kept for a day"));
        }
        let expires_ms = now_ms.saturating_add(KEPT_MS);
        let stem = self.directory.join(format!("{whose}{expires_ms:016x}-{}", hashed(id)));
        let file = self.disk.create(&with_end(&stem, DRAFT))?;
        *next_expiry_ms = (*next_expiry_ms).min(expires_ms);
        Ok(ExportDraft { disk: Arc::clone(&self.disk), stem, file, len: 0, is_finished: false })
    }

    /// The finished export that has this id, and whose it is.
    pub(crate) fn find(&self, id: &str, now_ms: u64) -> Result<Option<(NamespaceId, BlobReader)>, Error> {
        let end = format!("-{}{FINISHED}", hashed(id));
        let is_it = |name: &String| name.ends_with(&end) && expiry_ms(name) > Some(now_ms);
        let Some(name) = self.names()?.into_iter().find(is_it) else { return Ok(None) };
        let namespace = name.split('-').next().and_then(|id| u64::from_str_radix(id, 16).ok());
        let Some(namespace) = namespace.map(NamespaceId) else { return Ok(None) };
        match self.disk.open_read(&self.directory.join(name)) {
            Ok(file) => {
                let size = file.len()?;
                Ok(Some((namespace, BlobReader::new(file, size))))
            }
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(cause.into()),
        }
    }

    /// Removes those that have expired, and at the first call what was being written when the process was killed.
    pub(crate) fn tidy(&self, now_ms: u64) -> Result<(), Error> {
        self.remove_expired(&mut self.lock(), now_ms)
    }

    fn remove_expired(&self, next_expiry_ms: &mut u64, now_ms: u64) -> Result<(), Error> {
        let is_first = *next_expiry_ms == 0;
        if now_ms < *next_expiry_ms {
            return Ok(());
        }
        let mut next_ms = u64::MAX;
        for name in self.names()? {
            match expiry_ms(&name) {
                Some(expiry_ms) if expiry_ms > now_ms && !(is_first && name.ends_with(DRAFT)) => {
                    next_ms = next_ms.min(expiry_ms);
                }
                _ => self.disk.unlink(&self.directory.join(name))?,
            }
        }
        *next_expiry_ms = next_ms;
        Ok(())
    }

    fn names(&self) -> Result<Vec<String>, Error> {
        match self.disk.list(&self.directory) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            names => Ok(names?),
        }
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.next_expiry_ms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ids are secrets: who lists the directory, or measures a comparison, does not learn them.
fn hashed(id: &str) -> String {
    Digest::of(Algorithm::Sha256, id.as_bytes()).hex()[..32].to_owned()
}

fn expiry_ms(name: &str) -> Option<u64> {
    u64::from_str_radix(name.split('-').nth(1)?, 16).ok()
}

fn with_end(stem: &Path, end: &str) -> PathBuf {
    let mut path = stem.as_os_str().to_owned();
    path.push(end);
    path.into()
}

impl ExportDraft {
    /// Adds text.
    pub(crate) fn append(&mut self, text: &str) -> Result<(), Error> {
        self.file.write_all_at(text.as_bytes(), self.len)?;
        self.len += text.len() as u64;
        Ok(())
    }

    /// From now on it can be fetched.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        self.disk.rename(&with_end(&self.stem, DRAFT), &with_end(&self.stem, FINISHED))?;
        self.is_finished = true;
        Ok(())
    }
}

impl Drop for ExportDraft {
    fn drop(&mut self) {
        if !self.is_finished {
            // What cannot be removed now goes when it expires.
            let _ = self.disk.unlink(&with_end(&self.stem, DRAFT));
        }
    }
}
