//! `/api/v1/repository`. A repository's name may contain slashes, so a path below it is read from the right, as under `/v2/`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::{Method, StatusCode, Uri};
use registry_core::oci::{NamespaceName, RepositoryName};
use registry_core::{Action, Actor, RepositoryInfo};
use serde_json::{Value, json};

use super::body::{Fields, MaybeFields};
use super::caller::Caller;
use super::error::ApiError;
use super::logs::{self, Form};
use super::permissions::{self, Grantee};
use super::routes::Named;
use crate::app::App;
use crate::wire::query::Query;

/// Repositories of a page (Quay).
const PAGE: usize = 100;

/// What a path below `/api/v1/repository/` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    Itself,
    Visibility,
    State,
    Logs(Form),
    Permissions(Grantee),
    Transitive(String),
}

/// Reads a path from the right: the longest suffix that means something, and before it the repository.
fn parsed(path: &str) -> (&str, Wanted) {
    let path = path.trim_end_matches('/');
    let parts: Vec<&str> = path.split('/').collect();
    let upto = |count: usize| {
        let kept = parts[..parts.len() - count].iter().map(|part| part.len() + 1).sum::<usize>();
        &path[..kept.saturating_sub(1)]
    };
    let is_kind = |kind: &str| kind == "user" || kind == "team";
    let grantee = |kind: &str, name: Option<&str>| {
        Wanted::Permissions(Grantee { is_team: kind == "team", name: name.map(str::to_owned) })
    };
    match parts.as_slice() {
        [_, _, .., "permissions", "user", name, "transitive"] => {
            (upto(4), Wanted::Transitive((*name).to_owned()))
        }
        [_, _, .., "permissions", kind, name] if is_kind(kind) => (upto(3), grantee(kind, Some(name))),
        [_, _, .., "permissions", kind] if is_kind(kind) => (upto(2), grantee(kind, None)),
        [_, _, .., "changevisibility"] => (upto(1), Wanted::Visibility),
        [_, _, .., "changestate"] => (upto(1), Wanted::State),
        [_, _, .., "logs"] => (upto(1), Wanted::Logs(Form::Events)),
        [_, _, .., "aggregatelogs"] => (upto(1), Wanted::Logs(Form::Counts)),
        _ => (path, Wanted::Itself),
    }
}

/// Everything below `/api/v1/repository/<repository>`.
pub(super) async fn below(
    State(app): State<Arc<App>>,
    method: Method,
    uri: Uri,
    caller: Caller,
    Named(path): Named<String>,
    MaybeFields(fields, has_body): MaybeFields,
) -> Result<Response, ApiError> {
    if method == Method::OPTIONS {
        return Ok(StatusCode::OK.into_response());
    }
    let (name, wanted) = parsed(&path);
    let name = repository(&app, name)?;
    let fields_if_any = has_body.then_some(fields);
    let body = |fields: Option<Fields>| fields.ok_or_else(ApiError::not_json);
    match (method.as_str(), wanted) {
        ("GET" | "HEAD", Wanted::Itself) => get(&app, &caller, name).await,
        ("PUT", Wanted::Itself) => describe(&app, caller.actor(), name, &body(fields_if_any)?).await,
        ("POST", Wanted::Visibility) => {
            set_visibility(&app, caller.actor(), name, &body(fields_if_any)?).await
        }
        ("PUT", Wanted::State) => set_state(&app, caller.actor(), name, &body(fields_if_any)?).await,
        (_, Wanted::Permissions(grantee)) => {
            permissions::answer(&app, &caller, &method, name, grantee, fields_if_any).await
        }
        ("GET" | "HEAD", Wanted::Logs(form)) => logs::in_repository(&app, &caller, name, &uri, form).await,
        ("GET" | "HEAD", Wanted::Transitive(user)) => {
            permissions::transitive(&app, &caller, name, user).await
        }
        _ => Err(ApiError::method_not_allowed()),
    }
}

fn repository(app: &App, name: &str) -> Result<RepositoryName, ApiError> {
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

async fn get(app: &Arc<App>, caller: &Caller, name: RepositoryName) -> Result<Response, ApiError> {
    let actor = caller.actor();
    let asked = app.call(move |registry| {
        let info = registry.repository(&actor, &name)?;
        let may = |action| registry.may(&actor, &name, action);
        let organization = registry.organization(
            &Actor::Anonymous,
            &info.namespace.parse().map_err(|_| registry_core::Error::RepositoryUnknown(name.clone()))?,
        );
        Ok((info, may(Action::Push), may(Action::Administer), organization.is_ok()))
    });
    let (info, can_write, can_admin, is_organization) = asked.await?;
    let mut view = row(&info);
    for (key, value) in [
        ("is_organization", json!(is_organization)),
        ("is_starred", json!(false)),
        ("status_token", json!("")),
        ("trust_enabled", json!(false)),
        ("tag_expiration_s", json!(app.registry.settings().tag_window_ms / 1000)),
        ("is_free_account", json!(true)),
        ("can_write", json!(can_write)),
        ("can_admin", json!(can_admin)),
    ] {
        view[key] = value;
    }
    Ok(Json(view).into_response())
}

async fn describe(
    app: &Arc<App>,
    actor: Actor,
    name: RepositoryName,
    fields: &Fields,
) -> Result<Response, ApiError> {
    let text = fields.text("description")?.to_owned();
    app.call(move |registry| registry.set_description(&actor, &name, &text)).await?;
    Ok(Json(json!({ "success": true })).into_response())
}

async fn set_visibility(
    app: &Arc<App>,
    actor: Actor,
    name: RepositoryName,
    fields: &Fields,
) -> Result<Response, ApiError> {
    let is_public = fields.choice("visibility", &["public", "private"])? == "public";
    app.call(move |registry| registry.set_public(&actor, &name, is_public)).await?;
    Ok(Json(json!({ "success": true })).into_response())
}

async fn set_state(
    app: &Arc<App>,
    actor: Actor,
    name: RepositoryName,
    fields: &Fields,
) -> Result<Response, ApiError> {
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

/// `GET /api/v1/repository?namespace=…`.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    uri: Uri,
) -> Result<Response, ApiError> {
    caller.check_anonymous_access(&app)?;
    let query = Query::parse(uri.query().unwrap_or("")).unwrap_or_default();
    let namespace = query
        .get("namespace")
        .ok_or_else(|| ApiError::invalid("namespace, starred or public must be given"))?;
    let Ok(namespace) = namespace.parse::<NamespaceName>() else {
        return Ok(Json(json!({ "repositories": [] })).into_response());
    };
    let (actor, after) = (caller.actor(), query.get("next_page").map(str::to_owned));
    let asked =
        app.call(move |registry| registry.repositories(&actor, &namespace, after.as_deref(), PAGE)).await?;
    let rows: Vec<Value> = asked.repositories.iter().map(row).collect();
    let mut answer = json!({ "repositories": rows });
    if let Some(last) = asked.repositories.last().filter(|_| asked.has_more) {
        answer["next_page"] = json!(last.path);
    }
    Ok(Json(answer).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(is_team: bool, name: Option<&str>) -> Wanted {
        Wanted::Permissions(Grantee { is_team, name: name.map(str::to_owned) })
    }

    #[test]
    fn a_path_is_read_from_the_right() {
        for (path, name, wanted) in [
            ("acme/app", "acme/app", Wanted::Itself),
            ("acme/app/", "acme/app", Wanted::Itself),
            ("acme/a/b/c", "acme/a/b/c", Wanted::Itself),
            ("acme/a/changevisibility", "acme/a", Wanted::Visibility),
            ("acme/changevisibility", "acme/changevisibility", Wanted::Itself),
            ("acme/a/b/changestate", "acme/a/b", Wanted::State),
            ("acme/a/permissions/user/", "acme/a", of(false, None)),
            ("acme/a/permissions/team/devs", "acme/a", of(true, Some("devs"))),
            ("acme/a/b/permissions/user/acme+ci", "acme/a/b", of(false, Some("acme+ci"))),
            ("acme/a/permissions/user/bob/transitive", "acme/a", Wanted::Transitive("bob".into())),
            ("acme/permissions/user", "acme/permissions/user", Wanted::Itself),
        ] {
            assert_eq!(parsed(path), (name, wanted), "{path}");
        }
    }
}
