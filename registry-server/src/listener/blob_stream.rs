//! A blob on its way to a client.

use std::{
    fmt, io,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use registry_core::BlobReader;
use tokio::task::JoinSet;

use super::piece::{Outbox, PART_BYTES, Piece};
use crate::lanes::{Lane, LaneError};

/// What passes through this process is read in pieces of this size: the HTTP engine holds two of them for a client that
/// takes nothing.
const READ_BYTES: usize = 32 * 1024;

/// Up to this length a second call costs more than a copy.
const WORTH_A_CALL_BYTES: u64 = 64 * 1024;

/// How far the disk is asked to read ahead of what is being sent.
const AHEAD_BYTES: u64 = 2 << 20;

/// After so much the thread looks after others: a client may take it as fast as it is sent, and would never let go.
const TURN_BYTES: u64 = 4 << 20;

/// A part of a blob.
///
/// Where the connection and the disk allow it the kernel sends the bytes by itself, in parts of 2 MiB; otherwise they are
/// read in pieces of 32 KiB. Either way bytes that the system has in memory are sent at once, and only others are waited
/// for, on the blob lane: a cold file must not hold up a thread that serves connections.
///
/// If reading fails or the blob ends early the connection is cut, so that the client notices: its length was promised.
pub struct BlobStream {
    lane: Lane,
    blob: BlobReader,
    offset: u64,
    unsent_bytes: u64,
    /// What was handed out since others had their turn.
    turn_bytes: u64,
    outbox: Option<Outbox>,
    /// At most one task: dropping the stream gives it up.
    work: JoinSet<Result<io::Result<Bytes>, LaneError>>,
}

impl BlobStream {
    /// Streams `length_bytes` bytes of `blob` from `offset` on, waiting for the disk on `lane`. With the outbox of the
    /// request that is answered, the kernel sends them if it can.
    pub fn new(
        lane: Lane,
        blob: BlobReader,
        offset: u64,
        length_bytes: u64,
        outbox: Option<&Outbox>,
    ) -> Self {
        let is_worth_it = length_bytes > WORTH_A_CALL_BYTES && blob.as_file().is_some();
        let outbox = outbox.filter(|outbox| is_worth_it && outbox.takes_files()).cloned();
        Self { lane, blob, offset, unsent_bytes: length_bytes, turn_bytes: 0, outbox, work: JoinSet::new() }
    }

    /// How much is still to come.
    pub(super) fn unsent_bytes(&self) -> u64 {
        self.unsent_bytes
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Piece>>> {
        if self.unsent_bytes == 0 {
            return Poll::Ready(None);
        }
        if self.turn_bytes >= TURN_BYTES {
            self.turn_bytes = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let piece = match self.outbox.clone() {
            Some(outbox) => ready!(self.poll_part(cx, &outbox)),
            None => ready!(self.poll_bytes(cx)).map(|bytes| (bytes.len(), Piece::from(bytes))),
        };
        Poll::Ready(Some(piece.and_then(|(length, piece)| {
            if length == 0 {
                return Err(io::Error::other("blob is not as long as its record says"));
            }
            self.offset += length as u64;
            self.unsent_bytes -= length as u64;
            self.turn_bytes += length as u64;
            Ok(piece)
        })))
    }

    /// The next part for the kernel to send, once it is in memory.
    fn poll_part(&mut self, cx: &mut Context<'_>, outbox: &Outbox) -> Poll<io::Result<(usize, Piece)>> {
        let (offset, length) = (self.offset, self.at_most(PART_BYTES));
        if self.work.is_empty() && !self.blob.is_in_memory(offset, length as u64) {
            self.start(move |blob| blob.load(offset, length as u64).map(|()| Bytes::new()), length);
        }
        // Once it has been loaded it is sent, whether or not the system can tell that it is there.
        let loaded = ready!(self.poll_work(cx)).unwrap_or(Ok(Bytes::new()));
        let is_last = length as u64 == self.unsent_bytes;
        Poll::Ready(loaded.map(|_| (length, outbox.piece(self.blob.clone(), offset, length, is_last))))
    }

    /// The next bytes.
    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let (offset, length) = (self.offset, self.at_most(READ_BYTES));
        if self.work.is_empty() {
            let mut piece = BytesMut::zeroed(length);
            if let Some(read) = self.blob.read_at_once(&mut piece, offset).map_err(io::Error::other)? {
                piece.truncate(read);
                return Poll::Ready(Ok(piece.freeze()));
            }
            let read = move |blob: &BlobReader| {
                let read = blob.read_at(&mut piece, offset)?;
                piece.truncate(read);
                Ok(piece.freeze())
            };
            self.start(read, length);
        }
        let read = ready!(self.poll_work(cx));
        Poll::Ready(read.expect("invariant: a read was begun, and nobody else waits for it"))
    }

    fn at_most(&self, length: usize) -> usize {
        usize::try_from(self.unsent_bytes).unwrap_or(length).min(length)
    }

    /// Begins work on the lane that waits for the next `length` bytes, and has the disk go on beyond them. It is a task of
    /// its own: a client that takes nothing leaves its body unpolled, and must not keep a place in the lane that it was
    /// given and does not use.
    fn start(
        &mut self,
        work: impl FnOnce(&BlobReader) -> Result<Bytes, registry_core::Error> + Send + 'static,
        length: usize,
    ) {
        let (lane, blob) = (self.lane.clone(), self.blob.clone());
        let ahead = (self.offset + length as u64, AHEAD_BYTES.min(self.unsent_bytes - length as u64));
        let work = move || {
            let done = work(&blob).map_err(io::Error::other);
            blob.will_read(ahead.0, ahead.1);
            done
        };
        self.work.spawn(async move { lane.run(work).await });
    }

    /// What the work came to, `None` if there is none.
    fn poll_work(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let Some(joined) = ready!(self.work.poll_join_next(cx)) else { return Poll::Ready(None) };
        Poll::Ready(Some(joined.map_err(io::Error::other)?.map_err(io::Error::other)?))
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
