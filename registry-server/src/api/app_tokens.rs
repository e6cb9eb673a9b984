//! `/api/v1/user/apptoken` and `/api/v1/user/authorizations`: what acts in a user's place.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use registry_core::{AuthorizationInfo, IssuedToken, TokenId};
use serde_json::{Value, json};

use super::avatar::Avatar;
use super::body::Fields;
use super::caller::Caller;
use super::date;
use super::error::ApiError;
use super::operation::{Operation, Parameter, Scope};
use super::routes::{Asked, Named};
use super::schema::Schema;
use super::scopes;
use crate::app::App;

/// What app-specific tokens are made for, and their length.
const APP_TOKEN: (&str, usize) = ("app token", 120);
/// The longest title, in characters.
const TITLE_MAX_CHARS: usize = 255;
/// How long a token is good from which "expiring" is reckoned where tokens have no end, in milliseconds.
const EXPIRING_BASE_MS: u64 = 4 * 7 * 24 * 60 * 60 * 1000;

const TOKEN: Schema = Schema::Named(
    "AppSpecificToken",
    &Schema::Object(
        &[
            ("uuid", Schema::Text),
            ("title", Schema::Text),
            ("last_accessed", Schema::OrNull(&Schema::Text)),
            ("created", Schema::Text),
            ("expiration", Schema::OrNull(&Schema::Text)),
        ],
        &[("token_code", Schema::Text)],
    ),
);
const ONE: Schema = Schema::Object(&[("token", TOKEN)], &[]);
const LIST: Schema = Schema::Object(
    &[("tokens", Schema::List(&TOKEN)), ("only_expiring", Schema::OrNull(&Schema::Flag))],
    &[],
);
const NEW: Schema = Schema::Named("NewToken", &Schema::Object(&[("title", Schema::Text)], &[]));
const AUTHORIZATION: Schema = Schema::Named(
    "Authorization",
    &Schema::Object(
        &[("uuid", Schema::Text), ("application", Schema::Open), ("scopes", Schema::List(&Schema::Open))],
        &[],
    ),
);
const EXPIRING: &[Parameter] = &[("expiring", Schema::Flag, "Only those that end soon.")];

/// What is answered here.
pub(super) fn registered() -> Vec<Operation> {
    const TOKENS: &str = "/api/v1/user/apptoken";
    const TOKEN_AT: &str = "/api/v1/user/apptoken/{token_uuid}";
    const GRANTED: &str = "/api/v1/user/authorizations";
    const GRANTED_AT: &str = "/api/v1/user/authorizations/{access_token_uuid}";
    let authorizations_schema = Schema::Object(&[("authorizations", Schema::List(&AUTHORIZATION))], &[]);
    let operations = vec![
        Operation::get(TOKENS, "listAppTokens", list, "The caller's app-specific tokens.")
            .query(EXPIRING)
            .gives(LIST),
        Operation::post(TOKENS, "createAppToken", create, "Creates an app-specific token.")
            .takes(NEW)
            .gives(ONE)
            .fresh(),
        Operation::get(TOKEN_AT, "getAppToken", get, "An app-specific token.").gives(ONE).fresh(),
        Operation::delete(TOKEN_AT, "revokeAppToken", revoke, "Revokes an app-specific token.").fresh(),
        Operation::get(
            GRANTED,
            "listUserAuthorizations",
            authorizations,
            "Which applications act for the caller.",
        )
        .gives(authorizations_schema)
        .internal(),
        Operation::get(GRANTED_AT, "getUserAuthorization", one_authorization, "One of them.")
            .gives(AUTHORIZATION)
            .internal(),
        Operation::delete(GRANTED_AT, "deleteUserAuthorization", revoke_authorization, "Ends one of them.")
            .internal(),
    ];
    operations.into_iter().map(|operation| operation.scope(Scope::UserAdmin)).collect()
}

/// Whether there are app-specific tokens (`FEATURE_APP_SPECIFIC_TOKENS`).
fn check_feature(app: &App) -> Result<(), ApiError> {
    if app.registry.settings().app_tokens { Ok(()) } else { Err(ApiError::missing()) }
}

fn view(token: &IssuedToken) -> Value {
    json!({
        "uuid": token.id.to_string(),
        "title": token.title,
        "last_accessed": token.accessed_ms.map(date),
        "created": date(token.created_ms),
        "expiration": token.expires_ms.map(date),
    })
}

fn view_with_code(token: &IssuedToken, app: &App) -> Value {
    let mut view = view(token);
    let (purpose, length) = APP_TOKEN;
    view["token_code"] = json!(app.auth.robots().secret(purpose, &token.nonce, length).expose());
    view
}

/// `GET /api/v1/user/apptoken?expiring=bool`, the latest first.
async fn list(State(app): State<Arc<App>>, caller: Caller, asked: Asked) -> Result<Response, ApiError> {
    check_feature(&app)?;
    let (_, actor) = caller.signed_in()?;
    let only_expiring = asked.text("expiring").map(|text| text.eq_ignore_ascii_case("true"));
    let mut tokens = app.call(move |registry| registry.app_tokens(&actor)).await?;
    tokens.sort_by_key(|token| std::cmp::Reverse((token.created_ms, token.id)));
    let lifetime_ms = app.registry.settings().app_token_expiry_ms.unwrap_or(EXPIRING_BASE_MS);
    let soon_ms = app.registry.now_ms().saturating_add(lifetime_ms / 10);
    let is_shown = |token: &&IssuedToken| {
        only_expiring != Some(true) || token.expires_ms.is_some_and(|expires_ms| expires_ms <= soon_ms)
    };
    let tokens: Vec<Value> = tokens.iter().filter(is_shown).map(view).collect();
    Ok(Json(json!({ "tokens": tokens, "only_expiring": only_expiring })).into_response())
}

/// `POST /api/v1/user/apptoken`.
async fn create(State(app): State<Arc<App>>, caller: Caller, fields: Fields) -> Result<Response, ApiError> {
    check_feature(&app)?;
    let (_, actor) = caller.freshly_signed_in()?;
    let title = fields.text("title")?.to_owned();
    if title.chars().count() > TITLE_MAX_CHARS {
        return Err(ApiError::invalid(format!("title is longer than {TITLE_MAX_CHARS}")));
    }
    let (purpose, length) = APP_TOKEN;
    let secret = app.auth.robots().kept(purpose, app.registry.random()?, length);
    let made = app.call(move |registry| registry.create_app_token(&actor, &title, &secret)).await?;
    Ok(Json(json!({ "token": view_with_code(&made, &app) })).into_response())
}

/// `GET /api/v1/user/apptoken/<uuid>`, with the token itself.
async fn get(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Response, ApiError> {
    check_feature(&app)?;
    let (_, actor) = caller.freshly_signed_in()?;
    let id: TokenId = id.parse()?;
    let found = app.call(move |registry| registry.app_token(&actor, id)).await?;
    Ok(Json(json!({ "token": view_with_code(&found, &app) })).into_response())
}

/// `DELETE /api/v1/user/apptoken/<uuid>`.
async fn revoke(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Response, ApiError> {
    check_feature(&app)?;
    let (_, actor) = caller.freshly_signed_in()?;
    let id: TokenId = id.parse()?;
    app.call(move |registry| registry.revoke_app_token(&actor, id)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn authorization(info: &AuthorizationInfo) -> Value {
    let scopes = info.scopes.iter().map(|scope| {
        let (title, description) = scopes::told(scope);
        let dangerous = scopes::is_dangerous(scope);
        let icon = if dangerous { "fa-warning" } else { "fa-hdd-o" };
        let scope = scope.name();
        json!({ "scope": scope, "title": title, "description": description, "icon": icon, "dangerous": dangerous })
    });
    let (details, org) = (&info.application.details, &info.application.namespace);
    json!({
        "uuid": info.id.to_string(),
        "application": {
            "name": details.name,
            "description": details.description,
            "url": details.application_uri,
            "avatar": Avatar::of("app", &details.name),
            "organization": { "name": org, "avatar": Avatar::of("org", org) },
        },
        "scopes": scopes.collect::<Vec<Value>>(),
    })
}

/// `GET /api/v1/user/authorizations`: which applications act for the caller.
async fn authorizations(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, ApiError> {
    let (_, actor) = caller.signed_in()?;
    let found = app.call(move |registry| registry.authorizations(&actor)).await?;
    let found: Vec<Value> = found.iter().map(authorization).collect();
    Ok(Json(json!({ "authorizations": found })).into_response())
}

/// `GET /api/v1/user/authorizations/<uuid>`.
async fn one_authorization(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Response, ApiError> {
    let (_, actor) = caller.signed_in()?;
    let id: TokenId = id.parse()?;
    let found = app.call(move |registry| registry.authorizations(&actor)).await?;
    let info = found.iter().find(|info| info.id == id).ok_or(registry_core::Error::TokenUnknown)?;
    Ok(Json(authorization(info)).into_response())
}

/// `DELETE /api/v1/user/authorizations/<uuid>`.
async fn revoke_authorization(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Response, ApiError> {
    let (_, actor) = caller.signed_in()?;
    let id: TokenId = id.parse()?;
    app.call(move |registry| registry.revoke_authorization(&actor, id)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
