//! `/api/v1/organization/<org>/prototypes`: default permissions.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use registry_core::{Delegate, NewPrototype, PrototypeInfo, To};
use serde_json::{Value, json};

use super::avatar::Avatar;
use super::body::Fields;
use super::caller::Caller;
use super::error::ApiError;
use super::operation::{Operation, Scope};
use super::organizations::organization;
use super::permissions::{ROLE, role};
use super::routes::Named;
use super::schema::{AVATAR, Schema};
use crate::app::App;

const ENTITY: Schema = Schema::Named(
    "PrototypeEntity",
    &Schema::Object(
        &[("name", Schema::Text), ("kind", Schema::OneOf(&["user", "team"])), ("avatar", AVATAR)],
        &[("is_robot", Schema::Flag), ("is_org_member", Schema::Flag)],
    ),
);
const PROTOTYPE: Schema = Schema::Named(
    "Prototype",
    &Schema::Object(
        &[
            ("activating_user", Schema::OrNull(&ENTITY)),
            ("delegate", ENTITY),
            ("role", ROLE),
            ("id", Schema::Text),
        ],
        &[],
    ),
);
const PROTOTYPES: Schema = Schema::Object(&[("prototypes", Schema::List(&PROTOTYPE))], &[]);
const DELEGATE: Schema =
    Schema::Object(&[("name", Schema::Text), ("kind", Schema::OneOf(&["user", "team"]))], &[]);
const NEW: Schema = Schema::Named(
    "NewPrototype",
    &Schema::Object(
        &[("role", ROLE), ("delegate", DELEGATE)],
        &[("activating_user", Schema::Object(&[("name", Schema::Text)], &[]))],
    ),
);
const CHANGE: Schema = Schema::Named("PrototypeUpdate", &Schema::Object(&[("role", ROLE)], &[]));

/// What is answered here.
pub(super) fn registered() -> Vec<Operation> {
    const ALL: &str = "/api/v1/organization/{orgname}/prototypes";
    const ONE: &str = "/api/v1/organization/{orgname}/prototypes/{prototypeid}";
    let all = vec![
        Operation::get(ALL, "getOrganizationPrototypePermissions", list, "The default permissions.")
            .gives(PROTOTYPES),
        Operation::post(ALL, "createOrganizationPrototypePermission", create, "Adds a default permission.")
            .takes(NEW)
            .gives(PROTOTYPE),
        Operation::put(ONE, "updateOrganizationPrototypePermission", change, "Changes its role.")
            .takes(CHANGE)
            .gives(PROTOTYPE),
        Operation::delete(ONE, "deleteOrganizationPrototypePermission", delete, "Takes one away."),
    ];
    all.into_iter().map(|operation| operation.scope(Scope::OrganizationAdmin)).collect()
}

fn delegate(to: &Delegate) -> Value {
    if to.is_team {
        return json!({ "name": to.name, "kind": "team", "avatar": Avatar::of("team", &to.name) });
    }
    json!({
        "name": to.name,
        "is_robot": to.is_robot,
        "kind": "user",
        "is_org_member": to.is_member,
        "avatar": Avatar::of_entity(&to.name, to.is_robot),
    })
}

fn view(info: &PrototypeInfo) -> Value {
    json!({
        "activating_user": info.activating.as_ref().map(delegate),
        "delegate": delegate(&info.delegate),
        "role": info.role.name(),
        "id": info.id.to_string(),
    })
}

/// `GET …/prototypes`.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(name): Named<String>,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), organization(&name)?);
    let found = app.call(move |registry| registry.prototypes(&actor, &name)).await?;
    let prototypes: Vec<Value> = found.iter().map(view).collect();
    Ok(Json(json!({ "prototypes": prototypes })).into_response())
}

/// `POST …/prototypes`.
pub(super) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(name): Named<String>,
    fields: Fields,
) -> Result<Response, ApiError> {
    let (actor, name, role) = (caller.actor(), organization(&name)?, role(&fields)?);
    let to = fields.object("delegate")?;
    let (delegate, is_team) = (to.text("name")?.to_owned(), to.choice("kind", &["user", "team"])? == "team");
    let activating = fields.optional_fields("activating_user")?;
    let activating = activating.map(|user| user.text("name").map(str::to_owned)).transpose()?;
    let made = app.call(move |registry| {
        let delegate = if is_team { To::Team(&delegate) } else { To::Principal(&delegate) };
        let new = NewPrototype { activating: activating.as_deref(), delegate, role };
        registry.create_prototype(&actor, &name, &new)
    });
    let made = made.await.map_err(ApiError::of_grantee)?;
    Ok(Json(view(&made)).into_response())
}

/// `PUT …/prototypes/<id>`.
pub(super) async fn change(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named((name, id)): Named<(String, String)>,
    fields: Fields,
) -> Result<Response, ApiError> {
    let (actor, name, role) = (caller.actor(), organization(&name)?, role(&fields)?);
    let changed = app.call(move |registry| registry.set_prototype_role(&actor, &name, id.parse()?, role));
    Ok(Json(view(&changed.await?)).into_response())
}

/// `DELETE …/prototypes/<id>`.
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named((name, id)): Named<(String, String)>,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), organization(&name)?);
    app.call(move |registry| registry.delete_prototype(&actor, &name, id.parse()?)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
