//! The running server: requests to handlers, a stop that loses nothing.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use hyper::{Request, Response};
use registry_core::Error;
use tokio::time::timeout;

#[cfg(feature = "api")]
use crate::api;
use crate::app::App;
use crate::listener::{self, Body, ConnectionInfo, Endpoint, Limits, ReceivedBody};
use crate::metrics::{MethodIndex, Route};
use crate::{lanes, v2};

/// How long a stop waits for uploads that were cut to save how far they came.
const SAVE_TIME: Duration = Duration::from_secs(10);

/// Serves until `stop` completes, lets what is under way finish, and closes the registry.
///
/// # Errors
/// Whatever closing the registry refuses.
pub async fn run(
    endpoint: impl Into<Endpoint>,
    app: App,
    mut uploads_ended: tokio::sync::mpsc::Receiver<()>,
    limits: Limits,
    stop: impl Future<Output = ()>,
) -> Result<(), Error> {
    let registry = app.registry.clone();
    let lanes = app.lanes.clone();
    let traffic = Arc::clone(&app.metrics.traffic);
    let app = Arc::new(app);
    let elsewhere = Elsewhere::new(&app);
    let service = move |request: Request<ReceivedBody>, from: ConnectionInfo| {
        answer(Arc::clone(&app), elsewhere.clone(), request, from)
    };
    let stopped = listener::serve(endpoint, service, limits, traffic, stop).await;
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

/// Whatever lies outside `/v2/`.
#[derive(Clone)]
struct Elsewhere {
    #[cfg(feature = "api")]
    router: axum::Router,
}

impl Elsewhere {
    #[cfg(feature = "api")]
    fn new(app: &Arc<App>) -> Self {
        Self { router: api::router(app) }
    }

    #[cfg(feature = "api")]
    async fn answer(self, app: &App, request: Request<ReceivedBody>, from: ConnectionInfo) -> Response<Body> {
        api::answer(app, self.router, request, from).await
    }

    #[cfg(not(feature = "api"))]
    fn new(_: &Arc<App>) -> Self {
        Self {}
    }

    #[cfg(not(feature = "api"))]
    async fn answer(self, _: &App, _: Request<ReceivedBody>, _: ConnectionInfo) -> Response<Body> {
        v2::nothing_here()
    }
}

async fn answer(
    app: Arc<App>,
    elsewhere: Elsewhere,
    request: Request<ReceivedBody>,
    from: ConnectionInfo,
) -> Response<Body> {
    let started = Instant::now();
    let line = app.options.log_requests.then(|| (request.method().clone(), request.uri().path().to_owned()));
    let (route, method) = (Route::of(request.uri().path()), MethodIndex::from(request.method()));
    let origin = app.options.origins.trail(request.headers(), from.peer.ip());
    let answer = app.on_behalf_of(origin, dispatch(&app, elsewhere, request, from));
    let response = unless_it_panics(answer).await;
    app.metrics.requests.count(route, method, response.status(), started.elapsed());
    if let Some((method, path)) = line {
        let status = response.status().as_u16();
        let duration_ms = started.elapsed().as_secs_f64() * 1000.0;
        tracing::info!(%method, path, status, duration_ms, client = %from.peer, "request");
    }
    response
}

async fn dispatch(
    app: &Arc<App>,
    elsewhere: Elsewhere,
    request: Request<ReceivedBody>,
    from: ConnectionInfo,
) -> Response<Body> {
    let path = request.uri().path();
    if path == "/v2" || path.starts_with("/v2/") {
        v2::answer(app, request, from).await
    } else {
        elsewhere.answer(app, request, from).await
    }
}

/// The answer, or a 500 if the handler panics, so that the client learns of it.
///
/// What a handler shares with others is the application, whose locks do not mind a holder that panicked.
async fn unless_it_panics(answer: impl Future<Output = Response<Body>>) -> Response<Body> {
    let mut answer = pin!(answer);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context))) {
        Ok(polled) => polled,
        Err(panic) => {
            tracing::error!(panic = lanes::panic_message(panic.as_ref()), "a handler panicked");
            Poll::Ready(v2::unknown_failure())
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use hyper::StatusCode;
    use hyper::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
    use serde_json::{Value, json};

    use super::*;

    #[tokio::test]
    async fn an_answer_passes() {
        let answer = unless_it_panics(async {
            tokio::task::yield_now().await;
            Response::new(Body::Empty)
        });
        assert_eq!(answer.await.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn a_handler_that_panics_is_a_500_with_an_error_that_tells_nothing() {
        let answer = unless_it_panics(async {
            tokio::task::yield_now().await;
            panic!("the secret of {}", "alice")
        });
        let answer = answer.await;
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(answer.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(answer.headers()["docker-distribution-api-version"], "registry/2.0");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let error = json!({ "code": "UNKNOWN", "message": "the request could not be handled", "detail": {} });
        assert_eq!(body, json!({ "errors": [error] }));
    }
}
