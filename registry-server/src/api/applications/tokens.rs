//! `/api/v1/organization/<org>/applications/<client_id>/tokens`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use registry_core::{IssuedToken, NewToken, Scopes, TokenId};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::At;
use crate::api::body::Fields;
use crate::api::caller::Caller;
use crate::api::error::ApiError;
use crate::api::iso;
use crate::api::operation::{NEXT_PAGE, Operation};
use crate::api::organizations::organization;
use crate::api::routes::{Asked, Named};
use crate::api::schema::Schema;
use crate::app::App;
use crate::auth::robot_token::letters;
use crate::wire::secret::Secret;

/// Characters of an access token.
const ACCESS_TOKEN: usize = 40;
/// How long an access token is good unless somebody says otherwise, in seconds: Quay's ten years.
pub(in crate::api) const LIFETIME_SECONDS: u64 = 315_576_000;
/// The longest name of a token, in characters (Quay).
const TITLE_MAX_CHARS: usize = 255;
/// Tokens on a page.
const PAGE: usize = 50;

const TOKEN: Schema = Schema::Named(
    "ApplicationToken",
    &Schema::Object(
        &[
            ("uuid", Schema::Text),
            ("name", Schema::Text),
            ("scope", Schema::Text),
            ("expires_at", Schema::OrNull(&Schema::Text)),
            ("created", Schema::Text),
            ("created_by", Schema::Text),
            ("last_accessed", Schema::OrNull(&Schema::Text)),
        ],
        &[("token", Schema::Text)],
    ),
);
const TOKENS: Schema = Schema::Object(&[("tokens", Schema::List(&TOKEN))], &[("next_page", Schema::Text)]);
const NEW_TOKEN: Schema = Schema::Named(
    "NewApplicationToken",
    &Schema::Object(&[("name", Schema::Text), ("scope", Schema::Text)], &[("expiration", Schema::Whole)]),
);

/// What is answered here.
pub(super) fn registered() -> Vec<Operation> {
    const TOKENS_AT: &str = "/api/v1/organization/{orgname}/applications/{client_id}/tokens";
    const TOKEN_AT: &str = "/api/v1/organization/{orgname}/applications/{client_id}/tokens/{token_uuid}";
    vec![
        Operation::get(TOKENS_AT, "listApplicationTokens", tokens, "The tokens of an application.")
            .query(&[NEXT_PAGE])
            .gives(TOKENS),
        Operation::post(
            TOKENS_AT,
            "createApplicationToken",
            create_token,
            "Creates a token, shown this once.",
        )
        .takes(NEW_TOKEN)
        .gives(TOKEN),
        Operation::delete(TOKEN_AT, "revokeApplicationToken", revoke_token, "Revokes a token."),
    ]
}

/// What the path of a token names.
#[derive(Debug, Deserialize)]
struct TokenAt {
    #[serde(rename = "orgname")]
    org: String,
    client_id: String,
    #[serde(rename = "token_uuid")]
    id: String,
}

/// A fresh access token, and what the registry keeps of it.
pub(in crate::api) fn fresh_token(app: &App) -> Result<(Secret, [u8; 32]), ApiError> {
    let token = letters(&app.registry.random::<ACCESS_TOKEN>()?);
    let hash = Sha256::digest(token.expose()).into();
    Ok((token, hash))
}

/// A token, without its secret.
fn token_view(token: &IssuedToken) -> Value {
    json!({
        "uuid": token.id.to_string(),
        "name": token.title,
        "scope": token.scopes.to_string(),
        "expires_at": token.expires_ms.map(iso),
        "created": iso(token.created_ms),
        "created_by": token.user,
        "last_accessed": token.accessed_ms.map(iso),
    })
}

/// `GET …/applications/<client_id>/tokens`.
async fn tokens(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(at): Named<At>,
    asked: Asked,
) -> Result<Response, ApiError> {
    let (actor, org) = (caller.actor(), organization(&at.org)?);
    // What does not decode is the first page, as in Quay.
    let after: Option<TokenId> = asked.text("next_page").and_then(|id| id.parse().ok());
    let listed =
        app.call(move |registry| registry.application_tokens(&actor, &org, &at.client_id, after, PAGE));
    let (tokens, has_more) = listed.await?;
    let mut answer = json!({ "tokens": tokens.iter().map(token_view).collect::<Vec<Value>>() });
    if let Some(last) = tokens.last().filter(|_| has_more) {
        answer["next_page"] = json!(last.id.to_string());
    }
    Ok(Json(answer).into_response())
}

/// `POST …/applications/<client_id>/tokens`: the token is shown this once.
async fn create_token(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(at): Named<At>,
    fields: Fields,
) -> Result<Response, ApiError> {
    let (actor, org) = (caller.actor(), organization(&at.org)?);
    let title = fields.text("name")?.to_owned();
    if title.is_empty() || title.chars().count() > TITLE_MAX_CHARS {
        return Err(ApiError::invalid(format!("name has 1 to {TITLE_MAX_CHARS} characters")));
    }
    let scope = fields.text("scope")?;
    let scopes: Scopes = scope.parse().map_err(|_| ApiError::refused("Invalid scope"))?;
    let lifetime = fields.optional_number("expiration")?.unwrap_or(LIFETIME_SECONDS);
    if lifetime == 0 {
        return Err(ApiError::invalid("0 is less than the minimum of 1"));
    }
    let (token, hash) = fresh_token(&app)?;
    let new = NewToken { title, scopes, hash, lifetime_ms: lifetime.saturating_mul(1000) };
    let made = app.call(move |registry| registry.create_application_token(&actor, &org, &at.client_id, &new));
    let mut view = token_view(&made.await?);
    view["token"] = json!(token.expose());
    Ok(Json(view).into_response())
}

/// `DELETE …/applications/<client_id>/tokens/<uuid>`.
async fn revoke_token(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(at): Named<TokenAt>,
) -> Result<Response, ApiError> {
    let (actor, org, id) = (caller.actor(), organization(&at.org)?, at.id.parse::<TokenId>()?);
    app.call(move |registry| registry.revoke_application_token(&actor, &org, &at.client_id, id)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
