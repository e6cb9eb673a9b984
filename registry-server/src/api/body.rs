//! JSON bodies, refused in the words of the validator that Quay has.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use hyper::header::CONTENT_TYPE;
use hyper::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use super::error::ApiError;
use crate::wire::query::Query;
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
            return Err(ApiError::not_json());
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
        self.optional_text(key)?.ok_or_else(|| required(key))
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

impl Fields {
    /// One of a few texts, which has to be there.
    ///
    /// # Errors
    /// 400 `invalid_request` if it is missing or another.
    pub(super) fn choice<'f>(&'f self, key: &str, choices: &[&str]) -> Result<&'f str, ApiError> {
        let text = self.text(key)?;
        if choices.contains(&text) {
            return Ok(text);
        }
        let known: Vec<String> = choices.iter().map(|choice| format!("'{choice}'")).collect();
        Err(ApiError::invalid(format!("'{}' is not one of [{}]", cut(text), known.join(", "))))
    }

    /// A string that may be left out or null: none where it is left out.
    ///
    /// # Errors
    /// 400 `invalid_request` if it is something else.
    pub(super) fn nullable_text(&self, key: &str) -> Result<Option<Option<&str>>, ApiError> {
        match self.0.get(key) {
            Some(Value::Null) => Ok(Some(None)),
            _ => Ok(self.optional_text(key)?.map(Some)),
        }
    }

    /// An object that may be left out, as it was sent.
    ///
    /// # Errors
    /// 400 `invalid_request` if it is something else.
    pub(super) fn optional_object(&self, key: &str) -> Result<Option<&Value>, ApiError> {
        match self.0.get(key) {
            None => Ok(None),
            Some(object @ Value::Object(_)) => Ok(Some(object)),
            Some(other) => Err(mistyped(other, "object")),
        }
    }

    /// The fields of an object that may be left out.
    ///
    /// # Errors
    /// As [`Fields::optional_object`].
    pub(super) fn optional_fields(&self, key: &str) -> Result<Option<Self>, ApiError> {
        let object = self.optional_object(key)?.and_then(Value::as_object);
        Ok(object.map(|fields| Self(fields.clone())))
    }

    /// The fields of an object that has to be there.
    ///
    /// # Errors
    /// 400 `invalid_request` if it is missing or something else.
    pub(super) fn object(&self, key: &str) -> Result<Self, ApiError> {
        self.optional_fields(key)?.ok_or_else(|| required(key))
    }

    /// A whole number that may be left out.
    ///
    /// # Errors
    /// 400 `invalid_request` if it is something else, or below 0.
    pub(super) fn optional_number(&self, key: &str) -> Result<Option<u64>, ApiError> {
        match self.0.get(key) {
            None => Ok(None),
            Some(value) => match (value.as_u64(), value.as_i64()) {
                (Some(number), _) => Ok(Some(number)),
                (None, Some(_)) => Err(ApiError::invalid(format!("{value} is less than the minimum of 0"))),
                (None, None) => Err(mistyped(value, "integer")),
            },
        }
    }

    /// A list of texts that may be left out.
    ///
    /// # Errors
    /// 400 `invalid_request` if it is something else.
    pub(super) fn optional_texts(&self, key: &str) -> Result<Option<Vec<String>>, ApiError> {
        let Some(value) = self.0.get(key) else { return Ok(None) };
        let list = value.as_array().ok_or_else(|| mistyped(value, "array"))?;
        let text = |entry: &Value| entry.as_str().map(str::to_owned).ok_or_else(|| mistyped(entry, "string"));
        list.iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    /// A list of texts that has to be there.
    ///
    /// # Errors
    /// 400 `invalid_request` if it is missing or something else.
    pub(super) fn texts(&self, key: &str) -> Result<Vec<String>, ApiError> {
        self.optional_texts(key)?.ok_or_else(|| required(key))
    }

    /// Whether a key is there, be it null.
    pub(super) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Whether a key is there and null.
    pub(super) fn is_null(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(Value::is_null)
    }

    /// A boolean that may be left out.
    ///
    /// # Errors
    /// 400 `invalid_request` if it is something else.
    pub(super) fn optional_flag(&self, key: &str) -> Result<Option<bool>, ApiError> {
        match self.0.get(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(mistyped(other, "boolean")),
        }
    }
}

/// The keys of a JSON body where there may be none.
#[derive(Debug)]
pub(super) struct MaybeFields(pub(super) Fields);

impl<S: Send + Sync> FromRequest<S> for MaybeFields {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if media_type(request.headers()).is_empty() {
            return Ok(Self(Fields(Map::new())));
        }
        Fields::from_request(request, state).await.map(Self)
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

/// The pairs of a form; none if the body is something else.
pub(super) fn form(headers: &HeaderMap, body: &[u8]) -> Option<Query> {
    if media_type(headers) != "application/x-www-form-urlencoded" {
        return None;
    }
    Query::parse_form(std::str::from_utf8(body).ok()?).ok()
}

fn required(key: &str) -> ApiError {
    ApiError::invalid(format!("'{key}' is a required property"))
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
