//! Who calls `/api/v1`. HTTP Basic is ignored there, as in Quay: credentials of other kinds would be sent by a browser
//! unasked, from any site.
//!
//! To take a [`Caller`] is to check the CSRF token: a handler that changes something on somebody's behalf cannot know
//! who that is without it.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};
use registry_core::{AccountInfo, Actor, Credential, Principal, Session, SessionId, TokenHolder};
use subtle::ConstantTimeEq;

use super::cookie::Cookie;
use super::error::{ApiError, Problem};
use crate::app::App;
use crate::auth::identify::stored_token;
use crate::auth::visitor::VisitorId;
use crate::wire::authorization::{Authorization, AuthorizationError};
use crate::wire::query::Query;
use crate::wire::secret::Secret;

/// The header in which a page sends its CSRF token.
const CSRF_HEADER: &str = "x-csrf-token";
/// The field of a query or a form in which it may come instead.
pub(super) const CSRF_FIELD: &str = "_csrf_token";

/// The CSRF token among the fields of a form, found before the body went to the handler.
#[derive(Clone)]
pub(super) struct FormToken(pub(super) Secret);

/// Who sent a request. Its CSRF token was found good, if it needs one.
#[derive(Debug)]
pub(super) struct Caller {
    identity: Identity,
}

/// The ways in which somebody can be known.
#[derive(Debug)]
enum Identity {
    /// Nobody is signed in; with the id of a visitor, if the browser has one.
    Nobody(Option<VisitorId>),
    /// By the cookie of a session.
    Session(SessionId, Box<Session>),
    /// By an OAuth access token, within its scopes.
    Token(Box<TokenHolder>),
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(head: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let bearer = bearer(&head.headers)?;
        if let Some(Ok(token)) = &bearer
            && let Some(identity) = identity_of_bearer(app, token).await?
        {
            // No browser adds a bearer token on its own, so there is nothing to prove.
            return Ok(Self { identity });
        }
        let caller = Self { identity: identity_of_cookie(app, &head.headers).await? };
        if needs_csrf_token(&head.method) && !caller.sent_its_token(app, head) {
            return Err(ApiError::csrf(caller.account().map(|account| account.name.as_str())));
        }
        if bearer.is_some() {
            return Err(ApiError::problem(Problem::InvalidToken, "Invalid bearer token"));
        }
        Ok(caller)
    }
}

/// Whose OAuth access token it is. Tokens of other kinds, those for `/v2/` among them, are not known here.
async fn identity_of_bearer(app: &Arc<App>, token: &Secret) -> Result<Option<Identity>, ApiError> {
    let holder = stored_token(app, token).await?;
    let holder =
        holder.filter(|holder| matches!(holder.actor.credential(), Some(Credential::AccessToken(_))));
    Ok(holder.map(|holder| Identity::Token(Box::new(holder))))
}

async fn identity_of_cookie(app: &Arc<App>, headers: &HeaderMap) -> Result<Identity, ApiError> {
    match Cookie::of(headers) {
        None => Ok(Identity::Nobody(None)),
        Some(Cookie::Visitor(visitor)) => Ok(Identity::Nobody(Some(visitor))),
        Some(Cookie::Session(id)) => {
            let asked = id.clone();
            let session = app.ask(move |registry| registry.session(&asked)).await?;
            Ok(session.map_or(Identity::Nobody(None), |session| Identity::Session(id, Box::new(session))))
        }
    }
}

/// The bearer token that was sent, if one was; other schemes are ignored. Of several credentials none is chosen.
fn bearer(headers: &HeaderMap) -> Result<Option<Result<Secret, AuthorizationError>>, ApiError> {
    let header = Authorization::only_header(headers)
        .map_err(|several| ApiError::problem(Problem::InvalidToken, several.to_string()))?;
    let Some(text) = header.and_then(|value| value.to_str().ok()) else { return Ok(None) };
    Ok(match Authorization::parse(text) {
        Ok(Authorization::Bearer(token)) => Some(Ok(token)),
        Err(error) if text.trim().to_ascii_lowercase().starts_with("bearer") => Some(Err(error)),
        Ok(Authorization::Basic { .. }) | Err(_) => None,
    })
}

fn needs_csrf_token(method: &Method) -> bool {
    ![Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
}

impl Caller {
    /// Whether the request carries the token that belongs to its cookie.
    fn sent_its_token(&self, app: &App, head: &Parts) -> bool {
        let (Some(own), Some(sent)) = (self.csrf_token(app), sent_token(head)) else { return false };
        own.as_bytes().ct_eq(sent.expose().as_bytes()).into()
    }

    /// The CSRF token of the caller's session, or of the visitor.
    pub(super) fn csrf_token(&self, app: &App) -> Option<String> {
        match &self.identity {
            Identity::Nobody(None) | Identity::Token(_) => None,
            Identity::Nobody(Some(visitor)) => Some(token_text(app.auth.visitors.csrf_token(*visitor))),
            Identity::Session(_, session) => Some(token_text(session.csrf_secret)),
        }
    }

    /// The id of the session that the request came with.
    pub(super) fn session_id(&self) -> Option<&SessionId> {
        match &self.identity {
            Identity::Nobody(_) | Identity::Token(_) => None,
            Identity::Session(id, _) => Some(id),
        }
    }

    /// Who is signed in; a superuser only as far as the credential goes.
    pub(super) fn account(&self) -> Option<&AccountInfo> {
        match &self.identity {
            Identity::Nobody(_) => None,
            Identity::Session(_, session) => Some(&session.account),
            Identity::Token(holder) => Some(&holder.account),
        }
    }

    /// Who is signed in with a browser.
    pub(super) fn session_principal(&self) -> Option<Principal> {
        match &self.identity {
            Identity::Nobody(_) | Identity::Token(_) => None,
            Identity::Session(_, session) => Some(session.principal),
        }
    }

    /// On whose behalf the request runs.
    pub(super) fn actor(&self) -> Actor {
        match &self.identity {
            Identity::Nobody(_) => Actor::Anonymous,
            Identity::Session(_, session) => Actor::User(session.principal),
            Identity::Token(holder) => holder.actor.clone(),
        }
    }

    /// Who is signed in, for a route that needs somebody.
    ///
    /// # Errors
    /// 401 `invalid_token` if nobody is.
    pub(super) fn signed_in(&self) -> Result<(&AccountInfo, Actor), ApiError> {
        self.account().map(|account| (account, self.actor())).ok_or_else(ApiError::not_signed_in)
    }

    /// As [`Caller::signed_in`], for a route that needs the password to have been typed a short while ago; a token never
    /// has one (Quay).
    ///
    /// # Errors
    /// 401 `invalid_token`, or `fresh_login_required` until `POST /signin/verify`.
    pub(super) fn freshly_signed_in(&self) -> Result<(&AccountInfo, Actor), ApiError> {
        match &self.identity {
            Identity::Session(_, session) if !session.is_fresh => Err(ApiError::not_fresh()),
            Identity::Nobody(_) | Identity::Session(..) | Identity::Token(_) => self.signed_in(),
        }
    }

    /// For a route that is open to everybody where `FEATURE_ANONYMOUS_ACCESS` is.
    ///
    /// # Errors
    /// 401 `invalid_token` if nobody is signed in and it is not.
    pub(super) fn check_anonymous_access(&self, app: &App) -> Result<(), ApiError> {
        if app.registry.settings().anonymous_access { Ok(()) } else { self.signed_in().map(drop) }
    }
}

/// The CSRF token in the header, or else in the query or a form.
fn sent_token(head: &Parts) -> Option<Secret> {
    if let Some(header) = head.headers.get(CSRF_HEADER) {
        return header.to_str().ok().map(Secret::new);
    }
    let query = Query::parse(head.uri.query().unwrap_or("")).unwrap_or_default();
    let in_query = query.get(CSRF_FIELD).map(Secret::new);
    in_query.or_else(|| head.extensions.get::<FormToken>().map(|FormToken(token)| token.clone()))
}

/// A CSRF token as clients see it.
pub(super) fn token_text(token: [u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(token)
}
