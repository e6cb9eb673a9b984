//! What Quay always has and this registry keeps nothing of: lists of it are empty, and each of it is missing.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use registry_core::AccountAction;
use registry_core::oci::RepositoryName;
use serde_json::{Value, json};

use super::caller::Caller;
use super::error::{ApiError, Problem};
use super::operation::{Operation, Scope};
use super::repositories::repository;
use super::robots::{self, At};
use super::routes::Named;
use super::schema::Schema;
use crate::app::App;

pub(super) const NONE: Schema = Schema::List(&Schema::Open);
const OWN: Schema = Schema::Object(&[("notifications", NONE), ("additional", Schema::Flag)], &[]);
const OF_REPOSITORY: Schema = Schema::Object(&[("notifications", NONE)], &[]);
const KEYS: Schema = Schema::Object(&[("keys", NONE)], &[]);

/// Where Quay has parts of repositories that can be deleted one by one and of which nothing is kept here.
const PARTS: [&str; 9] = [
    "tag",
    "labels",
    "notification",
    "trigger",
    "build",
    "tokens",
    "autoprunepolicy",
    "immutabilitypolicy",
    "mirror",
];

/// Whether a path that names a repository may be meant for a part of another one. A missing repository is as good as
/// deleted; of a missing part its client must hear.
pub(super) fn reads_as_part(name: &RepositoryName) -> bool {
    let parts: Vec<&str> = name.as_str().split('/').skip(2).collect();
    parts.iter().any(|part| PARTS.contains(part))
}

/// What is answered here.
pub(super) fn registered() -> Vec<Operation> {
    const ALL: &str = "/api/v1/user/notifications";
    const ONE: &str = "/api/v1/user/notifications/{uuid}";
    const BELOW: &str = "/api/v1/repository/{repository}/notification";
    const KEYS_AT: &str = "/api/v1/superuser/keys";
    vec![
        Operation::get(ALL, "listUserNotifications", own, "Notices for the caller: none.")
            .scope(Scope::UserAdmin)
            .gives(OWN)
            .internal(),
        Operation::get(ONE, "getUserNotification", none_of_own, "A notice for the caller: there is none.")
            .scope(Scope::UserAdmin)
            .internal(),
        Operation::put(ONE, "updateUserNotification", none_of_own, "Dismisses a notice: there is none.")
            .scope(Scope::UserAdmin)
            .internal(),
        Operation::get(BELOW, "listRepoNotifications", of_repository, "Who is notified of events: nobody.")
            .scope(Scope::RepositoryAdmin)
            .gives(OF_REPOSITORY),
        Operation::get(KEYS_AT, "listServiceKeys", keys, "Keys of services beside the registry: none.")
            .scope(Scope::Superuser)
            .gives(KEYS),
    ]
}

async fn check_own(app: &Arc<App>, caller: &Caller) -> Result<(), ApiError> {
    let (_, actor) = caller.signed_in()?;
    Ok(app.ask(move |registry| registry.check_account(&actor, AccountAction::Administer)).await?)
}

/// `GET /api/v1/user/notifications`.
async fn own(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Value>, ApiError> {
    check_own(&app, &caller).await?;
    Ok(Json(json!({ "notifications": [], "additional": false })))
}

/// `GET` and `PUT /api/v1/user/notifications/<uuid>`.
async fn none_of_own(State(app): State<Arc<App>>, caller: Caller) -> Result<(), ApiError> {
    check_own(&app, &caller).await?;
    Err(ApiError::problem(Problem::NotFound, "Not Found"))
}

/// `GET …/notification/`.
async fn of_repository(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(name): Named<String>,
) -> Result<Json<Value>, ApiError> {
    let (actor, name) = (caller.actor(), repository(&app, &name)?);
    app.call(move |registry| registry.check_repository_inspection(&actor, &name)).await?;
    Ok(Json(json!({ "notifications": [] })))
}

/// `GET …/robots/<short>/federation`: who else than the holder of its token may be the robot.
pub(super) async fn federation(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(at): Named<At>,
) -> Result<Json<Value>, ApiError> {
    robots::found(&app, &caller, at).await?;
    Ok(Json(json!([])))
}

/// `GET /api/v1/superuser/keys`, which needs no fresh login (Quay).
async fn keys(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Value>, ApiError> {
    let (_, actor) = caller.signed_in()?;
    app.ask(move |registry| registry.check_account(&actor, AccountAction::Inspect)).await?;
    Ok(Json(json!({ "keys": [] })))
}
