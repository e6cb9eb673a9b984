//! `/api/v1/organization/<org>/robots` and `/api/v1/user/robots`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use registry_core::oci::NamespaceName;
use registry_core::{Error, NewRobot, RobotInfo, RobotLimits};
use serde_json::{Map, Value, json};

use super::body::{Fields, MaybeFields};
use super::caller::Caller;
use super::date;
use super::error::ApiError;
use super::organizations::organization;
use super::robot_limits;
use super::routes::Named;
use super::teams::repository_roles;
use crate::app::App;

/// The longest description, in characters (Quay).
const DESCRIPTION_MAX_CHARS: usize = 255;

/// A robot. The token is there for those who administer the namespace.
fn view(info: &RobotInfo, app: &App) -> Map<String, Value> {
    let mut view = Map::new();
    view.insert("name".into(), json!(info.name));
    view.insert("created".into(), json!(date(info.created_ms)));
    view.insert("last_accessed".into(), Value::Null);
    view.insert("description".into(), json!(info.description));
    if let Some(nonce) = &info.nonce {
        view.insert("token".into(), json!(app.auth.robots().token(nonce).expose()));
    }
    view
}

fn view_with_metadata(info: &RobotInfo, app: &App) -> Value {
    let mut view = view(info, app);
    let metadata = serde_json::from_str(&info.metadata).unwrap_or(Value::Null);
    view.insert("unstructured_metadata".into(), metadata);
    view.insert("usable_elsewhere".into(), json!(info.is_usable_elsewhere));
    view.extend(robot_limits::view(&info.limits));
    Value::Object(view)
}

/// A robot that does not exist is said to be so with 400, on which clients rely.
fn or_unknown(error: Error) -> ApiError {
    match error {
        Error::PrincipalUnknown(_) => ApiError::refused("Could not find robot with specified username"),
        Error::NameTaken(name) => ApiError::refused(format!("Existing robot with name: {name}")),
        other => other.into(),
    }
}

/// Where the robots lie: in an organization, or at home.
fn namespace(caller: &Caller, name: Option<&str>) -> Result<NamespaceName, ApiError> {
    let (account, _) = caller.signed_in()?;
    organization(name.unwrap_or(&account.name))
}

/// What the path names: an organization's robot, or the caller's own.
#[derive(Debug, serde::Deserialize)]
pub(super) struct At {
    org: Option<String>,
    short: String,
}

/// `GET /api/v1/organization/<org>/robots`.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(org): Named<String>,
) -> Result<Response, ApiError> {
    listed(&app, &caller, Some(&org)).await
}

/// `GET /api/v1/user/robots`.
pub(super) async fn list_own(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, ApiError> {
    listed(&app, &caller, None).await
}

async fn listed(app: &Arc<App>, caller: &Caller, org: Option<&str>) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), namespace(caller, org)?);
    let robots = app.call(move |registry| registry.robots(&actor, &name)).await?;
    let robots: Vec<_> = robots.iter().map(|info| view(info, app)).collect();
    Ok(Json(json!({ "robots": robots })).into_response())
}

/// `GET …/robots/<short>`.
pub(super) async fn get(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(at): Named<At>,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), namespace(&caller, at.org.as_deref())?);
    let info =
        app.call(move |registry| registry.robot(&actor, &name, &at.short)).await.map_err(or_unknown)?;
    Ok(Json(view_with_metadata(&info, &app)).into_response())
}

/// `PUT …/robots/<short>`: creates one; the body may be absent.
pub(super) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(at): Named<At>,
    fields: MaybeFields,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), namespace(&caller, at.org.as_deref())?);
    let short_name: NamespaceName =
        at.short.parse().map_err(|error| ApiError::refused(format!("Invalid robot name: {error}")))?;
    let new = new_robot(&app, short_name, &fields.0)?;
    let info = app.call(move |registry| registry.create_robot(&actor, &name, &new)).await;
    let info = info.map_err(or_unknown)?;
    Ok((StatusCode::CREATED, Json(view_with_metadata(&info, &app))).into_response())
}

fn new_robot(app: &App, short_name: NamespaceName, fields: &Fields) -> Result<NewRobot, ApiError> {
    let description = fields.optional_text("description")?.unwrap_or_default().to_owned();
    if description.chars().count() > DESCRIPTION_MAX_CHARS {
        return Err(ApiError::invalid(format!("description is longer than {DESCRIPTION_MAX_CHARS}")));
    }
    let metadata = fields.optional_object("unstructured_metadata")?.map(Value::to_string);
    Ok(NewRobot {
        short_name,
        description,
        metadata: metadata.unwrap_or_default(),
        is_usable_elsewhere: fields.optional_flag("usable_elsewhere")?.unwrap_or(false),
        token: app.auth.robots().stored(app.registry.random()?),
        limits: robot_limits::changed(RobotLimits::default(), fields, app.registry.now_ms())?,
    })
}

/// `POST …/robots/<short>`: changes what narrows it; what is left out stays (not a route of Quay's).
pub(super) async fn limit(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(at): Named<At>,
    fields: Fields,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), namespace(&caller, at.org.as_deref())?);
    let (asking, home, short) = (actor.clone(), name.clone(), at.short.clone());
    let present =
        app.call(move |registry| registry.robot(&asking, &home, &short)).await.map_err(or_unknown)?;
    let limits = robot_limits::changed(present.limits, &fields, app.registry.now_ms())?;
    let changed =
        app.call(move |registry| registry.set_robot_limits(&actor, &name, &at.short, &limits)).await;
    Ok(Json(view_with_metadata(&changed.map_err(or_unknown)?, &app)).into_response())
}

/// `DELETE …/robots/<short>`.
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(at): Named<At>,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), namespace(&caller, at.org.as_deref())?);
    let deleted = app.call(move |registry| registry.delete_robot(&actor, &name, &at.short)).await;
    deleted.map_err(or_unknown)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `GET …/robots/<short>/permissions`.
pub(super) async fn permissions(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(at): Named<At>,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), namespace(&caller, at.org.as_deref())?);
    let roles = app.call(move |registry| registry.robot_permissions(&actor, &name, &at.short)).await;
    let roles = repository_roles(&roles.map_err(or_unknown)?);
    Ok(Json(json!({ "permissions": roles })).into_response())
}

/// `POST …/robots/<short>/regenerate`.
pub(super) async fn regenerate(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(at): Named<At>,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), namespace(&caller, at.org.as_deref())?);
    let token = app.auth.robots().stored(app.registry.random()?);
    let changed = app.call(move |registry| registry.set_robot_token(&actor, &name, &at.short, &token)).await;
    Ok(Json(view(&changed.map_err(or_unknown)?, &app)).into_response())
}
