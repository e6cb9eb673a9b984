//! What a client is sent after the headers.

use std::{
    fmt, io, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::task::JoinSet;

use crate::lanes::{Lane, LaneError};

/// Bytes asked of a [`BlobSource`] at once.
const READ_BYTES: usize = 256 * 1024;

/// The body of a response. Its exact length is known, so `Content-Length` is right without being set.
///
/// An answer to HEAD has an [`Body::Empty`] body and sets `Content-Length` itself.
#[derive(Debug)]
pub enum Body {
    /// Nothing.
    Empty,
    /// Bytes in memory.
    Full(Bytes),
    /// Bytes of a blob, read as they are sent.
    Blob(BlobStream),
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(mem::take(bytes))))),
            Self::Blob(stream) => stream.poll_next(cx).map(|piece| piece.map(|piece| piece.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.unsent_bytes() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.unsent_bytes())
    }
}

impl Body {
    fn unsent_bytes(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Full(bytes) => bytes.len() as u64,
            Self::Blob(stream) => stream.unsent_bytes,
        }
    }
}

/// Reads up to so many bytes of a blob from an offset on; it may block. Fewer bytes are allowed, none means
/// that the blob is shorter than thought.
pub type BlobSource = Box<dyn FnMut(u64, usize) -> io::Result<Bytes> + Send>;

/// A part of a blob, read on the blob lane in pieces of 256 KiB, one piece ahead of what is being sent.
///
/// If reading fails or the blob ends early the connection is cut, so that the client notices: its length was
/// promised.
pub struct BlobStream {
    lane: Lane,
    /// Absent while a read is under way, and after one has failed.
    source: Option<BlobSource>,
    /// At most one task: dropping the stream gives it up.
    read: JoinSet<Result<Read, LaneError>>,
    offset: u64,
    unsent_bytes: u64,
}

struct Read {
    source: BlobSource,
    outcome: io::Result<Bytes>,
}

impl BlobStream {
    /// Streams `length_bytes` bytes of `source` from `offset` on, reading on `lane`.
    pub fn new(lane: Lane, source: BlobSource, offset: u64, length_bytes: u64) -> Self {
        Self { lane, source: Some(source), read: JoinSet::new(), offset, unsent_bytes: length_bytes }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        self.start_read();
        let Some(joined) = ready!(self.read.poll_join_next(cx)) else { return Poll::Ready(None) };
        let Read { source, outcome } = joined.map_err(io::Error::other)?.map_err(io::Error::other)?;
        let piece = outcome?;
        let length = piece.len() as u64;
        if length == 0 || length > self.unsent_bytes {
            return Poll::Ready(Some(Err(io::Error::other("blob is not as long as its record says"))));
        }
        self.offset += length;
        self.unsent_bytes -= length;
        self.source = Some(source);
        self.start_read();
        Poll::Ready(Some(Ok(piece)))
    }

    /// Begins the next read, if there is one to begin. It is a task of its own: a client that takes nothing
    /// leaves its body unpolled, and must not keep a place in the lane that it was given and does not use.
    fn start_read(&mut self) {
        let length = usize::try_from(self.unsent_bytes).unwrap_or(READ_BYTES).min(READ_BYTES);
        if length == 0 {
            return;
        }
        let Some(mut source) = self.source.take() else { return };
        let (lane, offset) = (self.lane.clone(), self.offset);
        self.read.spawn(async move {
            let read = move || {
                let outcome = source(offset, length);
                Read { source, outcome }
            };
            lane.run(read).await
        });
    }
}

impl fmt::Debug for BlobStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobStream")
            .field("offset", &self.offset)
            .field("unsent_bytes", &self.unsent_bytes)
            .finish_non_exhaustive()
    }
}
