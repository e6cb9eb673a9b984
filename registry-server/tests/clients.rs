//! Real clients against the real binary, each over http and https.
//!
//! A test whose client is not installed records a skip in the file that `REGISTRY_TEST_SKIPS` names, and fails where
//! `CI` is `true`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::disallowed_methods, reason = "tests lay out files for the clients")]

/// Makes two tests of each function: over http and over https, against a server of its own.
macro_rules! over_http_and_https {
    ($client:literal: $($fact:ident),+ $(,)?) => {
        mod http {
            $(#[test] fn $fact() { crate::site::with($client, crate::site::Scheme::Http, super::$fact); })+
        }
        mod https {
            $(#[test] fn $fact() { crate::site::with($client, crate::site::Scheme::Https, super::$fact); })+
        }
    };
}

#[path = "clients/buildah.rs"]
mod buildah;
#[path = "clients/containerd.rs"]
mod containerd;
#[path = "clients/crane.rs"]
mod crane;
#[path = "clients/curl.rs"]
mod curl;
#[path = "clients/docker.rs"]
mod docker;
#[path = "clients/helm.rs"]
mod helm;
#[path = "clients/layout.rs"]
mod layout;
#[path = "clients/oras.rs"]
mod oras;
#[path = "clients/podman.rs"]
mod podman;
#[path = "clients/site.rs"]
mod site;
#[path = "clients/skopeo.rs"]
mod skopeo;
