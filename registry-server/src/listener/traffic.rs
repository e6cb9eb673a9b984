//! What goes over the connections of a server, counted.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Buf;
use hyper::body::{Frame, SizeHint};

use super::{Body, rest::UnderWay};

/// Numbers about connections and the bodies that went over them. Bytes are those of bodies, as the handlers see them:
/// without heads, framing and TLS.
#[derive(Debug, Default)]
pub struct Traffic {
    received_bytes: AtomicU64,
    sent_bytes: AtomicU64,
    accepted: AtomicU64,
    closed: AtomicU64,
    resting: AtomicUsize,
    refused: AtomicU64,
}

impl Traffic {
    /// Bytes of requests' bodies.
    pub fn received_bytes(&self) -> u64 {
        self.received_bytes.load(Ordering::Relaxed)
    }

    /// Bytes of answers' bodies, handed to the connection.
    pub fn sent_bytes(&self) -> u64 {
        self.sent_bytes.load(Ordering::Relaxed)
    }

    /// Connections that were let in since the start.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Connections that are open.
    pub fn open(&self) -> u64 {
        let closed = self.closed.load(Ordering::Acquire);
        self.accepted().saturating_sub(closed)
    }

    /// Of the open connections, those that hold no buffers: they have not spoken yet, or not for a while.
    pub fn resting(&self) -> usize {
        self.resting.load(Ordering::Relaxed)
    }

    /// Connections that were closed at once, since their client had its share of all there may be.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    pub(super) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn received(&self, bytes: usize) {
        self.received_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts a connection as open until what is returned is dropped.
    pub(super) fn opened(self: &Arc<Self>) -> Opened {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        Opened(Arc::clone(self))
    }
}

/// A connection that rests.
#[derive(Debug)]
pub(super) struct AtRest<'t>(&'t Traffic);

impl<'t> AtRest<'t> {
    /// Counts a connection as resting until what is returned is dropped.
    pub(super) fn begin(traffic: &'t Traffic) -> Self {
        traffic.resting.fetch_add(1, Ordering::Relaxed);
        Self(traffic)
    }
}

impl Drop for AtRest<'_> {
    fn drop(&mut self) {
        self.0.resting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Opened(Arc<Traffic>);

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.closed.fetch_add(1, Ordering::Release);
    }
}

/// A body whose bytes are counted as they go out.
#[derive(Debug)]
pub(super) struct Counted {
    body: Body,
    traffic: Arc<Traffic>,
    _under_way: UnderWay,
}

impl Counted {
    pub(super) fn new(body: Body, traffic: Arc<Traffic>, under_way: UnderWay) -> Self {
        Self { body, traffic, _under_way: under_way }
    }
}

impl hyper::body::Body for Counted {
    type Data = <Body as hyper::body::Body>::Data;
    type Error = <Body as hyper::body::Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.traffic.sent_bytes.fetch_add(data.remaining() as u64, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
