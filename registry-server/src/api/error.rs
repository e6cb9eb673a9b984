//! Refusals of `/api/v1`, in Quay's shapes: one table from the registry's errors to statuses.
//!
//! A handler returns an [`ApiError`]; it becomes an answer at the end of the request, where the origin is known that
//! the `type` of a problem has to name.

use axum::response::IntoResponse;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use registry_core::Error;
use serde_json::{Map, Value, json};

use crate::auth::caller::SignInError;
use crate::listener::Body;
use crate::origin::Origin;
use crate::v2::json_answer;

/// The kinds of Quay's `problem` shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// What was sent is not understood, or cannot be.
    InvalidRequest,
    /// Nobody is signed in, or the credential is not good.
    InvalidToken,
    /// The password has to be typed again.
    FreshLoginRequired,
    /// Somebody is signed in who may not do this.
    InsufficientScope,
    /// There is no such thing, or not for this caller.
    NotFound,
}

impl Problem {
    fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidToken => "invalid_token",
            Self::FreshLoginRequired => "fresh_login_required",
            Self::InsufficientScope => "insufficient_scope",
            Self::NotFound => "not_found",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest => StatusCode::BAD_REQUEST,
            Self::InvalidToken | Self::FreshLoginRequired => StatusCode::UNAUTHORIZED,
            Self::InsufficientScope => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
        }
    }
}

/// A request that is not granted or not understood.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    shape: Shape,
    retry_after_seconds: Option<u64>,
}

#[derive(Clone, Debug)]
enum Shape {
    Problem {
        kind: Problem,
        detail: String,
        more: Map<String, Value>,
    },
    Json(Value),
    /// JSON that is labelled as HTML, as Quay does with the refusal of a CSRF token.
    Html(Value),
    Text(String),
}

impl ApiError {
    /// Quay's `problem` shape, for what is refused on purpose.
    pub(crate) fn problem(kind: Problem, detail: impl Into<String>) -> Self {
        Self::new(kind.status(), Shape::Problem { kind, detail: detail.into(), more: Map::new() })
    }

    /// What was sent is not understood, or cannot be.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::problem(Problem::InvalidRequest, detail)
    }

    /// Quay's `plain` shape.
    pub(crate) fn plain(status: StatusCode, message: impl Into<String>) -> Self {
        Self::json(status, json!({ "message": message.into() }))
    }

    /// An answer that has a shape of its own.
    pub(crate) fn json(status: StatusCode, body: Value) -> Self {
        Self::new(status, Shape::Json(body))
    }

    /// Quay's answer where its model refuses: 400 in the `plain` shape.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::plain(StatusCode::BAD_REQUEST, message)
    }

    /// The body is none, or not JSON, and the route wants one.
    pub(crate) fn not_json() -> Self {
        let message = "Did not attempt to load JSON data because the request Content-Type was not \
                       'application/json'.";
        Self::plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
    }

    /// An error about whom something is granted to: Quay answers 400 for who does not exist, or may not be known.
    pub(crate) fn of_grantee(error: Error) -> Self {
        match error {
            Error::PrincipalUnknown(name) => Self::refused(format!("Invalid username: {name}")),
            Error::TeamUnknown(name) => Self::refused(format!("Unknown team: {name}")),
            other => other.into(),
        }
    }

    /// There is no such thing, said as an unrouted path does.
    pub(crate) fn missing() -> Self {
        Self::plain(StatusCode::NOT_FOUND, "The requested URL was not found on the server.")
    }

    /// Nobody is signed in.
    pub(crate) fn not_signed_in() -> Self {
        Self::problem(Problem::InvalidToken, "Requires authentication")
    }

    /// The password has to be typed again (`POST /signin/verify`).
    pub(crate) fn not_fresh() -> Self {
        let detail = "The action requires a fresh login to succeed.";
        Self::problem(Problem::FreshLoginRequired, detail)
    }

    /// The CSRF token is missing or wrong; `user` is who is signed in.
    pub(crate) fn csrf(user: Option<&str>) -> Self {
        let who = user.map(|user| format!(" (authorized: user {user})")).unwrap_or_default();
        let error = format!("CSRF token was invalid or missing.{who}");
        Self::new(StatusCode::FORBIDDEN, Shape::Html(json!({ "error": error })))
    }

    /// Adds a key to the `problem` shape; to others it adds nothing.
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        if let Shape::Problem { more, .. } = &mut self.shape {
            more.insert(key.to_owned(), value.into());
        }
        self
    }

    fn too_many_sign_ins(retry_after_seconds: u64) -> Self {
        let text = "Too many login attempts. Wait before the next one.";
        let mut error = Self::new(StatusCode::TOO_MANY_REQUESTS, Shape::Text(text.to_owned()));
        error.retry_after_seconds = Some(retry_after_seconds);
        error
    }

    fn new(status: StatusCode, shape: Shape) -> Self {
        Self { status, shape, retry_after_seconds: None }
    }

    /// The answer to a client that knows the server by `origin`.
    pub(super) fn render(&self, origin: &Origin) -> Response<Body> {
        let mut response = match &self.shape {
            Shape::Problem { kind, detail, more } => {
                json_answer(self.status, "application/json", &problem_body(*kind, detail, more, origin))
            }
            Shape::Json(body) => json_answer(self.status, "application/json", body),
            Shape::Html(body) => json_answer(self.status, "text/html; charset=utf-8", body),
            Shape::Text(text) => text_answer(self.status, text),
        };
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

fn problem_body(kind: Problem, detail: &str, more: &Map<String, Value>, origin: &Origin) -> Value {
    let (name, Origin { scheme, host }) = (kind.name(), origin);
    let mut body = more.clone();
    let url = format!("{scheme}://{host}/api/v1/error/{name}");
    for (key, value) in [
        ("detail", json!(detail)),
        ("error_message", json!(detail)),
        ("error_type", json!(name)),
        ("title", json!(name)),
        ("type", json!(url)),
        ("status", json!(kind.status().as_u16())),
    ] {
        body.insert(key.to_owned(), value);
    }
    Value::Object(body)
}

fn text_answer(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::Full(text.to_owned().into()));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

/// Carries the error to the end of the request; see [`ApiError::render`].
impl IntoResponse for ApiError {
    fn into_response(self) -> axum::response::Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<SignInError> for ApiError {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Wrong => Self::problem(Problem::InvalidToken, "Invalid Username or Password"),
            SignInError::Busy => Self::too_many_sign_ins(1),
            SignInError::TooSoon(wait) | SignInError::WrongAgain(wait) => {
                Self::too_many_sign_ins(wait.retry_after_seconds())
            }
            SignInError::Registry(error) => error.into(),
        }
    }
}

/// The one table. It has no last arm for "everything else": a new error stops the build until its answer is chosen.
impl From<Error> for ApiError {
    fn from(cause: Error) -> Self {
        let text = cause.to_string();
        match &cause {
            Error::RepositoryUnknown(_)
            | Error::BlobUnknown(_)
            | Error::ManifestUnknown(_)
            | Error::NamespaceUnknown(_)
            | Error::NotAnOrganization(_)
            | Error::TeamUnknown(_)
            | Error::PrototypeUnknown
            | Error::TokenUnknown
            | Error::ApplicationUnknown(_)
            | Error::UploadUnknown => Self::problem(Problem::NotFound, "Not Found"),
            Error::ManifestBlobUnknown(_) | Error::DigestMismatch(_) => Self::invalid(text),
            Error::NameTaken(_) | Error::AlreadyInitialized | Error::BlobInUse(_) => {
                Self::plain(StatusCode::BAD_REQUEST, text)
            }
            Error::UploadBusy => Self::plain(StatusCode::CONFLICT, text),
            Error::TooManyUploads => Self::plain(StatusCode::TOO_MANY_REQUESTS, text),
            Error::BlobTooLarge { .. } => Self::plain(StatusCode::PAYLOAD_TOO_LARGE, text),
            Error::PreconditionFailed => Self::plain(StatusCode::PRECONDITION_FAILED, text),
            Error::Denied { .. }
            | Error::DeniedInNamespace { .. }
            | Error::NotForCredential
            | Error::AddressRefused => Self::problem(Problem::InsufficientScope, "Unauthorized"),
            Error::SignInNeeded { .. } | Error::NotSignedIn | Error::CredentialRevoked => {
                Self::not_signed_in()
            }
            Error::PrincipalUnknown(_)
            | Error::GrantUnknown(_)
            | Error::MemberAlready(_)
            | Error::LastAdministrator
            | Error::OwnsNamespace(_)
            | Error::Privileged(_)
            | Error::TooMany(_)
            | Error::RedirectRefused
            | Error::RobotsRefused => Self::refused(text),
            Error::StorageFull => failure(&cause, StatusCode::INSUFFICIENT_STORAGE, "Storage is full"),
            Error::Unavailable | Error::InUse(_) | Error::GivenUp => {
                let mut error = failure(&cause, StatusCode::SERVICE_UNAVAILABLE, "Try again");
                error.retry_after_seconds = Some(1);
                error
            }
            Error::Corrupt(_) | Error::Metadata(_) | Error::File(_) => {
                failure(&cause, StatusCode::INTERNAL_SERVER_ERROR, "The request could not be handled")
            }
        }
    }
}

/// The cause is for the log, never for a client.
fn failure(cause: &Error, status: StatusCode, message: &str) -> ApiError {
    tracing::error!(?cause, "an operation failed");
    ApiError::plain(status, message)
}
