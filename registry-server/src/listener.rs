//! Sockets and connections: accepting, limits, timeouts, and a stop that lets work finish.
//!
//! HTTP/1.1 and HTTP/2 (with prior knowledge) are told apart by their first bytes. What the HTTP engine
//! refuses before a request exists (a head that is too large or malformed) is answered with a status and no
//! body. Every wait on a client is bounded: for a head by [`Limits::head_timeout`], inside a body by
//! [`Limits::body_idle`], for room to send by [`Limits::write_idle`]; nothing bounds a transfer as a whole,
//! since large layers on slow links take hours.

mod accept;
mod blob_stream;
mod connection;
mod io;
mod piece;
mod request_body;
mod response_body;
mod sendfile;
#[cfg(test)]
mod tests;

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use hyper::{Request, Response};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::{net::TcpListener, task::JoinSet, time::timeout};

use self::{accept::Acceptor, connection::Connections};
pub use self::{
    blob_stream::BlobStream,
    piece::{Outbox, Piece},
    request_body::{BodyError, ReceivedBody},
    response_body::Body,
};

/// What a client may use up before its connection is refused or closed.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a request's head: request line and headers together; at least 8 KiB. Above it the answer is
    /// 431. (The HTTP/1.1 engine also allows at most 100 headers.)
    pub head_bytes: u32,
    /// The longest wait for the end of a request's head, counted from the accept or from the end of the
    /// answer before: it ends silent and idle HTTP/1.1 connections too. HTTP/2 must begin its first request
    /// within it.
    pub head_timeout: Duration,
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
    /// How long requests in flight may take to finish once the server stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 64 * 1024,
            head_timeout: Duration::from_secs(30),
            body_idle: Duration::from_secs(60),
            write_idle: Duration::from_secs(120),
            linger: Duration::from_secs(2),
            streams: 128,
            connections: 16_384,
            drain: Duration::from_secs(30),
        }
    }
}

/// What a handler learns of the connection that its request came on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// The other end of the socket: a client or a proxy.
    pub peer: SocketAddr,
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Connections that were closed although their requests had not finished within [`Limits::drain`].
    pub cut: usize,
}

/// Serves `service` on `listener` until `stop` completes, then lets requests in flight finish.
///
/// After `stop` no connection is accepted and idle ones are closed; what still runs when [`Limits::drain`]
/// has passed is cut. A panic of `service` ends its connection and nothing else.
///
/// # Panics
/// If [`Limits::head_bytes`] is below 8 KiB, which the HTTP engine does not take.
pub async fn serve<S, F>(
    listener: TcpListener,
    service: S,
    limits: Limits,
    stop: impl Future<Output = ()>,
) -> Stopped
where
    S: Fn(Request<ReceivedBody>, ConnectionInfo) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let acceptor = Acceptor::new(listener, limits.connections);
    let connections = Arc::new(Connections::new(limits.clone(), service));
    let graceful = GracefulShutdown::new();
    let mut open = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(_) = open.join_next() => {}
            accepted = acceptor.accept() => {
                let connection = Arc::clone(&connections).serve(accepted, graceful.watcher());
                open.spawn(connection);
            }
        }
    }
    drop(acceptor);
    drain(graceful, open, limits.drain).await
}

async fn drain(graceful: GracefulShutdown, mut open: JoinSet<()>, within: Duration) -> Stopped {
    let all_finish = async {
        graceful.shutdown().await;
        while open.join_next().await.is_some() {}
    };
    let _ = timeout(within, all_finish).await;
    while open.try_join_next().is_some() {}
    let cut = open.len();
    open.shutdown().await;
    Stopped { cut }
}
