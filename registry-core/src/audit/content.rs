//! Blobs: links, counts, graces; uploads; totals.

use std::collections::BTreeMap;

use super::{Findings, all};
use crate::Error;
use crate::metadata::ReadTxn;
use crate::model::keys::NamespaceId;
use crate::model::records::{Count, Totals};
use crate::model::tables::{
    BLOB_GRACE, BLOB_REPOSITORIES, BLOBS, MANIFEST_BLOBS, MANIFEST_LINKS, MANIFESTS, NAMESPACE_BLOBS,
    REPOSITORY, REPOSITORY_BLOBS, REPOSITORY_UPLOADS, TOTALS, UPLOAD_COUNTS, UPLOAD_EXPIRY, UPLOADS,
};
use crate::model::totals::{row_of, row_of_upload};
use crate::model::uploads::counts_of;
use crate::oci::Digest;

pub(super) fn audit(rows: &ReadTxn, findings: &mut Findings) -> Result<(), Error> {
    references(rows, findings)?;
    links(rows, findings)?;
    totals(rows, findings)?;
    let uploads = all(rows, &UPLOADS)?;
    let expiry = uploads.iter().map(|(id, row)| ((row.expires_ms, *id), ())).collect();
    findings.compare("upload expiry", &expiry, &all(rows, &UPLOAD_EXPIRY)?);
    let in_repositories = uploads.iter().map(|(id, row)| ((row.repository, *id), ())).collect();
    findings.compare("repository uploads", &in_repositories, &all(rows, &REPOSITORY_UPLOADS)?);
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
    let mut open: BTreeMap<(u8, u64), Count> = BTreeMap::new();
    for (id, upload) in all(rows, &UPLOADS)? {
        recount.entry(row_of_upload(id)).or_default().uploads += 1;
        for key in counts_of(&upload).into_iter().flatten() {
            open.entry(key).or_default().count += 1;
        }
    }
    findings.compare("upload counts", &open, &all(rows, &UPLOAD_COUNTS)?);
    findings.compare("totals", &recount, &all(rows, &TOTALS)?);
    Ok(())
}
