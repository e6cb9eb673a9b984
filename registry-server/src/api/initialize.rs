//! `POST /api/v1/user/initialize`: the first administrator.
//!
//! With a configuration file this is Quay's: it exists while `FEATURE_USER_INITIALIZE` is on. Without one it wants the
//! one-time code that the server printed, and the user is a superuser.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use hyper::HeaderMap;
use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;
use registry_core::oci::NamespaceName;
use registry_core::{Error, NewUser};
use serde::Deserialize;
use serde_json::{Value, json};

use super::operation::Operation;
use super::refused;
use super::schema::Schema;
use crate::app::App;
use crate::auth::caller::SignInError;
use crate::auth::password;
use crate::wire::secret::Secret;

type Answer = (StatusCode, Json<Value>);

/// What is sent. Unknown keys are ignored, as Quay does.
#[derive(Deserialize)]
struct Wanted {
    username: String,
    password: String,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    setup_code: Option<String>,
}

const FIRST_USER: Schema = Schema::Named(
    "FirstUser",
    &Schema::Object(
        &[("username", Schema::Text), ("password", Schema::Text)],
        &[("email", Schema::OrNull(&Schema::Text)), ("setup_code", Schema::OrNull(&Schema::Text))],
    ),
);
const CREATED: Schema = Schema::Named(
    "CreatedUser",
    &Schema::Object(&[("username", Schema::Text), ("email", Schema::Text)], &[]),
);

/// What is answered here.
pub(super) fn registered() -> Vec<Operation> {
    let path = "/api/v1/user/initialize";
    vec![
        Operation::post(path, "initializeUser", initialize, "Creates the first user.")
            .takes(FIRST_USER)
            .gives(CREATED)
            .internal(),
    ]
}

/// Creates the first user. Among concurrent calls exactly one succeeds.
pub(super) async fn initialize(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Answer {
    initialized(&app, &headers, &body).await.unwrap_or_else(|refusal| refusal)
}

async fn initialized(app: &Arc<App>, headers: &HeaderMap, body: &[u8]) -> Result<Answer, Answer> {
    let wanted = parsed(headers, body)?;
    let is_superuser = is_allowed(app, wanted.setup_code.as_deref())?;
    let has_users = app.call(|registry| registry.has_users()).await.map_err(|error| failed(&error))?;
    if has_users {
        return Err(failed(&Error::AlreadyInitialized));
    }
    let bad = |text: &str| refused(StatusCode::BAD_REQUEST, text);
    let name: NamespaceName = wanted.username.parse().map_err(|_| bad("Invalid username"))?;
    password::check_rules(&wanted.password).map_err(bad)?;
    let email = wanted.email.unwrap_or_default();
    let user = NewUser {
        name,
        email: email.clone(),
        password_hash: hashed(app, Secret::new(wanted.password)).await?,
        is_superuser,
    };
    app.call(move |registry| registry.create_first_user(&user)).await.map_err(|error| failed(&error))?;
    Ok((StatusCode::OK, Json(json!({ "username": wanted.username, "email": email }))))
}

fn parsed(headers: &HeaderMap, body: &[u8]) -> Result<Wanted, Answer> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let media_type = content_type.split(';').next().unwrap_or("").trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json"));
    }
    serde_json::from_slice(body).map_err(|cause| refused(StatusCode::BAD_REQUEST, &cause.to_string()))
}

/// Whether the call may be made, and then whether the new user is a superuser by a flag on the row.
fn is_allowed(app: &App, code: Option<&str>) -> Result<bool, Answer> {
    if app.auth.needs_setup_code() {
        return match code {
            Some(code) if app.auth.is_setup_code(code) => Ok(true),
            _ => Err(refused(StatusCode::FORBIDDEN, "The setup code that the server printed is needed")),
        };
    }
    if app.options.user_initialize {
        return Ok(false);
    }
    Err(refused(StatusCode::NOT_FOUND, "The requested URL was not found on the server."))
}

async fn hashed(app: &App, password: Secret) -> Result<String, Answer> {
    app.auth.hash(app, password).await.map_err(|error| match error {
        SignInError::Registry(error) => failed(&error),
        _ => refused(StatusCode::TOO_MANY_REQUESTS, "Too many sign-ins at once"),
    })
}

fn failed(error: &Error) -> Answer {
    match error {
        Error::AlreadyInitialized => {
            refused(StatusCode::BAD_REQUEST, "Cannot initialize user in a non-empty database")
        }
        Error::NameTaken(_) => refused(StatusCode::BAD_REQUEST, "The username is taken"),
        Error::StorageFull => refused(StatusCode::INSUFFICIENT_STORAGE, "Storage is full"),
        cause => {
            tracing::error!(?cause, "the first user could not be created");
            refused(StatusCode::SERVICE_UNAVAILABLE, "Try again")
        }
    }
}
