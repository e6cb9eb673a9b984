//! Where principals were found to have a role, a moment ago: a request costs no rows for it. Nothing is granted by this;
//! it only says whose places a request takes.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use registry_core::Principal;
use registry_core::oci::RepositoryName;

use crate::recent::Recent;

/// How long what was found is relied upon, in milliseconds.
const TTL_MS: u64 = 10_000;
/// How much is remembered.
const CAPACITY: usize = 16_384;

/// What was found; shared by reference.
pub struct Homes {
    hashing: RandomState,
    found: Mutex<Recent<u64, Home>>,
}

#[derive(Clone, Copy, Debug)]
struct Home {
    namespace: Option<u64>,
    until_ms: u64,
}

/// Stands for a principal and a repository, under a key of this process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HomeKey(u64);

impl Homes {
    /// With nothing in it.
    pub fn new() -> Self {
        Self { hashing: RandomState::new(), found: Mutex::new(Recent::of_capacity(CAPACITY)) }
    }

    pub(crate) fn key(&self, principal: Principal, repository: &RepositoryName) -> HomeKey {
        HomeKey(self.hashing.hash_one((principal, repository)))
    }

    /// What was found within the last seconds: the namespace's id, or none if there was no role.
    pub(crate) fn get(&self, HomeKey(key): HomeKey, now_ms: u64) -> Option<Option<u64>> {
        let found = self.lock();
        let home = found.get(&key)?;
        // A clock that went back makes nothing last longer.
        let is_fresh = now_ms < home.until_ms && home.until_ms - now_ms <= TTL_MS;
        is_fresh.then_some(home.namespace)
    }

    pub(crate) fn put(&self, HomeKey(key): HomeKey, namespace: Option<u64>, now_ms: u64) {
        self.lock().put(key, Home { namespace, until_ms: now_ms.saturating_add(TTL_MS) });
    }

    fn lock(&self) -> MutexGuard<'_, Recent<u64, Home>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Homes {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Homes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Homes").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use registry_core::PrincipalId;

    use super::*;

    #[test]
    fn what_was_found_is_relied_upon_for_seconds_and_by_that_principal_alone() {
        let homes = Homes::new();
        let repository = RepositoryName::parse("acme/app", &"library".parse().unwrap()).unwrap();
        let key = |id, generation| homes.key(Principal { id: PrincipalId(id), generation }, &repository);
        homes.put(key(1, 0), Some(7), 100);
        homes.put(key(2, 0), None, 100);
        assert_eq!((homes.get(key(1, 0), 100), homes.get(key(2, 0), 100)), (Some(Some(7)), Some(None)));
        assert_eq!((homes.get(key(1, 1), 100), homes.get(key(3, 0), 100)), (None, None));
        assert_eq!((homes.get(key(1, 0), 100 + TTL_MS), homes.get(key(1, 0), 0)), (None, None));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let homes = Homes::new();
        (0..3 * CAPACITY as u64).for_each(|key| homes.put(HomeKey(key), None, 0));
        assert!(homes.lock().len() <= CAPACITY);
    }
}
