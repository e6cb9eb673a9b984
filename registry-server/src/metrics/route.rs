//! The pattern of a request's path, told without keeping any of it.

/// What a request asks for, as metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/v2/`.
    Ping,
    /// `/v2/_catalog`.
    Catalog,
    /// `/v2/auth` and `/v2/token`.
    Token,
    /// `/v2/<name>/blobs/<digest>`.
    Blobs,
    /// `/v2/<name>/blobs/uploads/`.
    UploadStart,
    /// `/v2/<name>/blobs/uploads/<id>`.
    Uploads,
    /// `/v2/<name>/manifests/<reference>`.
    Manifests,
    /// `/v2/<name>/tags/list`.
    Tags,
    /// `/v2/<name>/referrers/<digest>`.
    Referrers,
    /// `/api/…`.
    Api,
    /// `/health` and what lies below it.
    Health,
    /// `/metrics`.
    Metrics,
    /// Anything else.
    Other,
}

impl Route {
    /// Every route, in the order of their numbers.
    pub const ALL: [Self; 13] = [
        Self::Ping,
        Self::Catalog,
        Self::Token,
        Self::Blobs,
        Self::UploadStart,
        Self::Uploads,
        Self::Manifests,
        Self::Tags,
        Self::Referrers,
        Self::Api,
        Self::Health,
        Self::Metrics,
        Self::Other,
    ];

    /// The name in labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Catalog => "catalog",
            Self::Token => "token",
            Self::Blobs => "blobs",
            Self::UploadStart => "upload start",
            Self::Uploads => "uploads",
            Self::Manifests => "manifests",
            Self::Tags => "tags",
            Self::Referrers => "referrers",
            Self::Api => "api",
            Self::Health => "health",
            Self::Metrics => "metrics",
            Self::Other => "other",
        }
    }

    /// The route of a request target's path, read from the right as [`V2Path`](crate::wire::path::V2Path) does, without
    /// decoding it: a word of a route that a client encodes needlessly counts among the others.
    pub fn of(path: &str) -> Self {
        match path {
            "/v2" | "/v2/" => Self::Ping,
            "/v2/_catalog" => Self::Catalog,
            "/v2/auth" | "/v2/token" => Self::Token,
            "/health" | "/status" => Self::Health,
            "/metrics" => Self::Metrics,
            _ => match path.strip_prefix("/v2/") {
                Some(below) => Self::in_repository(below),
                None if path.starts_with("/api/") => Self::Api,
                None if path.starts_with("/health/") => Self::Health,
                None => Self::Other,
            },
        }
    }

    fn in_repository(below: &str) -> Self {
        let mut segments = below.rsplit('/');
        let [last, second, third, fourth] = std::array::from_fn(|_| segments.next());
        let (route, name) = match (third, second, last) {
            (_, Some("blobs"), Some("uploads")) => (Self::UploadStart, third),
            (Some("blobs"), Some("uploads"), Some("")) => (Self::UploadStart, fourth),
            (Some("blobs"), Some("uploads"), _) => (Self::Uploads, fourth),
            (_, Some("tags"), Some("list")) => (Self::Tags, third),
            (_, Some("blobs"), _) => (Self::Blobs, third),
            (_, Some("manifests"), _) => (Self::Manifests, third),
            (_, Some("referrers"), _) => (Self::Referrers, third),
            _ => return Self::Other,
        };
        if name.is_some() { route } else { Self::Other }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::wire::path::V2Path;

    fn of_parsed(path: &V2Path) -> Route {
        match path {
            V2Path::Ping => Route::Ping,
            V2Path::Catalog => Route::Catalog,
            V2Path::Token => Route::Token,
            V2Path::Blob { .. } => Route::Blobs,
            V2Path::UploadStart { .. } => Route::UploadStart,
            V2Path::Upload { .. } => Route::Uploads,
            V2Path::Manifest { .. } => Route::Manifests,
            V2Path::Tags { .. } => Route::Tags,
            V2Path::Referrers { .. } => Route::Referrers,
            V2Path::Unknown => Route::Other,
        }
    }

    proptest! {
        #[test]
        fn a_path_has_the_route_that_serves_it(
            segments in prop::collection::vec(
                prop::sample::select(vec![
                    "", "a", "blobs", "uploads", "manifests", "tags", "list", "referrers", "_catalog", "auth", "token",
                ]),
                0..6,
            ),
        ) {
            let path = format!("/v2/{}", segments.join("/"));
            prop_assert_eq!(Route::of(&path), of_parsed(&V2Path::parse(&path).unwrap()), "{}", path);
        }
    }

    #[test]
    fn what_lies_elsewhere_has_few_routes() {
        for (path, route) in [
            ("/v2", Route::Ping),
            ("/health/instance", Route::Health),
            ("/metrics", Route::Metrics),
            ("/api/v1/user/initialize", Route::Api),
            ("/v2x/acme/app/manifests/v1", Route::Other),
            ("/", Route::Other),
            ("*", Route::Other),
        ] {
            assert_eq!(Route::of(path), route, "{path}");
        }
    }

    #[test]
    fn every_route_has_its_number_and_a_name_of_its_own() {
        assert!(Route::ALL.iter().enumerate().all(|(number, route)| *route as usize == number));
        let names: BTreeSet<&str> = Route::ALL.iter().map(|route| route.name()).collect();
        assert_eq!(names.len(), Route::ALL.len());
    }
}
