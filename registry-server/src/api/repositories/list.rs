//! Lists of repositories.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use registry_core::RepositoryInfo;
use registry_core::oci::NamespaceName;
use serde_json::{Value, json};

use super::{STATE, row};
use crate::api::caller::Caller;
use crate::api::error::ApiError;
use crate::api::operation::{NEXT_PAGE, Parameter};
use crate::api::routes::Asked;
use crate::api::schema::Schema;
use crate::api::stars;
use crate::app::App;

/// Repositories of a page (Quay).
const PAGE: usize = 100;

const ROW: Schema = Schema::Named(
    "RepositoryRow",
    &Schema::Object(
        &[
            ("namespace", Schema::Text),
            ("name", Schema::Text),
            ("description", Schema::OrNull(&Schema::Text)),
            ("is_public", Schema::Flag),
            ("kind", Schema::OneOf(&["image"])),
            ("state", STATE),
        ],
        &[
            ("last_modified", Schema::OrNull(&Schema::Whole)),
            ("popularity", Schema::Number),
            ("is_starred", Schema::Flag),
        ],
    ),
);
pub(super) const ROWS: Schema =
    Schema::Object(&[("repositories", Schema::List(&ROW))], &[("next_page", Schema::Text)]);
pub(super) const LISTED: &[Parameter] = &[
    ("namespace", Schema::Text, "Only repositories of this namespace."),
    ("starred", Schema::Flag, "Only those that the caller starred."),
    ("public", Schema::Flag, "Without a namespace: all that the caller sees."),
    ("last_modified", Schema::Flag, "Whether to tell when a tag was set last."),
    ("popularity", Schema::Flag, "Whether to tell how much a repository is used."),
    NEXT_PAGE,
];

/// What a list of repositories tells besides.
#[derive(Clone, Copy, Debug)]
struct Told {
    last_modified: bool,
    popularity: bool,
}

fn told_row(info: &RepositoryInfo, told: Told) -> Value {
    let mut row = row(info);
    if told.last_modified {
        row["last_modified"] = json!(info.last_modified_ms.map(|ms| ms / 1000));
    }
    if told.popularity {
        // Quay's own counts nothing either until its workers did.
        row["popularity"] = json!(0.0);
    }
    if let Some(is_starred) = info.is_starred {
        row["is_starred"] = json!(is_starred);
    }
    row
}

/// `GET /api/v1/repository`: those of a namespace, those that the caller starred, or all that the caller sees.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    asked: Asked,
) -> Result<Response, ApiError> {
    caller.check_anonymous_access(&app)?;
    let (found, next) = if asked.flag("starred") {
        if caller.account().is_none() {
            return Err(ApiError::refused("Only who is signed in has starred repositories"));
        }
        let page = stars::starred(&app, &caller, &asked).await?;
        (page.repositories, page.next.map(|next| next.to_string()))
    } else {
        listed(&app, &caller, &asked).await?
    };
    let told = Told { last_modified: asked.flag("last_modified"), popularity: asked.flag("popularity") };
    let rows: Vec<Value> = found.iter().map(|info| told_row(info, told)).collect();
    let mut answer = json!({ "repositories": rows });
    if let Some(next) = next {
        answer["next_page"] = json!(next);
    }
    Ok(Json(answer).into_response())
}

type Listed = (Vec<RepositoryInfo>, Option<String>);

async fn listed(app: &Arc<App>, caller: &Caller, asked: &Asked) -> Result<Listed, ApiError> {
    let (actor, after) = (caller.actor(), asked.text("next_page").map(str::to_owned));
    let Some(namespace) = asked.text("namespace") else {
        if !asked.flag("public") {
            return Err(ApiError::invalid("namespace, starred or public must be given"));
        }
        // What does not name a repository is the first page.
        let after = after.and_then(|name| app.repository(&name).ok());
        let found = app.call(move |registry| registry.all_repositories(&actor, after.as_ref(), PAGE)).await?;
        let last = found.repositories.last().filter(|_| found.has_more);
        let next = last.map(|last| format!("{}/{}", last.namespace, last.path));
        return Ok((found.repositories, next));
    };
    let Ok(namespace) = namespace.parse::<NamespaceName>() else { return Ok((Vec::new(), None)) };
    let found =
        app.call(move |registry| registry.repositories(&actor, &namespace, after.as_deref(), PAGE)).await?;
    let next = found.repositories.last().filter(|_| found.has_more).map(|last| last.path.clone());
    Ok((found.repositories, next))
}
