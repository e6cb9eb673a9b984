//! The time that destruction goes by: a clock that jumped ahead must not end what people count on.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Registry;
use crate::metadata::{Growth, Lane, Rows};
use crate::model::tables::SYSTEM;
use crate::{Clock, Error};

/// The row with the last time that was trusted, in milliseconds since the Unix epoch, big-endian.
const ROW: &str = "trusted time";
/// How far the clock may run ahead of the time that passed.
const AHEAD_MS: u64 = 60 * 60 * 1000;
/// How long a registry may have stood still.
const ABSENCE_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// How old the row may become.
const STORED_EVERY_MS: u64 = 60 * 60 * 1000;

/// What the clock is compared with; nothing before the first look.
#[derive(Debug, Default)]
pub(super) struct TrustedTime(Mutex<Option<Anchor>>);

#[derive(Clone, Copy, Debug)]
struct Anchor {
    /// A time that was trusted.
    now_ms: u64,
    /// What had passed by then: see [`Clock::elapsed_ms`].
    elapsed_ms: u64,
    /// What the row says.
    stored_ms: u64,
    was_doubted: bool,
}

impl Anchor {
    /// The latest time that can be believed.
    fn latest_ms(&self, clock: &Clock) -> u64 {
        self.now_ms
            .saturating_add(clock.elapsed_ms().saturating_sub(self.elapsed_ms))
            .saturating_add(AHEAD_MS)
    }
}

impl TrustedTime {
    fn anchor(&self) -> MutexGuard<'_, Option<Anchor>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registry {
    /// Whether the clock jumped ahead: by over an hour while the registry ran, or by over seven days while it did not.
    /// Nothing ends by time until the clock is right again, or [accepted](Self::accept_clock).
    pub fn doubts_clock(&self) -> bool {
        let now_ms = self.0.clock.now_ms();
        self.0.trusted_time.anchor().is_some_and(|anchor| now_ms > anchor.latest_ms(&self.0.clock))
    }

    /// Takes the clock as right, so that what is due by it ends.
    ///
    /// # Errors
    /// Whatever storage refuses.
    pub fn accept_clock(&self) -> Result<(), Error> {
        let now_ms = self.0.clock.now_ms();
        let stored_ms = self.store(now_ms)?;
        *self.0.trusted_time.anchor() = Some(self.anchored(now_ms, stored_ms));
        tracing::warn!(now_ms, "the clock was accepted");
        self.0.wake.notify();
        Ok(())
    }

    /// The time, unless it is doubted.
    pub(super) fn trusted_ms(&self) -> Result<Option<u64>, Error> {
        let now_ms = self.0.clock.now_ms();
        let known = *self.0.trusted_time.anchor();
        let mut anchor = match known {
            Some(anchor) => anchor,
            None => self.first_anchor(now_ms)?,
        };
        let is_doubted = now_ms > anchor.latest_ms(&self.0.clock);
        if is_doubted && !anchor.was_doubted {
            tracing::warn!(now_ms, "the clock jumped ahead: nothing ends by time until it is accepted");
        }
        anchor.was_doubted = is_doubted;
        if !is_doubted {
            if now_ms.saturating_add(AHEAD_MS) < anchor.latest_ms(&self.0.clock) {
                // It went back, or runs slow: from here on it is compared with what it says now.
                anchor = self.anchored(now_ms, anchor.stored_ms);
            }
            if now_ms.abs_diff(anchor.stored_ms) >= STORED_EVERY_MS {
                anchor.stored_ms = self.store(now_ms)?;
            }
        }
        *self.0.trusted_time.anchor() = Some(anchor);
        Ok((!is_doubted).then_some(now_ms))
    }

    /// What the clock is compared with after a start.
    fn first_anchor(&self, now_ms: u64) -> Result<Anchor, Error> {
        let row = self.0.metadata.read(|rows| rows.get(&SYSTEM, &ROW.to_owned()))?;
        match row {
            Some(bytes) => {
                let bytes = bytes.try_into().map_err(|_| Error::Corrupt("system"))?;
                let stored_ms = u64::from_be_bytes(bytes);
                Ok(self.anchored(now_ms.min(stored_ms.saturating_add(ABSENCE_MS)), stored_ms))
            }
            None => Ok(self.anchored(now_ms, self.store(now_ms)?)),
        }
    }

    fn anchored(&self, now_ms: u64, stored_ms: u64) -> Anchor {
        Anchor { now_ms, elapsed_ms: self.0.clock.elapsed_ms(), stored_ms, was_doubted: false }
    }

    fn store(&self, now_ms: u64) -> Result<u64, Error> {
        self.0.metadata.write_in(Lane::Background, Growth::MayUseReserve, |txn| {
            txn.put(&SYSTEM, &ROW.to_owned(), &now_ms.to_be_bytes().to_vec());
            Ok(now_ms)
        })
    }
}
