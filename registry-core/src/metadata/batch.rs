//! Group commit: callers run in turn on one open transaction and share its one durable commit.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use super::database::{self, Transaction};
use super::overlay::{Changes, WriteTxn};
use super::{Growth, Lane, Metadata};
use crate::Error;

/// A batch commits at the latest when this many callers have joined it.
const BATCH_MAX: usize = 256;

/// The batch that is being filled, if any.
#[derive(Debug, Default)]
pub(super) struct OpenBatch(Option<Batch>);

struct Batch {
    transaction: Transaction,
    outcome: Arc<Outcome>,
    joined: usize,
    is_changed: bool,
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch").field("joined", &self.joined).finish_non_exhaustive()
    }
}

/// Why a batch did not become durable.
#[derive(Clone, Copy, Debug)]
enum Failure {
    Full,
    Unavailable,
}

/// What became of a batch, told to everyone who joined it.
#[derive(Debug, Default)]
struct Outcome {
    settled: Mutex<Option<Result<(), Failure>>>,
    told: Condvar,
}

impl Outcome {
    fn settle(&self, result: Result<(), Failure>) {
        *self.settled.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        self.told.notify_all();
    }

    fn wait(&self) -> Result<(), Error> {
        let mut settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match *settled {
                Some(Ok(())) => return Ok(()),
                Some(Err(Failure::Full)) => return Err(Error::StorageFull),
                Some(Err(Failure::Unavailable)) => return Err(Error::Unavailable),
                None => settled = self.told.wait(settled).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

/// What a closure came to: its value or its refusal, or its panic.
type Ran<T> = std::thread::Result<Result<T, Error>>;

impl Batch {
    /// Runs `work` over the transaction and merges what it changed, unless it refuses or panics.
    fn run<T>(&mut self, work: &impl Fn(&mut WriteTxn<'_>) -> Result<T, Error>) -> Ran<T> {
        let attempt = catch_unwind(AssertUnwindSafe(|| attempt(&self.transaction, work)))?;
        Ok(attempt.and_then(|(value, changes)| {
            self.is_changed |= !changes.is_empty();
            database::merge(&self.transaction, changes)?;
            Ok(value)
        }))
    }
}

impl OpenBatch {
    /// Fails everyone in the batch and forgets its transaction.
    pub(super) fn give_up(&mut self) {
        if let Some(batch) = self.0.take() {
            drop(batch.transaction);
            batch.outcome.settle(Err(Failure::Unavailable));
        }
    }
}

/// Set by tests: writes then wait for one commit that the test orders. Never set otherwise.
#[derive(Debug, Default)]
pub(super) struct Held(AtomicBool);

impl Metadata {
    /// Runs `work` in a write of this lane and returns its value once the shared commit is durable.
    ///
    /// A refusal waits for the commit too, since it read what others in the batch had written. A panic in `work`
    /// changes nothing and goes on in this caller.
    ///
    /// # Errors
    /// Those of `work`; [`Error::StorageFull`], after which nothing of it happened; [`Error::Unavailable`], after which
    /// all of it happened or nothing: the last sync of a commit can fail.
    pub(crate) fn write_in<T>(
        &self,
        lane: Lane,
        growth: Growth,
        work: impl Fn(&mut WriteTxn<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let _waiting = self.commits.wait();
        let mut place = self.lanes.arrive(lane);
        let mut open = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        let start = Instant::now();
        let joined = self.join(&mut open, growth, &work);
        let is_held = self.held.0.load(Ordering::SeqCst);
        let is_last = place.leave() && !is_held;
        self.settle_if(&mut open, is_last);
        drop(open);
        self.lanes.spent(lane, start);
        let (outcome, value) = joined?;
        if !is_held {
            outcome.wait()?;
        }
        value.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Runs `work` on the open batch and lays what it changed into it.
    fn join<T>(
        &self,
        open: &mut OpenBatch,
        growth: Growth,
        work: &impl Fn(&mut WriteTxn<'_>) -> Result<T, Error>,
    ) -> Result<(Arc<Outcome>, Ran<T>), Error> {
        if growth == Growth::Grows {
            self.require_room()?;
        }
        let seen = self.reopenings();
        let ran = self.begun(open).map(|batch| {
            batch.joined += 1;
            (Arc::clone(&batch.outcome), batch.run(work))
        });
        // A refusal of `work`'s own never looks like this: the engine failed, and what the batch holds is in doubt.
        let has_failed = match &ran {
            Ok((_, Ok(Err(error)))) | Err(error) => super::is_failure(error),
            Ok(_) => false,
        };
        if has_failed {
            open.give_up();
            self.reopen(open, seen);
        }
        ran
    }

    /// Refuses unless the space kept ahead is whole, so that rows may be added.
    ///
    /// # Errors
    /// [`Error::StorageFull`].
    pub(crate) fn require_room(&self) -> Result<(), Error> {
        let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
        let has_room = opened.as_ref().is_none_or(|opened| opened.reserve.is_whole());
        if has_room { Ok(()) } else { Err(Error::StorageFull) }
    }

    /// The batch being filled, begun if there is none.
    fn begun<'o>(&self, open: &'o mut OpenBatch) -> Result<&'o mut Batch, Error> {
        let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
        let database = &opened.as_ref().ok_or(Error::Unavailable)?.database;
        Ok(match &mut open.0 {
            Some(batch) => batch,
            none => none.insert(Batch {
                transaction: database::begin_write(database)?,
                outcome: Arc::default(),
                joined: 0,
                is_changed: false,
            }),
        })
    }

    /// Commits the batch if nobody is left to join it or it is full, and tells everyone in it.
    fn settle_if(&self, open: &mut OpenBatch, is_last: bool) {
        let is_full = open.0.as_ref().is_some_and(|batch| batch.joined >= BATCH_MAX);
        let Some(batch) = open.0.take_if(|_| is_last || is_full) else { return };
        let seen = self.reopenings();
        // A batch of refusals has read only committed rows of others and changed none: there is nothing to sync.
        let result = if batch.is_changed {
            let start = Instant::now();
            let committed = batch.transaction.commit().map_err(database::failed);
            committed.inspect(|()| self.commits.committed(batch.joined, start.elapsed()))
        } else {
            batch.transaction.abort().map_err(database::failed)
        };
        let result = result.map_err(|error| match error {
            Error::StorageFull => Failure::Full,
            cause => {
                tracing::error!(%cause, "a batch of writes did not become durable");
                Failure::Unavailable
            }
        });
        if result.is_err() {
            self.reopen(open, seen);
        }
        batch.outcome.settle(result);
    }
}

/// Runs `work` over the shared transaction and hands out what it would change.
fn attempt<T>(
    open: &Transaction,
    work: &impl Fn(&mut WriteTxn<'_>) -> Result<T, Error>,
) -> Result<(T, Changes), Error> {
    let mut txn = WriteTxn::over(open);
    let value = work(&mut txn);
    #[cfg(any(test, feature = "simulation"))]
    assert_runs_alike(open, work, value.is_ok(), &txn);
    Ok((value?, txn.into_changes()))
}

/// A write may have to run again, on another engine; so it must not depend on anything but the rows.
#[cfg(any(test, feature = "simulation"))]
fn assert_runs_alike<T>(
    open: &Transaction,
    work: &impl Fn(&mut WriteTxn<'_>) -> Result<T, Error>,
    was_ok: bool,
    first: &WriteTxn<'_>,
) {
    let mut again = WriteTxn::over(open);
    let is_ok = work(&mut again).is_ok();
    assert_eq!(was_ok, is_ok, "a write was decided differently when it ran again");
    assert!(!is_ok || first.changed_alike(&again), "a write changed other rows when it ran again");
}

#[cfg(any(test, feature = "simulation"))]
impl Metadata {
    /// From now on writes return before their commit, until [`Self::commit_held`]: a batch, on one thread.
    pub(crate) fn hold_commits(&self) {
        self.held.0.store(true, Ordering::SeqCst);
    }

    /// Commits what was written since [`Self::hold_commits`]; only then may it count as acknowledged.
    pub(crate) fn commit_held(&self) -> Result<(), Error> {
        self.held.0.store(false, Ordering::SeqCst);
        let mut open = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(outcome) = open.0.as_ref().map(|batch| Arc::clone(&batch.outcome)) else { return Ok(()) };
        self.settle_if(&mut open, true);
        drop(open);
        outcome.wait()
    }
}
