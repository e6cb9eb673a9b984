//! The token endpoint: `GET` and `POST` of `/v2/auth` and `/v2/token` (Docker's token protocol and its OAuth2 form).
//!
//! No right is an error here: a token says who asks and what was asked for, and rights are looked up when it is used.

use std::sync::Arc;

use hyper::header::{CACHE_CONTROL, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use registry_core::{Actor, Error};
use serde_json::json;

use super::caller::authorization;
use super::identify::Identified;
use super::token::Claims;
use crate::admission::{Client, Turn};
use crate::app::App;
use crate::listener::{Body, ReceivedBody};
use crate::origin::Origin;
use crate::v2::{Code, Refusal, json_answer};
use crate::wire::authorization::Authorization;
use crate::wire::token_request::{Grant, TokenRequest};

/// The largest form that is read, in bytes: hundreds of scopes fit.
const FORM_MAX_BYTES: usize = 256 << 10;

/// Answers a request for a token.
pub(crate) async fn answer(
    app: &Arc<App>,
    client: Client,
    turn: &Turn,
    head: &Parts,
    body: &mut Option<ReceivedBody>,
    origin: &Origin,
) -> Result<Response<Body>, Refusal> {
    let request = match head.method {
        Method::POST => TokenRequest::from_form(&form(turn, body).await?),
        _ => TokenRequest::from_query(head.uri.query().unwrap_or("")),
    };
    let request = request.map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, Code::Unsupported, error))?;
    let asking = asking(app, client, head, &request).await?;
    let issued_at = app.registry.now_ms() / 1000;
    let mut claims = Claims::new(asking.actor.into(), request.scopes, &origin.host, issued_at);
    claims.is_robot = asking.is_robot;
    // What comes of a credential ends no later than it.
    claims.expires_at = claims.expires_at.min(asking.expires_at.unwrap_or(u64::MAX));
    let lifetime = claims.expires_at.saturating_sub(issued_at);
    let token = app.auth.tokens.issue(&claims);
    let issued_at = i64::try_from(issued_at).ok().and_then(|now| jiff::Timestamp::from_second(now).ok());
    let mut answer = json!({ "token": token, "access_token": token, "expires_in": lifetime });
    if let Some(issued_at) = issued_at {
        answer["issued_at"] = json!(issued_at.to_string());
    }
    let mut response = json_answer(StatusCode::OK, "application/json", &answer);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

async fn form(turn: &Turn, body: &mut Option<ReceivedBody>) -> Result<bytes::Bytes, Refusal> {
    let Some(body) = body else { return Err(Error::Unavailable.into()) };
    turn.collect_up_to(FORM_MAX_BYTES, body)
        .await?
        .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, Code::Unsupported, error))
}

/// Who asks. Nobody is an answer too: an anonymous token opens what is public.
async fn asking(
    app: &Arc<App>,
    client: Client,
    head: &Parts,
    request: &TokenRequest,
) -> Result<Identified, Refusal> {
    let (user, password) = match &request.grant {
        Grant::Password { user, password } => (user.clone(), password.clone()),
        Grant::RefreshToken(_) => {
            return Err(Refusal::invalid_credential("no refresh tokens are given out, so none is accepted"));
        }
        Grant::Header => match authorization(head)? {
            None => {
                let (actor, name) = (Actor::Anonymous, String::new());
                return Ok(Identified { actor, name, is_robot: false, expires_at: None });
            }
            Some(Authorization::Basic { user, password }) => (user, password),
            Some(Authorization::Bearer(_)) => {
                return Err(Refusal::invalid_credential("a token does not get another one"));
            }
        },
    };
    let identified = app.auth.identify(app, client, &user, &password).await?;
    identified.note_sign_in(app);
    Ok(identified)
}
