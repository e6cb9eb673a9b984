//! Ending what time ends of tags and deleted manifests, and removing the manifests that nothing holds any more.

use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::Registry;
use crate::Error;
use crate::metadata::{ReadTxn, Rows};
use crate::model::authorize::Granted;
use crate::model::collection::{self, Outcome, Walk};
use crate::model::keys::{NamespaceId, RepositoryId};
use crate::model::tables::{CANDIDATES, DEAD_TAGS, WALKED, WITHDRAWN};
use crate::model::{manifests, tags};
use crate::oci::{Algorithm, Digest, Tag};

/// Rows of history that one step ends: each costs a handful, and a step must stay under 200.
const STEP: usize = 20;
/// About how many rows the manifests that one step removes may refer to.
const ROWS: usize = 150;

/// No repository has this id, so that it sorts behind all rows of a namespace.
const BEHIND_ALL: RepositoryId = RepositoryId(u64::MAX);

type Candidate = (NamespaceId, RepositoryId, Digest);

impl Registry {
    /// Ends what has been restorable for the whole window; true if there may be more.
    pub(super) fn expire_holds(&self, now_ms: u64) -> Result<bool, Error> {
        if now_ms < self.0.next_expiry_ms.load(Ordering::SeqCst) {
            return Ok(false);
        }
        let window_ms = self.0.settings.tag_window_ms;
        let Some(until_ms) = now_ms.checked_sub(window_ms) else { return Ok(false) };
        let (due, first_ms) = self.0.metadata.read(|rows| namespaces_due(rows, until_ms))?;
        for namespace in &due {
            self.background(|txn| {
                let are_tags_done = tags::expire_some(txn, *namespace, until_ms, STEP)?;
                let are_manifests_done = manifests::expire_some_withdrawn(txn, *namespace, until_ms, STEP)?;
                Ok(are_tags_done && are_manifests_done)
            })?;
        }
        if due.is_empty() {
            // What ends from now on is due a window later, so nothing is missed until then.
            let next_ms = first_ms.min(now_ms).saturating_add(window_ms);
            self.0.next_expiry_ms.store(next_ms, Ordering::SeqCst);
        }
        Ok(!due.is_empty())
    }

    /// Looks at some candidates of one namespace, taking namespaces in turn; true if there may be more.
    pub(super) fn collect(&self) -> Result<bool, Error> {
        let Some(namespace) = self.next_to_collect()? else { return Ok(false) };
        let too_long = self.background(|txn| {
            let mut rows = 0;
            for (key @ (_, repository, digest), ()) in txn.scan(&CANDIDATES, &(namespace,), None, STEP)? {
                let at = Granted::for_background(namespace, repository);
                match collection::step(txn, at, &digest, ROWS - rows)? {
                    Outcome::Done(spent) => rows += spent,
                    Outcome::TooLong => return Ok(Some(key)),
                }
                if rows >= ROWS {
                    break;
                }
            }
            Ok(None)
        })?;
        match too_long {
            Some(candidate) => self.collect_large(&candidate),
            None => Ok(true),
        }
    }

    fn next_to_collect(&self) -> Result<Option<NamespaceId>, Error> {
        let mut last = self.0.last_collected.lock().unwrap_or_else(PoisonError::into_inner);
        *last = self.0.metadata.read(|rows| {
            let after = last.map(|namespace| (namespace, BEHIND_ALL, highest()));
            match rows.scan(&CANDIDATES, &(), after.as_ref(), 1)?.pop() {
                Some(((namespace, ..), ())) => Ok(Some(namespace)),
                None => Ok(rows.first(&CANDIDATES, &())?.map(|((namespace, ..), ())| namespace)),
            }
        })?;
        Ok(*last)
    }

    /// Walks without a write open, and removes what the walk says for as long as nothing changes in the repository.
    fn collect_large(&self, candidate: &Candidate) -> Result<bool, Error> {
        let (namespace, repository, digest) = candidate;
        let at = Granted::for_background(*namespace, *repository);
        self.background(|txn| {
            txn.put(&WALKED, repository, &());
            Ok(())
        })?;
        let walk = self.0.metadata.read(|rows| collection::walk(rows, at, digest, usize::MAX))?;
        let tops = match walk {
            Walk::Unheld(tops) => tops,
            Walk::Held | Walk::TooLong => Vec::new(),
        };
        let mut tops = tops.as_slice();
        loop {
            let removed = self.background(|txn| {
                if !txn.contains(&WALKED, repository)? {
                    return Ok(None);
                }
                collection::dismiss(txn, at, digest);
                let (removed, _) = collection::remove_some(txn, at, tops, ROWS)?;
                if removed == tops.len() {
                    txn.delete(&WALKED, repository);
                } else {
                    collection::nominate(txn, at, digest);
                    txn.put(&WALKED, repository, &());
                }
                Ok(Some(removed))
            })?;
            match removed {
                None => return Ok(false),
                Some(removed) if removed == tops.len() => return Ok(true),
                Some(removed) => tops = &tops[removed..],
            }
        }
    }
}

/// The namespaces where something ended by `until_ms`, and when the first thing after that did, if any.
fn namespaces_due(rows: &ReadTxn, until_ms: u64) -> Result<(BTreeSet<NamespaceId>, u64), Error> {
    let (mut due, mut first_ms) = (BTreeSet::new(), u64::MAX);
    let mut note = |namespace, ended_ms| {
        if ended_ms <= until_ms {
            due.insert(namespace);
        } else {
            first_ms = first_ms.min(ended_ms);
        }
    };
    let tag: Tag = "a".parse().expect("invariant: a letter is a tag");
    let mut after = None;
    while let Some(((namespace, ended_ms, ..), _)) = rows.scan(&DEAD_TAGS, &(), after.as_ref(), 1)?.pop() {
        note(namespace, ended_ms);
        after = Some((namespace, u64::MAX, BEHIND_ALL, tag.clone()));
    }
    let mut after = None;
    while let Some(((namespace, ended_ms, ..), ())) = rows.scan(&WITHDRAWN, &(), after.as_ref(), 1)?.pop() {
        note(namespace, ended_ms);
        after = Some((namespace, u64::MAX, BEHIND_ALL, highest()));
    }
    Ok((due, first_ms))
}

/// Sorts behind every digest.
fn highest() -> Digest {
    Digest::from_raw(Algorithm::Sha512, &[u8::MAX; 64]).expect("invariant: a sha512 digest has 64 bytes")
}
