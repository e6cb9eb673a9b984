//! `/api/v1/organization`: organizations and who belongs to them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use registry_core::oci::NamespaceName;
use registry_core::{MemberInfo, OrganizationInfo};
use serde_json::{Map, Value, json};

use super::avatar::Avatar;
use super::body::Fields;
use super::caller::Caller;
use super::error::ApiError;
use super::operation::{Operation, Scope};
use super::profile::{Whose, profile_fields};
use super::routes::Named;
use super::schema::{AVATAR, Schema};
use super::teams;
use crate::app::App;

const ORGANIZATION: Schema = Schema::Named(
    "OrganizationView",
    &Schema::Object(
        &[
            ("name", Schema::Text),
            ("email", Schema::Text),
            ("avatar", AVATAR),
            ("is_admin", Schema::Flag),
            ("is_member", Schema::Flag),
        ],
        &[
            ("teams", Schema::MapOf(&teams::SUMMARY)),
            ("ordered_teams", Schema::List(&Schema::Text)),
            ("invoice_email", Schema::Flag),
            ("invoice_email_address", Schema::OrNull(&Schema::Text)),
            ("tag_expiration_s", Schema::Whole),
            ("is_free_account", Schema::Flag),
        ],
    ),
);
const NEW: Schema = Schema::Named(
    "NewOrg",
    &Schema::Object(&[("name", Schema::Text)], &[("email", Schema::Text), ("contact_email", Schema::Text)]),
);
const CHANGE: Schema = Schema::Named(
    "UpdateOrg",
    &Schema::Object(
        &[],
        &[
            ("email", Schema::OrNull(&Schema::Text)),
            ("contact_email", Schema::OrNull(&Schema::Text)),
            ("invoice_email", Schema::Flag),
            ("invoice_email_address", Schema::OrNull(&Schema::Text)),
        ],
    ),
);
const TEAM: Schema = Schema::Object(&[("name", Schema::Text), ("avatar", AVATAR)], &[]);
const MEMBER: Schema = Schema::Named(
    "OrganizationMember",
    &Schema::Object(
        &[
            ("name", Schema::Text),
            ("kind", Schema::OneOf(&["user", "robot"])),
            ("avatar", AVATAR),
            ("repositories", Schema::List(&Schema::Text)),
        ],
        &[("teams", Schema::List(&TEAM))],
    ),
);
const MEMBERS: Schema = Schema::Object(&[("members", Schema::List(&MEMBER))], &[]);
const COLLABORATORS: Schema = Schema::Object(&[("collaborators", Schema::List(&MEMBER))], &[]);

/// What is answered here.
pub(super) fn registered() -> Vec<Operation> {
    const ORG: &str = "/api/v1/organization/{orgname}";
    const MEMBERS_AT: &str = "/api/v1/organization/{orgname}/members";
    const COLLABORATORS_AT: &str = "/api/v1/organization/{orgname}/collaborators";
    const MEMBER_AT: &str = "/api/v1/organization/{orgname}/members/{membername}";
    vec![
        Operation::post("/api/v1/organization", "createOrganization", create, "Creates an organization.")
            .scope(Scope::UserAdmin)
            .takes(NEW)
            .status(201)
            .gives(Schema::OneOf(&["Created"])),
        Operation::get(ORG, "getOrganization", get, "An organization, as the caller sees it.")
            .gives(ORGANIZATION),
        Operation::put(ORG, "changeOrganizationDetails", change, "Changes an organization.")
            .scope(Scope::OrganizationAdmin)
            .takes(CHANGE)
            .gives(ORGANIZATION),
        Operation::delete(ORG, "deleteAdminedOrganization", delete, "Deletes an organization.")
            .scope(Scope::OrganizationAdmin)
            .fresh(),
        Operation::get(MEMBERS_AT, "getOrganizationMembers", members, "Who is in an organization's teams.")
            .scope(Scope::OrganizationAdmin)
            .gives(MEMBERS),
        Operation::get(
            COLLABORATORS_AT,
            "getOrganizationCollaborators",
            collaborators,
            "Users outside its teams.",
        )
        .scope(Scope::OrganizationAdmin)
        .gives(COLLABORATORS),
        Operation::get(MEMBER_AT, "getOrganizationMember", one_member, "A member of an organization.")
            .scope(Scope::OrganizationAdmin)
            .gives(MEMBER),
        Operation::delete(MEMBER_AT, "removeOrganizationMember", remove_member, "Takes a member out.")
            .scope(Scope::OrganizationAdmin),
    ]
}

/// The name of an organization in a path; what is no name is the name of none.
pub(super) fn organization(name: &str) -> Result<NamespaceName, ApiError> {
    name.parse().map_err(|_| ApiError::problem(super::error::Problem::NotFound, "Not Found"))
}

/// An organization, with what the caller may see of it.
pub(super) fn view(info: &OrganizationInfo, app: &App) -> Value {
    let mut view = Map::new();
    view.insert("name".into(), json!(info.name));
    view.insert("email".into(), json!(info.email));
    view.insert("avatar".into(), json!(Avatar::of("user", &info.name)));
    view.insert("is_admin".into(), json!(info.is_admin));
    view.insert("is_member".into(), json!(info.is_member));
    if info.is_member {
        let teams: Map<String, Value> =
            info.teams.iter().map(|team| (team.name.clone(), teams::summary(team))).collect();
        view.insert("ordered_teams".into(), teams.keys().cloned().collect());
        view.insert("teams".into(), Value::Object(teams));
    }
    if info.is_admin {
        view.insert("invoice_email".into(), json!(info.profile.invoice_email));
        view.insert("invoice_email_address".into(), json!(info.profile.invoice_email_address));
        view.insert("tag_expiration_s".into(), json!(app.registry.settings().tag_window_ms / 1000));
        view.insert("is_free_account".into(), json!(true));
    }
    Value::Object(view)
}

/// `POST /api/v1/organization/`.
pub(super) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    fields: Fields,
) -> Result<Response, ApiError> {
    caller.signed_in()?;
    let name: NamespaceName =
        fields.text("name")?.parse().map_err(|error| ApiError::refused(format!("Invalid name: {error}")))?;
    let email = fields.optional_text("contact_email")?.or(fields.optional_text("email")?);
    let (actor, email) = (caller.actor(), email.unwrap_or_default().to_owned());
    app.call(move |registry| registry.create_organization(&actor, &name, &email)).await?;
    Ok((StatusCode::CREATED, Json("Created")).into_response())
}

/// `GET /api/v1/organization/<org>`: for everybody, who see less.
pub(super) async fn get(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(name): Named<String>,
) -> Result<Response, ApiError> {
    caller.check_anonymous_access(&app)?;
    let (actor, name) = (caller.actor(), organization(&name)?);
    let info = app.ask(move |registry| registry.organization(&actor, &name)).await?;
    Ok(Json(view(&info, &app)).into_response())
}

/// `PUT /api/v1/organization/<org>`: where it is written to.
pub(super) async fn change(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(name): Named<String>,
    fields: Fields,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), organization(&name)?);
    let email = fields.nullable_text("contact_email")?.or(fields.nullable_text("email")?);
    let email = email.map(|email| email.unwrap_or_default().to_owned());
    let profile = profile_fields(&fields, Whose::Organization)?;
    let changed = app.call(move |registry| {
        registry.change_organization(&actor, &name, email.as_deref(), &profile)?;
        registry.organization(&actor, &name)
    });
    Ok(Json(view(&changed.await?, &app)).into_response())
}

/// `DELETE /api/v1/organization/<org>`.
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(name): Named<String>,
) -> Result<Response, ApiError> {
    caller.freshly_signed_in()?;
    let (actor, name) = (caller.actor(), organization(&name)?);
    app.call(move |registry| registry.delete_organization(&actor, &name)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn member(info: &MemberInfo) -> Value {
    let teams: Vec<Value> =
        info.teams.iter().map(|team| json!({ "name": team, "avatar": Avatar::of("team", team) })).collect();
    json!({
        "name": info.name,
        "kind": if info.is_robot { "robot" } else { "user" },
        "avatar": Avatar::of_entity(&info.name, info.is_robot),
        "teams": teams,
        "repositories": info.repositories,
    })
}

/// `GET /api/v1/organization/<org>/members`: everybody but robots.
pub(super) async fn members(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(name): Named<String>,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), organization(&name)?);
    let members = app.call(move |registry| registry.members(&actor, &name)).await?;
    let members: Vec<Value> = members.iter().filter(|info| !info.is_robot).map(member).collect();
    Ok(Json(json!({ "members": members })).into_response())
}

/// `GET /api/v1/organization/<org>/collaborators`: users with roles on its repositories who are in no team.
async fn collaborators(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(name): Named<String>,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), organization(&name)?);
    let found = app.call(move |registry| registry.collaborators(&actor, &name)).await?;
    let views = found.iter().map(|info| {
        json!({
            "kind": "user",
            "name": info.name,
            "avatar": Avatar::of("user", &info.name),
            "repositories": info.repositories,
        })
    });
    Ok(Json(json!({ "collaborators": views.collect::<Vec<_>>() })).into_response())
}

/// `GET /api/v1/organization/<org>/members/<name>`.
pub(super) async fn one_member(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named((name, wanted)): Named<(String, String)>,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), organization(&name)?);
    let members = app.call(move |registry| registry.members(&actor, &name)).await?;
    let found = members.iter().find(|info| info.name == wanted).ok_or_else(ApiError::missing)?;
    Ok(Json(member(found)).into_response())
}

/// `DELETE /api/v1/organization/<org>/members/<name>`.
pub(super) async fn remove_member(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named((name, member)): Named<(String, String)>,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), organization(&name)?);
    let removed = app.call(move |registry| registry.remove_member(&actor, &name, &member)).await;
    removed.map_err(|error| match error {
        registry_core::Error::PrincipalUnknown(_) => ApiError::missing(),
        other => other.into(),
    })?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
