//! The server as its clients see it: requests over sockets to a server within this process.
//!
//! Every answer that [`client`] receives is checked for what all answers have in common: the headers that each of
//! them carries, and the shape of an error.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "main/api.rs"]
mod api;
#[path = "main/back_off.rs"]
mod back_off;
#[path = "main/blobs.rs"]
mod blobs;
#[path = "main/browser.rs"]
mod browser;
#[path = "main/callers.rs"]
mod callers;
#[path = "main/catalog.rs"]
mod catalog;
#[path = "main/client.rs"]
mod client;
#[path = "main/control.rs"]
mod control;
#[path = "main/credentials.rs"]
mod credentials;
#[path = "main/discovery.rs"]
mod discovery;
#[path = "main/fairness.rs"]
mod fairness;
#[path = "main/full_disk.rs"]
mod full_disk;
#[path = "main/hidden.rs"]
mod hidden;
#[path = "main/hidden_api.rs"]
mod hidden_api;
#[path = "main/hostile.rs"]
mod hostile;
#[path = "main/initialize.rs"]
mod initialize;
#[path = "main/isolation.rs"]
mod isolation;
#[path = "main/killed.rs"]
mod killed;
#[path = "main/lab.rs"]
mod lab;
#[path = "main/limits.rs"]
mod limits;
#[path = "main/logs.rs"]
mod logs;
#[path = "main/manifests.rs"]
mod manifests;
#[path = "main/metrics.rs"]
mod metrics;
#[path = "main/preconditions.rs"]
mod preconditions;
#[path = "main/referrers.rs"]
mod referrers;
#[path = "main/routes.rs"]
mod routes;
#[path = "main/search.rs"]
mod search;
#[path = "main/sessions.rs"]
mod sessions;
#[path = "main/shapes.rs"]
mod shapes;
#[path = "main/stolen.rs"]
mod stolen;
#[path = "main/stopping.rs"]
mod stopping;
#[path = "main/superuser.rs"]
mod superuser;
#[path = "main/support.rs"]
mod support;
#[path = "main/tags.rs"]
mod tags;
#[path = "main/tls.rs"]
mod tls;
#[path = "main/token.rs"]
mod token;
#[path = "main/uploads.rs"]
mod uploads;
#[path = "main/users.rs"]
mod users;
