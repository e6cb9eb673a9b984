//! `/api/v1/user/starred`: the repositories that the caller marked.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use registry_core::{Error, StarredPage};
use serde_json::{Value, json};

use super::body::Fields;
use super::caller::Caller;
use super::error::ApiError;
use super::operation::{NEXT_PAGE, Operation, Scope};
use super::routes::{Asked, Named};
use super::schema::Schema;
use crate::app::App;

/// Stars of a page (Quay).
pub(super) const PAGE: usize = 99;

const NAME: Schema = Schema::Named(
    "NewStarredRepository",
    &Schema::Object(&[("namespace", Schema::Text), ("repository", Schema::Text)], &[]),
);
const ROW: Schema = Schema::Object(
    &[
        ("namespace", Schema::Text),
        ("name", Schema::Text),
        ("description", Schema::OrNull(&Schema::Text)),
        ("is_public", Schema::Flag),
    ],
    &[],
);
const ROWS: Schema = Schema::Object(&[("repositories", Schema::List(&ROW))], &[("next_page", Schema::Text)]);

/// What is answered here.
pub(super) fn registered() -> Vec<Operation> {
    const ALL: &str = "/api/v1/user/starred";
    const ONE: &str = "/api/v1/user/starred/{repository}";
    let all = vec![
        Operation::get(ALL, "listStarredRepos", list, "The repositories that the caller starred.")
            .query(&[NEXT_PAGE])
            .gives(ROWS),
        Operation::post(ALL, "createStar", star, "Stars a repository.")
            .takes(NAME)
            .status(201)
            .gives(NAME)
            .or_null(),
        Operation::delete(ONE, "deleteStar", unstar, "Takes a star away.").or_null(),
    ];
    all.into_iter().map(|operation| operation.scope(Scope::UserAdmin)).collect()
}

/// What the caller starred, from where the query says.
pub(super) async fn starred(app: &Arc<App>, caller: &Caller, asked: &Asked) -> Result<StarredPage, ApiError> {
    let (actor, after) = (caller.actor(), asked.text("next_page").and_then(|text| text.parse().ok()));
    Ok(app.call(move |registry| registry.starred(&actor, after, PAGE)).await?)
}

/// `GET /api/v1/user/starred`.
async fn list(State(app): State<Arc<App>>, caller: Caller, asked: Asked) -> Result<Json<Value>, ApiError> {
    caller.signed_in()?;
    let page = starred(&app, &caller, &asked).await?;
    let rows = page.repositories.iter().map(|info| {
        json!({
            "namespace": info.namespace,
            "name": info.path,
            "description": info.description,
            "is_public": info.is_public,
        })
    });
    let mut answer = json!({ "repositories": rows.collect::<Vec<_>>() });
    if let Some(next) = page.next {
        answer["next_page"] = json!(next.to_string());
    }
    Ok(Json(answer))
}

/// A repository that the caller does not see is answered with nothing (Quay).
fn or_null(done: Result<(), Error>, answer: Response) -> Result<Response, ApiError> {
    match done {
        Ok(()) => Ok(answer),
        Err(Error::RepositoryUnknown(_)) => Ok(Json(Value::Null).into_response()),
        Err(error) => Err(error.into()),
    }
}

/// `POST /api/v1/user/starred`.
async fn star(State(app): State<Arc<App>>, caller: Caller, fields: Fields) -> Result<Response, ApiError> {
    caller.signed_in()?;
    let (namespace, path) = (fields.text("namespace")?, fields.text("repository")?);
    let answer = json!({ "namespace": namespace, "repository": path });
    let Ok(name) = app.repository(&format!("{namespace}/{path}")) else {
        return Ok(Json(Value::Null).into_response());
    };
    let actor = caller.actor();
    let done = app.call(move |registry| registry.star(&actor, &name)).await;
    or_null(done, (StatusCode::CREATED, Json(answer)).into_response())
}

/// `DELETE /api/v1/user/starred/<repository>`.
async fn unstar(
    State(app): State<Arc<App>>,
    caller: Caller,
    Named(name): Named<String>,
) -> Result<Response, ApiError> {
    caller.signed_in()?;
    let Ok(name) = app.repository(&name) else { return Ok(Json(Value::Null).into_response()) };
    let actor = caller.actor();
    let done = app.call(move |registry| registry.unstar(&actor, &name)).await;
    or_null(done, StatusCode::NO_CONTENT.into_response())
}
