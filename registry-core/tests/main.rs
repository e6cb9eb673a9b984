//! The registry through its public face: what it does, against a plain twin, and under power cuts.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "main/accounts.rs"]
mod accounts;
#[path = "main/attempts.rs"]
mod attempts;
#[path = "main/blobs.rs"]
mod blobs;
#[path = "main/catalog.rs"]
mod catalog;
#[path = "main/collection.rs"]
mod collection;
#[path = "main/concurrency.rs"]
mod concurrency;
#[path = "main/credentials.rs"]
mod credentials;
#[path = "main/deletion.rs"]
mod deletion;
#[path = "main/dependencies.rs"]
mod dependencies;
#[path = "main/interruptions.rs"]
mod interruptions;
#[path = "main/manifests.rs"]
mod manifests;
#[path = "main/moves.rs"]
mod moves;
#[path = "main/organizations.rs"]
mod organizations;
#[path = "main/permissions.rs"]
mod permissions;
#[path = "main/pieces.rs"]
mod pieces;
#[path = "main/power.rs"]
mod power;
#[path = "main/referrers.rs"]
mod referrers;
#[path = "main/refused_commits.rs"]
mod refused_commits;
#[path = "main/search.rs"]
mod search;
#[path = "main/sessions.rs"]
mod sessions;
#[path = "main/statistics.rs"]
mod statistics;
#[path = "main/storage.rs"]
mod storage;
#[path = "main/support.rs"]
mod support;
#[path = "main/tags.rs"]
mod tags;
#[path = "main/trail.rs"]
mod trail;
#[path = "main/twin.rs"]
mod twin;
#[path = "main/uploads.rs"]
mod uploads;
