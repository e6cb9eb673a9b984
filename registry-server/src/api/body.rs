//! JSON bodies, refused in the words of the validator that Quay has.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use hyper::header::CONTENT_TYPE;
use hyper::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use super::error::ApiError;
use crate::wire::secret::Secret;

/// How much of a value an error repeats, in characters.
const REPEATED: usize = 80;

/// The keys of a JSON body. Those that a route does not ask for are ignored, as in Quay.
///
/// `Debug` prints no values: a body may carry a password.
pub(super) struct Fields(Map<String, Value>);

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let is_json = media_type(request.headers()) == "application/json";
        if !is_json {
            let message = "Did not attempt to load JSON data because the request Content-Type was not \
                           'application/json'.";
            return Err(ApiError::plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|_| ApiError::plain(StatusCode::BAD_REQUEST, "The body broke off"))?;
        Self::parse(&bytes)
    }
}

impl Fields {
    fn parse(bytes: &[u8]) -> Result<Self, ApiError> {
        let broken =
            |cause| ApiError::plain(StatusCode::BAD_REQUEST, format!("The body is no JSON: {cause}"));
        match serde_json::from_slice(bytes).map_err(broken)? {
            Value::Object(fields) => Ok(Self(fields)),
            other => Err(mistyped(&other, "object")),
        }
    }

    /// A text that has to be there.
    ///
    /// # Errors
    /// 400 `invalid_request` if it is missing or no text.
    pub(super) fn text(&self, key: &str) -> Result<&str, ApiError> {
        self.optional_text(key)?.ok_or_else(|| ApiError::invalid(format!("'{key}' is a required property")))
    }

    /// A text that may be left out.
    ///
    /// # Errors
    /// 400 `invalid_request` if it is something else.
    pub(super) fn optional_text(&self, key: &str) -> Result<Option<&str>, ApiError> {
        match self.0.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(mistyped(other, "string")),
        }
    }

    /// A password that has to be there.
    ///
    /// # Errors
    /// As [`Fields::text`].
    pub(super) fn secret(&self, key: &str) -> Result<Secret, ApiError> {
        self.text(key).map(Secret::new)
    }
}

impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The media type of a body, without parameters, in lower case; empty without one.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

fn mistyped(value: &Value, expected: &str) -> ApiError {
    ApiError::invalid(format!("{} is not of type '{expected}'", shown(value)))
}

/// A value as Python prints it, cut short.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(text) => format!("'{}'", cut(text)),
        other => cut(&other.to_string()),
    }
}

fn cut(text: &str) -> String {
    text.chars().take(REPEATED).collect()
}
