//! Everything outside `/v2/`: `/api/v1` in Quay's shapes, health, and metrics.

mod app_tokens;
mod applications;
mod avatar;
mod body;
mod caller;
mod consent;
mod cookie;
mod error;
mod health;
mod initialize;
mod job_tokens;
mod logs;
mod metrics;
mod oauth;
mod organizations;
mod permissions;
mod prototypes;
mod repositories;
mod robot_limits;
mod robots;
mod routes;
mod session;
mod teams;
mod user;

use std::sync::Arc;

use axum::Router;
use axum::routing::{any, delete, get, post, put};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::json;
use tower::ServiceExt;

use self::body::media_type;
use self::caller::{CSRF_FIELD, FormToken};
use self::error::ApiError;
use self::routes::Routes;
use crate::admission::{Admission, Busy, Client};
use crate::app::App;
use crate::listener::{Body, BodyError, ConnectionInfo, ReceivedBody};
use crate::metrics::Route;
use crate::v2::{harden, json_answer, keep_length_only};
use crate::wire::query::Query;
use crate::wire::secret::Secret;

/// The largest body that is read, in bytes.
const BODY_MAX_BYTES: usize = 1 << 20;

/// Every route.
pub(crate) fn router(app: &Arc<App>) -> Router {
    Router::new()
        .route("/health/instance", get(health::instance))
        .route("/health", get(health::instance))
        .route("/metrics", get(metrics::metrics))
        .route("/csrf_token", get(session::csrf_token))
        .both("/api/v1/signin", post(session::sign_in))
        .both("/api/v1/signin/verify", post(session::verify))
        .both("/api/v1/signout", post(session::sign_out))
        .both("/api/v1/user", get(user::own).put(user::change))
        .both("/api/v1/user/initialize", post(initialize::initialize))
        .both("/api/v1/users/{name}", get(user::named))
        .merge(organization_routes())
        .merge(credential_routes(app))
        .both("/api/v1/repository", get(repositories::list).post(repositories::create))
        .route("/api/v1/repository/{*path}", any(repositories::below))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(Arc::clone(app))
}

/// Routes of organizations, and of robots, which users have as well.
fn organization_routes() -> Router<Arc<App>> {
    const ORG: &str = "/api/v1/organization/{org}";
    let robots = |router: Router<Arc<App>>, base: &str| {
        let one = format!("{base}/robots/{{short}}");
        router
            .both(&one, get(robots::get).put(robots::create).post(robots::limit).delete(robots::delete))
            .both(&format!("{one}/permissions"), get(robots::permissions))
            .both(&format!("{one}/regenerate"), post(robots::regenerate))
    };
    let router = Router::new()
        .both("/api/v1/organization", post(organizations::create))
        .both("/api/v1/user/logs", get(logs::own))
        .both("/api/v1/user/aggregatelogs", get(logs::counted_own))
        .both("/api/v1/superuser/logs", get(logs::everywhere))
        .both("/api/v1/superuser/aggregatelogs", get(logs::counted_everywhere))
        .both(&format!("{ORG}/logs"), get(logs::in_organization))
        .both(&format!("{ORG}/aggregatelogs"), get(logs::counted_in_organization))
        .both("/api/v1/user/robots", get(robots::list_own))
        .both(&format!("{ORG}/robots"), get(robots::list))
        .both(ORG, get(organizations::get).put(organizations::change))
        .both(&format!("{ORG}/members"), get(organizations::members))
        .both(
            &format!("{ORG}/members/{{name}}"),
            get(organizations::one_member).delete(organizations::remove_member),
        )
        .both(&format!("{ORG}/team/{{team}}"), put(teams::put).delete(teams::delete))
        .both(&format!("{ORG}/team/{{team}}/members"), get(teams::members))
        .both(&format!("{ORG}/team/{{team}}/members/{{name}}"), put(teams::add).delete(teams::remove))
        .both(&format!("{ORG}/team/{{team}}/permissions"), get(teams::permissions))
        .both(&format!("{ORG}/prototypes"), get(prototypes::list).post(prototypes::create))
        .both(&format!("{ORG}/prototypes/{{id}}"), put(prototypes::change).delete(prototypes::delete));
    robots(robots(router, ORG), "/api/v1/user")
}

/// Routes of applications, of the tokens that act in somebody's place, and of the flow in which they are given out.
fn credential_routes(app: &App) -> Router<Arc<App>> {
    const APPLICATIONS: &str = "/api/v1/organization/{org}/applications";
    const APPLICATION: &str = "/api/v1/organization/{org}/applications/{client_id}";
    let router = Router::new()
        .both(APPLICATIONS, get(applications::list).post(applications::create))
        .both(APPLICATION, get(applications::get).put(applications::change).delete(applications::delete))
        .both(&format!("{APPLICATION}/resetclientsecret"), post(applications::reset_secret))
        .both(&format!("{APPLICATION}/tokens"), get(applications::tokens).post(applications::create_token))
        .both(&format!("{APPLICATION}/tokens/{{id}}"), delete(applications::revoke_token))
        .both("/api/v1/app/{client_id}", get(applications::public))
        .both("/api/v1/user/authorizations", get(app_tokens::authorizations))
        .both(
            "/api/v1/user/authorizations/{id}",
            get(app_tokens::one_authorization).delete(app_tokens::revoke_authorization),
        )
        .both("/api/v1/jobtoken", post(job_tokens::derive))
        .route("/oauth/authorize", get(oauth::authorize))
        .route("/oauth/authorizeapp", post(oauth::allow))
        .route("/oauth/denyapp", post(oauth::deny))
        .route("/oauth/localapp", get(oauth::local))
        .route("/oauth/access_token", post(oauth::exchange));
    if !app.registry.settings().app_tokens {
        return router;
    }
    router
        .both("/api/v1/user/apptoken", get(app_tokens::list).post(app_tokens::create))
        .both("/api/v1/user/apptoken/{id}", get(app_tokens::get).delete(app_tokens::revoke))
}

/// A moment as Quay writes it: RFC 2822, in a zone that is not told.
fn date(ms: u64) -> String {
    let moment = i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let moment = moment.unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_zoned(jiff::tz::TimeZone::UTC);
    moment.strftime("%a, %d %b %Y %H:%M:%S -0000").to_string()
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
    head.extensions.insert(from);
    head.extensions.insert(origin.clone());
    head.extensions.insert(client);
    let answered = routed(&app.admission, client, router, Request::from_parts(head, body)).await;
    let mut response = answered.unwrap_or_else(|refusal| refusal);
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        response = error.render(&origin);
        if is_head {
            keep_length_only(&mut response);
        }
    }
    if is_api {
        routes::complete(response.headers_mut());
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
    if media_type(&head.headers) != "application/x-www-form-urlencoded" {
        return None;
    }
    let form = Query::parse_form(std::str::from_utf8(bytes).ok()?).ok()?;
    form.get(CSRF_FIELD).map(|token| FormToken(Secret::new(token)))
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
