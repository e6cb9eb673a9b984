//! Which secrets matched a moment ago.
//!
//! Clients with Basic credentials send them with each of hundreds of requests, and Argon2 is slow on purpose. What is
//! remembered is only "this secret matched principal P at generation G", under a keyed hash of name and secret: never a
//! decision, never a secret, never a failure. The caller has read P's row, so a new password, disabling or deletion
//! counts with the next request. Requests that arrive with the same credentials while they are checked share that one
//! check, whether or not there is such a user, so that its time does not tell.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::sync::OnceCell;

use super::Principal;
use crate::recent::Recent;

/// How long a match is remembered, counted from the verification and not prolonged by use.
///
/// Revocation does not wait for it: generations do that. A minute spares the requests of one push or pull, and keeps
/// little of who was here in memory.
pub const TTL: Duration = Duration::from_secs(60);

/// The most matches that are remembered.
pub const CAPACITY: usize = 4096;

/// HMAC-SHA256 of name, a zero byte, and secret.
type Key = [u8; 32];

/// A check that is going on: the credentials, and the principal that the row of that name had.
type Flight = (Key, Option<Principal>);

/// The cache; shared by reference.
pub struct VerifiedSecrets {
    mac: Hmac<Sha256>,
    state: Mutex<State>,
}

impl VerifiedSecrets {
    /// An empty cache. `key` is random and new with each start; what is remembered means nothing without it.
    pub fn new(key: [u8; 32], now: Instant) -> Self {
        let mac = Hmac::new_from_slice(&key).expect("invariant: HMAC takes keys of any length");
        let matches = Matches { entries: Recent::of_capacity(CAPACITY), turned_at: now };
        Self { mac, state: Mutex::new(State { matches, flights: HashMap::new() }) }
    }

    /// Whether `secret` is that of the user `name`: remembered, or else what `check` finds.
    ///
    /// `principal` is what the row of that name says now, `None` if there is no such user (or none that may sign in): then
    /// `check` verifies against a dummy hash and the answer is `false` whatever it finds. Of concurrent calls with
    /// the same arguments one runs its `check` and the others take its answer; if that one is dropped or fails with
    /// `E`, the next runs its own.
    ///
    /// # Errors
    /// Whatever `check` returns; nothing is remembered then.
    pub async fn verify_with<E>(
        &self,
        name: &str,
        secret: &str,
        principal: Option<Principal>,
        now: Instant,
        check: impl Future<Output = Result<bool, E>>,
    ) -> Result<bool, E> {
        let flight = (self.key(name, secret), principal);
        // Declared before the answer's cell and so dropped after it: the last passenger finds nobody aboard.
        let _sweep = Sweep { cache: self, flight };
        let Some(answer) = self.look_or_board(flight, now) else { return Ok(true) };
        let checked = answer.get_or_try_init(|| async {
            let is_match = check.await? && principal.is_some();
            self.land(flight, is_match, now);
            Ok(is_match)
        });
        checked.await.copied()
    }

    fn key(&self, name: &str, secret: &str) -> Key {
        self.mac
            .clone()
            .chain_update(name)
            .chain_update([0])
            .chain_update(secret)
            .finalize()
            .into_bytes()
            .into()
    }

    /// `None` if the match is remembered, or else the cell in which the flight's answer will be. One lock for both, so
    /// that an answer is never missed between them.
    fn look_or_board(&self, flight: Flight, now: Instant) -> Option<Arc<OnceCell<bool>>> {
        let mut state = self.lock();
        if state.matches.contains(&flight, now) {
            return None;
        }
        if let Some(answer) = state.flights.get(&flight).and_then(Weak::upgrade) {
            return Some(answer);
        }
        let answer = Arc::new(OnceCell::new());
        state.flights.insert(flight, Arc::downgrade(&answer));
        Some(answer)
    }

    /// Remembers a match. The flight ends before its answer is seen: who comes later must not be told an old failure.
    fn land(&self, flight: Flight, is_match: bool, now: Instant) {
        let mut state = self.lock();
        state.flights.remove(&flight);
        if let (key, Some(principal)) = flight
            && is_match
        {
            state.matches.insert(key, principal, now);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for VerifiedSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedSecrets").finish_non_exhaustive()
    }
}

struct State {
    matches: Matches,
    flights: HashMap<Flight, Weak<OnceCell<bool>>>,
}

/// Clears a flight away that all passengers have left without an answer.
struct Sweep<'c> {
    cache: &'c VerifiedSecrets,
    flight: Flight,
}

impl Drop for Sweep<'_> {
    fn drop(&mut self) {
        let mut state = self.cache.lock();
        if state.flights.get(&self.flight).is_some_and(|answer| answer.strong_count() == 0) {
            state.flights.remove(&self.flight);
        }
    }
}

/// What matched; each [`TTL`] the old half goes, so that no entry outlives two of them.
struct Matches {
    entries: Recent<Key, Match>,
    turned_at: Instant,
}

#[derive(Clone, Copy)]
struct Match {
    principal: Principal,
    verified_at: Instant,
}

impl Matches {
    /// Whether the key matched just this principal, not longer than [`TTL`] ago. An entry that says otherwise is removed.
    fn contains(&mut self, (key, principal): &Flight, now: Instant) -> bool {
        let Some(found) = self.entries.get(key) else { return false };
        let is_hit = Some(found.principal) == *principal && now.duration_since(found.verified_at) < TTL;
        if !is_hit {
            self.entries.remove(key);
        }
        is_hit
    }

    fn insert(&mut self, key: Key, principal: Principal, now: Instant) {
        if now.duration_since(self.turned_at) >= TTL {
            self.entries.turn();
            self.turned_at = now;
        }
        self.entries.put(key, Match { principal, verified_at: now });
    }
}

#[cfg(test)]
mod tests;
