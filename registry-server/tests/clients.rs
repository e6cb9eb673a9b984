//! Real clients against the real binary: skopeo, podman and oras.
//!
//! A test whose client is not installed records a skip in the file that `REGISTRY_TEST_SKIPS` names, and fails where
//! `CI` is `true`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::disallowed_methods, reason = "tests lay out files for the clients")]

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
