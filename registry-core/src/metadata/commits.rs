//! Counting commits and those who wait for one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::statistics::{Distribution, Histogram};

/// Powers of two up to the largest batch.
const WRITES: [u64; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000_000;
/// From a fast disk's sync to one that is in trouble.
const NANOS: [u64; 14] = [
    250 * MICROSECOND,
    500 * MICROSECOND,
    MILLISECOND,
    2 * MILLISECOND + 500 * MICROSECOND,
    5 * MILLISECOND,
    10 * MILLISECOND,
    25 * MILLISECOND,
    50 * MILLISECOND,
    100 * MILLISECOND,
    250 * MILLISECOND,
    500 * MILLISECOND,
    1_000 * MILLISECOND,
    2_500 * MILLISECOND,
    10_000 * MILLISECOND,
];

/// The commits since the database was first opened.
#[derive(Debug)]
pub(crate) struct Commits {
    waiting: AtomicU64,
    writes: Histogram<{ WRITES.len() }>,
    nanos: Histogram<{ NANOS.len() }>,
}

impl Default for Commits {
    fn default() -> Self {
        Self { waiting: AtomicU64::new(0), writes: Histogram::new(&WRITES), nanos: Histogram::new(&NANOS) }
    }
}

/// A write that waits, for its turn or for its commit, until this is dropped.
#[derive(Debug)]
pub(super) struct Waiting<'a>(&'a Commits);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Commits {
    pub(super) fn wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(self)
    }

    /// Counts a durable commit of so many writes.
    pub(super) fn committed(&self, writes: usize, took: Duration) {
        self.writes.observe(writes as u64);
        self.nanos.observe(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Writes that wait at this moment.
    pub(crate) fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// How many writes each commit had.
    pub(crate) fn writes(&self) -> Distribution {
        self.writes.distribution()
    }

    /// How long each commit took, in nanoseconds.
    pub(crate) fn nanos(&self) -> Distribution {
        self.nanos.distribution()
    }
}
