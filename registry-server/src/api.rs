//! Everything outside `/v2/`: `/api/v1` in Quay's shapes, health, and metrics.

mod health;
mod initialize;
mod metrics;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::{Request, Response, StatusCode};
use serde_json::json;
use tower::ServiceExt;

use crate::admission::{Admission, Busy, Client};
use crate::app::App;
use crate::listener::{Body, BodyError, ConnectionInfo, ReceivedBody};
use crate::metrics::Route;
use crate::v2::{harden, json_answer};

/// The largest body that is read, in bytes.
const BODY_MAX_BYTES: usize = 1 << 20;

/// Every route, with and without the slash that Quay's clients do or do not send.
pub(crate) fn router(app: &Arc<App>) -> Router {
    Router::new()
        .route("/health/instance", get(health::instance))
        .route("/health", get(health::instance))
        .route("/metrics", get(metrics::metrics))
        .route("/api/v1/user/initialize", post(initialize::initialize))
        .route("/api/v1/user/initialize/", post(initialize::initialize))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(Arc::clone(app))
}

/// Answers a request through the routes.
pub(crate) async fn answer(
    app: &App,
    router: Router,
    mut request: Request<ReceivedBody>,
    from: ConnectionInfo,
) -> Response<Body> {
    request.extensions_mut().insert(from);
    let client = app.options.origins.client(request.headers(), from.peer.ip()).into();
    let mut response =
        routed(&app.admission, client, router, request).await.unwrap_or_else(|refusal| refusal);
    harden(&mut response);
    response
}

async fn routed(
    admission: &Admission,
    client: Client,
    router: Router,
    request: Request<ReceivedBody>,
) -> Result<Response<Body>, Response<Body>> {
    let (head, mut body) = request.into_parts();
    // Whoever watches the server learns how it is doing just when it is busy.
    let is_watching = matches!(Route::of(head.uri.path()), Route::Health | Route::Metrics);
    let turn = if is_watching { None } else { Some(admission.enter(client).await.map_err(busy)?) };
    let bytes = match &turn {
        Some(turn) if !body.is_empty() => {
            turn.collect_up_to(BODY_MAX_BYTES, &mut body).await.map_err(busy)?
        }
        _ => Ok(Bytes::new()),
    };
    let bytes = bytes.map_err(|error| match error {
        BodyError::TooLarge => message(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large"),
        BodyError::Idle | BodyError::Broken(_) => message(StatusCode::BAD_REQUEST, "The body broke off"),
    })?;
    let answered = router.oneshot(Request::from_parts(head, axum::body::Body::from(bytes))).await;
    let (head, body) = match answered {
        Ok(response) => response.into_parts(),
        Err(never) => match never {},
    };
    let body = body.collect().await.map_err(|cause| {
        tracing::error!(%cause, "an answer could not be made");
        message(StatusCode::INTERNAL_SERVER_ERROR, "The answer could not be made")
    })?;
    Ok(Response::from_parts(head, Body::Full(body.to_bytes())))
}

fn busy(busy: Busy) -> Response<Body> {
    let mut response = message(StatusCode::TOO_MANY_REQUESTS, &busy.to_string());
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// Quay's plain error shape.
fn message(status: StatusCode, text: &str) -> Response<Body> {
    json_answer(status, "application/json", &json!({ "message": text }))
}

async fn not_found() -> (StatusCode, axum::Json<serde_json::Value>) {
    refused(StatusCode::NOT_FOUND, "The requested URL was not found on the server.")
}

async fn method_not_allowed() -> (StatusCode, axum::Json<serde_json::Value>) {
    refused(StatusCode::METHOD_NOT_ALLOWED, "The method is not allowed for the requested URL.")
}

/// Quay's plain error shape, as a handler answers it.
fn refused(status: StatusCode, text: &str) -> (StatusCode, axum::Json<serde_json::Value>) {
    (status, axum::Json(json!({ "message": text })))
}
