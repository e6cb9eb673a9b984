//! `/api/v1/organization/<org>/team`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use registry_core::oci::NamespaceName;
use registry_core::{Error, TeamInfo, TeamMember, TeamRole};
use serde_json::{Value, json};

use super::avatar::Avatar;
use super::body::Fields;
use super::caller::Caller;
use super::error::ApiError;
use super::operation::{Operation, Scope};
use super::organizations::organization;
use super::permissions::ROLE as REPOSITORY_ROLE;
use super::routes::Named;
use super::schema::{AVATAR, Schema};
use crate::app::App;

const ROLE: Schema = Schema::OneOf(&["member", "creator", "admin"]);

pub(super) const SUMMARY: Schema = Schema::Named(
    "TeamSummary",
    &Schema::Object(
        &[
            ("name", Schema::Text),
            ("description", Schema::Text),
            ("role", ROLE),
            ("avatar", AVATAR),
            ("can_view", Schema::Flag),
            ("repo_count", Schema::Whole),
            ("member_count", Schema::Whole),
            ("is_synced", Schema::Flag),
        ],
        &[],
    ),
);
const DESCRIPTION: Schema =
    Schema::Named("TeamDescription", &Schema::Object(&[("role", ROLE)], &[("description", Schema::Text)]));
const TEAM: Schema = Schema::Named(
    "TeamView",
    &Schema::Object(
        &[
            ("name", Schema::Text),
            ("description", Schema::Text),
            ("can_view", Schema::Flag),
            ("role", ROLE),
            ("avatar", AVATAR),
            ("new_team", Schema::Flag),
        ],
        &[],
    ),
);
const MEMBER: Schema = Schema::Named(
    "TeamMember",
    &Schema::Object(
        &[
            ("name", Schema::Text),
            ("kind", Schema::OneOf(&["user"])),
            ("is_robot", Schema::Flag),
            ("avatar", AVATAR),
            ("invited", Schema::Flag),
        ],
        &[],
    ),
);
const MEMBERS: Schema = Schema::Object(
    &[("name", Schema::Text), ("members", Schema::List(&MEMBER)), ("can_edit", Schema::Flag)],
    &[],
);
const REPOSITORY: Schema = Schema::Object(&[("name", Schema::Text), ("is_public", Schema::Flag)], &[]);

/// What somebody was granted on repositories.
pub(super) const REPOSITORY_ROLES: Schema = Schema::Named(
    "RepositoryRoles",
    &Schema::Object(
        &[(
            "permissions",
            Schema::List(&Schema::Object(&[("repository", REPOSITORY), ("role", REPOSITORY_ROLE)], &[])),
        )],
        &[],
    ),
);

/// What is answered here.
pub(super) fn registered() -> Vec<Operation> {
    const TEAM_AT: &str = "/api/v1/organization/{orgname}/team/{teamname}";
    const MEMBERS_AT: &str = "/api/v1/organization/{orgname}/team/{teamname}/members";
    const MEMBER_AT: &str = "/api/v1/organization/{orgname}/team/{teamname}/members/{membername}";
    const GRANTED_AT: &str = "/api/v1/organization/{orgname}/team/{teamname}/permissions";
    let all = vec![
        Operation::put(TEAM_AT, "updateOrganizationTeam", put, "Creates or changes a team.")
            .takes(DESCRIPTION)
            .gives(TEAM),
        Operation::delete(TEAM_AT, "deleteOrganizationTeam", delete, "Deletes a team."),
        Operation::get(MEMBERS_AT, "getOrganizationTeamMembers", members, "Who is in a team.").gives(MEMBERS),
        Operation::put(MEMBER_AT, "updateOrganizationTeamMember", add, "Puts a user or robot into a team.")
            .gives(MEMBER),
        Operation::delete(MEMBER_AT, "deleteOrganizationTeamMember", remove, "Takes a member out of a team."),
        Operation::get(GRANTED_AT, "getOrganizationTeamPermissions", permissions, "What a team was granted.")
            .gives(REPOSITORY_ROLES),
    ];
    all.into_iter().map(|operation| operation.scope(Scope::OrganizationAdmin)).collect()
}

/// A team, as an organization's view lists it.
pub(super) fn summary(team: &TeamInfo) -> Value {
    json!({
        "name": team.name,
        "description": team.description,
        "role": team.role.name(),
        "avatar": Avatar::of("team", &team.name),
        "can_view": team.can_view,
        "repo_count": team.repositories,
        "member_count": team.members,
        "is_synced": false,
    })
}

/// `PUT /api/v1/organization/<org>/team/<team>`: creates or changes.
pub(super) async fn put(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named((name, team)): Named<(String, String)>,
    fields: Fields,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), organization(&name)?);
    let role = match fields.choice("role", &["member", "creator", "admin"])? {
        "member" => TeamRole::Member,
        "creator" => TeamRole::Creator,
        _ => TeamRole::Admin,
    };
    let description = fields.optional_text("description")?.map(str::to_owned);
    let team: NamespaceName =
        team.parse().map_err(|error| ApiError::refused(format!("Invalid team name: {error}")))?;
    let put = app.call(move |registry| registry.put_team(&actor, &name, &team, role, description.as_deref()));
    let (info, is_new) = put.await?;
    Ok(Json(json!({
        "name": info.name,
        "description": info.description,
        "can_view": info.can_view,
        "role": info.role.name(),
        "avatar": Avatar::of("team", &info.name),
        "new_team": is_new,
    }))
    .into_response())
}

/// `DELETE /api/v1/organization/<org>/team/<team>`.
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named((name, team)): Named<(String, String)>,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), organization(&name)?);
    let deleted = app.call(move |registry| registry.delete_team(&actor, &name, &team)).await;
    // Here Quay says so of a team that does not exist.
    deleted.map_err(|error| match error {
        Error::TeamUnknown(_) => ApiError::refused(error.to_string()),
        other => other.into(),
    })?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn member(member: &TeamMember) -> Value {
    json!({
        "name": member.name,
        "kind": "user",
        "is_robot": member.is_robot,
        "avatar": Avatar::of_entity(&member.name, member.is_robot),
        "invited": false,
    })
}

/// `GET /api/v1/organization/<org>/team/<team>/members`.
pub(super) async fn members(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named((name, team)): Named<(String, String)>,
) -> Result<Response, ApiError> {
    let (actor, name, asked) = (caller.actor(), organization(&name)?, team.clone());
    let found = app.call(move |registry| registry.team_members(&actor, &name, &asked)).await?;
    let members: Vec<Value> = found.members.iter().map(member).collect();
    Ok(Json(json!({ "name": team, "members": members, "can_edit": found.can_edit })).into_response())
}

/// `PUT /api/v1/organization/<org>/team/<team>/members/<name>`.
pub(super) async fn add(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named((name, team, new)): Named<(String, String, String)>,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), organization(&name)?);
    let added = app.call(move |registry| registry.add_team_member(&actor, &name, &team, &new)).await?;
    Ok(Json(member(&added)).into_response())
}

/// `DELETE /api/v1/organization/<org>/team/<team>/members/<name>`.
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named((name, team, old)): Named<(String, String, String)>,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), organization(&name)?);
    let removed = app.call(move |registry| registry.remove_team_member(&actor, &name, &team, &old)).await;
    removed.map_err(|error| match error {
        Error::PrincipalUnknown(_) => ApiError::missing(),
        other => other.into(),
    })?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `GET /api/v1/organization/<org>/team/<team>/permissions`.
pub(super) async fn permissions(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named((name, team)): Named<(String, String)>,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), organization(&name)?);
    let roles = app.call(move |registry| registry.team_permissions(&actor, &name, &team)).await?;
    Ok(Json(json!({ "permissions": repository_roles(&roles) })).into_response())
}

/// What somebody was granted on repositories.
pub(super) fn repository_roles(roles: &[registry_core::RepositoryRole]) -> Vec<Value> {
    let view = |granted: &registry_core::RepositoryRole| {
        json!({
            "repository": { "name": granted.path, "is_public": granted.is_public },
            "role": granted.role.name(),
        })
    };
    roles.iter().map(view).collect()
}
