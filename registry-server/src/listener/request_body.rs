//! What a client sends after its headers.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::{
    Version,
    body::{Body as _, Incoming},
    header::EXPECT,
    http::request::Parts,
};
use tokio::time::timeout;

use super::{Traffic, rest::UnderWay};

/// The body of a request, read piece by piece.
///
/// Nothing is read before it is asked for. In particular a client that sent `Expect: 100-continue` is told to
/// go on when the first piece is asked for, and not at all when the request is refused without asking.
#[derive(Debug)]
pub struct ReceivedBody {
    incoming: Incoming,
    idle: Duration,
    /// The client waits for `100 Continue` before it sends.
    awaits_continue: bool,
    is_http2: bool,
    traffic: Arc<Traffic>,
    has_ended: bool,
    under_way: UnderWay,
}

/// Why a body could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The client sent nothing for too long.
    #[error("request body stalled")]
    Idle,
    /// The connection ended, or what came breaks HTTP's framing.
    #[error("request body broke off")]
    Broken(#[source] hyper::Error),
    /// More came than the caller takes.
    #[error("request body is too large")]
    TooLarge,
}

impl ReceivedBody {
    /// `idle` is the longest silence between two pieces; what comes is counted into `traffic`.
    pub(super) fn new(
        incoming: Incoming,
        head: &Parts,
        idle: Duration,
        traffic: Arc<Traffic>,
        under_way: UnderWay,
    ) -> Self {
        let expects = head.headers.get(EXPECT);
        Self {
            incoming,
            idle,
            awaits_continue: expects
                .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue")),
            is_http2: head.version == Version::HTTP_2,
            traffic,
            has_ended: false,
            under_way,
        }
    }

    /// Whether it is known already that nothing comes.
    pub fn is_empty(&self) -> bool {
        self.incoming.is_end_stream()
    }

    /// The next piece, never empty; `None` at the end. Trailers are skipped. Cancelling loses nothing.
    pub async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        self.awaits_continue = false;
        loop {
            let frame = match timeout(self.idle, self.incoming.frame()).await {
                Ok(Some(frame)) => frame,
                Ok(None) => {
                    self.has_ended = true;
                    return None;
                }
                Err(_) => return Some(Err(BodyError::Idle)),
            };
            match frame.map(|frame| frame.into_data().unwrap_or_default()) {
                Ok(piece) if piece.is_empty() => {}
                Ok(piece) => {
                    self.traffic.received(piece.len());
                    return Some(Ok(piece));
                }
                Err(cause) => return Some(Err(BodyError::Broken(cause))),
            }
        }
    }

    /// The whole body, if it is at most `limit_bytes` long. A larger announced length is refused before
    /// anything is read.
    ///
    /// # Errors
    /// A body that is too large, stalls or breaks off.
    pub async fn collect_up_to(&mut self, limit_bytes: usize) -> Result<Bytes, BodyError> {
        if self.incoming.size_hint().lower() > limit_bytes as u64 {
            return Err(BodyError::TooLarge);
        }
        let mut whole = BytesMut::new();
        while let Some(piece) = self.next().await {
            let piece = piece?;
            if piece.len() > limit_bytes - whole.len() {
                return Err(BodyError::TooLarge);
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    /// Reads and throws away what is left, for a request that is refused while its client is still sending.
    ///
    /// This goes on beside the answer, which so reaches a client that reads it only after sending. Up to the
    /// bounds the connection can be used again; beyond them it is closed after the answer. Nothing is read
    /// from a client that waits for `100 Continue`, nor on HTTP/2, where refusing one request does not
    /// disturb the connection.
    pub fn discard(mut self, up_to_bytes: u64, up_to_time: Duration) {
        if self.is_http2 || self.awaits_continue || self.incoming.is_end_stream() {
            return;
        }
        tokio::spawn(timeout(up_to_time, async move {
            let mut bytes_left = up_to_bytes;
            while let Some(Ok(piece)) = self.next().await {
                match bytes_left.checked_sub(piece.len() as u64) {
                    Some(left) => bytes_left = left,
                    None => break,
                }
            }
        }));
    }
}

impl Drop for ReceivedBody {
    fn drop(&mut self) {
        if !self.has_ended && !self.incoming.is_end_stream() {
            self.under_way.activity().tear();
        }
    }
}
