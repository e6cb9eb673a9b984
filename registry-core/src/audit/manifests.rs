//! Manifests: links, edges, what holds them, referrers.

use std::collections::{BTreeMap, BTreeSet};

use super::{Findings, all};
use crate::Error;
use crate::metadata::{ReadTxn, Rows};
use crate::model::keys::{Hold, RepositoryId, Work};
use crate::model::records::{ManifestLink, Referrer};
use crate::model::tables::{
    BLOB_MANIFESTS, HOLDS, MANIFEST_BLOBS, MANIFEST_BYTES, MANIFEST_CHILDREN, MANIFEST_LINKS, MANIFESTS,
    REFERRERS, REPOSITORY, WITHDRAWN, WORK,
};
use crate::oci::Digest;

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

fn withdrawn(rows: &ReadTxn, links: &Links, findings: &mut Findings) -> Result<(), Error> {
    let repositories = all(rows, &REPOSITORY)?;
    let (mut queue, mut holds) = (BTreeMap::new(), BTreeMap::new());
    for ((repository, digest), link) in links {
        let row = repositories.get(repository);
        findings.require(row.is_some(), || format!("manifest links: {digest} is of no repository"));
        if let (Some(row), Some(at)) = (row, link.withdrawn_ms) {
            queue.insert((row.namespace, at, *repository, *digest), ());
            holds.insert((*repository, *digest, Hold::Withdrawn), ());
        }
    }
    findings.compare("withdrawn", &queue, &all(rows, &WITHDRAWN)?);
    let mut found = all(rows, &HOLDS)?;
    found.retain(|(_, _, hold), ()| *hold == Hold::Withdrawn);
    findings.compare("holds by withdrawal", &holds, &found);
    Ok(())
}

fn referrers(rows: &ReadTxn, links: &Links, findings: &mut Findings) -> Result<(), Error> {
    let repositories = all(rows, &REPOSITORY)?;
    let mut expected = BTreeMap::new();
    for ((repository, digest), link) in links.iter().filter(|(_, link)| link.withdrawn_ms.is_none()) {
        if let Some(subject) = link.subject {
            let referrer = Referrer { artifact_type: link.artifact_type.clone() };
            expected.insert((*repository, subject.0, *digest), referrer);
        }
    }
    findings.compare("referrers", &expected, &all(rows, &REFERRERS)?);
    for (repository, subject, referrer) in expected.keys() {
        let Some(row) = repositories.get(repository).filter(|_| is_present(links, *repository, subject))
        else {
            continue;
        };
        let is_held = rows.contains(&HOLDS, &(*repository, *referrer, Hold::Subject(*subject)))?;
        let is_queued = rows.contains(&WORK, &(row.namespace, *repository, Work::HoldReferrers(*subject)))?;
        findings.require(is_held || is_queued, || format!("holds: {subject} does not hold {referrer}"));
    }
    Ok(())
}

fn is_present(links: &Links, repository: RepositoryId, digest: &Digest) -> bool {
    links.get(&(repository, *digest)).is_some_and(|link| link.withdrawn_ms.is_none())
}

/// What is held is linked, except a child that an index lists in advance; and a push holds nothing that a tag does.
fn holds(rows: &ReadTxn, links: &Links, findings: &mut Findings) -> Result<(), Error> {
    let holds = all(rows, &HOLDS)?;
    for (repository, digest, hold) in holds.keys() {
        let link = links.get(&(*repository, *digest));
        let is_right = match hold {
            Hold::Index(_) => true,
            Hold::Subject(subject) => {
                link.is_some_and(|link| link.subject.is_some_and(|field| field.0 == *subject))
            }
            Hold::Push => link.is_some_and(|link| link.withdrawn_ms.is_none()),
            Hold::LiveTag(_) | Hold::DeadTag(..) | Hold::Withdrawn => link.is_some(),
        };
        findings.require(is_right, || format!("holds: {hold:?} of {digest} holds nothing"));
    }
    let held: BTreeSet<_> = holds.keys().map(|(repository, digest, _)| (*repository, *digest)).collect();
    let repositories = all(rows, &REPOSITORY)?;
    // What a deleted repository held goes in steps, its tags first.
    let is_live = |id: &RepositoryId| repositories.get(id).is_none_or(|row| !row.is_deleted);
    for (repository, digest) in links.keys().filter(|(repository, _)| is_live(repository)) {
        findings.require(held.contains(&(*repository, *digest)), || format!("holds: nothing holds {digest}"));
    }
    Ok(())
}
