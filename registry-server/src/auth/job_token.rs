//! Job tokens: what a robot derives for one job, narrower than itself and good for a short while.
//!
//! Nothing of one is stored. It is a bearer token whose claims name the robot, its generation and what the job is narrowed
//! to, for no service in particular, so that it also serves as the robot's password. It ends with the robot's
//! generation; its robot's limits are asked at each request; and what is derived from it ends when it does.

use std::sync::Arc;

use registry_core::{Credential, Globs, Job, Principal};
use serde::{Deserialize, Serialize};

use super::token::{Claims, Subject, TokenKey};
use crate::wire::scope::Scopes;
use crate::wire::secret::Secret;

/// The longest that a job token is good, in minutes.
pub const MAX_MINUTES: u64 = 24 * 60;

/// What a job is narrowed to, as it stands in a token.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignedJob {
    id: String,
    repositories: Vec<String>,
    pushes: bool,
}

impl SignedJob {
    pub(super) fn of(job: &Job) -> Self {
        let repositories = job.repositories.patterns().to_vec();
        Self { id: job.id.to_string(), repositories, pushes: job.pushes }
    }

    pub(super) fn into_job(self) -> Option<Job> {
        let repositories = Globs::new(self.repositories).ok()?;
        Some(Job { id: self.id.parse().ok()?, repositories, pushes: self.pushes })
    }
}

/// Derives a token of a robot for a job, from `now_seconds` (since the Unix epoch) on for so many minutes.
pub fn derive(key: &TokenKey, robot: Principal, job: Job, now_seconds: u64, minutes: u64) -> (Secret, u64) {
    let expires_at = now_seconds.saturating_add(minutes.min(MAX_MINUTES) * 60);
    let subject = Subject::Narrowed(robot, Credential::Job(Arc::new(job)));
    let asked = Scopes { any: true, ..Scopes::default() };
    let claims =
        Claims { subject, is_robot: true, asked, service: String::new(), issued_at: now_seconds, expires_at };
    (Secret::new(key.issue(&claims)), expires_at)
}

/// What a job token says that was sent as a password, if it is one and good at this time.
pub(super) fn open(key: &TokenKey, sent: &Secret, now_seconds: u64) -> Option<Claims> {
    let claims = key.verify(sent.expose(), "", now_seconds).ok()?;
    let is_job = matches!(claims.subject, Subject::Narrowed(_, Credential::Job(_)));
    (is_job && claims.service.is_empty()).then_some(claims)
}
