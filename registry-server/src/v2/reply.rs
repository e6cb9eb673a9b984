//! Answers: headers that every one of them carries, bodies, challenges, pages.

use bytes::Bytes;
use hyper::header::{
    CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LINK, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use registry_core::oci::Digest;
use serde_json::{Value, json};

use super::Reply;
use super::refusal::{Challenge, Refusal};
use crate::listener::Body;
use crate::origin::Origin;
use crate::wire::percent;

const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
/// The digest of the content that an answer is about.
pub(super) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = status;
    response
}

/// An answer with a JSON body of the given type.
pub(crate) fn json(status: StatusCode, content_type: &'static str, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::Full(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Sets a header to text that is known to be visible ASCII: names, digests and numbers that were parsed.
pub(super) fn set(response: &mut Response<Body>, name: HeaderName, value: impl std::fmt::Display) {
    if let Ok(value) = HeaderValue::try_from(value.to_string()) {
        response.headers_mut().append(name, value);
    }
}

/// The digest, quoted, as an entity tag.
pub(super) fn entity_tag(digest: &Digest) -> String {
    format!("\"{digest}\"")
}

/// Points to the next page: `path` and these query parameters, encoded.
pub(super) fn link_next(response: &mut Response<Body>, path: &str, parameters: &[(&str, &str)]) {
    let query: Vec<String> =
        parameters.iter().map(|(name, value)| format!("{name}={}", percent::encode(value))).collect();
    set(response, LINK, format_args!("<{path}?{}>; rel=\"next\"", query.join("&")));
}

/// Makes the wire's answer of a handler's.
pub(super) fn finish(reply: Reply, origin: &Origin, scope: &str, is_head: bool) -> Response<Body> {
    let mut response = reply.unwrap_or_else(|refusal| refused(refusal, origin, scope));
    complete(&mut response);
    if is_head {
        keep_length_only(&mut response);
    }
    response
}

/// Makes the wire's answer of a refusal that asks nobody to sign in.
pub(super) fn without_challenge(refusal: Refusal) -> Response<Body> {
    let mut response = error_body(&refusal);
    complete(&mut response);
    response
}

/// Sets what every answer under `/v2/` carries.
fn complete(response: &mut Response<Body>) {
    set(response, API_VERSION, "registry/2.0");
    harden(response);
    say_empty(response);
}

/// HTTP/2 sends no length with an answer that ends with its head, and some clients want the 0.
fn say_empty(response: &mut Response<Body>) {
    let has_none = matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let is_empty = hyper::body::Body::is_end_stream(response.body());
    if is_empty && !has_none && !response.headers().contains_key(CONTENT_LENGTH) {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(0));
    }
}

fn error_body(refusal: &Refusal) -> Response<Body> {
    json(refusal.status, "application/json", &json!({ "errors": refusal.errors }))
}

/// No browser may take an answer for anything that it renders or runs.
pub(crate) fn harden(response: &mut Response<Body>) {
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let policy = HeaderValue::from_static("default-src 'none'; sandbox");
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(policy);
}

/// An answer to HEAD: the length that GET would have, and no body. A 304 does not say the length, since it would have to
/// be that of a 200 (RFC 9110, section 8.6).
pub(crate) fn keep_length_only(response: &mut Response<Body>) {
    let length = hyper::body::Body::size_hint(response.body()).exact().unwrap_or(0);
    if response.status() != StatusCode::NOT_MODIFIED && !response.headers().contains_key(CONTENT_LENGTH) {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    *response.body_mut() = Body::Empty;
}

fn refused(refusal: Refusal, origin: &Origin, scope: &str) -> Response<Body> {
    let mut response = error_body(&refusal);
    for (name, value) in refusal.headers {
        response.headers_mut().append(name, value);
    }
    if let Some(challenge) = refusal.challenge {
        set(&mut response, WWW_AUTHENTICATE, challenge_text(challenge, origin, scope));
    }
    response
}

fn challenge_text(challenge: Challenge, origin: &Origin, scope: &str) -> String {
    let Origin { scheme, host } = origin;
    let mut text = format!("Bearer realm=\"{scheme}://{host}/v2/auth\",service=\"{host}\"");
    // A name that was refused by its grammar has no place in a header.
    if !scope.is_empty() && scope.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
    {
        text.push_str(&format!(",scope=\"{scope}\""));
    }
    text.push_str(match challenge {
        Challenge::SignIn => "",
        Challenge::InvalidToken => ",error=\"invalid_token\"",
        Challenge::InsufficientScope => ",error=\"insufficient_scope\"",
    });
    text
}
