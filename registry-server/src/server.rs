//! The running server: requests to handlers, a stop that loses nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::{Request, Response};
use registry_core::Error;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::app::App;
use crate::listener::{self, Body, ConnectionInfo, Limits, ReceivedBody};
use crate::{api, v2};

/// How long a stop waits for uploads that were cut to save how far they came.
const SAVE_TIME: Duration = Duration::from_secs(10);

/// Serves until `stop` completes, lets what is under way finish, and closes the registry.
///
/// # Errors
/// Whatever closing the registry refuses.
pub async fn run(
    listener: TcpListener,
    app: App,
    mut uploads_ended: tokio::sync::mpsc::Receiver<()>,
    limits: Limits,
    stop: impl Future<Output = ()>,
) -> Result<(), Error> {
    let registry = app.registry.clone();
    let lanes = app.lanes.clone();
    let app = Arc::new(app);
    let router = api::router(&app);
    let service = move |request: Request<ReceivedBody>, from: ConnectionInfo| {
        answer(Arc::clone(&app), router.clone(), request, from)
    };
    let stopped = listener::serve(listener, service, limits, stop).await;
    if stopped.cut > 0 {
        tracing::warn!(connections = stopped.cut, "connections were cut at the stop");
    }
    // The last clone of the service, and with it the application, went with the listener: only uploads are left.
    if timeout(SAVE_TIME, uploads_ended.recv()).await.is_err() {
        tracing::warn!("uploads did not end; they resume from what was saved last");
    }
    let closed = lanes.metadata.run(move || registry.close()).await;
    closed.unwrap_or_else(|failure| Err(crate::app::lane_failed(&failure)))
}

async fn answer(
    app: Arc<App>,
    router: axum::Router,
    request: Request<ReceivedBody>,
    from: ConnectionInfo,
) -> Response<Body> {
    let started = Instant::now();
    let line = app.options.log_requests.then(|| (request.method().clone(), request.uri().path().to_owned()));
    let path = request.uri().path();
    let response = if path == "/v2" || path.starts_with("/v2/") {
        v2::answer(&app, request, from).await
    } else {
        api::answer(router, request).await
    };
    if let Some((method, path)) = line {
        let status = response.status().as_u16();
        let duration_ms = started.elapsed().as_secs_f64() * 1000.0;
        tracing::info!(%method, path, status, duration_ms, client = %from.peer, "request");
    }
    response
}
