//! `/api/v1/organization/<org>/applications` with their tokens, and `/api/v1/app/<client_id>`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use registry_core::{ApplicationDetails, ApplicationInfo, Error, IssuedToken, NewToken, Scopes, TokenId};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::avatar::Avatar;
use super::body::Fields;
use super::caller::Caller;
use super::error::ApiError;
use super::operation::{NEXT_PAGE, Operation, Scope};
use super::organizations::{self, organization};
use super::routes::{Asked, Named};
use super::schema::{AVATAR, Schema};
use crate::app::App;
use crate::auth::robot_token::letters;
use crate::wire::secret::Secret;

/// What client secrets are made for.
pub(super) const CLIENT_SECRET: (&str, usize) = ("client secret", 40);
/// Characters of a client id.
const CLIENT_ID: usize = 20;
/// Characters of an access token.
const ACCESS_TOKEN: usize = 40;
/// How long an access token is good unless somebody says otherwise, in seconds: Quay's ten years.
pub(super) const LIFETIME_SECONDS: u64 = 315_576_000;
/// The longest name, description or address, in bytes.
const TEXT_MAX_BYTES: usize = 2048;
/// The longest name of a token, in characters (Quay).
const TITLE_MAX_CHARS: usize = 255;
/// Tokens on a page.
const PAGE: usize = 50;

const APPLICATION: Schema = Schema::Named(
    "OrganizationApplication",
    &Schema::Object(
        &[
            ("name", Schema::Text),
            ("description", Schema::Text),
            ("application_uri", Schema::Text),
            ("client_id", Schema::Text),
            ("client_secret", Schema::OrNull(&Schema::Text)),
            ("redirect_uri", Schema::OrNull(&Schema::Text)),
            ("avatar_email", Schema::OrNull(&Schema::Text)),
        ],
        &[],
    ),
);
const NEW: Schema = Schema::Named(
    "NewApp",
    &Schema::Object(
        &[("name", Schema::Text)],
        &[
            ("redirect_uri", Schema::Text),
            ("application_uri", Schema::Text),
            ("description", Schema::Text),
            ("avatar_email", Schema::OrNull(&Schema::Text)),
        ],
    ),
);
const CHANGE: Schema = Schema::Named(
    "UpdateApp",
    &Schema::Object(
        &[("name", Schema::Text), ("redirect_uri", Schema::Text), ("application_uri", Schema::Text)],
        &[("description", Schema::Text), ("avatar_email", Schema::OrNull(&Schema::Text))],
    ),
);
const PUBLIC: Schema = Schema::Object(
    &[
        ("name", Schema::Text),
        ("description", Schema::Text),
        ("uri", Schema::Text),
        ("avatar", AVATAR),
        ("organization", Schema::OrNull(&Schema::Open)),
    ],
    &[],
);
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
    const ALL: &str = "/api/v1/organization/{orgname}/applications";
    const ONE: &str = "/api/v1/organization/{orgname}/applications/{client_id}";
    const SECRET: &str = "/api/v1/organization/{orgname}/applications/{client_id}/resetclientsecret";
    const TOKENS_AT: &str = "/api/v1/organization/{orgname}/applications/{client_id}/tokens";
    const TOKEN_AT: &str = "/api/v1/organization/{orgname}/applications/{client_id}/tokens/{token_uuid}";
    let operations = vec![
        Operation::get(ALL, "getOrganizationApplications", list, "The applications of an organization.")
            .gives(Schema::Object(&[("applications", Schema::List(&APPLICATION))], &[])),
        Operation::post(ALL, "createOrganizationApplication", create, "Creates an application.")
            .takes(NEW)
            .gives(APPLICATION),
        Operation::get(ONE, "getOrganizationApplication", get, "An application.").gives(APPLICATION),
        Operation::put(ONE, "updateOrganizationApplication", change, "Changes an application.")
            .takes(CHANGE)
            .gives(APPLICATION),
        Operation::delete(ONE, "deleteOrganizationApplication", delete, "Deletes an application."),
        Operation::post(
            SECRET,
            "resetOrganizationApplicationClientSecret",
            reset_secret,
            "Makes a new secret.",
        )
        .gives(APPLICATION)
        .internal(),
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
    ];
    let mut all: Vec<Operation> =
        operations.into_iter().map(|operation| operation.scope(Scope::OrganizationAdmin)).collect();
    let public =
        Operation::get("/api/v1/app/{client_id}", "getApplicationInformation", public, "An application.");
    all.push(public.gives(PUBLIC));
    all
}

/// What the path names.
#[derive(Debug, Deserialize)]
pub(super) struct At {
    #[serde(rename = "orgname")]
    org: String,
    client_id: String,
}

/// What the path of a token names.
#[derive(Debug, Deserialize)]
pub(super) struct TokenAt {
    #[serde(rename = "orgname")]
    org: String,
    client_id: String,
    #[serde(rename = "token_uuid")]
    id: String,
}

/// A fresh access token, and what the registry keeps of it.
pub(super) fn fresh_token(app: &App) -> Result<(Secret, [u8; 32]), ApiError> {
    let token = letters(&app.registry.random::<ACCESS_TOKEN>()?);
    let hash = Sha256::digest(token.expose()).into();
    Ok((token, hash))
}

/// A fresh client secret.
pub(super) fn fresh_secret(app: &App) -> Result<registry_core::KeptSecret, ApiError> {
    let (purpose, length) = CLIENT_SECRET;
    Ok(app.auth.robots().kept(purpose, app.registry.random()?, length))
}

/// An application. Its secrets are there for those who administer the organization.
fn view(info: &ApplicationInfo, app: &App) -> Value {
    let (purpose, length) = CLIENT_SECRET;
    let nonce = info.nonce.as_ref();
    let secret = nonce.map(|nonce| app.auth.robots().secret(purpose, nonce, length).expose().to_owned());
    let details = &info.details;
    json!({
        "name": details.name,
        "description": details.description,
        "application_uri": details.application_uri,
        "client_id": info.client_id,
        "client_secret": secret,
        "redirect_uri": nonce.map(|_| &details.redirect_uri),
        "avatar_email": details.avatar_email.as_ref().filter(|_| nonce.is_some()),
    })
}

fn details(fields: &Fields, is_change: bool) -> Result<ApplicationDetails, ApiError> {
    let text = |key: &str| -> Result<String, ApiError> {
        let text = if is_change { fields.text(key)? } else { fields.optional_text(key)?.unwrap_or_default() };
        bounded(key, text)
    };
    let name = bounded("name", fields.text("name")?)?;
    if name.is_empty() {
        return Err(ApiError::invalid("'' is too short"));
    }
    let avatar_email = fields.nullable_text("avatar_email")?.flatten();
    Ok(ApplicationDetails {
        name,
        description: bounded("description", fields.optional_text("description")?.unwrap_or_default())?,
        application_uri: text("application_uri")?,
        redirect_uri: text("redirect_uri")?,
        avatar_email: avatar_email.map(|email| bounded("avatar_email", email)).transpose()?,
    })
}

fn bounded(key: &str, text: &str) -> Result<String, ApiError> {
    if text.len() > TEXT_MAX_BYTES {
        return Err(ApiError::invalid(format!("{key} is longer than {TEXT_MAX_BYTES} bytes")));
    }
    Ok(text.to_owned())
}

/// `GET /api/v1/organization/<org>/applications`.
async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(org): Named<String>,
) -> Result<Response, ApiError> {
    let (actor, org) = (caller.actor(), organization(&org)?);
    let found = app.call(move |registry| registry.applications(&actor, &org)).await?;
    let found: Vec<Value> = found.iter().map(|info| view(info, &app)).collect();
    Ok(Json(json!({ "applications": found })).into_response())
}

/// `POST /api/v1/organization/<org>/applications`.
async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(org): Named<String>,
    fields: Fields,
) -> Result<Response, ApiError> {
    let (actor, org, details) = (caller.actor(), organization(&org)?, details(&fields, false)?);
    let (secret, client_id) = (fresh_secret(&app)?, letters(&app.registry.random::<CLIENT_ID>()?));
    let made = app.call(move |registry| {
        registry.create_application(&actor, &org, client_id.expose(), &details, &secret)
    });
    Ok(Json(view(&made.await?, &app)).into_response())
}

/// `GET …/applications/<client_id>`.
async fn get(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(at): Named<At>,
) -> Result<Response, ApiError> {
    let (actor, org) = (caller.actor(), organization(&at.org)?);
    let info = app.call(move |registry| registry.application(&actor, &org, &at.client_id)).await?;
    Ok(Json(view(&info, &app)).into_response())
}

/// `PUT …/applications/<client_id>`.
async fn change(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(at): Named<At>,
    fields: Fields,
) -> Result<Response, ApiError> {
    let (actor, org, details) = (caller.actor(), organization(&at.org)?, details(&fields, true)?);
    let changed =
        app.call(move |registry| registry.change_application(&actor, &org, &at.client_id, &details));
    Ok(Json(view(&changed.await?, &app)).into_response())
}

/// `DELETE …/applications/<client_id>`.
async fn delete(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(at): Named<At>,
) -> Result<Response, ApiError> {
    let (actor, org) = (caller.actor(), organization(&at.org)?);
    app.call(move |registry| registry.delete_application(&actor, &org, &at.client_id)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST …/applications/<client_id>/resetclientsecret`.
async fn reset_secret(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(at): Named<At>,
) -> Result<Response, ApiError> {
    let (actor, org, secret) = (caller.actor(), organization(&at.org)?, fresh_secret(&app)?);
    let changed =
        app.call(move |registry| registry.reset_application_secret(&actor, &org, &at.client_id, &secret));
    Ok(Json(view(&changed.await?, &app)).into_response())
}

/// `GET /api/v1/app/<client_id>`: what everybody is told.
async fn public(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(client_id): Named<String>,
) -> Result<Response, ApiError> {
    caller.check_anonymous_access(&app)?;
    let actor = caller.actor();
    let (info, org) = app
        .call(move |registry| {
            let info = registry.public_application(&client_id)?;
            let name = info.namespace.parse().map_err(|_| Error::ApplicationUnknown(client_id))?;
            let org = registry.organization(&actor, &name).ok();
            Ok((info, org))
        })
        .await?;
    Ok(Json(json!({
        "name": info.details.name,
        "description": info.details.description,
        "uri": info.details.application_uri,
        "avatar": Avatar::of("app", &info.details.name),
        "organization": org.map(|org| organizations::view(&org, &app)),
    }))
    .into_response())
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

/// A moment in ISO 8601 with microseconds, as Quay writes those of tokens.
pub(super) fn iso(ms: u64) -> String {
    let moment = i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    moment.unwrap_or(jiff::Timestamp::MAX).strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
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
