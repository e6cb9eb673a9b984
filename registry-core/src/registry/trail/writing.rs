//! How events get into the log: those of changes from the outbox, the others from memory.

use std::collections::VecDeque;
use std::sync::{MutexGuard, PoisonError};

use serde_json::Value;

use super::{Registry, ids};
use crate::Error;
use crate::access::Credential;
use crate::metadata::{Growth, Lane, Rows};
use crate::model::tokens;
use crate::trail::{Draft, Event, Named, OUTBOX, Observed, Waiting, dropped, insert, performer};

/// Events that one step writes to the log. Nobody waits for its writer, so they may be more than elsewhere.
const WRITTEN_PER_STEP: usize = 500;
/// Events that one step takes out of the registry's database.
const MOVED_PER_STEP: usize = 150;

/// What whoever does the background work has in hand.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// Observed events, and the number of those that were dropped, until they have ids.
    taken: (Vec<Waiting>, u64),
    /// Observed events with their ids, until the log has them.
    pending: VecDeque<Event>,
    /// The file that is being written.
    pub(super) draft: Option<Draft>,
}

impl Registry {
    /// Writes to the log what waits to be, moves what is old into files, and removes exports that have expired: what the trail's thread does each second.
    ///
    /// # Errors
    /// Whatever storage refuses; nothing is lost, and the rest is done at the next call.
    pub fn run_trail(&self) -> Result<(), Error> {
        while !self.0.trail_wake.is_stopping() && self.trail_step()? {}
        self.0.trail.exports.tidy(self.now_ms())
    }

    /// Writes to the log what is in memory, before the registry is closed.
    pub(in crate::registry) fn end_trail(&self) -> Result<(), Error> {
        let mut work = self.lock_work();
        while self.move_outbox(&mut work)? | self.write_observed(&mut work)? {}
        // Those that waited for the rows of a file to go.
        while !work.pending.is_empty() && self.archive()?.is_some_and(|archive| archive.is_written) {
            self.rotate(&mut work)?;
            self.write_observed(&mut work)?;
        }
        Ok(())
    }

    fn lock_work(&self) -> MutexGuard<'_, Work> {
        self.0.trail.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One step of each kind; true if there may be more.
    pub(super) fn trail_step(&self) -> Result<bool, Error> {
        let mut work = self.lock_work();
        let is_outbox_left = self.move_outbox(&mut work)?;
        let is_more = self.write_observed(&mut work)? | is_outbox_left;
        // Only behind the whole outbox: what is in it and in the log would come again once its file is written.
        Ok(is_more | (!is_outbox_left && self.rotate(&mut work)?))
    }

    /// Writes some of the observed events; true if there are more.
    fn write_observed(&self, work: &mut Work) -> Result<bool, Error> {
        let held_back = self.archive()?;
        let is_held_back = |event: &Event| held_back.as_ref().is_some_and(|archive| archive.has(event.key()));
        if work.pending.iter().all(is_held_back) {
            self.take_observed(work)?;
        }
        let (later, mut now): (VecDeque<_>, VecDeque<_>) = work.pending.drain(..).partition(is_held_back);
        let rest = now.split_off(now.len().min(WRITTEN_PER_STEP));
        let is_more = !rest.is_empty();
        let written = self.write(work, Growth::Grows, now.make_contiguous());
        work.pending = if written.is_ok() { VecDeque::new() } else { now };
        work.pending.extend(rest.into_iter().chain(later));
        match written {
            Ok(()) => Ok(is_more),
            // They wait for room, and hold up nothing else. Those that find no place in the queue are counted.
            Err(Error::StorageFull) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes what was observed since the last time and gives each an id.
    fn take_observed(&self, work: &mut Work) -> Result<(), Error> {
        if work.taken.0.is_empty() {
            work.taken = self.0.trail.queue.take(self.now_ms());
        }
        let (waiting, dropped_count) = &work.taken;
        let mut events: VecDeque<Event> =
            self.0.metadata.read(|rows| waiting.iter().map(|waiting| resolved(rows, waiting)).collect())?;
        if *dropped_count > 0 {
            tracing::warn!(count = dropped_count, "events came faster than they could be written");
            events.push_back(dropped(*dropped_count, self.now_ms()));
        }
        for event in &mut events {
            event.id = self.0.ids.fresh(&self.0.metadata)?;
        }
        work.pending.append(&mut events);
        work.taken = Default::default();
        Ok(())
    }

    /// Moves some events of changes into the log; true if there are more.
    fn move_outbox(&self, work: &mut Work) -> Result<bool, Error> {
        let queued = self.0.metadata.read(|rows| rows.scan(&OUTBOX, &(), None, MOVED_PER_STEP))?;
        let is_more = queued.len() == MOVED_PER_STEP;
        let held_back = self.archive()?;
        let events: Vec<Event> = queued
            .into_iter()
            .map(|(_, event)| event)
            .filter(|event| !held_back.as_ref().is_some_and(|archive| archive.has(event.key())))
            .collect();
        if events.is_empty() {
            return Ok(false);
        }
        // A deletion on a full disk has its event, which must not stay where the next deletion needs the room.
        self.write(work, Growth::MayUseReserve, &events)?;
        self.0.metadata.write_in(Lane::Background, Growth::MayUseReserve, |txn| {
            events.iter().for_each(|event| txn.delete(&OUTBOX, &event.key()));
            Ok(())
        })?;
        Ok(is_more)
    }

    /// Makes events durable in the log and hands them on.
    fn write(&self, work: &mut Work, growth: Growth, events: &[Event]) -> Result<(), Error> {
        if !events.is_empty() {
            self.0.trail.logs.write_in(Lane::Foreground, growth, |txn| insert(txn, events))?;
        }
        self.0.trail.streams.send(events);
        // A file that has passed their place in the order is begun anew.
        work.draft
            .take_if(|draft| events.iter().any(|event| draft.last.is_some_and(|last| event.key() <= last)));
        Ok(())
    }
}

/// The metadata, with what it was done with.
fn with_credential(
    rows: &impl Rows,
    credential: Option<&Credential>,
    metadata: &str,
) -> Result<String, Error> {
    match (credential, serde_json::from_str::<Value>(metadata)) {
        (Some(credential), Ok(mut object)) if object.is_object() => {
            tokens::describe(rows, Some(credential), &mut object)?;
            Ok(object.to_string())
        }
        _ => Ok(metadata.to_owned()),
    }
}

/// An observed event, with what its names stand for.
fn resolved(rows: &impl Rows, waiting: &Waiting) -> Result<Event, Error> {
    let Observed { kind, actor, credential, namespace, repository, metadata } = &waiting.observed;
    let (namespace_id, repository_id) = match namespace {
        Some(namespace) => ids(rows, namespace, repository.as_deref())?,
        None => (None, None),
    };
    let named = |id: Option<u64>, name: &Option<String>| Some(Named { id: id?, name: name.clone()? });
    let mut event = Event {
        time_ms: waiting.time_ms,
        kind: kind.clone(),
        namespace: named(namespace_id.map(|id| id.0), namespace),
        repository: named(repository_id.map(|id| id.0), repository),
        performer: performer(rows, actor.principal_id())?,
        metadata: with_credential(rows, credential.as_ref(), metadata)?,
        ..Event::default()
    };
    if let Some(origin) = &waiting.origin {
        event.set_origin(origin);
    }
    Ok(event)
}
