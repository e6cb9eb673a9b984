//! Foreground first: when a background step may take its turn at the writer.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Who a write is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Somebody waits for it.
    Foreground,
    /// It can wait: it runs while nobody else wants the writer, or for a fifth of the writer's time.
    Background,
}

/// The writer's queue and how its time was shared since it was last idle.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    waiting: AtomicUsize,
    foreground_nanos: AtomicU64,
    background_nanos: AtomicU64,
    turn: Mutex<()>,
    released: Condvar,
}

/// A place in the writer's queue, given up when dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    lanes: &'a Lanes,
    left: bool,
}

impl Lanes {
    /// Joins the queue; a background step first waits for its turn.
    pub(super) fn arrive(&self, lane: Lane) -> Place<'_> {
        if lane == Lane::Background {
            self.wait_for_turn();
        }
        self.waiting.fetch_add(1, Ordering::SeqCst);
        Place { lanes: self, left: false }
    }

    fn wait_for_turn(&self) {
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.is_background_turn() {
            // The bound heals a wake-up that came between the check and the wait.
            turn = self
                .released
                .wait_timeout(turn, Duration::from_millis(20))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn is_background_turn(&self) -> bool {
        let foreground = self.foreground_nanos.load(Ordering::Relaxed);
        let background = self.background_nanos.load(Ordering::Relaxed);
        self.waiting.load(Ordering::SeqCst) == 0 || background.saturating_mul(4) < foreground
    }

    /// Books the time since `start` on `lane` and lets a background step ask again.
    pub(super) fn spent(&self, lane: Lane, start: Instant) {
        let nanos = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let book = match lane {
            Lane::Foreground => &self.foreground_nanos,
            Lane::Background => &self.background_nanos,
        };
        book.fetch_add(nanos, Ordering::Relaxed);
        if self.waiting.load(Ordering::SeqCst) == 0 {
            self.foreground_nanos.store(0, Ordering::Relaxed);
            self.background_nanos.store(0, Ordering::Relaxed);
        }
        self.released.notify_one();
    }
}

impl Place<'_> {
    /// Leaves the queue; true if nobody stands behind.
    pub(super) fn leave(&mut self) -> bool {
        self.left = true;
        self.lanes.waiting.fetch_sub(1, Ordering::SeqCst) == 1
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if !self.left {
            self.leave();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn background_yields_to_a_waiting_foreground_until_its_fifth_is_due() {
        let lanes = Lanes::default();
        assert!(lanes.is_background_turn(), "an idle writer is free");
        let waiting = lanes.arrive(Lane::Foreground);
        assert!(!lanes.is_background_turn());
        lanes.foreground_nanos.store(100, Ordering::Relaxed);
        lanes.background_nanos.store(24, Ordering::Relaxed);
        assert!(lanes.is_background_turn(), "under a fifth of the time so far");
        lanes.background_nanos.store(25, Ordering::Relaxed);
        assert!(!lanes.is_background_turn(), "its fifth is used up");
        drop(waiting);
        assert!(lanes.is_background_turn());
    }
}
