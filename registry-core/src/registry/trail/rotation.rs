//! How old events leave the log for compressed files.

use super::Registry;
use super::writing::Work;
use crate::Error;
use crate::metadata::{Growth, Lane, Rows, WriteTxn};
use crate::trail::{ARCHIVE, Archive, DAY_MS, EVENTS, Event, EventKey, TALLY, remove};

/// Events that one step adds to a file, or takes out of the log. Nobody waits for the log's writer.
const STEP: usize = 500;
/// Of a log that is too large, this part of its limit goes beyond what is needed, so that files are not many.
const SLACK: u64 = 8;

impl Registry {
    /// The file to which events are being moved.
    pub(super) fn archive(&self) -> Result<Option<Archive>, Error> {
        self.0.trail.logs.read(|rows| rows.get(&ARCHIVE, &0))
    }

    /// One step of moving old events into a file; true if there is more to do.
    pub(super) fn rotate(&self, work: &mut Work) -> Result<bool, Error> {
        match self.archive()? {
            None => self.begin_archive(),
            Some(archive) if archive.is_written => self.remove_archived(&archive),
            Some(archive) => self.write_archive(work, archive).map(|()| true),
        }
    }

    /// The day whose events are due and, if only since the log is too large, how many bytes should go.
    fn due(&self) -> Result<Option<(u64, u64)>, Error> {
        let settings = self.settings();
        let (oldest, tally) =
            self.0.trail.logs.read(|rows| Ok((rows.first(&EVENTS, &())?, rows.get(&TALLY, &0)?)))?;
        let Some(((time_ms, _), _)) = oldest else { return Ok(None) };
        let day = time_ms / DAY_MS;
        if (day + 1) * DAY_MS <= self.now_ms().saturating_sub(settings.trail_age_ms) {
            return Ok(Some((day, u64::MAX)));
        }
        let limit = settings.trail_limit_bytes;
        let excess = tally.unwrap_or_default().bytes.saturating_sub(limit);
        Ok((excess > 0).then_some((day, excess + limit / SLACK)))
    }

    fn begin_archive(&self) -> Result<bool, Error> {
        let Some((day, _)) = self.due()? else { return Ok(false) };
        let archive = self.0.trail.archives.next(day)?;
        // The name is settled first, so that after a crash the file is written again and not another one.
        self.change_log(&|txn| {
            txn.put(&ARCHIVE, &0, &archive);
            Ok(())
        })?;
        Ok(true)
    }

    /// Adds some events to the file; once it has them all, makes it durable and says so.
    fn write_archive(&self, work: &mut Work, mut archive: Archive) -> Result<(), Error> {
        let mut draft = match work.draft.take() {
            Some(draft) => draft,
            None => {
                let left_bytes = self.due()?.map_or(0, |(_, bytes)| bytes);
                self.0.trail.archives.draft(&archive, left_bytes)?
            }
        };
        let events = self.of_day(&archive, draft.last, STEP)?;
        if !draft.append(&events)? && events.len() == STEP {
            work.draft = Some(draft);
            return Ok(());
        }
        let (until_ms, until_id) = draft.last.unwrap_or((archive.from_ms, 0));
        self.0.trail.archives.finish(draft)?;
        tracing::info!(file = archive.name, "old events were moved to a file");
        archive = Archive { until_ms, until_id, is_written: true, ..archive };
        self.change_log(&|txn| {
            txn.put(&ARCHIVE, &0, &archive);
            Ok(())
        })
    }

    /// Removes rows whose events are in the file; after the last one the next file can be begun.
    fn remove_archived(&self, archive: &Archive) -> Result<bool, Error> {
        let mut events = self.of_day(archive, None, STEP)?;
        events.retain(|event| archive.has(event.key()));
        self.change_log(&|txn| {
            remove(txn, &events)?;
            if events.is_empty() {
                txn.delete(&ARCHIVE, &0);
            }
            Ok(())
        })?;
        Ok(true)
    }

    /// Events of the file's day, the oldest first, after `last`.
    fn of_day(&self, archive: &Archive, last: Option<EventKey>, limit: usize) -> Result<Vec<Event>, Error> {
        let before = archive.from_ms.checked_sub(1).map(|time_ms| (time_ms, u64::MAX));
        let after = last.or(before);
        let found = self.0.trail.logs.read(|rows| rows.scan(&EVENTS, &(), after.as_ref(), limit))?;
        let end_ms = archive.from_ms + DAY_MS;
        Ok(found.into_iter().map(|(_, event)| event).take_while(|event| event.time_ms < end_ms).collect())
    }

    /// Changes the log in a way that frees space, or is needed to.
    fn change_log(&self, work: &dyn Fn(&mut WriteTxn<'_>) -> Result<(), Error>) -> Result<(), Error> {
        self.0.trail.logs.write_in(Lane::Foreground, Growth::MayUseReserve, work)
    }
}
