//! Which manifests nothing holds any more, and removing them.
//!
//! Whoever takes a hold away nominates what it held. A candidate goes if no way up its holders leads to a root; all that
//! was visited on the way goes with it, since what holds those would hold the candidate too. An index goes before the
//! manifests that it lists, so that whatever comes back meanwhile comes back whole.

use std::collections::HashSet;

use super::authorize::Granted;
use super::keys::{Hold, Work};
use super::manifests;
use super::records::{DigestField, ManifestLink};
use super::tables::{CANDIDATES, HOLDS, MANIFEST_CHILDREN, MANIFEST_LINKS, REFERRERS, WALKED, WORK};
use crate::Error;
use crate::metadata::{Rows, WriteTxn};
use crate::oci::{self, Digest};

/// How many manifests one write may visit. What is larger, and nobody's honest work, is walked without a write open.
const VISITS: usize = 500;

/// What a walk from a manifest up its holders comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Walk {
    /// Something holds it.
    Held,
    /// Nothing does. These are the manifests on the way that no index lists, which can go at once; the others are
    /// nominated as these go.
    Unheld(Vec<Digest>),
    /// The walk met more manifests than it may visit.
    TooLong,
}

/// What a step did to a candidate.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was looked at. So many rows' worth of work that was.
    Done(usize),
    /// Its walk is too long for a write.
    TooLong,
}

/// Lets the collection look at a manifest from which a hold was taken.
pub(crate) fn nominate(txn: &mut WriteTxn<'_>, at: Granted, digest: &Digest) {
    txn.put(&CANDIDATES, &(at.namespace, at.repository, *digest), &());
    note_change(txn, at);
}

/// A manifest of the repository came, or began to be held or nominated: walks that are under way no longer say how it is.
pub(crate) fn note_change(txn: &mut WriteTxn<'_>, at: Granted) {
    txn.delete(&WALKED, &at.repository);
}

/// Looks at a candidate, and removes about `rows` worth of it if nothing holds it.
pub(crate) fn step(
    txn: &mut WriteTxn<'_>,
    at: Granted,
    digest: &Digest,
    rows: usize,
) -> Result<Outcome, Error> {
    match walk(txn, at, digest, VISITS)? {
        Walk::TooLong => Ok(Outcome::TooLong),
        Walk::Held => {
            dismiss(txn, at, digest);
            Ok(Outcome::Done(1))
        }
        Walk::Unheld(tops) => {
            // Before they go, since one that lists it nominates it anew.
            dismiss(txn, at, digest);
            let (removed, spent) = remove_some(txn, at, &tops, rows)?;
            if removed < tops.len() {
                nominate(txn, at, digest);
            }
            Ok(Outcome::Done(spent + 1))
        }
    }
}

/// The manifest is a candidate no more.
pub(crate) fn dismiss(txn: &mut WriteTxn<'_>, at: Granted, digest: &Digest) {
    txn.delete(&CANDIDATES, &(at.namespace, at.repository, *digest));
}

/// Removes manifests, until about `rows` were written; gives how many went, and the rows.
pub(crate) fn remove_some(
    txn: &mut WriteTxn<'_>,
    at: Granted,
    digests: &[Digest],
    rows: usize,
) -> Result<(usize, usize), Error> {
    let mut spent = 0;
    for (removed, digest) in digests.iter().enumerate() {
        if spent >= rows {
            return Ok((removed, spent));
        }
        spent += remove(txn, at, digest)?;
    }
    Ok((digests.len(), spent))
}

/// Removes a manifest and nominates what it held.
fn remove(txn: &mut WriteTxn<'_>, at: Granted, digest: &Digest) -> Result<usize, Error> {
    let Some(link) = txn.get(&MANIFEST_LINKS, &(at.repository, *digest))? else { return Ok(0) };
    let limit = oci::manifest::MAX_DESCRIPTORS;
    for ((_, _, child), ()) in txn.scan(&MANIFEST_CHILDREN, &(at.repository, *digest), None, limit)? {
        if txn.contains(&MANIFEST_LINKS, &(at.repository, child))? {
            nominate(txn, at, &child);
        }
    }
    let edges = manifests::forget(txn, at, digest, &link)?;
    if txn.first(&REFERRERS, &(at.repository, *digest))?.is_some() {
        txn.put(&WORK, &(at.namespace, at.repository, Work::NominateReferrers(*digest)), &Vec::new());
    }
    dismiss(txn, at, digest);
    Ok(1 + edges)
}

/// Nominates `limit` referrers of a subject that went, after the referrer `after`. Gives the last one done, or none at the
/// end.
pub(crate) fn nominate_referrers(
    txn: &mut WriteTxn<'_>,
    at: Granted,
    subject: &Digest,
    after: Option<Digest>,
    limit: usize,
) -> Result<Option<Digest>, Error> {
    let after = after.map(|referrer| (at.repository, *subject, referrer));
    let referrers = txn.scan(&REFERRERS, &(at.repository, *subject), after.as_ref(), limit)?;
    for ((_, _, referrer), _) in &referrers {
        nominate(txn, at, referrer);
    }
    Ok(if referrers.len() < limit { None } else { referrers.last().map(|((_, _, last), _)| *last) })
}

/// Walks from a manifest up its holders, visiting at most `visits` manifests.
pub(crate) fn walk(rows: &impl Rows, at: Granted, from: &Digest, visits: usize) -> Result<Walk, Error> {
    let mut seen = HashSet::from([*from]);
    let (mut waiting, mut tops) = (vec![*from], Vec::new());
    while let Some(digest) = waiting.pop() {
        let Some(link) = rows.get(&MANIFEST_LINKS, &(at.repository, digest))? else { continue };
        if is_rooted(rows, at, &digest, &link)? {
            return Ok(Walk::Held);
        }
        let room = visits.saturating_sub(seen.len());
        let Some(indexes) = indexes_of(rows, at, &digest, &link, room)? else { return Ok(Walk::TooLong) };
        if indexes.is_empty() {
            tops.push(digest);
        }
        let subject =
            link.subject.filter(|_| link.withdrawn_ms.is_none()).map(|DigestField(subject)| subject);
        waiting.extend(indexes.into_iter().chain(subject).filter(|holder| seen.insert(*holder)));
    }
    Ok(Walk::Unheld(tops))
}

/// Whether something other than a manifest holds it: a tag or its own push; of a withdrawn one, that it can be restored.
fn is_rooted(rows: &impl Rows, at: Granted, digest: &Digest, link: &ManifestLink) -> Result<bool, Error> {
    // Tags sort before all else.
    let first = rows.first(&HOLDS, &(at.repository, *digest))?;
    if matches!(first, Some(((_, _, Hold::LiveTag(_) | Hold::DeadTag(..)), ()))) {
        return Ok(true);
    }
    if link.withdrawn_ms.is_some() {
        return rows.contains(&HOLDS, &(at.repository, *digest, Hold::Withdrawn));
    }
    // A subject has to take over from its referrers' pushes before it can go, and they with it.
    let taking_over = Work::HoldReferrers(*digest);
    Ok(rows.contains(&HOLDS, &(at.repository, *digest, Hold::Push))?
        || rows.contains(&WORK, &(at.namespace, at.repository, taking_over))?)
}

/// The indexes that hold a manifest; none if there are more than `limit`. A withdrawn one is held by none, since it is
/// absent from them.
fn indexes_of(
    rows: &impl Rows,
    at: Granted,
    digest: &Digest,
    link: &ManifestLink,
    limit: usize,
) -> Result<Option<Vec<Digest>>, Error> {
    if link.withdrawn_ms.is_some() {
        return Ok(Some(Vec::new()));
    }
    let holds = rows.scan(&HOLDS, &(at.repository, *digest, Hold::INDEXES), None, limit.saturating_add(1))?;
    if holds.len() > limit {
        return Ok(None);
    }
    let index = |(_, _, hold): (_, _, Hold)| match hold {
        Hold::Index(index) => Some(index),
        _ => None,
    };
    Ok(Some(holds.into_iter().filter_map(|(key, ())| index(key)).collect()))
}
