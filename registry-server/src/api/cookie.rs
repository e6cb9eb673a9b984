//! The session cookie: who a browser is to the registry.

use hyper::HeaderMap;
use hyper::header::{COOKIE, HeaderValue};
use registry_core::SessionId;

use crate::auth::visitor::VisitorId;
use crate::wire::cookie::{self, TaggedId};

/// Quay's name for it: clients look for this one.
const NAME: &str = "_csrf_token";
/// The kinds of its values.
const VISITOR: char = 'v';
const SESSION: char = 's';

/// What a session cookie says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cookie {
    /// Somebody who has not signed in.
    Visitor(VisitorId),
    /// Somebody who has.
    Session(SessionId),
}

impl Cookie {
    /// The cookie of a request, if it has one that this registry could have set. Of two that differ neither counts: a
    /// neighbour of this host could have added one, and nobody can tell which.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut found = lines.flat_map(|line| cookie::values(line, NAME)).filter_map(Self::parse);
        let first = found.next()?;
        found.all(|other| other == first).then_some(first)
    }

    fn parse(value: &str) -> Option<Self> {
        let TaggedId { kind, bytes } = TaggedId::parse(value)?;
        match kind {
            VISITOR => Some(Self::Visitor(VisitorId(bytes))),
            SESSION => Some(Self::Session(SessionId::from_bytes(bytes))),
            _ => None,
        }
    }

    fn value(&self) -> String {
        let id = match self {
            Self::Visitor(VisitorId(bytes)) => TaggedId { kind: VISITOR, bytes: *bytes },
            Self::Session(id) => TaggedId { kind: SESSION, bytes: *id.as_bytes() },
        };
        id.text()
    }

    /// The header that sets it: until `expires_ms` (since the Unix epoch), or else until the browser is closed.
    pub(super) fn set(&self, is_secure: bool, expires_ms: Option<u64>) -> Option<HeaderValue> {
        let expires = expires_ms.map(|ms| format!("; Expires={}", http_date(ms))).unwrap_or_default();
        header(&self.value(), is_secure, &expires)
    }

    /// The header that takes it from the browser.
    pub(super) fn clear(is_secure: bool) -> Option<HeaderValue> {
        header("", is_secure, &format!("; Expires={}; Max-Age=0", http_date(0)))
    }
}

fn header(value: &str, is_secure: bool, expires: &str) -> Option<HeaderValue> {
    let secure = if is_secure { "; Secure" } else { "" };
    let text = format!("{NAME}={value}{expires}{secure}; HttpOnly; Path=/; SameSite=Lax");
    let mut header = HeaderValue::try_from(text).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// A time as HTTP writes it (RFC 9110, section 5.6.7).
fn http_date(ms: u64) -> String {
    let time = i64::try_from(ms / 1000).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    time.unwrap_or(jiff::Timestamp::MAX).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
