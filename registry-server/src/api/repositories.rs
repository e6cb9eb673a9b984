//! `/api/v1/repository`.

mod list;
mod view;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use registry_core::RepositoryInfo;
use registry_core::oci::{NamespaceName, RepositoryName};
use serde_json::{Value, json};

use super::absent;
use super::body::Fields;
use super::caller::Caller;
use super::error::ApiError;
use super::operation::{Operation, Scope};
use super::routes::Named;
use super::schema::{REFUSAL, SUCCESS, Schema};
use crate::app::App;

const VISIBILITY: Schema = Schema::OneOf(&["public", "private"]);
const STATE: Schema = Schema::OneOf(&["NORMAL", "READ_ONLY"]);
const NEW: Schema = Schema::Named(
    "NewRepo",
    &Schema::Object(
        &[("repository", Schema::Text), ("visibility", VISIBILITY), ("description", Schema::Text)],
        &[("namespace", Schema::Text), ("repo_kind", Schema::OrNull(&KIND))],
    ),
);
const KIND: Schema = Schema::OneOf(&["image"]);
const CREATED: Schema = Schema::Object(
    &[("namespace", Schema::Text), ("name", Schema::Text), ("kind", Schema::OneOf(&["image"]))],
    &[],
);
const DESCRIPTION: Schema =
    Schema::Named("RepoUpdate", &Schema::Object(&[("description", Schema::Text)], &[]));

/// What is answered here.
pub(super) fn registered() -> Vec<Operation> {
    const ALL: &str = "/api/v1/repository";
    const ONE: &str = "/api/v1/repository/{repository}";
    const VISIBILITY_AT: &str = "/api/v1/repository/{repository}/changevisibility";
    const STATE_AT: &str = "/api/v1/repository/{repository}/changestate";
    const RENAME_AT: &str = "/api/v1/repository/{repository}/rename";
    const RENAME: Schema = Schema::Named("RenameRepo", &Schema::Object(&[("name", Schema::Text)], &[]));
    const CHANGE_VISIBILITY: Schema =
        Schema::Named("ChangeVisibility", &Schema::Object(&[("visibility", VISIBILITY)], &[]));
    const CHANGE_STATE: Schema = Schema::Named("ChangeRepoState", &Schema::Object(&[("state", STATE)], &[]));
    const TOKENS: &str = "/api/v1/repository/{repository}/tokens";
    const TOKEN: &str = "/api/v1/repository/{repository}/tokens/{code}";
    let gone = [
        Operation::get(TOKENS, "listRepoTokens", no_tokens, "Is no longer there."),
        Operation::post(TOKENS, "createToken", no_tokens, "Is no longer there."),
        Operation::get(TOKEN, "getTokens", no_tokens, "Is no longer there."),
        Operation::put(TOKEN, "changeToken", no_tokens, "Is no longer there."),
        Operation::delete(TOKEN, "deleteToken", no_tokens, "Is no longer there."),
    ];
    let mut all = vec![
        Operation::post(ALL, "createRepo", create, "Creates a repository.")
            .scope(Scope::RepositoryCreate)
            .takes(NEW)
            .status(201)
            .gives(CREATED),
        Operation::get(ALL, "listRepos", list::list, "The repositories that the caller sees.")
            .scope(Scope::RepositoryRead)
            .query(list::LISTED)
            .gives(list::ROWS),
        Operation::get(ONE, "getRepo", view::get, "A repository.")
            .scope(Scope::RepositoryRead)
            .query(view::SHOWN)
            .gives(view::VIEW),
        Operation::put(ONE, "updateRepo", describe, "Says something of a repository.")
            .scope(Scope::RepositoryWrite)
            .takes(DESCRIPTION)
            .gives(SUCCESS),
        Operation::delete(ONE, "deleteRepository", delete, "Deletes a repository.")
            .scope(Scope::RepositoryAdmin),
        Operation::post(RENAME_AT, "renameRepo", rename, "Gives a repository another path in its namespace.")
            .scope(Scope::RepositoryAdmin)
            .takes(RENAME)
            .gives(CREATED),
        Operation::post(
            VISIBILITY_AT,
            "changeRepoVisibility",
            set_visibility,
            "Opens or closes a repository.",
        )
        .scope(Scope::RepositoryAdmin)
        .takes(CHANGE_VISIBILITY)
        .gives(SUCCESS),
        Operation::put(STATE_AT, "changeRepoState", set_state, "Lets a repository take content, or not.")
            .scope(Scope::RepositoryAdmin)
            .takes(CHANGE_STATE)
            .gives(SUCCESS),
    ];
    all.extend(gone.map(|operation| operation.scope(Scope::RepositoryAdmin).status(410).gives(REFUSAL)));
    all
}

/// The repository of a path; what is no name is the name of none.
pub(super) fn repository(app: &App, name: &str) -> Result<RepositoryName, ApiError> {
    app.repository(name).map_err(|_| ApiError::missing())
}

fn row(info: &RepositoryInfo) -> Value {
    json!({
        "namespace": info.namespace,
        "name": info.path,
        "description": info.description,
        "is_public": info.is_public,
        "kind": "image",
        "state": state_name(info),
    })
}

fn state_name(info: &RepositoryInfo) -> &'static str {
    if info.is_read_only { "READ_ONLY" } else { "NORMAL" }
}

/// `PUT /api/v1/repository/<repository>`.
async fn describe(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(name): Named<String>,
    fields: Fields,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), repository(&app, &name)?);
    let text = fields.text("description")?.to_owned();
    app.call(move |registry| registry.set_description(&actor, &name, &text)).await?;
    Ok(Json(json!({ "success": true })).into_response())
}

/// `DELETE …`.
async fn delete(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(name): Named<String>,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), repository(&app, &name)?);
    app.call(move |registry| {
        if absent::reads_as_part(&name) {
            registry.repository(&actor, &name)?;
        }
        registry.delete_repository(&actor, &name)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST …/rename`, which Quay does not have: another path in the same namespace.
async fn rename(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(name): Named<String>,
    fields: Fields,
) -> Result<Response, ApiError> {
    let (actor, name, path) = (caller.actor(), repository(&app, &name)?, fields.text("name")?);
    let invalid =
        |error: &dyn std::fmt::Display| ApiError::refused(format!("Invalid repository name: {error}"));
    let namespace: NamespaceName = name.namespace().parse().map_err(|error| invalid(&error))?;
    let new_name = RepositoryName::new(&namespace, path).map_err(|error| invalid(&error))?;
    let view = json!({ "namespace": namespace.as_str(), "name": path, "kind": "image" });
    app.call(move |registry| registry.rename_repository(&actor, &name, &new_name)).await?;
    Ok(Json(view).into_response())
}

/// `POST …/changevisibility`.
async fn set_visibility(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(name): Named<String>,
    fields: Fields,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), repository(&app, &name)?);
    let is_public = fields.choice("visibility", &["public", "private"])? == "public";
    app.call(move |registry| registry.set_public(&actor, &name, is_public)).await?;
    Ok(Json(json!({ "success": true })).into_response())
}

/// `PUT …/changestate`.
async fn set_state(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(name): Named<String>,
    fields: Fields,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), repository(&app, &name)?);
    let is_read_only = fields.choice("state", &["NORMAL", "READ_ONLY"])? == "READ_ONLY";
    app.call(move |registry| registry.set_read_only(&actor, &name, is_read_only)).await?;
    Ok(Json(json!({ "success": true })).into_response())
}

/// `POST /api/v1/repository`.
pub(super) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    fields: Fields,
) -> Result<Response, ApiError> {
    let (account, _) = caller.signed_in()?;
    let is_public = fields.choice("visibility", &["public", "private"])? == "public";
    let (description, path) = (fields.text("description")?.to_owned(), fields.text("repository")?.to_owned());
    if fields.has("repo_kind") && !fields.is_null("repo_kind") {
        fields.choice("repo_kind", &["image"])?;
    }
    let namespace = fields.optional_text("namespace")?.unwrap_or(&account.name);
    let namespace: NamespaceName =
        namespace.parse().map_err(|error| ApiError::refused(format!("Invalid namespace: {error}")))?;
    let name = RepositoryName::new(&namespace, &path)
        .map_err(|error| ApiError::refused(format!("Invalid repository name: {error}")))?;
    let actor = caller.actor();
    let created = app.call(move |registry| {
        registry.create_described_repository(&actor, &name, is_public, Some(&description))
    });
    created.await?;
    let view = json!({ "namespace": namespace.as_str(), "name": path, "kind": "image" });
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

/// `…/tokens`: Quay had access tokens there once.
async fn no_tokens(_: Caller) -> ApiError {
    ApiError::plain(StatusCode::GONE, "Handling of access tokens is no longer supported")
}
