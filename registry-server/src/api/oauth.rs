//! Quay's OAuth 2 flow: `/oauth/authorize` with its page of consent, `/oauth/authorizeapp`, `/oauth/denyapp`,
//! `/oauth/localapp`, and `/oauth/access_token` for codes.
//!
//! A browser is only ever sent to an address that the application registered, or to the server's own page: whatever is
//! wrong before that is known is answered here.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use hyper::header::{CACHE_CONTROL, HeaderValue, LOCATION};
use hyper::{HeaderMap, StatusCode, Uri};
use registry_core::{Authorization, Error, Scopes};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::applications::{LIFETIME_SECONDS, fresh_token};
use super::body::form;
use super::caller::Caller;
use super::consent;
use super::error::ApiError;
use crate::app::App;
use crate::auth::robot_token::matches;
use crate::origin::Origin;
use crate::wire::percent::encode;
use crate::wire::query::Query;
use crate::wire::secret::Secret;

/// The longest state that is carried along, in bytes: it ends up in a header.
const STATE_MAX_BYTES: usize = 4096;
/// The server's own page, to which every application may send a token.
const LOCAL: &str = "/oauth/localapp";

/// What is asked of `/oauth/authorize`.
#[derive(Debug)]
pub(super) struct AuthorizationRequest {
    pub(super) authorization: Authorization,
    /// Whether the scopes were understood; otherwise there are none.
    has_scopes: bool,
    pub(super) response_type: String,
    pub(super) state: Option<String>,
}

/// From a form, whose CSRF token was checked where somebody is signed in.
impl FromRequest<Arc<App>> for AuthorizationRequest {
    type Rejection = Response;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Response> {
        let (origin, headers) = (request.extensions().get::<Origin>().cloned(), request.headers().clone());
        let body = Bytes::from_request(request, app).await.map_err(|_| invalid())?;
        let form = form(&headers, &body);
        form.zip(origin).and_then(|(form, origin)| Self::of(&form, &origin)).ok_or_else(invalid)
    }
}

impl AuthorizationRequest {
    /// None if it is no request that could be answered.
    fn of(query: &Query, origin: &Origin) -> Option<Self> {
        if query.get("state").is_some_and(|state| state.len() > STATE_MAX_BYTES) {
            return None;
        }
        let text = |name| query.get(name).unwrap_or_default().to_owned();
        let redirect_uri = text("redirect_uri");
        let Origin { scheme, host } = origin;
        let is_local = redirect_uri == format!("{scheme}://{host}{LOCAL}");
        let scopes = text("scope").parse::<Scopes>();
        let has_scopes = scopes.is_ok();
        let (client_id, scopes) = (text("client_id"), scopes.unwrap_or_default());
        Some(Self {
            authorization: Authorization { client_id, redirect_uri, is_local, scopes },
            has_scopes,
            response_type: text("response_type"),
            state: query.get("state").map(str::to_owned),
        })
    }

    /// Sends the browser back, with these parameters and the state that it came with.
    fn back(&self, parameters: &[(&str, &str)], fragment: &str) -> Response {
        let state = self.state.as_deref().map(|state| ("state", state));
        let pairs = parameters.iter().copied().chain(state);
        let pairs: Vec<String> = pairs.map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let uri = &self.authorization.redirect_uri;
        let joint = if uri.contains('?') { '&' } else { '?' };
        let target = format!("{uri}{joint}{}{fragment}", pairs.join("&"));
        let Ok(target) = HeaderValue::try_from(target) else { return invalid() };
        let no_store = HeaderValue::from_static("no-store");
        (StatusCode::FOUND, [(LOCATION, target), (CACHE_CONTROL, no_store)]).into_response()
    }

    /// What a refusal looks like: here, as long as the address is not known to be the application's.
    fn refused(&self, error: Error) -> Result<Response, ApiError> {
        let code = match error {
            Error::ApplicationUnknown(_) | Error::RedirectRefused => return Ok(invalid()),
            Error::NotSignedIn | Error::CredentialRevoked => return Err(ApiError::not_signed_in()),
            Error::DeniedInNamespace { .. } | Error::NamespaceUnknown(_) => "unauthorized_client",
            Error::NotForCredential => "invalid_scope",
            Error::TooMany(_) => "temporarily_unavailable",
            other => return Err(other.into()),
        };
        Ok(self.back(&[("error", code)], ""))
    }

    /// Whether the caller may allow this, and did so before.
    async fn check(&self, app: &Arc<App>, caller: &Caller) -> Result<bool, Result<Response, ApiError>> {
        let (actor, asked) = (caller.actor(), self.authorization.clone());
        let checked = app.call(move |registry| registry.check_authorization(&actor, &asked)).await;
        let was_granted = checked.map_err(|error| self.refused(error))?;
        if !self.has_scopes {
            return Err(Ok(self.back(&[("error", "invalid_scope")], "")));
        }
        if !["token", "code"].contains(&self.response_type.as_str()) {
            return Err(Ok(self.back(&[("error", "unsupported_response_type")], "")));
        }
        Ok(was_granted)
    }

    /// Lets the application act, and sends the browser back with a token or a code.
    async fn grant(&self, app: &Arc<App>, caller: &Caller) -> Result<Response, ApiError> {
        let (actor, asked) = (caller.actor(), self.authorization.clone());
        let (secret, hash) = fresh_token(app)?;
        if self.response_type == "code" {
            let made = app.call(move |registry| registry.authorize_by_code(&actor, &asked, hash)).await;
            return match made {
                Ok(()) => Ok(self.back(&[("code", secret.expose())], "")),
                Err(error) => self.refused(error),
            };
        }
        let lifetime_ms = LIFETIME_SECONDS * 1000;
        let made = app.call(move |registry| registry.authorize(&actor, &asked, hash, lifetime_ms)).await;
        if let Err(error) = made {
            return self.refused(error);
        }
        let token = secret.expose();
        let fragment = format!("#access_token={token}&token_type=Bearer&expires_in={LIFETIME_SECONDS}");
        Ok(self.back(&[("scope", &self.authorization.scopes.to_string())], &fragment))
    }
}

/// What is wrong with the request itself (RFC 6749, section 4.1.2.1: the browser is sent nowhere).
fn invalid() -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_request" }))).into_response()
}

/// `GET /oauth/authorize`: the page of consent, or straight back if the same was allowed before.
pub(super) async fn authorize(
    State(app): State<Arc<App>>,
    Extension(origin): Extension<Origin>,
    caller: Caller,
    uri: Uri,
) -> Result<Response, ApiError> {
    let query = Query::parse_form(uri.query().unwrap_or("")).ok();
    let Some(asked) = query.and_then(|query| AuthorizationRequest::of(&query, &origin)) else {
        return Ok(invalid());
    };
    if caller.session_id().is_none() {
        return Ok(consent::sign_in());
    }
    match asked.check(&app, &caller).await {
        Err(refusal) => refusal,
        Ok(true) => asked.grant(&app, &caller).await,
        Ok(false) => {
            let client_id = asked.authorization.client_id.clone();
            let info = app.call(move |registry| registry.public_application(&client_id)).await?;
            let user = caller.account().map(|account| account.name.as_str()).unwrap_or_default();
            Ok(consent::page(&asked, &info, user, &caller.csrf_token(&app).unwrap_or_default()))
        }
    }
}

/// `POST /oauth/authorizeapp`: the caller allows it.
pub(super) async fn allow(
    State(app): State<Arc<App>>,
    caller: Caller,
    asked: AuthorizationRequest,
) -> Result<Response, ApiError> {
    match asked.check(&app, &caller).await {
        Err(refusal) => refusal,
        Ok(_) => asked.grant(&app, &caller).await,
    }
}

/// `POST /oauth/denyapp`: the caller does not.
pub(super) async fn deny(
    State(app): State<Arc<App>>,
    caller: Caller,
    asked: AuthorizationRequest,
) -> Result<Response, ApiError> {
    match asked.check(&app, &caller).await {
        Err(refusal) => refusal,
        Ok(_) => Ok(asked.back(&[("error", "access_denied")], "")),
    }
}

/// `GET /oauth/localapp`: where a token ends up that no application waits for.
pub(super) async fn local() -> Response {
    consent::local()
}

/// `POST /oauth/access_token`: a code becomes a token, once, for whoever has the application's secret.
pub(super) async fn exchange(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    let refused = |status, error: &str| Ok((status, Json(json!({ "error": error }))).into_response());
    let Some(form) = form(&headers, &body) else { return Ok(invalid()) };
    if form.get("grant_type") != Some("authorization_code") {
        return refused(StatusCode::BAD_REQUEST, "unsupported_grant_type");
    }
    if !is_application(&app, &form).await? {
        return refused(StatusCode::UNAUTHORIZED, "invalid_client");
    }
    let text = |name| form.get(name).unwrap_or_default().to_owned();
    let (client_id, redirect_uri) = (text("client_id"), text("redirect_uri"));
    let code: [u8; 32] = Sha256::digest(text("code")).into();
    let (token, hash) = fresh_token(&app)?;
    let redeemed = app.call(move |registry| {
        registry.redeem_code(&client_id, &redirect_uri, code, hash, LIFETIME_SECONDS * 1000)
    });
    let issued = match redeemed.await {
        Ok(issued) => issued,
        Err(error @ (Error::StorageFull | Error::Unavailable | Error::Corrupt(_) | Error::Metadata(_))) => {
            return Err(error.into());
        }
        Err(_) => return refused(StatusCode::BAD_REQUEST, "invalid_grant"),
    };
    let answer = json!({
        "access_token": token.expose(),
        "token_type": "Bearer",
        "expires_in": LIFETIME_SECONDS,
        "scope": issued.scopes.to_string(),
    });
    Ok(([(CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(answer)).into_response())
}

/// Whether the form has the id of an application and its secret.
async fn is_application(app: &Arc<App>, form: &Query) -> Result<bool, ApiError> {
    let client_id = form.get("client_id").unwrap_or_default().to_owned();
    let kept = match app.call(move |registry| registry.application_secret_hash(&client_id)).await {
        Ok(hash) => hash,
        Err(Error::ApplicationUnknown(_)) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    Ok(matches(&Secret::new(form.get("client_secret").unwrap_or_default()), &kept))
}
