//! A body on its way into the registry: what comes is gathered while what came before is written and hashed.

use std::mem;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use registry_core::{Error, UploadWriter};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::yield_now;

use crate::app::{App, UPLOAD_PIECES, lane_failed};
use crate::listener::{BodyError, ReceivedBody};

/// How much of an upload is handed to the disk at once, at most and roughly.
pub(crate) const PIECE_BYTES: usize = 256 << 10;

/// The upload that a body goes into. At any time one piece is being written and one is being gathered.
pub(super) struct Inflow<'a> {
    app: &'a Arc<App>,
    disk: Disk,
}

/// Whether the disk has taken what it was given.
enum Disk {
    Writing(Pin<Box<dyn Future<Output = Result<UploadWriter, Error>> + Send>>),
    Ready(Result<UploadWriter, Error>),
}

impl Disk {
    fn is_writing(&self) -> bool {
        matches!(self, Self::Writing(_))
    }

    fn has_failed(&self) -> bool {
        matches!(self, Self::Ready(Err(_)))
    }

    /// Returns once the disk has taken everything, or refused it. Cancelling loses nothing.
    async fn settled(&mut self) {
        if let Self::Writing(writing) = self {
            *self = Self::Ready(writing.await);
        }
    }
}

/// What has come and is not being written yet.
#[derive(Default)]
struct Gathered {
    pieces: Vec<Bytes>,
    bytes: usize,
    /// Memory for more than what came first. Without it, that is all for now: a connection then holds a buffer of the
    /// HTTP engine's and no more.
    permit: Option<OwnedSemaphorePermit>,
}

impl Gathered {
    fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    fn is_full(&self) -> bool {
        self.bytes >= PIECE_BYTES || !self.is_empty() && self.permit.is_none()
    }
}

impl<'a> Inflow<'a> {
    pub(super) fn new(app: &'a Arc<App>, writer: UploadWriter) -> Self {
        Self { app, disk: Disk::Ready(Ok(writer)) }
    }

    /// Takes the body to its end. Gives what broke it off, if something did: all that came before that is in the upload
    /// or on its way.
    ///
    /// # Errors
    /// What the registry refuses.
    pub(super) async fn receive(&mut self, body: &mut ReceivedBody) -> Result<Option<BodyError>, Error> {
        loop {
            let (gathered, ended) = self.gather(body).await;
            self.write(gathered).await?;
            match ended {
                None => {}
                Some(Ok(())) => return Ok(None),
                Some(Err(error)) => return Ok(Some(error)),
            }
        }
    }

    /// The upload, once all is written that came.
    ///
    /// # Errors
    /// What the registry refuses.
    pub(super) async fn into_writer(mut self) -> Result<UploadWriter, Error> {
        self.disk.settled().await;
        match self.disk {
            Disk::Ready(writer) => writer,
            Disk::Writing(writing) => writing.await,
        }
    }

    /// Waits for something to come; then takes what comes until the disk is ready for it and no more is there. With it,
    /// once the body is at its end, how it ended.
    async fn gather(&mut self, body: &mut ReceivedBody) -> (Gathered, Option<Result<(), BodyError>>) {
        let mut gathered = Gathered::default();
        loop {
            let is_idle = !self.disk.is_writing();
            if self.disk.has_failed() {
                return (gathered, None);
            }
            let next = tokio::select! {
                biased;
                next = body.next(), if !gathered.is_full() => next,
                () = self.disk.settled(), if !is_idle => continue,
                // The connection gets its turn to hand over what it has.
                () = yield_now(), if is_idle && !gathered.is_empty() => return (gathered, None),
            };
            match next {
                None => return (gathered, Some(Ok(()))),
                Some(Err(error)) => return (gathered, Some(Err(error))),
                Some(Ok(piece)) => self.keep(&mut gathered, piece),
            }
        }
    }

    /// Nobody waits for memory here, since the piece that is being written has some. Half of it is left to those who
    /// have nothing on its way to the disk yet.
    fn keep(&self, gathered: &mut Gathered, piece: Bytes) {
        let memory = &self.app.upload_pieces;
        if gathered.is_empty() && (memory.available_permits() > UPLOAD_PIECES / 2 || !self.disk.is_writing())
        {
            gathered.permit = Arc::clone(memory).try_acquire_owned().ok();
        }
        gathered.bytes += piece.len();
        gathered.pieces.push(piece);
    }

    /// Begins to write, once what came before is written.
    async fn write(&mut self, gathered: Gathered) -> Result<(), Error> {
        self.disk.settled().await;
        let Disk::Ready(ready) = mem::replace(&mut self.disk, Disk::Ready(Err(Error::Unavailable))) else {
            return Err(Error::Unavailable);
        };
        let writer = ready?;
        self.disk = if gathered.is_empty() {
            Disk::Ready(Ok(writer))
        } else {
            Disk::Writing(Box::pin(write(Arc::clone(self.app), writer, gathered)))
        };
        Ok(())
    }
}

/// Writes on the lane for pieces.
async fn write(app: Arc<App>, mut writer: UploadWriter, gathered: Gathered) -> Result<UploadWriter, Error> {
    let Gathered { pieces, permit, .. } = gathered;
    let permit = match permit {
        Some(permit) => Ok(permit),
        None => Arc::clone(&app.upload_pieces).acquire_owned().await,
    };
    let written = app.lanes.pieces.run(move || {
        let _permit = permit;
        writer.append_pieces(&pieces).map(|()| writer)
    });
    written.await.unwrap_or_else(|failure| Err(lane_failed(&failure)))
}
