//! Sign-ins, and what was refused. Whoever sends requests chooses how many of these there are: alike ones that wait
//! together are one event, and those that failed have an allowance, so that a flood neither fills the disk nor takes the
//! place of what was done.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{Observed, Waiting};
use crate::access::{Action, Actor, Credential};
use crate::oci::{Digest, RepositoryName};

/// How much of a text that a client chose is kept, in bytes.
const TEXT_MAX: usize = 255;
/// So many failures in a row are recorded.
const FAILURES_AT_ONCE: u64 = 1_000;
/// After them one in this time: some 9,000 events a day, or 2 MB of the log.
const FAILURE_EVERY_MS: u64 = 10_000;

/// Where somebody signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInWay {
    /// With a browser (Quay: `quayauth`).
    Browser,
    /// As a client of the registry (Quay: `v2auth`).
    Client,
}

/// How a sign-in went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInOutcome {
    /// Somebody is signed in.
    SignedIn,
    /// Nobody is, and why not.
    Refused(&'static str),
    /// Somebody no longer is.
    SignedOut,
}

/// Somebody signed in, tried to, or signed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// Where.
    pub way: SignInWay,
    /// By which name, of a user or a robot; there may be none who bears it. Kept up to 255 bytes.
    pub name: String,
    /// With what, if that is no password and no robot's token.
    pub credential: Option<Credential>,
    /// How it went.
    pub outcome: SignInOutcome,
}

/// What was asked for in a repository and refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What: pulling, pushing or deleting; the others leave no event.
    pub action: Action,
    /// Who asked.
    pub actor: Actor,
    /// Where; it may not exist.
    pub repository: RepositoryName,
    /// The tag or digest, as it was sent; kept up to 255 bytes.
    pub reference: Option<String>,
    /// What the client was told.
    pub message: String,
}

impl SignIn {
    /// The event of it, by Quay's names. It has no performer there, and lies in the namespace of whom it is about.
    pub(crate) fn observed(&self, user_agent: &str) -> Observed {
        let name = cut(&self.name);
        let way = match self.way {
            SignInWay::Browser => "quayauth",
            SignInWay::Client => "v2auth",
        };
        let credential = match self.credential {
            Some(Credential::AccessToken(_)) => "oauth_token",
            Some(Credential::AppToken(_)) => "app_specific_token",
            Some(Credential::Job(_)) => "robot",
            None if name.contains('+') => "robot",
            None => "user",
        };
        let mut metadata =
            json!({ "type": way, "kind": credential, "useragent": user_agent, "username": name });
        let kind = match self.outcome {
            SignInOutcome::SignedIn => "login_success",
            SignInOutcome::SignedOut => "logout_success",
            SignInOutcome::Refused(why) => {
                metadata["message"] = why.into();
                "login_failure"
            }
        };
        Observed {
            kind: kind.to_owned(),
            actor: Actor::Anonymous,
            credential: self.credential.clone(),
            namespace: name.split('+').next().map(str::to_owned),
            repository: None,
            metadata: metadata.to_string(),
        }
    }
}

impl Refused {
    /// The event of it, by Quay's names; `None` for what Quay has none.
    pub(crate) fn observed(&self) -> Option<Observed> {
        let kind = match self.action {
            Action::Pull => "pull_repo_failed",
            Action::Push | Action::Create => "push_repo_failed",
            Action::Delete => "delete_tag_failed",
            Action::Describe | Action::Administer => return None,
        };
        let (namespace, repo) = (self.repository.namespace(), self.repository.path());
        let mut metadata = json!({ "namespace": namespace, "repo": repo, "message": self.message });
        if let Some(reference) = &self.reference {
            let key = if reference.parse::<Digest>().is_ok() { "manifest_digest" } else { "tag" };
            metadata[key] = cut(reference).into();
        }
        Some(Observed {
            kind: kind.to_owned(),
            actor: self.actor.clone(),
            credential: self.actor.credential().cloned(),
            namespace: Some(namespace.to_owned()),
            repository: Some(repo.to_owned()),
            metadata: metadata.to_string(),
        })
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_MAX)]
}

/// Says in an event's metadata for how many it stands, if for several.
pub(crate) fn with_times(metadata: String, times: u64) -> String {
    match serde_json::from_str::<Value>(&metadata) {
        Ok(mut object) if times > 1 => {
            object["times"] = times.into();
            object.to_string()
        }
        _ => metadata,
    }
}

/// Sign-ins and refusals that wait.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    /// By all that they say and the address.
    waiting: HashMap<(Observed, String), Attempt>,
    allowance: Allowance,
    /// Failures beyond the allowance.
    unrecorded: u64,
}

/// The first of its kind that waits, with how many alike ones there were, and which of those that wait it is.
#[derive(Debug)]
struct Attempt {
    first: Waiting,
    times: u64,
    number: usize,
}

impl Attempts {
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Counts an attempt with those that are alike; false if none waits.
    pub(crate) fn count_alike(&mut self, attempt: &Waiting) -> bool {
        let alike = self.waiting.get_mut(&key(attempt));
        alike.map(|alike| alike.times += 1).is_some()
    }

    /// Adds an attempt to which none is alike; false if it is a failure beyond the allowance, and only counted.
    pub(crate) fn push(&mut self, attempt: Waiting, is_failure: bool) -> bool {
        if is_failure && !self.allowance.take(attempt.time_ms) {
            self.unrecorded += 1;
            return false;
        }
        let number = self.waiting.len();
        self.waiting.insert(key(&attempt), Attempt { first: attempt, times: 1, number });
        true
    }

    /// Takes all that wait, in their order, and says how many failures were beyond the allowance.
    pub(crate) fn take(&mut self, now_ms: u64) -> Vec<Waiting> {
        let mut attempts: Vec<Attempt> = self.waiting.drain().map(|(_, attempt)| attempt).collect();
        attempts.sort_by_key(|attempt| attempt.number);
        let mut waiting: Vec<Waiting> = attempts
            .into_iter()
            .map(|Attempt { mut first, times, .. }| {
                first.observed.metadata = with_times(first.observed.metadata, times);
                first
            })
            .collect();
        // That costs an event as well, out of the same allowance.
        if self.unrecorded > 0 && self.allowance.take(now_ms) {
            waiting.push(unrecorded(std::mem::take(&mut self.unrecorded), now_ms));
        }
        waiting
    }
}

fn key(attempt: &Waiting) -> (Observed, String) {
    let address = attempt.origin.as_ref().map(|origin| origin.address.clone()).unwrap_or_default();
    (attempt.observed.clone(), address)
}

fn unrecorded(count: u64, now_ms: u64) -> Waiting {
    let observed = Observed {
        kind: "failures_unrecorded".to_owned(),
        actor: Actor::Anonymous,
        credential: None,
        namespace: None,
        repository: None,
        metadata: json!({ "count": count }).to_string(),
    };
    Waiting { observed, origin: None, time_ms: now_ms }
}

/// How many more failures may be recorded (a leaky bucket: ITU-T I.371, generic cell rate algorithm).
#[derive(Debug, Default)]
struct Allowance {
    /// When all of it is there again.
    whole_ms: u64,
}

impl Allowance {
    /// Takes one, if there is one.
    fn take(&mut self, now_ms: u64) -> bool {
        let most_ms = FAILURES_AT_ONCE * FAILURE_EVERY_MS;
        // A clock that went back makes nobody wait longer than for the whole.
        let whole_ms = self.whole_ms.clamp(now_ms, now_ms.saturating_add(most_ms));
        let taken_ms = whole_ms.saturating_add(FAILURE_EVERY_MS);
        let is_left = taken_ms <= now_ms.saturating_add(most_ms);
        self.whole_ms = if is_left { taken_ms } else { whole_ms };
        is_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_is_used_up_and_comes_back_slowly() {
        let mut allowance = Allowance::default();
        let mut taken = |now_ms| (0..2 * FAILURES_AT_ONCE).filter(|_| allowance.take(now_ms)).count() as u64;
        let now_ms = 1_800_000_000_000;
        assert_eq!(taken(now_ms), FAILURES_AT_ONCE);
        assert_eq!(taken(now_ms + FAILURE_EVERY_MS - 1), 0);
        assert_eq!(taken(now_ms + FAILURE_EVERY_MS), 1);
        assert_eq!(taken(now_ms + 1_000_000 * FAILURE_EVERY_MS), FAILURES_AT_ONCE);
        assert_eq!(taken(now_ms), 0, "the clock went back");
        assert_eq!(taken(now_ms + FAILURE_EVERY_MS), 1);
    }

    #[test]
    fn what_a_client_chose_is_cut_short() {
        let name = "ü".repeat(300);
        let sign_in =
            SignIn { way: SignInWay::Client, name, credential: None, outcome: SignInOutcome::Refused("no") };
        let metadata: Value = serde_json::from_str(&sign_in.observed("agent").metadata).unwrap();
        assert_eq!(metadata["username"].as_str().unwrap(), "ü".repeat(127));
    }
}
