//! The audit trail: what is recorded, what the background does with it, and reading it.

mod export;
mod rotation;
#[cfg(test)]
mod tests;
mod writing;

use std::sync::{Arc, Mutex};

pub use self::export::Export;
use self::writing::Work;
use super::Registry;
use crate::access::{Action, Actor, PrincipalId};
use crate::metadata::{Metadata, Rows};
use crate::model::accounts;
use crate::model::keys::{NamespaceId, RepositoryId};
use crate::model::tables::{NAMESPACES, REPOSITORIES};
use crate::trail::{
    Archives, EventCount, EventCursor, EventQuery, EventScope, EventStream, EventsPage, Exports, Observed,
    Origin, Pull, Queue, Refused, Scope, SignIn, SignInOutcome, Stamp, Streams, counts, page,
};
use crate::{Error, Settings};

/// Memory for pages of the log, in bytes.
pub(super) const CACHE_BYTES: usize = 4 << 20;
/// The trail of an open registry.
#[derive(Debug)]
pub(super) struct Trail {
    /// A database file of its own, so that no change waits for the log's writer.
    logs: Metadata,
    archives: Archives,
    queue: Queue,
    streams: Streams,
    work: Mutex<Work>,
    exports: Exports,
}

impl Trail {
    pub(super) fn new(logs: Metadata, archives: Archives, exports: Exports) -> Self {
        let (queue, streams, work) = (Queue::default(), Streams::default(), Mutex::default());
        Self { logs, archives, queue, streams, work, exports }
    }
}

impl Registry {
    /// The same registry for a request from `origin`: the events of what is done through it say so. Costs next to
    /// nothing.
    #[must_use]
    pub fn by(&self, origin: Origin) -> Self {
        Self(Arc::clone(&self.0), Some(Arc::new(origin.bounded())))
    }

    /// Notes a pull. Never waits for storage: the event is in the log within about a second, and lost if the process is
    /// killed before. A GET within five seconds after a HEAD of the same manifest, by the same performer and from the
    /// same address, is the same pull; alike ones that wait together are one event, which says how many `times`.
    pub fn record_pull(&self, pull: &Pull) {
        let settings = &self.0.settings;
        let namespace = pull.repository.namespace();
        if settings.unaudited_pulls.contains(namespace) || settings.unaudited.contains(namespace) {
            return;
        }
        if self.0.trail.queue.push_pull(pull, self.1.clone(), self.now_ms()) {
            self.0.trail_wake.notify();
        }
    }

    /// Notes something that no operation here stands for; as [`Registry::record_pull`] does.
    pub fn record_event(&self, observed: Observed) {
        if observed.namespace.as_ref().is_some_and(|name| self.0.settings.unaudited.contains(name)) {
            return;
        }
        if self.0.trail.queue.push(observed, self.1.clone(), self.now_ms()) {
            self.0.trail_wake.notify();
        }
    }

    /// Notes that somebody signed in, tried to or signed out, if the settings want it; as [`Registry::record_pull`] does.
    /// Alike ones that wait together are one event, and of failures so many are recorded and no more: the rest is
    /// counted in an event `failures_unrecorded`.
    pub fn record_sign_in(&self, sign_in: &SignIn) {
        let Settings { audited, unaudited, .. } = &self.0.settings;
        let is_wanted = match sign_in.outcome {
            SignInOutcome::Refused(_) => audited.failed_sign_ins,
            SignInOutcome::SignedIn | SignInOutcome::SignedOut => audited.sign_ins,
        };
        let namespace = sign_in.name.split('+').next().unwrap_or_default();
        let is_wanted = is_wanted && !unaudited.contains(namespace);
        if is_wanted && self.0.trail.queue.push_sign_in(sign_in, self.1.clone(), self.now_ms()) {
            self.0.trail_wake.notify();
        }
    }

    /// Notes that a pull, a push or a deletion was refused, if the settings want it; as [`Registry::record_sign_in`]
    /// does with failures.
    pub fn record_refused(&self, refused: &Refused) {
        let Settings { audited, unaudited, unaudited_pulls, .. } = &self.0.settings;
        let namespace = refused.repository.namespace();
        let is_wanted = match refused.action {
            Action::Pull => audited.failed_pulls && !unaudited_pulls.contains(namespace),
            Action::Push | Action::Create => audited.failed_pushes,
            Action::Delete => audited.failed_deletions,
            Action::Describe | Action::Administer => false,
        };
        let is_wanted = is_wanted && !unaudited.contains(namespace);
        if is_wanted && self.0.trail.queue.push_refused(refused, self.1.clone(), self.now_ms()) {
            self.0.trail_wake.notify();
        }
    }

    /// The events of changes and pulls, as they come to the log from now on; a reader that falls behind by more than
    /// `capacity` events misses some, and is told how many.
    pub fn subscribe_events(&self, capacity: usize) -> EventStream {
        self.0.trail.streams.subscribe(capacity)
    }

    /// At most `limit` events, the latest first, after `cursor`. A change is listed about a second after its commit.
    /// Nothing is decided here: whoever may call may read.
    ///
    /// # Errors
    /// Whatever storage refuses.
    pub fn events(
        &self,
        query: &EventQuery,
        cursor: Option<EventCursor>,
        limit: usize,
    ) -> Result<EventsPage, Error> {
        let Some(scope) = self.scope(query)? else { return Ok(EventsPage::default()) };
        self.0.trail.logs.read(|rows| page(rows, scope, query.from_ms, query.until_ms, cursor, limit))
    }

    /// How many events of each kind there are on each day that has a part in the query's range, by day and then by
    /// kind.
    ///
    /// # Errors
    /// Whatever storage refuses.
    pub fn event_counts(&self, query: &EventQuery) -> Result<Vec<EventCount>, Error> {
        let Some(scope) = self.scope(query)? else { return Ok(Vec::new()) };
        self.0.trail.logs.read(|rows| counts(rows, scope, query.from_ms, query.until_ms))
    }

    /// What a query is about; `None` if it names what does not exist.
    fn scope(&self, query: &EventQuery) -> Result<Option<Scope>, Error> {
        self.0.metadata.read(|rows| {
            let performer = match &query.performer {
                Some(name) => match accounts::principal(rows, name) {
                    Ok((id, _)) => Some(id),
                    Err(Error::PrincipalUnknown(_)) => return Ok(None),
                    Err(error) => return Err(error),
                },
                None => None,
            };
            let (namespace, repository) = match &query.scope {
                EventScope::All => return Ok(Some(performer.map_or(Scope::All, Scope::Performer))),
                EventScope::Namespace(name) => (name.as_str(), None),
                EventScope::Repository(name) => (name.namespace(), Some(name.path())),
            };
            let (namespace, repository_id) = ids(rows, namespace, repository)?;
            Ok(match (namespace, repository_id) {
                (Some(_), Some(repository)) => Some(in_repository(repository, performer)),
                (Some(namespace), None) if repository.is_none() => Some(in_namespace(namespace, performer)),
                _ => None,
            })
        })
    }
}

fn in_namespace(namespace: NamespaceId, performer: Option<PrincipalId>) -> Scope {
    let all = Scope::Namespace(namespace);
    performer.map_or(all, |performer| Scope::NamespacePerformer(namespace, performer))
}

fn in_repository(repository: RepositoryId, performer: Option<PrincipalId>) -> Scope {
    let all = Scope::Repository(repository);
    performer.map_or(all, |performer| Scope::RepositoryPerformer(repository, performer))
}

/// The ids that these names have now.
fn ids(
    rows: &impl Rows,
    namespace: &str,
    path: Option<&str>,
) -> Result<(Option<NamespaceId>, Option<RepositoryId>), Error> {
    let Some(id) = rows.get(&NAMESPACES, &namespace.to_owned())? else { return Ok((None, None)) };
    let repository = match path {
        Some(path) => rows.get(&REPOSITORIES, &(id, path.to_owned()))?,
        None => None,
    };
    Ok((Some(id), repository))
}

/// What changes record.
impl Registry {
    /// For the events of one write, of which there are at most so many.
    pub(super) fn stamp(&self, actor: &Actor, events: u64) -> Result<Stamp, Error> {
        let stamp = self.stamp_of(actor.principal_id(), events)?;
        Ok(Stamp { credential: actor.credential().cloned(), ..stamp })
    }

    /// The same for a change of an account, which takes no actor.
    pub(super) fn account_stamp(&self) -> Result<Stamp, Error> {
        self.stamp_of(self.1.as_ref().and_then(|origin| origin.performer), 1)
    }

    fn stamp_of(&self, performer: Option<PrincipalId>, events: u64) -> Result<Stamp, Error> {
        let first_id = self.0.ids.fresh_run(&self.0.metadata, events)?;
        let unaudited = Arc::clone(&self.0.settings.unaudited);
        let (now_ms, credential) = (self.now_ms(), None);
        Ok(Stamp { origin: self.1.clone(), performer, credential, now_ms, first_id, unaudited })
    }
}

/// For the audit, and for tests.
impl Registry {
    /// The rows of the log.
    pub(crate) fn logs(&self) -> &Metadata {
        &self.0.trail.logs
    }

    /// The files of old events.
    pub(crate) fn archives(&self) -> &Archives {
        &self.0.trail.archives
    }

    /// Every event there is, as a line of JSON: in files, in the log and on its way there. One that a crash left in two
    /// of these, which will go from one of them, counts once.
    ///
    /// # Errors
    /// Whatever storage refuses.
    #[cfg(any(test, feature = "simulation"))]
    pub fn every_event(&self) -> Result<Vec<String>, Error> {
        use crate::trail::{EVENTS, Event, OUTBOX};
        let archive = self.archive()?.unwrap_or_default();
        let mut lines = Vec::new();
        for (name, events) in self.archives().read_all()? {
            if name != archive.name || archive.is_written {
                lines.extend(events);
            }
        }
        let log = self.logs().read(|rows| rows.scan(&EVENTS, &(), None, usize::MAX))?;
        let queued = self.metadata().read(|rows| rows.scan(&OUTBOX, &(), None, usize::MAX))?;
        let is_new = |event: &Event| log.iter().all(|(key, _)| *key != event.key());
        let queued = queued.into_iter().map(|(_, event)| event).filter(is_new);
        let left = log.iter().map(|(_, event)| event).filter(|event| !archive.has(event.key())).cloned();
        lines.extend(queued.chain(left).map(|event| event.to_line().trim_end().to_owned()));
        Ok(lines)
    }
}
