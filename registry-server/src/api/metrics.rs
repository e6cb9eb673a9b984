//! `GET /metrics`: the server's numbers, for Prometheus. Whom it is shown to is said in `docs/metrics.md`.

mod page;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use subtle::ConstantTimeEq;
use tokio::time::timeout;

use super::not_found;
use crate::app::App;
use crate::listener::ConnectionInfo;
use crate::wire::authorization::Authorization;
use crate::wire::secret::Secret;

/// OpenMetrics (<https://prometheus.io/docs/specs/om/open_metrics_spec/>), which Prometheus reads.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How long storage is waited for: when it does not answer, the other numbers matter all the more.
const STORAGE_TIME: Duration = Duration::from_secs(2);

/// Headers by which a proxy says that the request is somebody else's.
const FORWARDED: [&str; 6] =
    ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];

/// Shown on the loopback and to who has the token; to others nothing lies here.
pub(super) async fn metrics(
    State(app): State<Arc<App>>,
    Extension(from): Extension<ConnectionInfo>,
    headers: HeaderMap,
) -> Response {
    if !is_local(&headers, from.peer.ip()) && !has_token(&headers, app.options.metrics_token.as_ref()) {
        return not_found().await.into_response();
    }
    let stored = timeout(STORAGE_TIME, app.ask(|registry| registry.stored())).await;
    match page::of(app, stored.ok().and_then(Result::ok)) {
        Ok(page) => ([(CONTENT_TYPE, OPEN_METRICS), (CACHE_CONTROL, "no-store")], page).into_response(),
        Err(std::fmt::Error) => hyper::StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Whether the request comes from this machine itself, and not through a proxy on it.
fn is_local(headers: &HeaderMap, peer: IpAddr) -> bool {
    peer.to_canonical().is_loopback() && !FORWARDED.iter().any(|name| headers.contains_key(*name))
}

fn has_token(headers: &HeaderMap, token: Option<&Secret>) -> bool {
    let sent = headers.get(AUTHORIZATION).and_then(|value| Authorization::parse(value.to_str().ok()?).ok());
    match (sent, token) {
        (Some(Authorization::Bearer(sent)), Some(token)) => {
            sent.expose().as_bytes().ct_eq(token.expose().as_bytes()).into()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_machine_itself_is_local() {
        let plain = HeaderMap::new();
        for (peer, is_here) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("10.0.0.1", false),
        ] {
            assert_eq!(is_local(&plain, peer.parse().unwrap()), is_here, "{peer}");
        }
        for name in FORWARDED {
            let mut headers = HeaderMap::new();
            headers.insert(name, "x".parse().unwrap());
            assert!(!is_local(&headers, "127.0.0.1".parse().unwrap()), "{name}");
        }
    }
}
