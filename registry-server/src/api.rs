//! Everything outside `/v2/`: `/api/v1` in Quay's shapes, health, and metrics.

mod about;
mod absent;
mod account;
mod app_tokens;
mod applications;
mod avatar;
mod body;
mod caller;
mod config;
mod consent;
mod cookie;
mod discovery;
mod error;
mod exports;
mod health;
mod initialize;
mod job_tokens;
mod logs;
mod messages;
mod metrics;
mod oauth;
mod operation;
mod organizations;
mod permissions;
mod profile;
mod prototypes;
mod repositories;
mod robot_limits;
mod robots;
mod routes;
mod schema;
mod scopes;
mod search;
mod session;
mod stars;
mod superuser;
mod teams;
mod user;

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::routing::{get, post};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::header::{HeaderValue, ORIGIN, RETRY_AFTER};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::json;
use tower::ServiceExt;

use self::body::form;
use self::caller::{CSRF_FIELD, FormToken};
use self::error::ApiError;
pub(crate) use self::logs::event_line;
pub use self::operation::Description;
use self::operation::Operation;
use self::routes::Repositories;
use crate::admission::{Admission, Busy, Client, Turn};
use crate::app::App;
use crate::listener::{Body, BodyError, ConnectionInfo, ReceivedBody};
use crate::metrics::Route;
use crate::v2::{harden, json_answer, keep_length_only};
use crate::wire::secret::Secret;

/// The largest body that is read, in bytes.
const BODY_MAX_BYTES: usize = 1 << 20;

/// Every operation of `/api/v1`, by noun. A new one is a line of its noun's `registered`.
fn registered() -> Vec<Operation> {
    [
        session::registered(),
        user::registered(),
        account::registered(),
        superuser::registered(),
        initialize::registered(),
        organizations::registered(),
        teams::registered(),
        robots::registered(),
        prototypes::registered(),
        repositories::registered(),
        permissions::registered(),
        logs::registered(),
        exports::registered(),
        applications::registered(),
        app_tokens::registered(),
        job_tokens::registered(),
        search::registered(),
        stars::registered(),
        messages::registered(),
        absent::registered(),
        about::registered(),
        discovery::registered(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What is said of the operations of `/api/v1`, in the order of their nouns.
pub fn operations() -> &'static [Description] {
    static DESCRIPTIONS: LazyLock<Vec<Description>> =
        LazyLock::new(|| registered().into_iter().map(|operation| operation.description).collect());
    &DESCRIPTIONS
}

/// Every route.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let mut operations = registered();
    if !app.registry.settings().has_superusers {
        operations.retain(|operation| !operation.description.is_for_superusers());
    }
    Router::new()
        .route("/health/instance", get(health::instance))
        .route("/health", get(health::instance))
        .route("/health/endtoend", get(health::end_to_end))
        .route("/status", get(health::end_to_end))
        .route("/health/warning", get(health::warning))
        .route("/_internal_ping", get(about::ping))
        .route("/v1/_ping", get(about::ping))
        .route("/config", get(config::config))
        .route("/.well-known/app-capabilities", get(about::app_capabilities))
        .route("/.well-known/change-password", get(about::change_password))
        .route("/metrics", get(metrics::metrics))
        .route("/csrf_token", get(session::csrf_token))
        .route("/oauth/authorize", get(oauth::authorize))
        .route("/oauth/authorizeapp", post(oauth::allow))
        .route("/oauth/denyapp", post(oauth::deny))
        .route("/oauth/localapp", get(oauth::local))
        .route("/oauth/access_token", post(oauth::exchange))
        .merge(routes::router(operations))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(Arc::clone(app))
}

/// Where repositories stand in paths.
fn repositories_in_paths() -> &'static Repositories {
    static PLACES: LazyLock<Repositories> = LazyLock::new(|| Repositories::of(operations()));
    &PLACES
}

/// A moment as Quay writes it: RFC 2822, in a zone that is not told.
fn date(ms: u64) -> String {
    let moment = i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let moment = moment.unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_zoned(jiff::tz::TimeZone::UTC);
    moment.strftime("%a, %d %b %Y %H:%M:%S -0000").to_string()
}

/// A moment in ISO 8601 with microseconds, as Quay writes those of tokens.
fn iso(ms: u64) -> String {
    let moment = i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    moment.unwrap_or(jiff::Timestamp::MAX).strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// Answers a request through the routes.
pub(crate) async fn answer(
    app: &App,
    router: Router,
    request: Request<ReceivedBody>,
    from: ConnectionInfo,
) -> Response<Body> {
    let (mut head, body) = request.into_parts();
    let origin = app.options.origins.origin(&head, from);
    let client: Client = app.options.origins.client(&head.headers, from.peer.ip()).into();
    let is_api = head.uri.path().starts_with("/api/v1/");
    let is_head = head.method == Method::HEAD;
    repositories_in_paths().rewrite(&mut head.uri);
    let site = head.headers.get(ORIGIN).cloned();
    let settings = &app.options.api;
    let is_refused = is_api && settings.browser_calls_xhr_only && routes::is_opened_by_a_browser(&head);
    head.extensions.insert(from);
    head.extensions.insert(origin.clone());
    head.extensions.insert(client);
    if head.uri.path().starts_with(exports::EXPORTED) {
        return exported(app, client, &head).await;
    }
    let answered = if is_refused {
        Err(message(StatusCode::BAD_REQUEST, "API calls must be made with an X-Requested-With header"))
    } else {
        routed(&app.admission, client, router, Request::from_parts(head, body)).await
    };
    let mut response = answered.unwrap_or_else(|refusal| refusal);
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        response = error.render(&origin);
        if is_head {
            keep_length_only(&mut response);
        }
    }
    if is_api {
        routes::complete(response.headers_mut(), site.as_ref(), &settings.cors_origins);
    }
    harden(&mut response);
    response
}

/// The routes learn who calls by themselves, so they have the places of those of whom the client alone is known.
async fn turn(admission: &Admission, client: Client) -> Result<Turn, Busy> {
    admission.enter(client).await?.go_in(client.into()).await
}

/// What is sent as it is read, past the routes, whose answers are in memory.
async fn exported(app: &App, client: Client, head: &Parts) -> Response<Body> {
    let mut response = match turn(&app.admission, client).await {
        Ok(_turn) => exports::send(app, head).await,
        Err(refusal) => busy(refusal),
    };
    if head.method == Method::HEAD {
        keep_length_only(&mut response);
    }
    harden(&mut response);
    response
}

async fn routed(
    admission: &Admission,
    client: Client,
    router: Router,
    request: Request<ReceivedBody>,
) -> Result<Response<Body>, Response<Body>> {
    let (mut head, mut body) = request.into_parts();
    // Whoever watches the server learns how it is doing just when it is busy.
    let is_watching = matches!(Route::of(head.uri.path()), Route::Health | Route::Metrics);
    let turn = if is_watching { None } else { Some(turn(admission, client).await.map_err(busy)?) };
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
    if let Some(token) = form_token(&head, &bytes) {
        head.extensions.insert(token);
    }
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

/// The CSRF token in a form, which a page without scripts sends.
fn form_token(head: &Parts, bytes: &[u8]) -> Option<FormToken> {
    form(&head.headers, bytes)?.get(CSRF_FIELD).map(|token| FormToken(Secret::new(token)))
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
