//! The sessions that are in memory.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::session::Session;
use crate::Error;
use crate::model::keys::UploadId;

/// By id.
#[derive(Debug, Default)]
pub(in crate::registry) struct Sessions(Mutex<HashMap<UploadId, Slot>>);

#[derive(Debug)]
pub(super) enum Slot {
    /// A request is writing to it.
    Busy,
    /// Nobody is, since this time.
    Resting(Box<Session>, u64),
}

impl Sessions {
    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<UploadId, Slot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the session for one request; `None` if it is not in memory.
    pub(super) fn take(&self, id: UploadId) -> Result<Option<Box<Session>>, Error> {
        match self.lock().insert(id, Slot::Busy) {
            None => Ok(None),
            Some(Slot::Resting(session, _)) => Ok(Some(session)),
            Some(Slot::Busy) => Err(Error::UploadBusy),
        }
    }

    /// As [`Self::take`], but leaves alone what is not in memory.
    pub(super) fn take_from_memory(&self, id: UploadId) -> Result<Option<Box<Session>>, Error> {
        match self.lock().entry(id) {
            Entry::Vacant(_) => Ok(None),
            Entry::Occupied(mut slot) => match slot.insert(Slot::Busy) {
                Slot::Resting(session, _) => Ok(Some(session)),
                Slot::Busy => Err(Error::UploadBusy),
            },
        }
    }

    /// Whether the session is in memory.
    pub(in crate::registry) fn has(&self, id: UploadId) -> bool {
        self.lock().contains_key(&id)
    }

    pub(super) fn forget(&self, id: UploadId) {
        self.lock().remove(&id);
    }

    /// Whether no request is writing to any session.
    pub(in crate::registry) fn are_resting(&self) -> bool {
        self.lock().values().all(|slot| matches!(slot, Slot::Resting(..)))
    }

    /// Takes the sessions that have rested since before `before_ms`, each with the time since when.
    pub(super) fn take_resting(&self, before_ms: u64) -> Vec<(UploadId, Box<Session>, u64)> {
        let mut sessions = self.lock();
        let ids: Vec<UploadId> = sessions
            .iter()
            .filter(|(_, slot)| matches!(slot, Slot::Resting(_, since) if *since <= before_ms))
            .map(|(id, _)| *id)
            .collect();
        ids.into_iter()
            .filter_map(|id| match sessions.insert(id, Slot::Busy) {
                Some(Slot::Resting(session, since)) => Some((id, session, since)),
                _ => None,
            })
            .collect()
    }
}
