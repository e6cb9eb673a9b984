//! Health, in Quay's shape.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::app::App;

/// `GET /health/instance`: 200 or 503, and the services that Quay's answer names.
pub(super) async fn instance(State(app): State<Arc<App>>) -> (StatusCode, Json<Value>) {
    let is_healthy = app.call(|registry| Ok(registry.is_healthy())).await.unwrap_or(false);
    let status = if is_healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let services = json!({
        "auth": true,
        "database": is_healthy,
        "disk_space": is_healthy,
        "registry_gunicorn": true,
        "service_key": true,
        "web_gunicorn": true,
    });
    (status, Json(json!({ "data": { "services": services }, "status_code": status.as_u16() })))
}
