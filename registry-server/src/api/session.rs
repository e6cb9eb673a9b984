//! Signing in and out with a browser: `GET /csrf_token` and `/api/v1/signin`, `/signin/verify`, `/signout`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, HeaderName, HeaderValue, SET_COOKIE};
use serde_json::json;

use super::body::Fields;
use super::caller::{Caller, token_text};
use super::cookie::Cookie;
use super::error::ApiError;
use crate::admission::Client;
use crate::app::App;
use crate::auth::caller::SignInError;
use crate::auth::visitor::VisitorId;
use crate::origin::Origin;

/// Says which CSRF token comes with the next request.
const NEXT_CSRF_TOKEN: HeaderName = HeaderName::from_static("x-next-csrf-token");
const WRONG: &str = "Invalid Username or Password";

/// `GET /csrf_token`: the token of the caller's session. Who has none becomes a visitor.
pub(super) async fn csrf_token(
    State(app): State<Arc<App>>,
    Extension(origin): Extension<Origin>,
    caller: Caller,
) -> Result<Response, ApiError> {
    let answer = |token: String| {
        let no_store = [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
        (no_store, Json(json!({ "csrf_token": token }))).into_response()
    };
    if let Some(token) = caller.csrf_token(&app) {
        return Ok(answer(token));
    }
    let visitor = VisitorId(app.registry.random()?);
    let mut response = answer(token_text(app.auth.visitors.csrf_token(visitor)));
    set_cookie(&mut response, Cookie::Visitor(visitor).set(is_secure(&app, &origin), None));
    Ok(response)
}

/// `POST /api/v1/signin`: begins a session, in place of the one that the request came with.
pub(super) async fn sign_in(
    State(app): State<Arc<App>>,
    Extension(origin): Extension<Origin>,
    Extension(client): Extension<Client>,
    caller: Caller,
    fields: Fields,
) -> Result<Response, ApiError> {
    let (name, password) = (fields.text("username")?, fields.secret("password")?);
    let wrong = json!({ "needsEmailVerification": false, "invalidCredentials": true, "message": WRONG });
    // A robot's token is for clients of the registry, never for a browser (Quay).
    if name.contains('+') {
        return Err(refused(SignInError::Wrong, wrong));
    }
    let signed_in = app.auth.sign_in(&app, client, name, &password).await;
    let principal = signed_in.map_err(|error| refused(error, wrong))?;
    let replaced = caller.session_id().cloned();
    let begin = app.call(move |registry| registry.begin_session(&principal, replaced.as_ref()));
    let (id, session) = begin.await?;
    let mut response = success(Some(token_text(session.csrf_secret)));
    let cookie = Cookie::Session(id).set(is_secure(&app, &origin), Some(session.expires_ms));
    set_cookie(&mut response, cookie);
    Ok(response)
}

/// `POST /api/v1/signin/verify`: the password again, after which the session counts as fresh.
pub(super) async fn verify(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    caller: Caller,
    fields: Fields,
) -> Result<Response, ApiError> {
    let (account, _) = caller.signed_in()?;
    let wrong = || json!({ "message": WRONG, "invalidCredentials": true });
    let checked = app.auth.sign_in(&app, client, &account.name, &fields.secret("password")?).await;
    if Some(checked.map_err(|error| refused(error, wrong()))?) != caller.session_principal() {
        return Err(refused(SignInError::Wrong, wrong()));
    }
    if let Some(id) = caller.session_id().cloned() {
        app.call(move |registry| registry.refresh_session(&id)).await?;
    }
    Ok(success(caller.csrf_token(&app)))
}

/// `POST /api/v1/signout`: ends all sessions of the user, as in Quay. Whoever is not signed in is none the worse.
pub(super) async fn sign_out(
    State(app): State<Arc<App>>,
    Extension(origin): Extension<Origin>,
    caller: Caller,
) -> Result<Response, ApiError> {
    let mut response = success(None);
    if caller.session_id().is_some() {
        let (account, _) = caller.signed_in()?;
        let id = account.id;
        app.call(move |registry| registry.end_sessions(id)).await?;
        set_cookie(&mut response, Cookie::clear(is_secure(&app, &origin)));
    }
    Ok(response)
}

fn success(next_csrf_token: Option<String>) -> Response {
    let mut response = Json(json!({ "success": true })).into_response();
    if let Some(token) = next_csrf_token.and_then(|token| HeaderValue::try_from(token).ok()) {
        response.headers_mut().insert(NEXT_CSRF_TOKEN, token);
    }
    response
}

/// A wrong password is 403 with a body of the route's own.
fn refused(error: SignInError, wrong: serde_json::Value) -> ApiError {
    match error {
        SignInError::Wrong => ApiError::json(StatusCode::FORBIDDEN, wrong),
        error => error.into(),
    }
}

pub(super) fn set_cookie(response: &mut Response, cookie: Option<HeaderValue>) {
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}

/// Whether the cookie may travel over TLS alone.
pub(super) fn is_secure(app: &App, origin: &Origin) -> bool {
    app.options.session_cookie_secure || origin.scheme == "https"
}
