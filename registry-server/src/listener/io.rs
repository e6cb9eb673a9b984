//! The stream under every connection: it gives up on clients that take nothing, and closes so that answers
//! arrive.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use super::rest::Activity;

/// The most that is read and thrown away when a connection closes.
const LINGER_BYTES: usize = 16 * 1024 * 1024;

/// A stream whose writes fail once the other end has taken nothing for a while, and whose shutdown reads on
/// for a moment.
///
/// A socket that is closed with bytes unread sends a reset, and a reset may overtake the answer that explains
/// it: so shutdown ends the sending half first, then discards what still comes until the client closes,
/// [`LINGER_BYTES`] were read or the time is over.
pub(super) struct PatientIo<T> {
    io: T,
    write_idle: Duration,
    /// Runs while a write waits.
    stall: Option<Pin<Box<Sleep>>>,
    linger: Duration,
    lingering: Option<Lingering>,
    /// What is read before what the stream has.
    unread: Bytes,
    activity: Arc<Activity>,
}

struct Lingering {
    until: Pin<Box<Sleep>>,
    bytes_left: usize,
}

impl<T: AsyncRead + AsyncWrite + Unpin> PatientIo<T> {
    pub(super) fn new(io: T, write_idle: Duration, linger: Duration) -> Self {
        let (unread, activity) = (Bytes::new(), Arc::default());
        Self { io, write_idle, stall: None, linger, lingering: None, unread, activity }
    }

    /// Puts back what was read. It is copied, since it may be a small or empty part of a large buffer.
    pub(super) fn unread(&mut self, bytes: &[u8]) {
        self.unread = Bytes::copy_from_slice(bytes);
    }

    /// What goes on on the connection.
    pub(super) fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }

    /// Passes on what a write came to; one that has waited too long fails.
    fn or_stalled<R>(&mut self, cx: &mut Context<'_>, write: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if write.is_ready() {
            if self.stall.take().is_some() {
                self.activity.set_stalled(false);
            }
            return write;
        }
        self.activity.set_stalled(true);
        let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(self.write_idle)));
        ready!(stall.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "client takes no more bytes")))
    }

    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let linger = self.linger;
        let lingering = self
            .lingering
            .get_or_insert_with(|| Lingering { until: Box::pin(sleep(linger)), bytes_left: LINGER_BYTES });
        let mut buffer = [0; 8 * 1024];
        while lingering.bytes_left > 0 && !lingering.until.is_elapsed() {
            let mut buffer = ReadBuf::new(&mut buffer);
            match Pin::new(&mut self.io).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    lingering.bytes_left = lingering.bytes_left.saturating_sub(buffer.filled().len());
                }
                Poll::Ready(_) => break,
                Poll::Pending => ready!(lingering.until.as_mut().poll(cx)),
            }
        }
        Poll::Ready(())
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for PatientIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.unread.is_empty() {
            let length = self.unread.len().min(buffer.remaining());
            buffer.put_slice(&self.unread[..length]);
            self.unread = self.unread.slice(length..);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for PatientIo<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.or_stalled(cx, write)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.or_stalled(cx, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flush = Pin::new(&mut self.io).poll_flush(cx);
        self.or_stalled(cx, flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            let shutdown = Pin::new(&mut self.io).poll_shutdown(cx);
            ready!(self.or_stalled(cx, shutdown))?;
        }
        self.poll_discard(cx).map(Ok)
    }
}
