//! Serving one connection.
//!
//! An engine exists only while there is something to serve: before the first bytes, and again once an HTTP/1.1
//! connection rests, a connection is a socket and a timer.

use std::{
    convert::Infallible,
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use hyper::{
    Request, Response, Version,
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::{
    Body, ConnectionInfo, Limits, Outbox, ReceivedBody, Traffic,
    io::PatientIo,
    rest::{Activity, Noticed, Watch},
    stream::{Established, Stream},
    traffic::{AtRest, Counted},
};

/// How often a silent HTTP/2 client is asked whether it is still there, and how long it may take to say so.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// What every HTTP/2 client says first (RFC 9113, section 3.4).
const PREFACE: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What all connections of a server share.
pub(super) struct Connections<S> {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    limits: Limits,
    traffic: Arc<Traffic>,
    service: S,
}

/// A connection between two engines.
struct Resting {
    io: PatientIo<Stream>,
    /// What can be heard next.
    may_be_http2: bool,
    /// How long the next request may take to begin.
    patience: Duration,
}

/// What speaks on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

impl<S, F> Connections<S>
where
    S: Fn(Request<ReceivedBody>, ConnectionInfo) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    pub(super) fn new(limits: Limits, traffic: Arc<Traffic>, service: S) -> Self {
        Self { http1: http1_engine(&limits), http2: http2_engine(&limits), limits, traffic, service }
    }

    /// Serves `established` to its end, or to the end of its requests in flight once `stop` says so.
    pub(super) async fn serve(self: Arc<Self>, established: Established, mut stop: watch::Receiver<bool>) {
        let Established { stream, peer, slot: _slot } = established;
        let info = ConnectionInfo { peer, is_tls: stream.is_tls() };
        let outbox = stream.outbox().cloned();
        let io = PatientIo::new(stream, self.limits.write_idle, self.limits.linger);
        let mut resting = Resting { io, may_be_http2: true, patience: self.limits.head_timeout };
        loop {
            let at_rest = AtRest::begin(&self.traffic);
            let Some(protocol) = resting.woken(&mut stop).await else { break };
            drop(at_rest);
            let stop = stop.clone();
            // Behind a box, so that a connection that rests does not keep the room.
            let rested = match protocol {
                Protocol::Http1 => Box::pin(self.serve_http1(resting, info, outbox.as_ref(), stop)).await,
                Protocol::Http2 => {
                    Box::pin(self.serve_http2(resting, info, stop)).await;
                    None
                }
            };
            match rested {
                Some(rested) => resting = rested,
                None => return,
            }
        }
        tracing::debug!(%peer, "closed a connection that rested");
        if info.is_tls {
            // The client is told that nothing is missing. It may be gone.
            let _ = resting.io.shutdown().await;
        }
    }

    /// Serves requests until the connection ends, or rests.
    async fn serve_http1(
        &self,
        resting: Resting,
        info: ConnectionInfo,
        outbox: Option<&Outbox>,
        mut stop: watch::Receiver<bool>,
    ) -> Option<Resting> {
        let activity = Arc::clone(resting.io.activity());
        let mut watch = Watch::new(Arc::clone(&activity), self.limits.rest, resting.patience);
        let service = service_fn(|request| self.answer(request, info, outbox, &activity));
        let mut engine = self.http1.serve_connection(TokioIo::new(resting.io), service);
        let mut stopped = pin!(stop.wait_for(|stop| *stop));
        let mut is_stopping = false;
        let ended = poll_fn(|cx| {
            if !is_stopping && stopped.as_mut().poll(cx).is_ready() {
                is_stopping = true;
                Pin::new(&mut engine).graceful_shutdown();
            }
            match Pin::new(&mut engine).poll(cx) {
                Poll::Ready(ended) => Poll::Ready(Ok(ended)),
                Poll::Pending => watch.poll(cx).map(Err),
            }
        });
        match ended.await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => {
                tracing::debug!(peer = %info.peer, %error, "connection failed");
                None
            }
            Err(Noticed::Silence) => {
                tracing::debug!(peer = %info.peer, "no request in time");
                None
            }
            Err(Noticed::Rest) => {
                let parts = engine.into_parts();
                let mut io = parts.io.into_inner();
                io.unread(&parts.read_buf);
                let patience = self.limits.head_timeout.saturating_sub(self.limits.rest);
                Some(Resting { io, may_be_http2: false, patience })
            }
        }
    }

    async fn serve_http2(&self, resting: Resting, info: ConnectionInfo, mut stop: watch::Receiver<bool>) {
        let activity = Arc::clone(resting.io.activity());
        // Only the first request is waited for; afterwards the engine itself asks whether the client is there.
        let mut silence = pin!(sleep(resting.patience));
        let service = service_fn(|request| self.answer(request, info, None, &activity));
        let mut engine = pin!(self.http2.serve_connection(TokioIo::new(resting.io), service));
        let mut stopped = pin!(stop.wait_for(|stop| *stop));
        let mut is_stopping = false;
        let ended = poll_fn(|cx| {
            if !is_stopping && stopped.as_mut().poll(cx).is_ready() {
                is_stopping = true;
                engine.as_mut().graceful_shutdown();
            }
            match engine.as_mut().poll(cx) {
                Poll::Ready(ended) => Poll::Ready(Some(ended)),
                Poll::Pending if activity.has_begun() => Poll::Pending,
                Poll::Pending => silence.as_mut().poll(cx).map(|()| None),
            }
        });
        match ended.await {
            Some(Ok(())) => {}
            Some(Err(error)) => tracing::debug!(peer = %info.peer, %error, "connection failed"),
            None => tracing::debug!(peer = %info.peer, "no request in time"),
        }
    }

    fn answer(
        &self,
        request: Request<Incoming>,
        info: ConnectionInfo,
        outbox: Option<&Outbox>,
        activity: &Arc<Activity>,
    ) -> impl Future<Output = Result<Response<Counted>, Infallible>> + Send + 'static + use<S, F> {
        let under_way = activity.begin();
        let (mut parts, incoming) = request.into_parts();
        if let Some(outbox) = outbox.filter(|_| parts.version < Version::HTTP_2) {
            parts.extensions.insert(outbox.clone());
        }
        let (idle, traffic) = (self.limits.body_idle, Arc::clone(&self.traffic));
        let body = ReceivedBody::new(incoming, &parts, idle, traffic, under_way.clone());
        // The engine keeps room for this future as long as it lives: behind a box that is a few bytes.
        let response = Box::pin((self.service)(Request::from_parts(parts, body), info));
        let traffic = Arc::clone(&self.traffic);
        async move { Ok(response.await.map(|body| Counted::new(body, traffic, under_way))) }
    }
}

impl Resting {
    /// Waits for the next bytes; `None` if the connection is to be closed.
    async fn woken(&mut self, stop: &mut watch::Receiver<bool>) -> Option<Protocol> {
        let began = Instant::now();
        let heard = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return None,
            heard = timeout(self.patience, hear(&mut self.io, self.may_be_http2)) => heard,
        };
        self.patience = self.patience.saturating_sub(began.elapsed());
        heard.ok()?.ok()?
    }
}

/// Reads what tells the protocols apart, and puts it back; `None` at the end of the connection.
async fn hear(io: &mut PatientIo<Stream>, may_be_http2: bool) -> io::Result<Option<Protocol>> {
    let (mut bytes, mut length) = ([0; PREFACE.len()], 0);
    loop {
        let read = io.read(&mut bytes[length..]).await?;
        length += read;
        let heard = &bytes[..length];
        let is_like_http2 = may_be_http2 && PREFACE.starts_with(heard);
        if is_like_http2 && length < PREFACE.len() && read > 0 {
            continue;
        }
        io.unread(heard);
        let protocol = if is_like_http2 { Protocol::Http2 } else { Protocol::Http1 };
        return Ok((length > 0).then_some(protocol));
    }
}

fn http1_engine(limits: &Limits) -> http1::Builder {
    let mut engine = http1::Builder::new();
    engine
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        // Bounds the head, and what is read of a body before the handler takes it.
        .max_buf_size(limits.head_bytes as usize);
    engine
}

fn http2_engine(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut engine = http2::Builder::new(TokioExecutor::new());
    engine
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.head_bytes)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    engine
}
