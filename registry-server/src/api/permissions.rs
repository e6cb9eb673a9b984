//! `/api/v1/repository/<repository>/permissions`.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use hyper::{Method, StatusCode};
use registry_core::oci::RepositoryName;
use registry_core::{Permission, Role, To};
use serde_json::{Map, Value, json};

use super::avatar::Avatar;
use super::body::Fields;
use super::caller::Caller;
use super::error::{ApiError, Problem};
use crate::app::App;

/// The role in a body.
///
/// # Errors
/// 400 `invalid_request` if it is missing or no role.
pub(super) fn role(fields: &Fields) -> Result<Role, ApiError> {
    Ok(match fields.choice("role", &["read", "write", "admin"])? {
        "read" => Role::Read,
        "write" => Role::Write,
        _ => Role::Admin,
    })
}

/// Whom a path names below `…/permissions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Grantee {
    pub(super) is_team: bool,
    /// None for the list of them.
    pub(super) name: Option<String>,
}

impl Grantee {
    fn to(&self) -> To<'_> {
        let name = self.name.as_deref().unwrap_or_default();
        if self.is_team { To::Team(name) } else { To::Principal(name) }
    }
}

fn view(permission: &Permission) -> Value {
    let mut view = Map::new();
    view.insert("role".into(), json!(permission.role.name()));
    view.insert("name".into(), json!(permission.name));
    if permission.is_team {
        view.insert("avatar".into(), json!(Avatar::of("team", &permission.name)));
    } else {
        view.insert("is_robot".into(), json!(permission.is_robot));
        view.insert("avatar".into(), json!(Avatar::of_entity(&permission.name, permission.is_robot)));
        view.insert("is_org_member".into(), json!(permission.is_member));
    }
    Value::Object(view)
}

/// Answers `…/permissions/user[/<name>]` and `…/permissions/team[/<name>]`.
pub(super) async fn answer(
    app: &Arc<App>,
    caller: &Caller,
    method: &Method,
    repository: RepositoryName,
    grantee: Grantee,
    fields: Option<Fields>,
) -> Result<Response, ApiError> {
    let actor = caller.actor();
    match (method.as_str(), &grantee.name) {
        ("GET" | "HEAD", _) => {
            let found = app.call(move |registry| registry.permissions(&actor, &repository)).await?;
            shown(&found, &grantee)
        }
        ("PUT", Some(_)) => {
            let role = role(&fields.ok_or_else(ApiError::not_json)?)?;
            let granted =
                app.call(move |registry| registry.grant(&actor, &repository, grantee.to(), role)).await;
            Ok(Json(view(&granted.map_err(ApiError::of_grantee)?)).into_response())
        }
        ("DELETE", Some(_)) => {
            let revoked = app.call(move |registry| registry.revoke(&actor, &repository, grantee.to())).await;
            revoked.map_err(ApiError::of_grantee)?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        _ => Err(ApiError::method_not_allowed()),
    }
}

fn shown(found: &[Permission], grantee: &Grantee) -> Result<Response, ApiError> {
    let mut wanted = found.iter().filter(|permission| permission.is_team == grantee.is_team);
    let Some(name) = &grantee.name else {
        let permissions: Map<String, Value> =
            wanted.map(|permission| (permission.name.clone(), view(permission))).collect();
        return Ok(Json(json!({ "permissions": permissions })).into_response());
    };
    let found = wanted.find(|permission| permission.name == *name);
    let found =
        found.ok_or_else(|| ApiError::refused(format!("{name} does not have permission for repo")))?;
    // Of a single team Quay tells the role alone.
    let view = if found.is_team { json!({ "role": found.role.name() }) } else { view(found) };
    Ok(Json(view).into_response())
}

/// Answers `…/permissions/user/<name>/transitive`.
pub(super) async fn transitive(
    app: &Arc<App>,
    caller: &Caller,
    repository: RepositoryName,
    name: String,
) -> Result<Response, ApiError> {
    let actor = caller.actor();
    let missing = || ApiError::problem(Problem::NotFound, "Not Found");
    let roles = app.call(move |registry| registry.transitive_roles(&actor, &repository, &name)).await;
    let roles = roles.map_err(|error| match error {
        registry_core::Error::PrincipalUnknown(_) => missing(),
        other => other.into(),
    })?;
    if roles.is_empty() {
        return Err(missing());
    }
    let roles: Vec<Value> = roles.into_iter().map(|role| json!({ "role": role.name() })).collect();
    Ok(Json(json!({ "permissions": roles })).into_response())
}
