//! The few pages of the OAuth flow: plain HTML, without scripts and without anything from elsewhere.

use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use registry_core::ApplicationInfo;

use super::caller::CSRF_FIELD;
use super::oauth::AuthorizationRequest;
use super::scopes;

/// A page that no other site can frame, so that nobody presses its button unawares. What it sends may lead to another
/// site, as the address of the application does, so forms are not bound to this one.
const POLICY: &str = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'";

/// Asks `user`, who is signed in, whether an application may act for them.
pub(super) fn page(
    asked: &AuthorizationRequest,
    info: &ApplicationInfo,
    user: &str,
    csrf_token: &str,
) -> Response {
    let authorization = &asked.authorization;
    let scopes: String = authorization.scopes.iter().map(|scope| item(scopes::told(scope).1)).collect();
    let fields: String = [
        ("response_type", asked.response_type.as_str()),
        ("client_id", &authorization.client_id),
        ("redirect_uri", &authorization.redirect_uri),
        ("scope", &authorization.scopes.to_string()),
        (CSRF_FIELD, csrf_token),
    ]
    .into_iter()
    .chain(asked.state.as_deref().map(|state| ("state", state)))
    .map(|(name, value)| format!("<input type=hidden name={name} value=\"{}\">", escape(value)))
    .collect();
    let (name, org, user) = (escape(&info.details.name), escape(&info.namespace), escape(user));
    let address = escape(&authorization.redirect_uri);
    html(
        StatusCode::OK,
        &format!(
            "<h1>{name}</h1><p>You are signed in as <b>{user}</b>. This application of {org} asks to act for you. It \
             could:</p><ul>{scopes}</ul><p>The answer goes to <code>{address}</code>.</p>\
             <form method=post action=/oauth/authorizeapp>{fields}\
             <button>Allow</button> <button formaction=/oauth/denyapp>Deny</button></form>"
        ),
    )
}

/// Says that somebody has to sign in first.
pub(super) fn sign_in() -> Response {
    html(
        StatusCode::UNAUTHORIZED,
        "<h1>Sign in first</h1><p>Sign in to the registry, then open this page again.</p>",
    )
}

/// Where a token ends up that no application waits for: in the address, which the browser alone knows.
pub(super) fn local() -> Response {
    let text = "<h1>Access token</h1><p>The token is in the address of this page, behind <code>access_token=</code>.</p>";
    html(StatusCode::OK, text)
}

fn item(text: &str) -> String {
    format!("<li>{}</li>", escape(text))
}

fn html(status: StatusCode, body: &str) -> Response {
    let page =
        format!("<!doctype html><html lang=en><meta charset=utf-8><title>Registry</title>{body}</html>\n");
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    ];
    (status, headers, page).into_response()
}

/// Text as it stands in HTML, between tags or in a quoted attribute.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
