//! Events that come with no change of the rows: they wait in memory, and nobody waits for them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;

use super::attempts::{Attempts, Refused, SignIn, SignInOutcome, with_times};
use super::{Event, Origin};
use crate::access::{Actor, Credential};
use crate::oci::{Digest, Reference, RepositoryName};

/// Events that may wait. What comes beyond is dropped and counted.
pub(crate) const WAITING_MAX: usize = 8192;
/// A GET this soon after a HEAD of the same manifest is the same pull: clients ask first whether they need it.
const SAME_PULL_MS: u64 = 5_000;
/// HEADs that are remembered.
const HEADS_MAX: usize = 1024;

/// Something that happened and that no row says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Observed {
    /// What, by Quay's name for it.
    pub kind: String,
    /// Who did it.
    pub actor: Actor,
    /// With what, if that is no password and no robot's token.
    pub credential: Option<Credential>,
    /// The name of the namespace, if it has to do with one. What does not exist any more is kept by its name alone.
    pub namespace: Option<String>,
    /// The repository's path in that namespace, likewise.
    pub repository: Option<String>,
    /// The rest, as a JSON object.
    pub metadata: String,
}

/// A manifest that was pulled, or asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pull {
    /// Who pulled.
    pub actor: Actor,
    /// From where.
    pub repository: RepositoryName,
    /// What was asked for.
    pub reference: Reference,
    /// What that was.
    pub digest: Digest,
    /// The manifest's type.
    pub media_type: String,
    /// Whether it was asked for with HEAD.
    pub is_head: bool,
}

impl Pull {
    /// The event of it, which stands for `times` pulls.
    fn observed(&self, times: u64) -> Observed {
        let (namespace, repo) = (self.repository.namespace(), self.repository.path());
        let mut metadata = json!({"namespace": namespace, "repo": repo, "mediaType": self.media_type});
        match &self.reference {
            Reference::Tag(tag) => metadata["tag"] = tag.as_str().into(),
            Reference::Digest(digest) => metadata["manifest_digest"] = digest.to_string().into(),
        }
        Observed {
            kind: "pull_repo".to_owned(),
            actor: self.actor.clone(),
            credential: self.actor.credential().cloned(),
            namespace: Some(namespace.to_owned()),
            repository: Some(repo.to_owned()),
            metadata: with_times(metadata.to_string(), times),
        }
    }
}

/// An event that waits, with when and where it happened.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) observed: Observed,
    pub(crate) origin: Option<Arc<Origin>>,
    pub(crate) time_ms: u64,
}

/// A pull that waits, with when the first of its kind was, and how many there were.
#[derive(Debug)]
struct WaitingPull {
    pull: Pull,
    origin: Option<Arc<Origin>>,
    time_ms: u64,
    times: u64,
}

/// What waits to be written.
#[derive(Debug, Default)]
pub(crate) struct Queue(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Waiting>,
    /// Pulls by what tells them apart: one event for all that are alike, as clients ask again and again.
    pulls: HashMap<Asked, WaitingPull>,
    attempts: Attempts,
    dropped: u64,
    /// When a manifest was asked for with HEAD.
    heads: HashMap<Head, u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Head {
    actor: Actor,
    address: String,
    repository: RepositoryName,
    digest: Digest,
}

/// What alike pulls have in common.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Asked {
    head: Head,
    reference: Reference,
}

impl Queue {
    /// Adds an event, or counts it as dropped if there are too many. True if it is time to write them.
    pub(crate) fn push(&self, observed: Observed, origin: Option<Arc<Origin>>, now_ms: u64) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Waiting {
            observed,
            origin,
            time_ms: now_ms,
        })
    }

    /// Adds a pull, unless it is a GET that follows its HEAD, to those that wait and are alike. True if it is time to write
    /// them.
    pub(crate) fn push_pull(&self, pull: &Pull, origin: Option<Arc<Origin>>, now_ms: u64) -> bool {
        let head = Head {
            actor: pull.actor.clone(),
            address: origin.as_ref().map(|origin| origin.address.clone()).unwrap_or_default(),
            repository: pull.repository.clone(),
            digest: pull.digest,
        };
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pull.is_head {
            state.remember(head.clone(), now_ms);
        } else if state.heads.remove(&head).is_some_and(|head_ms| is_recent(head_ms, now_ms)) {
            return false;
        }
        state.push_pull(head, pull, origin, now_ms)
    }

    /// Adds a sign-in to those that wait and are alike. True if it is time to write them.
    pub(crate) fn push_sign_in(&self, sign_in: &SignIn, origin: Option<Arc<Origin>>, now_ms: u64) -> bool {
        let user_agent = origin.as_ref().map_or("", |origin| &origin.user_agent);
        let is_failure = matches!(sign_in.outcome, SignInOutcome::Refused(_));
        let attempt = Waiting { observed: sign_in.observed(user_agent), origin, time_ms: now_ms };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_attempt(attempt, is_failure)
    }

    /// Adds what was refused, likewise.
    pub(crate) fn push_refused(&self, refused: &Refused, origin: Option<Arc<Origin>>, now_ms: u64) -> bool {
        let Some(observed) = refused.observed() else { return false };
        let attempt = Waiting { observed, origin, time_ms: now_ms };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_attempt(attempt, true)
    }

    /// Takes all that waits, and how many events were dropped since the last time.
    pub(crate) fn take(&self, now_ms: u64) -> (Vec<Waiting>, u64) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut waiting = std::mem::take(&mut state.waiting);
        waiting.extend(state.attempts.take(now_ms));
        let (pulls, dropped) = (std::mem::take(&mut state.pulls), std::mem::take(&mut state.dropped));
        drop(state);
        waiting.extend(pulls.into_values().map(|WaitingPull { pull, origin, time_ms, times }| Waiting {
            observed: pull.observed(times),
            origin,
            time_ms,
        }));
        waiting.sort_by_key(|waiting| waiting.time_ms);
        (waiting, dropped)
    }
}

impl State {
    fn push(&mut self, waiting: Waiting) -> bool {
        if self.is_full() {
            self.dropped += 1;
            return false;
        }
        self.waiting.push(waiting);
        self.is_half_full()
    }

    fn push_pull(&mut self, head: Head, pull: &Pull, origin: Option<Arc<Origin>>, now_ms: u64) -> bool {
        let asked = Asked { head, reference: pull.reference.clone() };
        if let Some(alike) = self.pulls.get_mut(&asked) {
            alike.times += 1;
            return false;
        }
        if self.is_full() {
            self.dropped += 1;
            return false;
        }
        self.pulls.insert(asked, WaitingPull { pull: pull.clone(), origin, time_ms: now_ms, times: 1 });
        self.is_half_full()
    }

    fn push_attempt(&mut self, attempt: Waiting, is_failure: bool) -> bool {
        if self.attempts.count_alike(&attempt) {
            return false;
        }
        if self.is_full() {
            self.dropped += 1;
            return false;
        }
        self.attempts.push(attempt, is_failure) && self.is_half_full()
    }

    fn is_full(&self) -> bool {
        self.len() >= WAITING_MAX
    }

    fn is_half_full(&self) -> bool {
        self.len() == WAITING_MAX / 2
    }

    fn len(&self) -> usize {
        self.waiting.len() + self.pulls.len() + self.attempts.len()
    }

    fn remember(&mut self, head: Head, now_ms: u64) {
        if self.heads.len() >= HEADS_MAX {
            self.heads.retain(|_, head_ms| is_recent(*head_ms, now_ms));
        }
        // Where more are recent than can be remembered, a pull may be two events.
        if self.heads.len() < HEADS_MAX {
            self.heads.insert(head, now_ms);
        }
    }
}

fn is_recent(head_ms: u64, now_ms: u64) -> bool {
    now_ms.abs_diff(head_ms) < SAME_PULL_MS
}

/// Says how many events were dropped.
pub(crate) fn dropped(count: u64, time_ms: u64) -> Event {
    Event {
        time_ms,
        kind: "events_dropped".to_owned(),
        metadata: json!({ "count": count }).to_string(),
        ..Event::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Algorithm;

    fn pull(is_head: bool, content: &[u8]) -> Pull {
        Pull {
            actor: Actor::Anonymous,
            repository: RepositoryName::parse("acme/app", &"library".parse().unwrap()).unwrap(),
            reference: "v1".parse().unwrap(),
            digest: Digest::of(Algorithm::Sha256, content),
            media_type: "a/b".into(),
            is_head,
        }
    }

    fn from(address: &str) -> Option<Arc<Origin>> {
        Some(Arc::new(Origin { address: address.into(), ..Origin::default() }))
    }

    #[test]
    fn a_get_that_follows_its_head_is_the_same_pull() {
        let queue = Queue::default();
        queue.push_pull(&pull(true, b"a"), from("1"), 0);
        queue.push_pull(&pull(false, b"a"), from("1"), SAME_PULL_MS - 1);
        assert_eq!(queue.take(0).0.len(), 1);
        queue.push_pull(&pull(false, b"a"), from("1"), SAME_PULL_MS - 1);
        assert_eq!(queue.take(0).0.len(), 1, "another GET is another pull");
    }

    #[test]
    fn a_get_of_others_of_other_things_or_later_is_a_pull_of_its_own() {
        let queue = Queue::default();
        queue.push_pull(&pull(true, b"a"), from("1"), 0);
        queue.push_pull(&pull(false, b"a"), from("2"), 0);
        queue.push_pull(&pull(false, b"b"), from("1"), 0);
        assert_eq!(queue.take(0).0.len(), 3);
        queue.push_pull(&pull(false, b"a"), from("1"), SAME_PULL_MS);
        assert_eq!(queue.take(0).0.len(), 1);
    }

    #[test]
    fn pulls_that_are_alike_are_one_event_that_counts_them() {
        let queue = Queue::default();
        for _ in 0..3 {
            queue.push_pull(&pull(false, b"a"), from("1"), 7);
        }
        queue.push_pull(&pull(false, b"a"), from("2"), 7);
        let (mut waiting, _) = queue.take(0);
        waiting.sort_by_key(|waiting| waiting.observed.metadata.len());
        let metadata: Vec<_> = waiting.iter().map(|waiting| waiting.observed.metadata.as_str()).collect();
        assert_eq!(metadata.len(), 2);
        assert!(!metadata[0].contains("times") && metadata[1].contains(r#""times":3"#), "{metadata:?}");
    }

    #[test]
    fn heads_that_are_remembered_are_bounded_and_old_ones_make_room() {
        let queue = Queue::default();
        for number in 0..2 * HEADS_MAX {
            queue.push_pull(&pull(true, &number.to_be_bytes()), None, 0);
        }
        assert_eq!(queue.0.lock().unwrap().heads.len(), HEADS_MAX);
        queue.push_pull(&pull(true, b"late"), None, SAME_PULL_MS);
        assert_eq!(queue.0.lock().unwrap().heads.len(), 1);
    }

    #[test]
    fn what_a_full_queue_drops_is_counted() {
        let queue = Queue::default();
        let push = |number: usize| queue.push_pull(&pull(false, &number.to_be_bytes()), None, 0);
        let calls = (0..WAITING_MAX + 3).filter(|number| push(*number)).count();
        assert_eq!(calls, 1, "the background is called once, in time");
        let (waiting, dropped) = queue.take(0);
        assert_eq!((waiting.len(), dropped), (WAITING_MAX, 3));
        assert_eq!(queue.take(0).1, 0);
    }
}
