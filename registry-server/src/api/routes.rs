//! How a route is registered, and what every answer of `/api/v1` has.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::routing::MethodRouter;
use hyper::HeaderMap;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL, HeaderValue,
};
use hyper::http::request::Parts;
use serde::de::DeserializeOwned;

use super::error::ApiError;
use crate::app::App;

/// Registering routes as Quay's clients need them.
pub(super) trait Routes {
    /// Registers `path` and its methods with and without a slash at the end, since clients send either; `OPTIONS` is
    /// answered with 200.
    fn both(self, path: &str, methods: MethodRouter<Arc<App>>) -> Self;
}

impl Routes for Router<Arc<App>> {
    fn both(self, path: &str, methods: MethodRouter<Arc<App>>) -> Self {
        let methods = methods.options(async || {});
        self.route(path, methods.clone()).route(&format!("{path}/"), methods)
    }
}

/// What the path of a request names, percent-decoded.
#[derive(Debug)]
pub(super) struct Named<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = ApiError;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let named: Result<Path<T>, PathRejection> = Path::from_request_parts(head, state).await;
        // What is not UTF-8 is the name of nothing.
        named.map(|Path(named)| Self(named)).map_err(|_| ApiError::missing())
    }
}

/// Sets what every answer of `/api/v1` has. Any site may read what anybody may: a browser sends no cookie along.
pub(super) fn complete(headers: &mut HeaderMap) {
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (ACCESS_CONTROL_ALLOW_METHODS, "DELETE, GET, HEAD, OPTIONS, POST, PUT"),
        (ACCESS_CONTROL_MAX_AGE, "21600"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "AUTHORIZATION, CONTENT-TYPE, X-REQUESTED-WITH"),
        (CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
