//! Manifests: links, edges, what holds them, referrers.

use std::collections::{BTreeMap, BTreeSet};

use super::{Findings, all};
use crate::Error;
use crate::metadata::{ReadTxn, Rows};
use crate::model::keys::{Hold, RepositoryId, Work};
use crate::model::records::{ManifestLink, Referrer};
use crate::model::tables::{
    BLOB_MANIFESTS, CANDIDATES, HOLDS, MANIFEST_BLOBS, MANIFEST_BYTES, MANIFEST_CHILDREN, MANIFEST_LINKS,
    MANIFESTS, REFERRERS, REPOSITORY, WITHDRAWN, WORK,
};
use crate::oci::{Algorithm, Digest};

type Holds = BTreeMap<(RepositoryId, Digest, Hold), ()>;
type Links = BTreeMap<(RepositoryId, Digest), ManifestLink>;

pub(super) fn audit(rows: &ReadTxn, findings: &mut Findings) -> Result<(), Error> {
    let links = all(rows, &MANIFEST_LINKS)?;
    stored(rows, &links, findings)?;
    edges(rows, &links, findings)?;
    withdrawn(rows, &links, findings)?;
    referrers(rows, &links, findings)?;
    holds(rows, &links, findings)
}

fn stored(rows: &ReadTxn, links: &Links, findings: &mut Findings) -> Result<(), Error> {
    let manifests = all(rows, &MANIFESTS)?;
    let mut recount: BTreeMap<Digest, u64> = manifests.keys().map(|digest| (*digest, 0)).collect();
    for (_, digest) in links.keys() {
        *recount.entry(*digest).or_default() += 1;
    }
    let counted = manifests.iter().map(|(digest, row)| (*digest, row.repositories)).collect();
    findings.compare("manifests, repositories of", &recount, &counted);
    let records =
        manifests.iter().filter(|(_, row)| !row.is_file).map(|(digest, row)| (*digest, row.size)).collect();
    let found: BTreeMap<Digest, u64> =
        all(rows, &MANIFEST_BYTES)?.into_iter().map(|(digest, bytes)| (digest, bytes.len() as u64)).collect();
    findings.compare("manifest bytes", &records, &found);
    Ok(())
}

fn edges(rows: &ReadTxn, links: &Links, findings: &mut Findings) -> Result<(), Error> {
    let forward = all(rows, &MANIFEST_BLOBS)?;
    let backward =
        forward.keys().map(|(repository, manifest, blob)| ((*repository, *blob, *manifest), ())).collect();
    findings.compare("blob manifests", &backward, &all(rows, &BLOB_MANIFESTS)?);
    let children = all(rows, &MANIFEST_CHILDREN)?;
    let by_index = children
        .keys()
        .map(|(repository, index, child)| ((*repository, *child, Hold::Index(*index)), ()))
        .collect();
    let mut found = all(rows, &HOLDS)?;
    found.retain(|(_, _, hold), ()| matches!(hold, Hold::Index(_)));
    findings.compare("holds by indexes", &by_index, &found);
    for (repository, manifest, _) in forward.keys().chain(children.keys()) {
        findings.require(links.contains_key(&(*repository, *manifest)), || {
            format!("edges: {manifest} is not linked to {repository:?}")
        });
    }
    Ok(())
}

/// A deletion by digest holds the manifest for as long as it can be undone.
fn withdrawn(rows: &ReadTxn, links: &Links, findings: &mut Findings) -> Result<(), Error> {
    let repositories = all(rows, &REPOSITORY)?;
    let mut holds = all(rows, &HOLDS)?;
    holds.retain(|(_, _, hold), ()| *hold == Hold::Withdrawn);
    let mut queue = BTreeMap::new();
    for ((repository, digest), link) in links {
        let row = repositories.get(repository);
        findings.require(row.is_some(), || format!("manifest links: {digest} is of no repository"));
        let is_held = holds.contains_key(&(*repository, *digest, Hold::Withdrawn));
        if let (Some(row), Some(at), true) = (row, link.withdrawn_ms, is_held) {
            queue.insert((row.namespace, at, *repository, *digest), ());
        }
    }
    findings.compare("withdrawn", &queue, &all(rows, &WITHDRAWN)?);
    for (repository, digest, _) in holds.keys() {
        let link = links.get(&(*repository, *digest));
        findings.require(link.is_some_and(|link| link.withdrawn_ms.is_some()), || {
            format!("holds: {digest} was not deleted")
        });
    }
    Ok(())
}

fn referrers(rows: &ReadTxn, links: &Links, findings: &mut Findings) -> Result<(), Error> {
    let mut expected = BTreeMap::new();
    for ((repository, digest), link) in links.iter().filter(|(_, link)| link.withdrawn_ms.is_none()) {
        if let Some(subject) = link.subject {
            let referrer = Referrer { artifact_type: link.artifact_type.clone() };
            expected.insert((*repository, subject.0, *digest), referrer);
        }
    }
    findings.compare("referrers", &expected, &all(rows, &REFERRERS)?);
    Ok(())
}

/// What is held is linked, except a child that an index lists in advance; and a push holds nothing that a tag does.
fn holds(rows: &ReadTxn, links: &Links, findings: &mut Findings) -> Result<(), Error> {
    let holds = all(rows, &HOLDS)?;
    for (repository, digest, hold) in holds.keys() {
        let link = links.get(&(*repository, *digest));
        let is_right = match hold {
            Hold::Index(_) => true,
            Hold::Push => link.is_some_and(|link| link.withdrawn_ms.is_none()),
            Hold::LiveTag(_) | Hold::DeadTag(..) | Hold::Withdrawn => link.is_some(),
        };
        findings.require(is_right, || format!("holds: {hold:?} of {digest} holds nothing"));
    }
    unheld(rows, links, &holds, findings)
}

/// What nothing holds waits for the collection, or something waits that will nominate it.
fn unheld(rows: &ReadTxn, links: &Links, holds: &Holds, findings: &mut Findings) -> Result<(), Error> {
    let repositories = all(rows, &REPOSITORY)?;
    let candidates = all(rows, &CANDIDATES)?;
    let mut held: BTreeSet<_> = holds
        .keys()
        .filter(|(_, _, hold)| !matches!(hold, Hold::Index(_)))
        .map(|(repository, digest, _)| (*repository, *digest))
        .collect();
    let waiting = candidates.keys().map(|(_, repository, digest)| (*repository, *digest));
    held.extend(waiting);
    // What is held, and what waits, answers for what it holds.
    let (indexes, subjects) = (all(rows, &MANIFEST_CHILDREN)?, all(rows, &REFERRERS)?);
    let mut open: Vec<_> = held.iter().copied().collect();
    while let Some((repository, digest)) = open.pop() {
        let children = range_of(&indexes, repository, digest);
        let referrers = range_of(&subjects, repository, digest);
        open.extend(children.chain(referrers).filter(|below| held.insert(*below)));
    }
    for ((repository, digest), link) in links {
        let Some(row) = repositories.get(repository).filter(|row| !row.is_deleted) else { continue };
        let subject = link.subject.map(|field| Work::NominateReferrers(field.0));
        let is_queued = match subject {
            Some(work) => rows.contains(&WORK, &(row.namespace, *repository, work))?,
            None => false,
        };
        findings.require(is_queued || held.contains(&(*repository, *digest)), || {
            format!("holds: nothing holds {digest}, and nothing will look at it")
        });
    }
    Ok(())
}

/// What lies below a manifest in one of the two tables of edges.
fn range_of<V>(
    edges: &BTreeMap<(RepositoryId, Digest, Digest), V>,
    repository: RepositoryId,
    digest: Digest,
) -> impl Iterator<Item = (RepositoryId, Digest)> {
    let lowest =
        Digest::from_raw(Algorithm::Sha256, &[0; 32]).expect("invariant: a sha256 digest has 32 bytes");
    edges
        .range((repository, digest, lowest)..)
        .take_while(move |((at, above, _), _)| *at == repository && *above == digest)
        .map(|((at, _, below), _)| (*at, *below))
}
