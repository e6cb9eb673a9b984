//! `/api/v1/organization/<org>/applications` and `/api/v1/app/<client_id>`.

mod tokens;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use registry_core::{ApplicationDetails, ApplicationInfo, Error};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) use self::tokens::{LIFETIME_SECONDS, fresh_token};
use super::avatar::Avatar;
use super::body::Fields;
use super::caller::Caller;
use super::error::ApiError;
use super::operation::{Operation, Scope};
use super::organizations::{self, organization};
use super::routes::Named;
use super::schema::{AVATAR, Schema};
use crate::app::App;
use crate::auth::robot_token::letters;

/// What client secrets are made for.
const CLIENT_SECRET: (&str, usize) = ("client secret", 40);
/// Characters of a client id.
const CLIENT_ID: usize = 20;
/// The longest name, description or address, in bytes.
const TEXT_MAX_BYTES: usize = 2048;

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
/// What is answered here.
pub(super) fn registered() -> Vec<Operation> {
    const ALL: &str = "/api/v1/organization/{orgname}/applications";
    const ONE: &str = "/api/v1/organization/{orgname}/applications/{client_id}";
    const SECRET: &str = "/api/v1/organization/{orgname}/applications/{client_id}/resetclientsecret";
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
    ];
    let mut all: Vec<Operation> = operations
        .into_iter()
        .chain(tokens::registered())
        .map(|operation| operation.scope(Scope::OrganizationAdmin))
        .collect();
    let public =
        Operation::get("/api/v1/app/{client_id}", "getApplicationInformation", public, "An application.");
    all.push(public.gives(PUBLIC));
    all
}

/// What the path names.
#[derive(Debug, Deserialize)]
struct At {
    #[serde(rename = "orgname")]
    org: String,
    client_id: String,
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
