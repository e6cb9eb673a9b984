//! Health, in Quay's shape.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use hyper::StatusCode;
use serde_json::{Map, Value, json};

use crate::app::App;

type Answer = (StatusCode, Json<Value>);

/// 200 or 503: whether all of these services are there.
fn answer(services: &[(&str, bool)]) -> Answer {
    let is_healthy = services.iter().all(|(_, is_there)| *is_there);
    let status = if is_healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let services: Map<String, Value> =
        services.iter().map(|(name, is_there)| ((*name).to_owned(), json!(is_there))).collect();
    (status, Json(json!({ "data": { "services": services }, "status_code": status.as_u16() })))
}

async fn is_stored(app: &App) -> bool {
    app.call(|registry| Ok(registry.is_healthy())).await.unwrap_or(false)
}

/// `GET /health/instance` and `/health`. Some services are there while the server answers at all.
pub(super) async fn instance(State(app): State<Arc<App>>) -> Answer {
    let is_stored = is_stored(&app).await;
    let sound = ["auth", "registry_gunicorn", "service_key", "web_gunicorn"].map(|name| (name, true));
    answer(&[&[("database", is_stored), ("disk_space", is_stored)], &sound[..]].concat())
}

/// `GET /health/endtoend` and `/status`. What Quay keeps in Redis is kept in the database.
pub(super) async fn end_to_end(State(app): State<Arc<App>>) -> Answer {
    let is_stored = is_stored(&app).await;
    answer(&[("auth", true), ("database", is_stored), ("redis", is_stored), ("storage", is_stored)])
}

/// `GET /health/warning`. The clock is ours: while it is doubted nothing ends by time.
pub(super) async fn warning(State(app): State<Arc<App>>) -> Answer {
    let is_stored = is_stored(&app).await;
    answer(&[("clock_warning", !app.registry.doubts_clock()), ("disk_space_warning", is_stored)])
}
