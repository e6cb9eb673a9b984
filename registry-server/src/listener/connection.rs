//! Serving one connection.

use std::{
    convert::Infallible,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hyper::{Request, Response, Version, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::Watcher},
};
use tokio::time::timeout;

use super::{
    Body, ConnectionInfo, Limits, Outbox, ReceivedBody, Traffic, io::PatientIo, stream::Established,
    traffic::Counted,
};

/// How often a silent HTTP/2 client is asked whether it is still there, and how long it may take to say so.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// What all connections of a server share.
pub(super) struct Connections<S> {
    engine: auto::Builder<TokioExecutor>,
    limits: Limits,
    traffic: Arc<Traffic>,
    service: S,
}

impl<S, F> Connections<S>
where
    S: Fn(Request<ReceivedBody>, ConnectionInfo) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    pub(super) fn new(limits: Limits, traffic: Arc<Traffic>, service: S) -> Self {
        Self { engine: engine(&limits), limits, traffic, service }
    }

    /// Serves `established` to its end, or to the end of its requests in flight once `watcher` is told to stop.
    pub(super) async fn serve(self: Arc<Self>, established: Established, watcher: Watcher) {
        let Established { stream, peer, slot: _slot } = established;
        let info = ConnectionInfo { peer, is_tls: stream.is_tls() };
        let outbox = stream.outbox().cloned();
        let io = TokioIo::new(PatientIo::new(stream, self.limits.write_idle, self.limits.linger));

        let has_begun = Arc::new(AtomicBool::new(false));
        let service = service_fn(|request| {
            has_begun.store(true, Ordering::Relaxed);
            self.answer(request, info, outbox.as_ref())
        });
        let mut connection = pin!(watcher.watch(self.engine.serve_connection(io, service)));
        // The engine times the heads of requests only once it knows the protocol: this bounds a client that
        // says nothing.
        let ended = match timeout(self.limits.head_timeout, connection.as_mut()).await {
            Ok(ended) => ended,
            Err(_) if has_begun.load(Ordering::Relaxed) => connection.await,
            Err(_) => return tracing::debug!(%peer, "no request on a new connection"),
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, error, "connection failed");
        }
    }

    fn answer(
        &self,
        request: Request<Incoming>,
        info: ConnectionInfo,
        outbox: Option<&Outbox>,
    ) -> impl Future<Output = Result<Response<Counted>, Infallible>> + Send + 'static + use<S, F> {
        let (mut parts, incoming) = request.into_parts();
        if let Some(outbox) = outbox.filter(|_| parts.version < Version::HTTP_2) {
            parts.extensions.insert(outbox.clone());
        }
        let body = ReceivedBody::new(incoming, &parts, self.limits.body_idle, Arc::clone(&self.traffic));
        // The engine keeps room for this future as long as the connection lives: behind a box that is a few bytes.
        let response = Box::pin((self.service)(Request::from_parts(parts, body), info));
        let traffic = Arc::clone(&self.traffic);
        async move { Ok(response.await.map(|body| Counted::new(body, traffic))) }
    }
}

fn engine(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut engine = auto::Builder::new(TokioExecutor::new());
    engine
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        // Bounds the head, and what is read of a body before the handler takes it.
        .max_buf_size(limits.head_bytes as usize);
    engine
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.head_bytes)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    engine
}
