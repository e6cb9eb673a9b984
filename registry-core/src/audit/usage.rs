//! What repositories hold and namespaces use.

use std::collections::BTreeMap;

use super::{Findings, all};
use crate::Error;
use crate::metadata::ReadTxn;
use crate::model::keys::{NamespaceId, RepositoryId};
use crate::model::records::{Repository, Usage};
use crate::model::tables::{
    BLOBS, MANIFEST_LINKS, MANIFESTS, NAMESPACE_BLOBS, REPOSITORY, REPOSITORY_BLOBS, TAGS, UPLOADS, USAGE,
};

/// The counts of a repository; all else is left out.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    manifests: u64,
    manifest_bytes: u64,
    blobs: u64,
    blob_bytes: u64,
    tags: u64,
    uploads: u64,
}

impl Counts {
    fn of(row: &Repository) -> Self {
        Self {
            manifests: row.manifests,
            manifest_bytes: row.manifest_bytes,
            blobs: row.blobs,
            blob_bytes: row.blob_bytes,
            tags: row.tags,
            uploads: row.uploads,
        }
    }
}

pub(super) fn audit(rows: &ReadTxn, findings: &mut Findings) -> Result<(), Error> {
    let repositories = all(rows, &REPOSITORY)?;
    let recount = recount(rows, &repositories)?;
    let counted = repositories.iter().map(|(id, row)| (*id, Counts::of(row))).collect();
    findings.compare("repository counts", &recount, &counted);
    let usage = usage(rows, &repositories, &recount)?;
    findings.compare("usage", &usage, &all(rows, &USAGE)?);
    Ok(())
}

type Repositories = BTreeMap<RepositoryId, Repository>;

fn recount(rows: &ReadTxn, repositories: &Repositories) -> Result<BTreeMap<RepositoryId, Counts>, Error> {
    let (blobs, manifests) = (all(rows, &BLOBS)?, all(rows, &MANIFESTS)?);
    let mut recount: BTreeMap<_, Counts> = repositories.keys().map(|id| (*id, Counts::default())).collect();
    for (repository, digest) in all(rows, &MANIFEST_LINKS)?.into_keys() {
        let counts = recount.entry(repository).or_default();
        counts.manifests += 1;
        counts.manifest_bytes += manifests.get(&digest).map_or(0, |row| row.size);
    }
    for ((repository, digest), _) in
        all(rows, &REPOSITORY_BLOBS)?.into_iter().filter(|(_, row)| row.is_linked)
    {
        let counts = recount.entry(repository).or_default();
        counts.blobs += 1;
        counts.blob_bytes += blobs.get(&digest).map_or(0, |row| row.size);
    }
    for (repository, _) in all(rows, &TAGS)?.into_keys() {
        recount.entry(repository).or_default().tags += 1;
    }
    for upload in all(rows, &UPLOADS)?.into_values() {
        recount.entry(upload.repository).or_default().uploads += 1;
    }
    Ok(recount)
}

fn usage(
    rows: &ReadTxn,
    repositories: &Repositories,
    counts: &BTreeMap<RepositoryId, Counts>,
) -> Result<BTreeMap<NamespaceId, Usage>, Error> {
    let (blobs, mut usage) = (all(rows, &BLOBS)?, BTreeMap::<_, Usage>::new());
    for (namespace, digest) in all(rows, &NAMESPACE_BLOBS)?.into_keys() {
        let usage = usage.entry(namespace).or_default();
        usage.blobs += 1;
        usage.blob_bytes += blobs.get(&digest).map_or(0, |row| row.size);
    }
    for (id, row) in repositories {
        let (usage, counts) = (usage.entry(row.namespace).or_default(), &counts[id]);
        usage.repositories += u64::from(!row.is_deleted);
        usage.manifests += counts.manifests;
        usage.manifest_bytes += counts.manifest_bytes;
        usage.tags += counts.tags;
    }
    usage.retain(|_, usage| *usage != Usage::default());
    Ok(usage)
}
