//! Blobs: links, counts, graces; uploads; and the files of both.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use super::{Findings, all};
use crate::content::hash_reader;
use crate::metadata::ReadTxn;
use crate::model::keys::{NamespaceId, Unlink};
use crate::model::records::{Count, Totals};
use crate::model::tables::{
    BLOB_GRACE, BLOB_REPOSITORIES, BLOBS, MANIFEST_BLOBS, MANIFEST_LINKS, MANIFESTS, NAMESPACE_BLOBS,
    REPOSITORY, REPOSITORY_BLOBS, TOTALS, UNLINKS, UPLOAD_EXPIRY, UPLOADS,
};
use crate::model::totals::{row_of, row_of_upload};
use crate::oci::{Algorithm, Digest};
use crate::{Error, Registry};

pub(super) fn audit(rows: &ReadTxn, findings: &mut Findings) -> Result<(), Error> {
    references(rows, findings)?;
    links(rows, findings)?;
    totals(rows, findings)?;
    let expiry = all(rows, &UPLOADS)?.iter().map(|(id, row)| ((row.expires_ms, *id), ())).collect();
    findings.compare("upload expiry", &expiry, &all(rows, &UPLOAD_EXPIRY)?);
    Ok(())
}

/// How many manifests, present and withdrawn, refer to each blob of a repository.
fn references(rows: &ReadTxn, findings: &mut Findings) -> Result<(), Error> {
    let manifests = all(rows, &MANIFEST_LINKS)?;
    let blobs = all(rows, &REPOSITORY_BLOBS)?;
    let mut recount: BTreeMap<_, (u64, u64)> = blobs.keys().map(|key| (*key, (0, 0))).collect();
    for (repository, manifest, blob) in all(rows, &MANIFEST_BLOBS)?.into_keys() {
        let is_withdrawn =
            manifests.get(&(repository, manifest)).is_some_and(|link| link.withdrawn_ms.is_some());
        let counts = recount.entry((repository, blob)).or_default();
        if is_withdrawn { counts.1 += 1 } else { counts.0 += 1 }
    }
    let counted = blobs.into_iter().map(|(key, row)| (key, (row.manifests, row.withdrawn))).collect();
    findings.compare("repository blobs (manifests, withdrawn)", &recount, &counted);
    Ok(())
}

fn links(rows: &ReadTxn, findings: &mut Findings) -> Result<(), Error> {
    let repositories = all(rows, &REPOSITORY)?;
    let (mut places, mut graces) = (BTreeMap::new(), BTreeMap::new());
    let mut in_namespaces: BTreeMap<(NamespaceId, Digest), Count> = BTreeMap::new();
    for ((repository, digest), blob) in all(rows, &REPOSITORY_BLOBS)? {
        if let Some(until) = blob.grace_ms {
            graces.insert((until, repository, digest), ());
        }
        let Some(row) = repositories.get(&repository).filter(|_| blob.is_linked) else { continue };
        places.insert((digest, repository), ());
        in_namespaces.entry((row.namespace, digest)).or_default().count += 1;
        let keeps = blob.manifests + blob.withdrawn > 0 || blob.grace_ms.is_some();
        findings.require(keeps, || format!("repository blobs: nothing keeps {digest}"));
    }
    findings.compare("blob repositories", &places, &all(rows, &BLOB_REPOSITORIES)?);
    findings.compare("blob grace", &graces, &all(rows, &BLOB_GRACE)?);
    findings.compare("namespace blobs", &in_namespaces, &all(rows, &NAMESPACE_BLOBS)?);
    let mut namespaces: BTreeMap<Digest, u64> = BTreeMap::new();
    for (_, digest) in in_namespaces.keys() {
        *namespaces.entry(*digest).or_default() += 1;
    }
    let counted = all(rows, &BLOBS)?.into_iter().map(|(digest, row)| (digest, row.namespaces)).collect();
    findings.compare("blobs, namespaces of", &namespaces, &counted);
    Ok(())
}

/// What the whole registry holds.
fn totals(rows: &ReadTxn, findings: &mut Findings) -> Result<(), Error> {
    let mut recount: BTreeMap<u8, Totals> = BTreeMap::new();
    for (digest, blob) in all(rows, &BLOBS)? {
        let row = recount.entry(row_of(&digest)).or_default();
        row.blobs += 1;
        row.blob_bytes += blob.size;
    }
    for (digest, manifest) in all(rows, &MANIFESTS)? {
        let row = recount.entry(row_of(&digest)).or_default();
        row.manifests += 1;
        row.manifest_bytes += manifest.size;
    }
    for id in all(rows, &UPLOADS)?.into_keys() {
        recount.entry(row_of_upload(id)).or_default().uploads += 1;
    }
    findings.compare("totals", &recount, &all(rows, &TOTALS)?);
    Ok(())
}

/// Every named digest has its file; every file is named, or waits to be unlinked.
pub(super) fn audit_files(registry: &Registry, deep: bool, findings: &mut Findings) -> Result<(), Error> {
    let (named, uploads, queued) = registry.metadata().read(|rows| {
        let mut named: BTreeMap<Digest, u64> =
            all(rows, &BLOBS)?.into_iter().map(|(digest, row)| (digest, row.size)).collect();
        let files = all(rows, &MANIFESTS)?.into_iter().filter(|(_, row)| row.is_file);
        named.extend(files.map(|(digest, row)| (digest, row.size)));
        Ok((named, all(rows, &UPLOADS)?, all(rows, &UNLINKS)?))
    })?;
    for (digest, size) in &named {
        audit_file(registry, digest, *size, deep, findings)?;
    }
    if registry.needs_sweep().load(Ordering::SeqCst) {
        return Ok(());
    }
    let mut unnamed: BTreeSet<Unlink> = BTreeSet::new();
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        for shard in 0..=u8::MAX {
            let files = registry.content().list_shard(algorithm, shard)?;
            unnamed.extend(files.into_iter().filter(|digest| !named.contains_key(digest)).map(Unlink::Blob));
        }
    }
    let staged = registry.content().list_staged()?;
    unnamed.extend(staged.into_iter().filter(|id| !uploads.contains_key(id)).map(Unlink::Staged));
    for unlink in unnamed.iter().filter(|unlink| !queued.contains_key(unlink)) {
        findings.0.push(format!("files: {unlink:?} is named by no row and not queued"));
    }
    Ok(())
}

fn audit_file(
    registry: &Registry,
    digest: &Digest,
    size: u64,
    deep: bool,
    findings: &mut Findings,
) -> Result<(), Error> {
    match registry.content().open_by_path(digest, size)? {
        None => findings.0.push(format!("files: {digest} is absent or not {size} bytes long")),
        Some(file) if deep => {
            let actual = hash_reader(&file, digest.algorithm())?;
            findings
                .require(actual == *digest, || format!("files: the bytes of {digest} have become {actual}"));
        }
        Some(_) => {}
    }
    Ok(())
}
