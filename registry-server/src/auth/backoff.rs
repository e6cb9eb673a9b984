//! The wait after a wrong password, which doubles with each further one.
//!
//! It holds for an account as one client sees it, so that somebody elsewhere cannot lock its owner out. A name that
//! nobody has is treated as any other. While the wait lasts the right password is refused as well: else the answer would
//! tell that it was right.
//!
//! A client that falls back from one form of a request to another sends the same wrong password twice. That tells it
//! nothing new, so it may be told once more that the password is wrong, and not to wait.
//!
//! Guesses that are sent at once are one round before the first failure is known; from then on one is checked at a time.
//! What is remembered is bounded: who makes the registry forget by filling it waits longer for that than for the wait.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Principal;
use crate::admission::Client;
use crate::recent::Recent;

/// The wait after the first wrong password. `docker login` with the right one comes some 20 ms after a wrong one, and has
/// to get through; what keeps guesses away is the doubling.
pub const FIRST_MS: u64 = 10;
/// The longest wait.
pub const LONGEST_MS: u64 = 60_000;
/// After so long without a failure everything is forgotten.
pub const FORGOTTEN_AFTER_MS: u64 = 15 * 60_000;
/// The most (account, client) pairs that are remembered.
pub const CAPACITY: usize = 16_384;

/// A hash of account and client under a key of this process: names of any length cost the same.
type Key = u64;

/// Who has to wait; shared by reference. Time is in milliseconds of any clock; one that goes back makes nobody wait longer
/// than [`LONGEST_MS`].
pub struct BackOff {
    hashing: RandomState,
    failures: Mutex<Failures>,
}

/// A password that may be checked. Say how that went with [`Attempt::succeeded`] or [`Attempt::failed`]; if neither is
/// said, the attempt counts as one that failed when it began, unless it was the first.
#[derive(Debug)]
#[must_use = "an attempt whose outcome is not said counts as a failure"]
pub struct Attempt<'b> {
    back_off: &'b BackOff,
    key: Key,
    password: Fingerprint,
    /// Whether it was counted as a failure when it began.
    is_counted: bool,
}

/// What is known of a password without checking it: a hash under a key of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(u64);

/// Why a password is not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unchecked {
    /// The wait is not over.
    TooSoon(TooSoon),
    /// It is the one that was wrong a moment ago, and the wait is not over.
    WrongAgain(TooSoon),
}

/// The wait is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooSoon {
    /// How long it still lasts.
    pub wait_ms: u64,
}

impl TooSoon {
    /// After how many whole seconds an attempt is taken again.
    pub fn retry_after_seconds(self) -> u64 {
        self.wait_ms.div_ceil(1000)
    }
}

impl BackOff {
    /// Nobody waits.
    pub fn new() -> Self {
        Self { hashing: RandomState::new(), failures: Mutex::default() }
    }

    /// What tells this password from others. `principal` is whose it would be now, so that what was wrong for an
    /// account is not taken to be wrong for it after a change.
    pub fn fingerprint(&self, password: &str, principal: Option<Principal>) -> Fingerprint {
        Fingerprint(self.hashing.hash_one((password, principal)))
    }

    /// Begins an attempt to sign in.
    ///
    /// # Errors
    /// [`Unchecked`] after earlier failures.
    pub fn begin(
        &self,
        account: &str,
        client: Client,
        password: Fingerprint,
        now_ms: u64,
    ) -> Result<Attempt<'_>, Unchecked> {
        let key = self.hashing.hash_one((account, client));
        let mut failures = self.lock();
        let Some(mut found) = failures.get(key, now_ms) else {
            return Ok(Attempt { back_off: self, key, password, is_counted: false });
        };
        if let Some(wait_ms) = found.wait_ms(now_ms) {
            let too_soon = TooSoon { wait_ms };
            if found.repeatable != Some(password) {
                return Err(Unchecked::TooSoon(too_soon));
            }
            found.repeatable = None;
            failures.put(key, found);
            return Err(Unchecked::WrongAgain(too_soon));
        }
        found.add(now_ms);
        failures.put(key, found);
        Ok(Attempt { back_off: self, key, password, is_counted: true })
    }

    fn lock(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for BackOff {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for BackOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackOff").finish_non_exhaustive()
    }
}

impl Attempt<'_> {
    /// The password was right: earlier failures are forgotten.
    pub fn succeeded(self) {
        self.back_off.lock().forget(self.key);
    }

    /// The password was wrong: the wait begins now.
    pub fn failed(self, now_ms: u64) {
        let mut failures = self.back_off.lock();
        let mut found = failures.get(self.key, now_ms).unwrap_or_default();
        if self.is_counted {
            found.last_ms = now_ms;
        } else if found.wait_ms(now_ms).is_none() {
            // Otherwise another of the same round was counted already.
            found.add(now_ms);
        }
        found.repeatable = Some(self.password);
        failures.put(self.key, found);
    }
}

/// What went wrong with one key.
#[derive(Clone, Copy, Debug, Default)]
struct Failed {
    count: u32,
    last_ms: u64,
    /// The last wrong password, until it is sent once more.
    repeatable: Option<Fingerprint>,
}

impl Failed {
    fn add(&mut self, now_ms: u64) {
        self.count = self.count.saturating_add(1);
        self.repeatable = None;
        self.last_ms = now_ms;
    }

    /// How long the wait still lasts, if it does.
    fn wait_ms(&self, now_ms: u64) -> Option<u64> {
        let doublings = self.count.checked_sub(1)?.min(16);
        let until_ms = self.last_ms.saturating_add((FIRST_MS << doublings).min(LONGEST_MS));
        let wait_ms = until_ms.checked_sub(now_ms).filter(|wait_ms| *wait_ms > 0)?;
        (wait_ms <= LONGEST_MS).then_some(wait_ms)
    }
}

/// The failures that are still remembered.
#[derive(Debug)]
struct Failures(Recent<Key, Failed>);

impl Failures {
    fn get(&self, key: Key, now_ms: u64) -> Option<Failed> {
        let found = self.0.get(&key)?;
        (now_ms.abs_diff(found.last_ms) < FORGOTTEN_AFTER_MS).then_some(*found)
    }

    fn put(&mut self, key: Key, failed: Failed) {
        self.0.put(key, failed);
    }

    fn forget(&mut self, key: Key) {
        self.0.remove(&key);
    }
}

impl Default for Failures {
    fn default() -> Self {
        Self(Recent::of_capacity(CAPACITY))
    }
}

#[cfg(test)]
mod tests;
