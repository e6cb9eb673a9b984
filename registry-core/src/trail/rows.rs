//! The rows of events: queued in the registry's database, and in the log with their indexes and counts.

use std::collections::BTreeMap;

use super::{DAY_MS, Event};
use crate::Error;
use crate::access::PrincipalId;
use crate::metadata::key::{Component, Descending, take};
use crate::metadata::record::record;
use crate::metadata::{Record, Rows, Table, WriteTxn};
use crate::model::keys::{NamespaceId, RepositoryId};
use crate::model::records::Count;

/// The time of an event and its id.
pub(crate) type EventKey = (u64, u64);

/// In the registry's database: the events of changes, until they are durable in the log.
pub(crate) const OUTBOX: Table<EventKey, Event> = Table::new("outbox");
/// The log, the oldest first.
pub(crate) const EVENTS: Table<EventKey, Event> = Table::new("events");
/// (scope, time, id): the events of each scope, the latest first.
pub(crate) const INDEX: Table<(Scope, Descending, Descending), ()> = Table::new("event index");
/// (scope, day, kind): how many events there are.
pub(crate) const COUNTS: Table<(Scope, u64, String), Count> = Table::new("event counts");
/// How much the log holds, under 0.
pub(crate) const TALLY: Table<u8, Tally> = Table::new("event tally");
/// The file to which events are being moved, under 0.
pub(crate) const ARCHIVE: Table<u8, Archive> = Table::new("event archive");

record! {
    /// How much the log holds.
    pub(crate) struct Tally {
        events: u64,
        /// The sizes of their records, without indexes.
        bytes: u64,
    }
}

record! {
    /// A file that events of one day are moved to. One at a time.
    pub(crate) struct Archive {
        name: String,
        /// When the day begins.
        from_ms: u64,
        /// The last event in the file, once it is written.
        until_ms: u64,
        until_id: u64,
        /// Whether the file is durable, so that the rows of its events are being deleted.
        is_written: bool,
    }
}

impl Archive {
    /// Whether the file, once it is written, stands for an event of this key.
    pub(crate) fn has(&self, key: EventKey) -> bool {
        self.is_written && key.0 >= self.from_ms && key <= (self.until_ms, self.until_id)
    }
}

/// What a listing or a count is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    All,
    Namespace(NamespaceId),
    Repository(RepositoryId),
    Performer(PrincipalId),
    NamespacePerformer(NamespaceId, PrincipalId),
    RepositoryPerformer(RepositoryId, PrincipalId),
}

impl Component for Scope {
    fn write(&self, out: &mut Vec<u8>) {
        match *self {
            Self::All => 0u8.write(out),
            Self::Namespace(namespace) => (1u8, namespace).write(out),
            Self::Repository(repository) => (2u8, repository).write(out),
            Self::Performer(performer) => (3u8, performer).write(out),
            Self::NamespacePerformer(namespace, performer) => (4u8, namespace, performer).write(out),
            Self::RepositoryPerformer(repository, performer) => (5u8, repository, performer).write(out),
        }
    }
    fn read(input: &mut &[u8]) -> Option<Self> {
        Some(match take::<1>(input)? {
            [0] => Self::All,
            [1] => Self::Namespace(Component::read(input)?),
            [2] => Self::Repository(Component::read(input)?),
            [3] => Self::Performer(Component::read(input)?),
            [4] => Self::NamespacePerformer(Component::read(input)?, Component::read(input)?),
            [5] => Self::RepositoryPerformer(Component::read(input)?, Component::read(input)?),
            _ => return None,
        })
    }
}

impl Event {
    /// The key of the event's row.
    pub(crate) fn key(&self) -> EventKey {
        (self.time_ms, self.id)
    }
}

/// The scopes that an event belongs to.
pub(crate) fn scopes(event: &Event) -> Vec<Scope> {
    let namespace = event.namespace.as_ref().map(|namespace| NamespaceId(namespace.id));
    let repository = event.repository.as_ref().map(|repository| RepositoryId(repository.id));
    let mut scopes = vec![Scope::All];
    scopes.extend(namespace.map(Scope::Namespace));
    scopes.extend(repository.map(Scope::Repository));
    if let Some(performer) = event.performer.as_ref().map(|performer| PrincipalId(performer.id)) {
        scopes.push(Scope::Performer(performer));
        scopes.extend(namespace.map(|namespace| Scope::NamespacePerformer(namespace, performer)));
        scopes.extend(repository.map(|repository| Scope::RepositoryPerformer(repository, performer)));
    }
    scopes
}

/// Writes events to the log, without those that are there: after a crash between the two files they come again.
pub(crate) fn insert(txn: &mut WriteTxn<'_>, events: &[Event]) -> Result<(), Error> {
    let mut change = Change::default();
    for event in events {
        if txn.contains(&EVENTS, &event.key())? {
            continue;
        }
        txn.put(&EVENTS, &event.key(), event);
        for scope in scopes(event) {
            txn.put(&INDEX, &(scope, Descending(event.time_ms), Descending(event.id)), &());
            change.count(scope, event);
        }
        change.size(event);
    }
    change.apply(txn, |count, change| count + change)
}

/// Takes events out of the log.
pub(crate) fn remove(txn: &mut WriteTxn<'_>, events: &[Event]) -> Result<(), Error> {
    let mut change = Change::default();
    for event in events {
        txn.delete(&EVENTS, &event.key());
        for scope in scopes(event) {
            txn.delete(&INDEX, &(scope, Descending(event.time_ms), Descending(event.id)));
            change.count(scope, event);
        }
        change.size(event);
    }
    change.apply(txn, u64::saturating_sub)
}

/// What some events add up to, so that each count is written once for all of them.
#[derive(Debug, Default)]
struct Change {
    counts: BTreeMap<(Scope, u64, String), u64>,
    tally: Tally,
}

impl Change {
    fn count(&mut self, scope: Scope, event: &Event) {
        *self.counts.entry((scope, event.time_ms / DAY_MS, event.kind.clone())).or_default() += 1;
    }

    fn size(&mut self, event: &Event) {
        self.tally.events += 1;
        self.tally.bytes += event.encode().len() as u64;
    }

    fn apply(self, txn: &mut WriteTxn<'_>, changed: impl Fn(u64, u64) -> u64) -> Result<(), Error> {
        for (key, change) in self.counts {
            let count = changed(txn.get(&COUNTS, &key)?.unwrap_or_default().count, change);
            if count == 0 {
                txn.delete(&COUNTS, &key);
            } else {
                txn.put(&COUNTS, &key, &Count { count });
            }
        }
        if self.tally.events > 0 {
            let tally = txn.get(&TALLY, &0)?.unwrap_or_default();
            let events = changed(tally.events, self.tally.events);
            let bytes = changed(tally.bytes, self.tally.bytes);
            txn.put(&TALLY, &0, &Tally { events, bytes });
        }
        Ok(())
    }
}
