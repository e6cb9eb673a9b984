//! `POST /api/v1/jobtoken`: a robot derives a narrower token for one job (not a route of Quay's).
//!
//! The robot sends its own name and token with Basic, on this route alone. A job token gets no other one.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use hyper::HeaderMap;
use registry_core::{Actor, Globs, Job, Observed, Principal, TokenId};
use serde_json::json;

use super::body::Fields;
use super::error::ApiError;
use super::operation::Operation;
use super::schema::Schema;
use crate::admission::Client;
use crate::app::App;
use crate::auth::job_token;
use crate::wire::authorization::Authorization;

/// How long a job token is good unless somebody says otherwise, in minutes.
const MINUTES: u64 = 60;

const WANTED: Schema = Schema::Named(
    "NewJobToken",
    &Schema::Object(
        &[
            ("repositories", Schema::List(&Schema::Text)),
            ("actions", Schema::List(&Schema::OneOf(&["pull", "push"]))),
        ],
        &[("minutes", Schema::Whole)],
    ),
);
const DERIVED: Schema = Schema::Object(
    &[
        ("token", Schema::Text),
        ("username", Schema::Text),
        ("job", Schema::Text),
        ("expires_at", Schema::Text),
    ],
    &[],
);

/// What is answered here.
pub(super) fn registered() -> Vec<Operation> {
    let derive =
        Operation::post("/api/v1/jobtoken", "deriveJobToken", derive, "Derives a token for one job.");
    vec![derive.takes(WANTED).gives(DERIVED)]
}

/// `POST /api/v1/jobtoken`.
async fn derive(
    State(app): State<Arc<App>>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, ApiError> {
    let (name, robot) = robot(&app, client, &headers).await?;
    let minutes = fields.optional_number("minutes")?.unwrap_or(MINUTES);
    if minutes == 0 || minutes > job_token::MAX_MINUTES {
        return Err(ApiError::invalid(format!("minutes are 1 to {}", job_token::MAX_MINUTES)));
    }
    let job = job(&app, &fields)?;
    let id = job.id;
    let event = event(&name, robot, &job, minutes);
    let now_seconds = app.registry.now_ms() / 1000;
    let (token, expires_at) = job_token::derive(&app.auth.tokens, robot, job, now_seconds, minutes);
    app.by_request().record_event(event);
    let expires_at = jiff::Timestamp::from_second(i64::try_from(expires_at).unwrap_or(i64::MAX));
    let expires_at = expires_at.unwrap_or(jiff::Timestamp::MAX).to_string();
    Ok(Json(json!({
        "token": token.expose(),
        "username": name,
        "job": id.to_string(),
        "expires_at": expires_at,
    }))
    .into_response())
}

/// What is recorded of a token, which is stored nowhere.
fn event(name: &str, robot: Principal, job: &Job, minutes: u64) -> Observed {
    let metadata = json!({
        "robot": name,
        "job": job.id.to_string(),
        "repositories": job.repositories.to_string(),
        "pushes": job.pushes,
        "minutes": minutes,
    });
    Observed {
        kind: "create_job_token".to_owned(),
        actor: Actor::User(robot),
        credential: None,
        namespace: name.split_once('+').map(|(namespace, _)| namespace.to_owned()),
        repository: None,
        metadata: metadata.to_string(),
    }
}

/// The robot whose own token was sent.
async fn robot(app: &Arc<App>, client: Client, headers: &HeaderMap) -> Result<(String, Principal), ApiError> {
    let header = Authorization::only_header(headers).ok().flatten();
    let text = header.and_then(|value| value.to_str().ok());
    let Some(Ok(Authorization::Basic { user, password })) = text.map(Authorization::parse) else {
        return Err(ApiError::not_signed_in());
    };
    if !user.contains('+') {
        return Err(ApiError::not_signed_in());
    }
    match app.auth.identify(app, client, &user, &password).await?.actor {
        Actor::User(robot) => Ok((user, robot)),
        _ => Err(ApiError::not_signed_in()),
    }
}

fn job(app: &App, fields: &Fields) -> Result<Job, ApiError> {
    let (patterns, actions) = (fields.texts("repositories")?, fields.texts("actions")?);
    if patterns.is_empty() || actions.is_empty() {
        return Err(ApiError::invalid("[] is too short"));
    }
    if let Some(other) = actions.iter().find(|action| !["pull", "push"].contains(&action.as_str())) {
        return Err(ApiError::invalid(format!("'{other:.40}' is not one of ['pull', 'push']")));
    }
    let repositories = Globs::new(patterns).map_err(|error| ApiError::invalid(error.to_string()))?;
    let id = TokenId::from_random(app.registry.random::<16>()?);
    Ok(Job { id, repositories, pushes: actions.iter().any(|action| action == "push") })
}
