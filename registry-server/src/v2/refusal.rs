//! Refusals on the wire: one table from the registry's errors to statuses and codes.

use std::fmt::Display;

use hyper::StatusCode;
use hyper::header::{ALLOW, HeaderName, HeaderValue, RETRY_AFTER};
use registry_core::Error;
use serde_json::{Value, json};

use crate::admission::Busy;

/// Error codes of the distribution specification, and of Docker where that has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    BlobUnknown,
    BlobUploadInvalid,
    BlobUploadUnknown,
    Denied,
    DigestInvalid,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    NameInvalid,
    NameUnknown,
    PaginationNumberInvalid,
    PreconditionFailed,
    RangeInvalid,
    SizeInvalid,
    TagInvalid,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    Unknown,
    Unsupported,
}

impl Code {
    fn name(self) -> &'static str {
        match self {
            Self::BlobUnknown => "BLOB_UNKNOWN",
            Self::BlobUploadInvalid => "BLOB_UPLOAD_INVALID",
            Self::BlobUploadUnknown => "BLOB_UPLOAD_UNKNOWN",
            Self::Denied => "DENIED",
            Self::DigestInvalid => "DIGEST_INVALID",
            Self::ManifestBlobUnknown => "MANIFEST_BLOB_UNKNOWN",
            Self::ManifestInvalid => "MANIFEST_INVALID",
            Self::ManifestUnknown => "MANIFEST_UNKNOWN",
            Self::NameInvalid => "NAME_INVALID",
            Self::NameUnknown => "NAME_UNKNOWN",
            Self::PaginationNumberInvalid => "PAGINATION_NUMBER_INVALID",
            Self::PreconditionFailed => "PRECONDITION_FAILED",
            Self::RangeInvalid => "RANGE_INVALID",
            Self::SizeInvalid => "SIZE_INVALID",
            Self::TagInvalid => "TAG_INVALID",
            Self::TooManyRequests => "TOOMANYREQUESTS",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Unknown => "UNKNOWN",
            Self::Unsupported => "UNSUPPORTED",
        }
    }
}

/// Why a 401 was answered, as its challenge says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// Nobody is signed in, or the password is wrong.
    SignIn,
    /// The token is expired, damaged or revoked.
    InvalidToken,
    /// The token was not asked for with what the request needs.
    InsufficientScope,
}

/// A request that is not granted or not understood.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) errors: Vec<Value>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) challenge: Option<Challenge>,
}

impl Refusal {
    /// A refusal with one error.
    pub(crate) fn new(status: StatusCode, code: Code, message: impl Display) -> Self {
        Self { status, errors: vec![error(code, message, json!({}))], headers: Vec::new(), challenge: None }
    }

    /// Nobody is signed in.
    pub(crate) fn sign_in() -> Self {
        Self::challenged(Challenge::SignIn, "authentication required")
    }

    /// The credential was not accepted.
    pub(crate) fn invalid_credential(message: impl Display) -> Self {
        Self::challenged(Challenge::SignIn, message)
    }

    /// The token was not accepted.
    pub(crate) fn invalid_token(message: impl Display) -> Self {
        Self::challenged(Challenge::InvalidToken, message)
    }

    /// The token was not asked for with what the request needs. Says nothing of what exists.
    pub(crate) fn insufficient_scope() -> Self {
        Self::challenged(Challenge::InsufficientScope, "the token was not asked for with this access")
    }

    /// Too many passwords are being checked.
    pub(crate) fn too_many_sign_ins() -> Self {
        Self::too_many("too many sign-ins at once")
    }

    /// A password was wrong just now, and the next attempt came before the wait was over.
    pub(crate) fn sign_in_too_soon(retry_after_seconds: u64) -> Self {
        let message = "too many failed sign-ins: wait before the next one";
        Self::new(StatusCode::TOO_MANY_REQUESTS, Code::TooManyRequests, message)
            .with(RETRY_AFTER, HeaderValue::from(retry_after_seconds))
    }

    fn too_many(message: impl Display) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, Code::TooManyRequests, message)
            .with(RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// The path does not answer to the method.
    pub(crate) fn method_not_allowed(allowed: &[&str]) -> Self {
        let refusal = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            Code::Unsupported,
            "the path does not answer this method",
        );
        match HeaderValue::from_str(&allowed.join(", ")) {
            Ok(value) => refusal.with(ALLOW, value),
            Err(_) => refusal,
        }
    }

    fn challenged(challenge: Challenge, message: impl Display) -> Self {
        let mut refusal = Self::new(StatusCode::UNAUTHORIZED, Code::Unauthorized, message);
        refusal.challenge = Some(challenge);
        refusal
    }

    /// What the client is told, of the first error.
    pub(super) fn message(&self) -> &str {
        self.errors.first().and_then(|error| error["message"].as_str()).unwrap_or_default()
    }

    /// Adds a header to the answer.
    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}

fn error(code: Code, message: impl Display, detail: Value) -> Value {
    json!({ "code": code.name(), "message": message.to_string(), "detail": detail })
}

impl From<Busy> for Refusal {
    fn from(cause: Busy) -> Self {
        Self::too_many(cause)
    }
}

/// The one table. It has no last arm for "everything else": a new error stops the build until its answer is chosen.
impl From<Error> for Refusal {
    fn from(cause: Error) -> Self {
        let (status, code) = match &cause {
            Error::RepositoryUnknown(_) => (StatusCode::NOT_FOUND, Code::NameUnknown),
            Error::BlobUnknown(_) => (StatusCode::NOT_FOUND, Code::BlobUnknown),
            Error::BlobInUse(_) => (StatusCode::METHOD_NOT_ALLOWED, Code::Denied),
            Error::ManifestUnknown(_) => (StatusCode::NOT_FOUND, Code::ManifestUnknown),
            Error::ManifestBlobUnknown(_) => (StatusCode::BAD_REQUEST, Code::ManifestBlobUnknown),
            Error::UploadUnknown => (StatusCode::NOT_FOUND, Code::BlobUploadUnknown),
            Error::TooManyUploads => (StatusCode::TOO_MANY_REQUESTS, Code::TooManyRequests),
            Error::UploadBusy => (StatusCode::CONFLICT, Code::BlobUploadInvalid),
            Error::DigestMismatch(_) => (StatusCode::BAD_REQUEST, Code::DigestInvalid),
            Error::BlobTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, Code::SizeInvalid),
            Error::PreconditionFailed => (StatusCode::PRECONDITION_FAILED, Code::PreconditionFailed),
            Error::Denied { .. }
            | Error::DeniedInNamespace { .. }
            | Error::NotForCredential
            | Error::AddressRefused
            | Error::RedirectRefused
            | Error::RobotsRefused => (StatusCode::FORBIDDEN, Code::Denied),
            Error::NamespaceUnknown(_)
            | Error::NotAnOrganization(_)
            | Error::PrincipalUnknown(_)
            | Error::TeamUnknown(_)
            | Error::PrototypeUnknown
            | Error::TokenUnknown
            | Error::ApplicationUnknown(_)
            | Error::GrantUnknown(_) => (StatusCode::NOT_FOUND, Code::NameUnknown),
            Error::MemberAlready(_)
            | Error::LastAdministrator
            | Error::OwnsNamespace(_)
            | Error::Privileged(_)
            | Error::TooMany(_) => (StatusCode::CONFLICT, Code::Denied),
            Error::SignInNeeded { .. } | Error::NotSignedIn | Error::CredentialRevoked => {
                (StatusCode::UNAUTHORIZED, Code::Unauthorized)
            }
            Error::NameTaken(_) => (StatusCode::CONFLICT, Code::NameInvalid),
            Error::AlreadyInitialized => (StatusCode::CONFLICT, Code::Denied),
            Error::StorageFull => (StatusCode::INSUFFICIENT_STORAGE, Code::Unavailable),
            Error::Unavailable | Error::InUse(_) | Error::GivenUp => {
                (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable)
            }
            Error::Corrupt(_) | Error::Metadata(_) | Error::File(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, Code::Unknown)
            }
        };
        if status.is_server_error() {
            tracing::error!(?cause, "an operation failed");
        }
        let mut refusal = Self::new(status, code, &cause);
        match cause {
            Error::SignInNeeded { .. } | Error::NotSignedIn => return Self::sign_in(),
            Error::CredentialRevoked => return Self::invalid_token(cause),
            Error::ManifestBlobUnknown(missing) => refusal.errors = missing_content(&missing),
            Error::BlobInUse(_) => refusal.headers.push((ALLOW, HeaderValue::from_static("GET, HEAD"))),
            Error::Unavailable | Error::TooManyUploads => {
                refusal.headers.push((RETRY_AFTER, HeaderValue::from_static("1")));
            }
            _ => {}
        }
        refusal
    }
}

/// One error for each digest that a manifest refers to in vain.
fn missing_content(missing: &[registry_core::oci::Digest]) -> Vec<Value> {
    missing
        .iter()
        .map(|digest| {
            let message = "manifest refers to content that the repository does not hold";
            error(Code::ManifestBlobUnknown, message, json!({ "digest": digest.to_string() }))
        })
        .collect()
}
