//! Sockets and connections: accepting, limits, timeouts, and a stop that lets work finish.
//!
//! HTTP/1.1 and HTTP/2 are told apart by their first bytes: prior knowledge in plain, over TLS as ALPN agreed. What the HTTP engine
//! refuses before a request exists (a head that is too large or malformed) is answered with a status and no
//! body. Every wait on a client is bounded: for a head by [`Limits::head_timeout`], inside a body by
//! [`Limits::body_idle`], for room to send by [`Limits::write_idle`]; nothing bounds a transfer as a whole,
//! since large layers on slow links take hours.

mod accept;
mod blob_stream;
mod connection;
mod endpoint;
#[cfg(feature = "tls")]
mod handshake;
mod io;
mod piece;
mod request_body;
mod response_body;
mod rest;
mod sendfile;
mod stream;
#[cfg(test)]
mod tests;
mod traffic;

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use hyper::{Request, Response};
use tokio::{sync::watch, task::JoinSet, time::timeout};

use self::{accept::Acceptor, connection::Connections};
pub use self::{
    blob_stream::BlobStream,
    endpoint::Endpoint,
    piece::{Outbox, Piece},
    request_body::{BodyError, ReceivedBody},
    response_body::Body,
    traffic::Traffic,
};

/// What a client may use up before its connection is refused or closed.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a request's head: request line and headers together; at least 8 KiB. Above it the answer is
    /// 431. (The HTTP/1.1 engine also allows at most 100 headers.)
    pub head_bytes: u32,
    /// The longest wait for the end of a request's head, counted from the accept or from the end of the
    /// answer before: it ends silent and idle HTTP/1.1 connections too. HTTP/2 must begin its first request
    /// within it. A TLS handshake has as long before that.
    pub head_timeout: Duration,
    /// How long an HTTP/1.1 connection rests, at least, before it gives its buffers back until it is spoken to again.
    pub rest: Duration,
    /// The longest silence inside a request's body.
    pub body_idle: Duration,
    /// The longest wait for room in the socket's send buffer. The kernel reports room once about a third of
    /// the buffer is free, so a slow client needs time for that much.
    pub write_idle: Duration,
    /// How long a connection that is closed before its client has finished sending is still read, so that the
    /// client gets to the answer instead of a reset.
    pub linger: Duration,
    /// Requests at once on one HTTP/2 connection.
    pub streams: u32,
    /// Connections at once; more wait in the kernel's queue.
    pub connections: usize,
    /// Of these, from one client: a connection beyond them is closed at once, so that one client cannot keep all others
    /// out. A proxy in front counts as one.
    pub connections_per_client: usize,
    /// How long requests in flight may take to finish once the server stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 64 * 1024,
            head_timeout: Duration::from_secs(30),
            rest: Duration::from_millis(64),
            body_idle: Duration::from_secs(60),
            write_idle: Duration::from_secs(120),
            linger: Duration::from_secs(2),
            streams: 128,
            connections: 16_384,
            // A large cluster behind one gateway holds some thousands.
            connections_per_client: 12_288,
            drain: Duration::from_secs(30),
        }
    }
}

/// What a handler learns of the connection that its request came on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// The other end of the socket: a client or a proxy.
    pub peer: SocketAddr,
    /// Whether TLS ends here.
    pub is_tls: bool,
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Connections that were closed although their requests had not finished within [`Limits::drain`].
    pub cut: usize,
}

/// Serves `service` on `endpoint` until `stop` completes, then lets requests in flight finish; counts into `traffic`.
///
/// After `stop` no connection is accepted and idle ones are closed; what still runs when [`Limits::drain`]
/// has passed is cut. A panic of `service` ends its connection and nothing else.
///
/// # Panics
/// If [`Limits::head_bytes`] is below 8 KiB, which the HTTP engine does not take.
pub async fn serve<S, F>(
    endpoint: impl Into<Endpoint>,
    service: S,
    limits: Limits,
    traffic: Arc<Traffic>,
    stop: impl Future<Output = ()>,
) -> Stopped
where
    S: Fn(Request<ReceivedBody>, ConnectionInfo) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let Endpoint { socket, security } = endpoint.into();
    let acceptor = Acceptor::new(socket, &limits, Arc::clone(&traffic));
    let connections = Arc::new(Connections::new(limits.clone(), traffic, service));
    let (stopping, stop_seen) = watch::channel(false);
    let mut handshakes = JoinSet::new();
    let mut open = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let established = tokio::select! {
            () = &mut stop => break,
            Some(_) = open.join_next() => None,
            Some(ended) = handshakes.join_next() => ended.ok().flatten(),
            accepted = acceptor.accept() => security.begin(accepted, &limits, &mut handshakes),
        };
        if let Some(established) = established {
            open.spawn(Arc::clone(&connections).serve(established, stop_seen.clone()));
        }
    }
    drop((acceptor, handshakes));
    stopping.send_replace(true);
    drain(open, limits.drain).await
}

async fn drain(mut open: JoinSet<()>, within: Duration) -> Stopped {
    let all_finish = async { while open.join_next().await.is_some() {} };
    let _ = timeout(within, all_finish).await;
    while open.try_join_next().is_some() {}
    let cut = open.len();
    open.shutdown().await;
    Stopped { cut }
}
