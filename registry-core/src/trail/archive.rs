//! Files of old events: one JSON object a line, compressed, a file for a day or for a part of one.
//!
//! A file is written beside its name, synced, and gets the name; only then do the rows of its events go. Until a row
//! says so the file counts for nothing, and is written again.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::rows::{Archive, EventKey};
use super::{DAY_MS, Event};
use crate::Error;
use crate::files::{Disk, DiskFile, SyncPoint};

/// Events of a file, at most, give or take a step.
const FILE_EVENTS: u64 = 100_000;

/// The directory of the files.
#[derive(Debug)]
pub(crate) struct Archives {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
}

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct Draft {
    name: String,
    file: Arc<dyn DiskFile>,
    encoder: GzEncoder<Vec<u8>>,
    len: u64,
    events: u64,
    /// How much of the log it should take over, in bytes.
    left_bytes: u64,
    /// The last event in it.
    pub(crate) last: Option<EventKey>,
}

impl Archives {
    /// Those in the data directory `root`.
    pub(crate) fn new(disk: Arc<dyn Disk>, root: &Path) -> Self {
        Self { disk, directory: root.join("logs") }
    }

    /// The file that the next events of this day go to. The directory is made if need be.
    pub(crate) fn next(&self, day: u64) -> Result<Archive, Error> {
        self.disk.create_directory(&self.directory)?;
        let root = self.directory.parent().unwrap_or(Path::new("."));
        self.disk.sync_directory(root, SyncPoint::ArchiveDirectory)?;
        let names = self.disk.list(&self.directory)?;
        let date = date(day);
        let name_of = |part: u64| match part {
            1 => format!("{date}.jsonl.gz"),
            part => format!("{date}.{part}.jsonl.gz"),
        };
        let name = (1..).map(name_of).find(|name| !names.contains(name)).unwrap_or_default();
        Ok(Archive { name, from_ms: day * DAY_MS, ..Archive::default() })
    }

    /// Begins to write a file, anew if it was begun before.
    pub(crate) fn draft(&self, archive: &Archive, left_bytes: u64) -> Result<Draft, Error> {
        let path = self.draft_path(&archive.name);
        self.disk.unlink(&path)?;
        Ok(Draft {
            name: archive.name.clone(),
            file: self.disk.create(&path)?,
            encoder: GzEncoder::new(Vec::new(), Compression::default()),
            len: 0,
            events: 0,
            left_bytes,
            last: None,
        })
    }

    /// Ends a file and gives it its name, durably.
    pub(crate) fn finish(&self, mut draft: Draft) -> Result<(), Error> {
        draft.encoder.try_finish()?;
        draft.flush()?;
        draft.file.sync(SyncPoint::ArchiveBytes)?;
        self.disk.rename(&self.draft_path(&draft.name), &self.directory.join(&draft.name))?;
        Ok(self.disk.sync_directory(&self.directory, SyncPoint::ArchiveDirectory)?)
    }

    fn draft_path(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.new"))
    }

    /// Whether a finished file has this name.
    pub(crate) fn has(&self, name: &str) -> Result<bool, Error> {
        match self.disk.open_read(&self.directory.join(name)) {
            Ok(_) => Ok(true),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(cause) => Err(cause.into()),
        }
    }

    /// The finished files, each with its lines.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn read_all(&self) -> Result<Vec<(String, Vec<String>)>, Error> {
        use std::io::Read as _;
        let names = match self.disk.list(&self.directory) {
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            names => names?,
        };
        let mut files = Vec::new();
        for name in names.into_iter().filter(|name| name.ends_with(".gz")) {
            let file = self.disk.open_read(&self.directory.join(&name))?;
            let mut bytes = vec![0; usize::try_from(file.len()?).unwrap_or_default()];
            let read = file.read_at(&mut bytes, 0)?;
            let mut text = String::new();
            flate2::read::GzDecoder::new(&bytes[..read]).read_to_string(&mut text)?;
            files.push((name, text.lines().map(str::to_owned).collect()));
        }
        Ok(files)
    }
}

impl Draft {
    /// Adds events, in their order; true once the file should have no more.
    pub(crate) fn append(&mut self, events: &[Event]) -> Result<bool, Error> {
        use crate::metadata::Record;
        for event in events {
            self.encoder.write_all(event.to_line().as_bytes())?;
            self.left_bytes = self.left_bytes.saturating_sub(event.encode().len() as u64);
            self.last = Some(event.key());
        }
        self.flush()?;
        self.events += events.len() as u64;
        Ok(self.left_bytes == 0 || self.events >= FILE_EVENTS)
    }

    /// Writes to the file what is compressed by now.
    fn flush(&mut self) -> Result<(), Error> {
        let compressed = std::mem::take(self.encoder.get_mut());
        self.file.write_all_at(&compressed, self.len)?;
        self.len += compressed.len() as u64;
        Ok(())
    }
}

/// The date of a day since the Unix epoch, as `2023-11-14`. It repeats every 400 years (Hinnant, "chrono-Compatible
/// Low-Level Date Algorithms").
pub(crate) fn date(day: u64) -> String {
    // From the first of March of the year 0, so that a leap day is the last of its year.
    let day = day + 719_468;
    let (era, day_of_era) = (day / 146_097, day % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day_of_month:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_their_dates() {
        for (day, expected) in [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (19_675, "2023-11-14"),
            (47_541, "2100-03-01"),
        ] {
            assert_eq!(date(day), expected);
        }
    }
}
