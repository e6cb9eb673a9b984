//! How operations become routes, and what every answer of `/api/v1` has.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::routing::options;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL, HeaderValue, USER_AGENT, VARY,
};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Uri};
use serde::de::DeserializeOwned;

use super::error::ApiError;
use super::operation::{Description, Operation};
use crate::app::App;
use crate::wire::query::Query;

/// The repository in a template: its name may contain slashes.
const REPOSITORY: &str = "{repository}";

/// The routes of the operations: each path with and without a slash at the end, since clients send either; `OPTIONS` is
/// answered with 200.
pub(super) fn router(operations: Vec<Operation>) -> Router<Arc<App>> {
    let mut router = Router::new();
    let mut paths = BTreeSet::new();
    for Operation { description, handler } in operations {
        paths.insert(description.path);
        router = router.route(description.path, handler.clone());
        router = router.route(&format!("{}/", description.path), handler);
    }
    for path in paths {
        router = router.route(path, options(async || {})).route(&format!("{path}/"), options(async || {}));
    }
    router
}

/// Where repositories stand in paths, and what may stand behind them.
#[derive(Debug)]
pub(super) struct Repositories {
    /// By what stands before a repository: the longest first, since a repository's name ends where the longest path that
    /// means something begins.
    tails: BTreeMap<&'static str, Vec<Vec<&'static str>>>,
    /// Paths that look as if they named a repository and do not.
    fixed: BTreeSet<&'static str>,
}

impl Repositories {
    pub(super) fn of(operations: &[Description]) -> Self {
        let (mut tails, mut fixed) = (BTreeMap::<_, Vec<Vec<&str>>>::new(), BTreeSet::new());
        for path in operations.iter().map(|at| at.path).collect::<BTreeSet<_>>() {
            match path.split_once(REPOSITORY) {
                Some((before, tail)) => {
                    tails.entry(before).or_default().push(tail.split('/').skip(1).collect())
                }
                None => _ = fixed.insert(path),
            }
        }
        tails.values_mut().for_each(|tails| tails.sort_unstable_by_key(|tail| Reverse(tail.len())));
        Self { tails, fixed }
    }

    /// The path as the router knows it, with the repository's name in one segment; none for other paths. Generated clients
    /// send the name so already.
    fn canonical(&self, path: &str) -> Option<String> {
        let (before, tails) = self.tails.iter().find(|(before, _)| path.starts_with(**before))?;
        let path = path.trim_end_matches('/');
        if self.fixed.contains(path) {
            return None;
        }
        let below = path.strip_prefix(before)?.replace("%2F", "/").replace("%2f", "/");
        let parts: Vec<&str> = below.split('/').collect();
        let ends_in = |tail: &&Vec<&str>| {
            // A namespace and a repository are left.
            let start = parts.len().checked_sub(tail.len()).filter(|start| *start >= 2);
            let mut pairs = start.into_iter().flat_map(|start| parts[start..].iter().zip(tail.iter()));
            start.is_some() && pairs.all(|(part, wanted)| part == wanted || is_parameter(wanted, part))
        };
        let tail = tails.iter().find(ends_in).map_or(0, Vec::len);
        let (name, rest) = parts.split_at(parts.len() - tail);
        let rest: String = rest.iter().flat_map(|part| ["/", part]).collect();
        Some(format!("{before}{}{rest}", name.join("%2F")))
    }

    /// Rewrites the path of a request for the router.
    pub(super) fn rewrite(&self, uri: &mut Uri) {
        let Some(path) = self.canonical(uri.path()) else { return };
        let target = match uri.query() {
            Some(query) => format!("{path}?{query}"),
            None => path,
        };
        // What cannot be written so was no path that leads anywhere.
        if let Ok(rewritten) = target.parse() {
            *uri = rewritten;
        }
    }
}

fn is_parameter(wanted: &str, part: &str) -> bool {
    wanted.starts_with('{') && !part.is_empty()
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

/// What the query of a request says; one that cannot be read says nothing.
#[derive(Debug)]
pub(super) struct Asked(Query);

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(Query::parse(head.uri.query().unwrap_or("")).unwrap_or_default()))
    }
}

impl Asked {
    #[cfg(test)]
    pub(super) fn of(query: &str) -> Self {
        Self(Query::parse(query).unwrap())
    }

    /// The first value of `name`.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)
    }

    /// Whether the query says `name`, and not that it is false (the texts that are false to Quay).
    pub(super) fn flag(&self, name: &str) -> bool {
        self.optional_flag(name).unwrap_or(false)
    }

    /// As [`Asked::flag`]; none if the query says nothing of it.
    pub(super) fn optional_flag(&self, name: &str) -> Option<bool> {
        self.text(name).map(|text| !["false", "False", "FALSE", "0", "", "null"].contains(&text))
    }

    /// A whole number that is not negative; none if there is none.
    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.text(name)?.parse().ok()
    }
}

/// Sets what every answer of `/api/v1` has to a request from `site`. Any site may read what anybody may: a browser sends
/// no cookie along. Those that are `trusted` may act for who is signed in.
pub(super) fn complete(headers: &mut HeaderMap, site: Option<&HeaderValue>, trusted: &[String]) {
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (ACCESS_CONTROL_ALLOW_METHODS, "DELETE, GET, HEAD, OPTIONS, POST, PUT"),
        (ACCESS_CONTROL_MAX_AGE, "21600"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "AUTHORIZATION, CONTENT-TYPE, X-REQUESTED-WITH"),
        (CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if trusted.is_empty() {
        return;
    }
    headers.append(VARY, HeaderValue::from_static("Origin"));
    if let Some(site) =
        site.filter(|site| trusted.iter().any(|trusted| trusted.as_bytes() == site.as_bytes()))
    {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, site.clone());
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        let more = "AUTHORIZATION, CONTENT-TYPE, X-REQUESTED-WITH, COOKIE, X-CSRF-TOKEN";
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(more));
    }
}

/// Whether a browser asks for this by itself, and not through a script of a page: so it would for a link that another site
/// shows.
pub(super) fn is_opened_by_a_browser(head: &Parts) -> bool {
    let agent = head.headers.get(USER_AGENT).map_or("", |agent| agent.to_str().unwrap_or_default());
    let is_browser = agent.starts_with("Mozilla/") || agent.starts_with("Opera/");
    let by_script = head.headers.get("x-requested-with").is_some_and(|by| by == "XMLHttpRequest");
    head.method == Method::GET && is_browser && !by_script
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::operations;
    use super::*;

    #[test]
    fn a_path_below_a_repository_is_read_from_the_right() {
        const BELOW: &str = "/api/v1/repository/";
        let below = Repositories::of(operations());
        for (path, canonical) in [
            ("acme/app", "acme%2Fapp"),
            ("acme/app/", "acme%2Fapp"),
            ("acme/a/b/c", "acme%2Fa%2Fb%2Fc"),
            ("acme%2fa%2Fb", "acme%2Fa%2Fb"),
            ("acme/a/changevisibility", "acme%2Fa/changevisibility"),
            ("acme%2Fa/changevisibility", "acme%2Fa/changevisibility"),
            ("acme/changevisibility", "acme%2Fchangevisibility"),
            ("acme/a/b/changestate", "acme%2Fa%2Fb/changestate"),
            ("acme/a/permissions/user/", "acme%2Fa/permissions/user"),
            ("acme/a/permissions/team/devs", "acme%2Fa/permissions/team/devs"),
            ("acme/a/b/permissions/user/acme+ci", "acme%2Fa%2Fb/permissions/user/acme+ci"),
            ("acme/a/permissions/user/bob/transitive", "acme%2Fa/permissions/user/bob/transitive"),
            ("acme/permissions/user", "acme%2Fpermissions%2Fuser"),
        ] {
            assert_eq!(
                below.canonical(&format!("{BELOW}{path}")),
                Some(format!("{BELOW}{canonical}")),
                "{path}"
            );
        }
        assert_eq!(below.canonical("/api/v1/repository/"), None);
        assert_eq!(below.canonical("/api/v1/organization/acme"), None);
        let starred = "/api/v1/user/starred/acme";
        assert_eq!(below.canonical(&format!("{starred}/a/logs")), Some(format!("{starred}%2Fa%2Flogs")));
    }

    proptest! {
        #[test]
        fn a_path_is_only_written_otherwise(
            parts in prop::collection::vec("permissions|user|team|logs|tokens|[a-z%+]{0,3}|%2[Ff]", 0..8),
        ) {
            let path = format!("/api/v1/repository/{}", parts.join("/"));
            let plain = |path: &str| path.replace("%2F", "/").replace("%2f", "/").trim_end_matches('/').to_owned();
            if let Some(canonical) = Repositories::of(operations()).canonical(&path) {
                prop_assert_eq!(plain(&canonical), plain(&path));
            }
        }
    }
}
