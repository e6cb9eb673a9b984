//! `/api/v1/repository/<repository>/permissions`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use registry_core::oci::RepositoryName;
use registry_core::{Permission, Role, To};
use serde_json::{Map, Value, json};

use super::avatar::Avatar;
use super::body::Fields;
use super::caller::Caller;
use super::error::{ApiError, Problem};
use super::operation::{Operation, Scope};
use super::repositories::repository;
use super::routes::Named;
use super::schema::{AVATAR, Schema};
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

pub(super) const ROLE: Schema = Schema::OneOf(&["read", "write", "admin"]);
const GRANT: Schema = Schema::Named("Grant", &Schema::Object(&[("role", ROLE)], &[]));
const PERMISSION: Schema = Schema::Named(
    "Permission",
    &Schema::Object(
        &[("role", ROLE)],
        &[
            ("name", Schema::Text),
            ("is_robot", Schema::Flag),
            ("avatar", AVATAR),
            ("is_org_member", Schema::Flag),
        ],
    ),
);
const PERMISSIONS: Schema = Schema::Object(&[("permissions", Schema::MapOf(&PERMISSION))], &[]);
const ROLES: Schema = Schema::Object(&[("permissions", Schema::List(&GRANT))], &[]);

/// What is answered here.
pub(super) fn registered() -> Vec<Operation> {
    const USERS: &str = "/api/v1/repository/{repository}/permissions/user";
    const USER: &str = "/api/v1/repository/{repository}/permissions/user/{username}";
    const BY_ALL_WAYS: &str = "/api/v1/repository/{repository}/permissions/user/{username}/transitive";
    const TEAMS: &str = "/api/v1/repository/{repository}/permissions/team";
    const TEAM: &str = "/api/v1/repository/{repository}/permissions/team/{teamname}";
    let all = vec![
        Operation::get(USERS, "listRepoUserPermissions", list::<false>, "What users were granted.")
            .gives(PERMISSIONS),
        Operation::get(USER, "getUserPermissions", get::<false>, "What a user was granted.")
            .gives(PERMISSION),
        Operation::put(USER, "changeUserPermissions", grant::<false>, "Grants a user a role.")
            .takes(GRANT)
            .gives(PERMISSION),
        Operation::delete(USER, "deleteUserPermissions", revoke::<false>, "Takes a user's role away."),
        Operation::get(
            BY_ALL_WAYS,
            "getUserTransitivePermission",
            transitive,
            "A user's roles, by all ways.",
        )
        .gives(ROLES),
        Operation::get(TEAMS, "listRepoTeamPermissions", list::<true>, "What teams were granted.")
            .gives(PERMISSIONS),
        Operation::get(TEAM, "getTeamPermissions", get::<true>, "What a team was granted.").gives(PERMISSION),
        Operation::put(TEAM, "changeTeamPermissions", grant::<true>, "Grants a team a role.")
            .takes(GRANT)
            .gives(PERMISSION),
        Operation::delete(TEAM, "deleteTeamPermissions", revoke::<true>, "Takes a team's role away."),
    ];
    all.into_iter().map(|operation| operation.scope(Scope::RepositoryAdmin)).collect()
}

/// Whom a path names.
fn grantee(is_team: bool, name: &str) -> To<'_> {
    if is_team { To::Team(name) } else { To::Principal(name) }
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

async fn of_kind(
    app: &Arc<App>,
    caller: &Caller,
    repository: RepositoryName,
    is_team: bool,
) -> Result<Vec<Permission>, ApiError> {
    let actor = caller.actor();
    let mut found = app.call(move |registry| registry.permissions(&actor, &repository)).await?;
    found.retain(|permission| permission.is_team == is_team);
    Ok(found)
}

/// `GET …/permissions/user` and `…/permissions/team`.
async fn list<const IS_TEAM: bool>(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(name): Named<String>,
) -> Result<Response, ApiError> {
    let found = of_kind(&app, &caller, repository(&app, &name)?, IS_TEAM).await?;
    let permissions: Map<String, Value> =
        found.iter().map(|permission| (permission.name.clone(), view(permission))).collect();
    Ok(Json(json!({ "permissions": permissions })).into_response())
}

/// `GET …/permissions/user/<name>` and `…/permissions/team/<name>`.
async fn get<const IS_TEAM: bool>(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named((name, who)): Named<(String, String)>,
) -> Result<Response, ApiError> {
    let found = of_kind(&app, &caller, repository(&app, &name)?, IS_TEAM).await?;
    let found = found.iter().find(|permission| permission.name == who);
    let found = found.ok_or_else(|| ApiError::refused(format!("{who} does not have permission for repo")))?;
    // Of a single team Quay tells the role alone.
    let view = if IS_TEAM { json!({ "role": found.role.name() }) } else { view(found) };
    Ok(Json(view).into_response())
}

/// `PUT …/permissions/user/<name>` and `…/permissions/team/<name>`.
async fn grant<const IS_TEAM: bool>(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named((name, who)): Named<(String, String)>,
    fields: Fields,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), repository(&app, &name)?);
    let role = role(&fields)?;
    let granted = app.call(move |registry| registry.grant(&actor, &name, grantee(IS_TEAM, &who), role)).await;
    Ok(Json(view(&granted.map_err(ApiError::of_grantee)?)).into_response())
}

/// `DELETE …/permissions/user/<name>` and `…/permissions/team/<name>`.
async fn revoke<const IS_TEAM: bool>(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named((name, who)): Named<(String, String)>,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), repository(&app, &name)?);
    let revoked = app.call(move |registry| registry.revoke(&actor, &name, grantee(IS_TEAM, &who))).await;
    revoked.map_err(ApiError::of_grantee)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `GET …/permissions/user/<name>/transitive`.
async fn transitive(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named((name, who)): Named<(String, String)>,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), repository(&app, &name)?);
    let missing = || ApiError::problem(Problem::NotFound, "Not Found");
    let roles = app.call(move |registry| registry.transitive_roles(&actor, &name, &who)).await;
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
