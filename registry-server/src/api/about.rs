//! What the registry says of itself: its errors, its capabilities, whether it is set up, and what clients look for at
//! well-known places.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use serde_json::{Value, json};

use super::caller::Caller;
use super::error::{ApiError, Problem};
use super::operation::{Operation, Scope};
use super::routes::Named;
use super::schema::Schema;
use crate::app::App;
use crate::origin::Origin;

/// The kinds of errors that Quay knows, and what they mean.
const ERRORS: [(&str, &str); 12] = [
    (
        "invalid_token",
        "The access token provided is expired, revoked, malformed, or invalid for other reasons.",
    ),
    ("expired_token", "The access token provided has expired."),
    ("insufficient_scope", "The request requires higher privileges than the caller or the token has."),
    ("fresh_login_required", "The action requires the password to have been given a short while ago."),
    (
        "invalid_request",
        "The request was not understood: a parameter or the body is missing or not as it must be.",
    ),
    ("invalid_response", "The response could not be made."),
    ("exceeds_license", "The action would exceed what is licensed."),
    ("not_found", "What was asked for does not exist."),
    ("tag_immutable", "The tag cannot be changed."),
    ("token_rotation_failed", "The token could not be exchanged for a new one."),
    ("downstream_issue", "A service that the registry asks failed."),
    ("external_service_timeout", "A service that the registry asks did not answer in time."),
];

/// Architectures that can be chosen when images are mirrored.
const ARCHITECTURES: [&str; 4] = ["amd64", "arm64", "ppc64le", "s390x"];

const ERROR: Schema = Schema::Named(
    "ApiErrorDescription",
    &Schema::Object(&[("type", Schema::Text), ("title", Schema::Text), ("description", Schema::Text)], &[]),
);
const SPARSE: Schema = Schema::Object(
    &[
        ("supported", Schema::Flag),
        ("required_architectures", Schema::List(&Schema::Text)),
        ("optional_architectures_allowed", Schema::Flag),
    ],
    &[],
);
const CAPABILITIES: Schema = Schema::Object(
    &[("sparse_manifests", SPARSE), ("mirror_architectures", Schema::List(&Schema::Text))],
    &[],
);
const STATUS: Schema = Schema::Object(&[("status", Schema::OneOf(&["ready", "setup-incomplete"]))], &[]);

/// What is answered here.
pub(super) fn registered() -> Vec<Operation> {
    let (able, status) = ("/api/v1/registry/capabilities", "/api/v1/superuser/registrystatus");
    vec![
        Operation::get("/api/v1/error/{error_type}", "getErrorDescription", error, "What an error means.")
            .gives(ERROR),
        Operation::get(able, "getRegistryCapabilities", capabilities, "What the registry can do.")
            .gives(CAPABILITIES),
        Operation::get(status, "getRegistryStatus", setup_status, "Whether there is an administrator.")
            .gives(STATUS)
            .internal(),
        Operation::get("/api/v1/superuser/config", "getSuperuserConfig", configuration, "Is not shown.")
            .scope(Scope::Superuser)
            .internal(),
    ]
}

/// `GET /api/v1/error/<kind>`.
async fn error(
    Extension(Origin { scheme, host }): Extension<Origin>,
    Named(kind): Named<String>,
) -> Result<Json<Value>, ApiError> {
    let missing = || ApiError::problem(Problem::NotFound, "Not Found");
    let (name, text) = ERRORS.iter().find(|(name, _)| *name == kind).ok_or_else(missing)?;
    let url = format!("{scheme}://{host}/api/v1/error/{name}");
    Ok(Json(json!({ "type": url, "title": name, "description": text })))
}

/// `GET /api/v1/registry/capabilities`.
async fn capabilities(State(app): State<Arc<App>>) -> Json<Value> {
    let sparse = json!({
        "supported": app.registry.settings().sparse_indexes,
        "required_architectures": [],
        "optional_architectures_allowed": true,
    });
    Json(json!({ "sparse_manifests": sparse, "mirror_architectures": ARCHITECTURES }))
}

/// `GET /api/v1/superuser/registrystatus`.
async fn setup_status(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    let has_users = app.ask(|registry| registry.has_users()).await?;
    Ok(Json(json!({ "status": if has_users { "ready" } else { "setup-incomplete" } })))
}

/// `GET /api/v1/superuser/config`: as in Quay without `FEATURE_SUPERUSER_CONFIGDUMP`.
async fn configuration(caller: Caller) -> Result<Response, ApiError> {
    caller.signed_in()?;
    Err(ApiError::problem(Problem::InsufficientScope, "Unauthorized"))
}

/// `GET /.well-known/app-capabilities`.
pub(super) async fn app_capabilities(Extension(Origin { scheme, host }): Extension<Origin>) -> Json<Value> {
    let template = format!("{scheme}://{host}/repository/{{namespace}}/{{reponame}}:{{tag}}");
    let view_image = json!({ "url-template": template });
    Json(json!({ "appName": "io.quay", "capabilities": { "io.quay.view-image": view_image } }))
}

/// `GET /.well-known/change-password`: where the caller's password is changed.
pub(super) async fn change_password(caller: Caller) -> Result<Response, ApiError> {
    let (account, _) = caller.signed_in()?;
    // A user's name is made of letters that stand for themselves in a path.
    let place = HeaderValue::try_from(format!("/user/{}?tab=settings", account.name));
    let place = place.map_err(|_| ApiError::missing())?;
    Ok((StatusCode::FOUND, [(LOCATION, place)]).into_response())
}

/// `GET /_internal_ping` and `/v1/_ping`.
pub(super) async fn ping() -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], "true").into_response()
}
