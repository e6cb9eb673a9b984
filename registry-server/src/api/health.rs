//! Health, in Quay's shape.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use hyper::StatusCode;
use serde_json::{Map, Value, json};

use crate::app::App;

type Answer = (StatusCode, Json<Value>);

/// 200 or 503: each of these services is there, or each is not; `sound` are there while the server answers at all.
async fn answer(app: Arc<App>, stored: &[&str], sound: &[&str]) -> Answer {
    let is_healthy = app.call(|registry| Ok(registry.is_healthy())).await.unwrap_or(false);
    let status = if is_healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let stored = stored.iter().map(|name| ((*name).to_owned(), json!(is_healthy)));
    let sound = sound.iter().map(|name| ((*name).to_owned(), json!(true)));
    let services: Map<String, Value> = stored.chain(sound).collect();
    (status, Json(json!({ "data": { "services": services }, "status_code": status.as_u16() })))
}

/// `GET /health/instance` and `/health`.
pub(super) async fn instance(State(app): State<Arc<App>>) -> Answer {
    let sound = ["auth", "registry_gunicorn", "service_key", "web_gunicorn"];
    answer(app, &["database", "disk_space"], &sound).await
}

/// `GET /health/endtoend` and `/status`. What Quay keeps in Redis is kept in the database.
pub(super) async fn end_to_end(State(app): State<Arc<App>>) -> Answer {
    answer(app, &["database", "redis", "storage"], &["auth"]).await
}

/// `GET /health/warning`.
pub(super) async fn warning(State(app): State<Arc<App>>) -> Answer {
    answer(app, &["disk_space_warning"], &[]).await
}
