//! `POST /api/v1/user/initialize`: the first administrator.
//!
//! With a configuration file this is Quay's: it exists while `FEATURE_USER_INITIALIZE` is on. Without one it wants the
//! one-time code that the server printed, and the user is a superuser.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use hyper::{HeaderMap, StatusCode};
use registry_core::oci::NamespaceName;
use registry_core::{Actor, Error, NewUser, Principal};
use serde::Deserialize;
use serde_json::{Value, json};

use super::applications::{fresh_secret, fresh_token};
use super::body::media_type;
use super::cookie::Cookie;
use super::operation::Operation;
use super::refused;
use super::schema::Schema;
use super::session::{is_secure, set_cookie};
use crate::admission::Client;
use crate::app::App;
use crate::auth::caller::SignInError;
use crate::auth::password;
use crate::origin::Origin;
use crate::wire::secret::Secret;

/// How long the first token is good, in milliseconds (Quay).
const TOKEN_LIFETIME_MS: u64 = 9000 * 1000;

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
    /// Anything that Python takes for true: installers send the text `"true"`.
    #[serde(default)]
    access_token: Value,
}

impl Wanted {
    fn wants_token(&self) -> bool {
        match &self.access_token {
            Value::Null => false,
            Value::Bool(is_wanted) => *is_wanted,
            Value::Number(number) => number.as_f64() != Some(0.0),
            Value::String(text) => !text.is_empty(),
            Value::Array(list) => !list.is_empty(),
            Value::Object(map) => !map.is_empty(),
        }
    }
}

const FIRST_USER: Schema = Schema::Named(
    "FirstUser",
    &Schema::Object(
        &[("username", Schema::Text), ("password", Schema::Text)],
        &[
            ("email", Schema::OrNull(&Schema::Text)),
            ("setup_code", Schema::OrNull(&Schema::Text)),
            ("access_token", Schema::Flag),
        ],
    ),
);
const CREATED: Schema = Schema::Named(
    "CreatedUser",
    &Schema::Object(
        &[("username", Schema::Text), ("email", Schema::Text), ("encrypted_password", Schema::Text)],
        &[("access_token", Schema::Text)],
    ),
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
pub(super) async fn initialize(
    State(app): State<Arc<App>>,
    Extension(origin): Extension<Origin>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answered = initialized(&app, &origin, client, &headers, &body).await;
    answered.unwrap_or_else(IntoResponse::into_response)
}

async fn initialized(
    app: &Arc<App>,
    origin: &Origin,
    client: Client,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Answer> {
    let wanted = parsed(headers, body)?;
    let is_superuser = is_allowed(app, wanted.setup_code.as_deref())?;
    let has_users = app.call(|registry| registry.has_users()).await.map_err(|error| failed(&error))?;
    if has_users {
        return Err(failed(&Error::AlreadyInitialized));
    }
    let bad = |text: &str| refused(StatusCode::BAD_REQUEST, text);
    let name: NamespaceName = wanted.username.parse().map_err(|_| bad("Invalid username"))?;
    password::check_rules(&wanted.password).map_err(bad)?;
    let (wants_token, email) = (wanted.wants_token(), wanted.email.unwrap_or_default());
    // It is accepted wherever Quay's encrypted one would be.
    let mut answer =
        json!({ "username": wanted.username, "email": email, "encrypted_password": wanted.password });
    let user = NewUser {
        name,
        email: email.clone(),
        password_hash: hashed(app, client, Secret::new(wanted.password)).await?,
        is_superuser,
    };
    let created = app.call(move |registry| {
        let id = registry.create_first_user(&user)?;
        // A fresh account is of the first generation.
        Ok(Principal { id, generation: 1 })
    });
    let principal = created.await.map_err(|error| failed(&error))?;
    if wants_token {
        answer["access_token"] = json!(automation(app, principal).await?.expose());
    }
    signed_in(app, origin, principal, Json(answer).into_response()).await
}

/// The answer, with a session of the new user's.
async fn signed_in(
    app: &Arc<App>,
    origin: &Origin,
    principal: Principal,
    mut response: Response,
) -> Result<Response, Answer> {
    let begun = app.call(move |registry| registry.begin_session(&principal, None)).await;
    let (id, session) = begun.map_err(|error| failed(&error))?;
    let cookie = Cookie::Session(id).set(is_secure(app, origin), Some(session.expires_ms));
    set_cookie(&mut response, cookie);
    Ok(response)
}

/// The token of an application of the user's own, with every scope.
async fn automation(app: &Arc<App>, principal: Principal) -> Result<Secret, Answer> {
    let busy = |_| refused(StatusCode::SERVICE_UNAVAILABLE, "Try again");
    let (token, hash) = fresh_token(app).map_err(busy)?;
    let secret = fresh_secret(app).map_err(busy)?;
    let made = app.call(move |registry| {
        registry.create_automation(&Actor::User(principal), &secret, hash, TOKEN_LIFETIME_MS)
    });
    made.await.map_err(|error| failed(&error))?;
    Ok(token)
}

fn parsed(headers: &HeaderMap, body: &[u8]) -> Result<Wanted, Answer> {
    if media_type(headers) != "application/json" {
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

async fn hashed(app: &App, client: Client, password: Secret) -> Result<String, Answer> {
    app.auth.hash(app, client, password).await.map_err(|error| match error {
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
