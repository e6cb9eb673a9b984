//! Signing in and out with a browser: `GET /csrf_token` and `/api/v1/signin`, `/signin/verify`, `/signout`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, HeaderName, HeaderValue, SET_COOKIE};
use registry_core::{Principal, SignInOutcome, SignInWay};
use serde_json::json;

use super::body::Fields;
use super::caller::{Caller, token_text};
use super::cookie::Cookie;
use super::error::ApiError;
use super::operation::{Operation, Scope};
use super::schema::{SUCCESS, Schema};
use crate::admission::Client;
use crate::app::App;
use crate::auth::caller::SignInError;
use crate::auth::visitor::VisitorId;
use crate::origin::Origin;

/// Says which CSRF token comes with the next request.
const NEXT_CSRF_TOKEN: HeaderName = HeaderName::from_static("x-next-csrf-token");
const WRONG: &str = "Invalid Username or Password";

const CREDENTIALS: Schema = Schema::Named(
    "SigninUser",
    &Schema::Object(&[("username", Schema::Text), ("password", Schema::Text)], &[]),
);
const PASSWORD: Schema = Schema::Named("VerifyUser", &Schema::Object(&[("password", Schema::Text)], &[]));

/// What is answered here.
pub(super) fn registered() -> Vec<Operation> {
    vec![
        Operation::post("/api/v1/signin", "signinUser", sign_in, "Signs in.")
            .takes(CREDENTIALS)
            .gives(SUCCESS)
            .internal(),
        Operation::post("/api/v1/signin/verify", "verifyUser", verify, "Checks the caller's password again.")
            .scope(Scope::UserAdmin)
            .takes(PASSWORD)
            .gives(SUCCESS)
            .internal(),
        Operation::post("/api/v1/signout", "logout", sign_out, "Ends the caller's sessions.")
            .gives(SUCCESS)
            .internal(),
    ]
}

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
    if !app.options.api.direct_login {
        return Err(ApiError::missing());
    }
    let (name, password) = (fields.text("username")?, fields.secret("password")?);
    let wrong = json!({ "needsEmailVerification": false, "invalidCredentials": true, "message": WRONG });
    // A robot's token is for clients of the registry, never for a browser (Quay).
    if name.contains('+') {
        app.record_sign_in(SignInWay::Browser, name, SignInOutcome::Refused(WRONG));
        return Err(refused(SignInError::Wrong, wrong));
    }
    let signed_in = app.auth.sign_in(&app, client, SignInWay::Browser, name, &password).await;
    let principal = signed_in.map_err(|error| refused(error, wrong))?;
    let response = begin(&app, &origin, &caller, principal, success(None)).await?;
    app.record_sign_in(SignInWay::Browser, name, SignInOutcome::SignedIn);
    Ok(response)
}

/// Begins a session, in place of the one that the request came with, and adds it to the answer.
pub(super) async fn begin(
    app: &Arc<App>,
    origin: &Origin,
    caller: &Caller,
    principal: Principal,
    mut response: Response,
) -> Result<Response, ApiError> {
    let replaced = caller.session_id().cloned();
    let begin = app.call(move |registry| registry.begin_session(&principal, replaced.as_ref()));
    let (id, session) = begin.await?;
    add_token(&mut response, Some(token_text(session.csrf_secret)));
    let cookie = Cookie::Session(id).set(is_secure(app, origin), Some(session.expires_ms));
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
    let (way, password) = (SignInWay::Browser, fields.secret("password")?);
    let checked = app.auth.sign_in(&app, client, way, &account.name, &password).await;
    if Some(checked.map_err(|error| refused(error, wrong()))?) != caller.session_principal() {
        return Err(refused(SignInError::Wrong, wrong()));
    }
    if let Some(id) = caller.session_id().cloned() {
        app.call(move |registry| registry.refresh_session(&id)).await?;
    }
    app.record_sign_in(way, &account.name, SignInOutcome::SignedIn);
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
        app.record_sign_in(SignInWay::Browser, &account.name, SignInOutcome::SignedOut);
        set_cookie(&mut response, Cookie::clear(is_secure(&app, &origin)));
    }
    Ok(response)
}

fn success(next_csrf_token: Option<String>) -> Response {
    let mut response = Json(json!({ "success": true })).into_response();
    add_token(&mut response, next_csrf_token);
    response
}

fn add_token(response: &mut Response, next_csrf_token: Option<String>) {
    if let Some(token) = next_csrf_token.and_then(|token| HeaderValue::try_from(token).ok()) {
        response.headers_mut().insert(NEXT_CSRF_TOKEN, token);
    }
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
