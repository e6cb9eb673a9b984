//! Each event as a line of JSON, for what ships logs elsewhere (`AUDIT_STREAM`).
//!
//! A thread of its own writes the lines, and nothing waits for it: while a reader takes nothing or the disk is full,
//! events go by, and a line `{"missed": n}` stands where they are missing. The log itself has them all.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use registry_core::{EventStream, Registry, Streamed};
use serde_json::{Value, json};

use crate::api::event_line;
use crate::config::AuditStream;

/// How many events the writer may be behind.
const BEHIND: usize = 16_384;
/// How often it looks whether it should end, or whether its file was moved away.
const LOOK: Duration = Duration::from_secs(1);
/// How long a stop waits for the last lines.
const LAST_LINES: Duration = Duration::from_secs(5);

/// The stream of a running server.
#[derive(Debug)]
pub struct Streaming {
    is_stopping: Arc<AtomicBool>,
    ended: Receiver<()>,
}

impl Streaming {
    /// Begins to write the events that are recorded from now on. A file is opened for appending, and made if need be.
    ///
    /// # Errors
    /// Whatever keeps the file from being opened, or the thread from being made.
    pub fn start(registry: &Registry, target: AuditStream) -> io::Result<Self> {
        let events = registry.subscribe_events(BEHIND);
        let sink = Sink::open(target)?;
        let is_stopping = Arc::new(AtomicBool::new(false));
        let (end, ended) = sync_channel(1);
        let flag = Arc::clone(&is_stopping);
        std::thread::Builder::new().name("audit-stream".to_owned()).spawn(move || {
            Writer { sink, missed: 0, is_cut: false }.run(&events, &flag);
            drop(end);
        })?;
        Ok(Self { is_stopping, ended })
    }

    /// Writes what is left, once the registry is closed, and ends; a reader that takes nothing is not waited for long.
    pub fn finish(self) {
        self.is_stopping.store(true, Ordering::SeqCst);
        if self.ended.recv_timeout(LAST_LINES) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("nobody takes the last events of the audit stream");
        }
    }
}

/// Where the lines go.
#[derive(Debug)]
enum Sink {
    Stdout,
    File(PathBuf, File),
}

impl Sink {
    fn open(target: AuditStream) -> io::Result<Self> {
        match target {
            AuditStream::Stdout => Ok(Self::Stdout),
            AuditStream::File(path) => {
                let file = append_to(&path).map_err(|cause| {
                    io::Error::new(cause.kind(), format!("AUDIT_STREAM: {}: {cause}", path.display()))
                })?;
                Ok(Self::File(path, file))
            }
        }
    }

    /// Opens the file again if its name means another one now, or none: it was rotated.
    fn reopen_if_moved(&mut self) -> io::Result<()> {
        let Self::File(path, file) = self else { return Ok(()) };
        let open = file.metadata()?;
        let is_same = |named: std::fs::Metadata| (named.dev(), named.ino()) == (open.dev(), open.ino());
        if !std::fs::metadata(&*path).is_ok_and(is_same) {
            *file = append_to(path)?;
        }
        Ok(())
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(line)?;
                stdout.flush()
            }
            Self::File(_, file) => file.write_all(line),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the file is the operator's, and nothing of the registry's")]
fn append_to(path: &std::path::Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

struct Writer {
    sink: Sink,
    /// Events that were not written and are not told of yet.
    missed: u64,
    /// The last line was written in part, perhaps.
    is_cut: bool,
}

impl Writer {
    fn run(&mut self, events: &EventStream, is_stopping: &AtomicBool) {
        loop {
            match events.next(LOOK) {
                Ok(streamed) => self.take(&streamed),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) if is_stopping.load(Ordering::SeqCst) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn take(&mut self, streamed: &Streamed) {
        match streamed {
            Streamed::Missed(count) => self.missed += count,
            Streamed::Event(event) => {
                if self.tell_missed().and_then(|()| self.write(&event_line(event))).is_err() {
                    self.missed += 1;
                }
            }
        }
    }

    fn tell_missed(&mut self) -> io::Result<()> {
        if self.missed == 0 {
            return Ok(());
        }
        self.write(&json!({ "missed": self.missed }))?;
        tracing::warn!(count = self.missed, "events are missing in the audit stream");
        self.missed = 0;
        Ok(())
    }

    fn write(&mut self, line: &Value) -> io::Result<()> {
        let start = if self.is_cut { "\n" } else { "" };
        let written = self.sink.reopen_if_moved();
        let written = written.and_then(|()| self.sink.write(format!("{start}{line}\n").as_bytes()));
        if let (Err(cause), false) = (&written, self.is_cut) {
            tracing::warn!(%cause, "the audit stream cannot be written");
        }
        self.is_cut = written.is_err();
        written
    }
}

#[cfg(test)]
mod tests;
