//! Every named digest has its file, and every file is named or waits to be unlinked.
//!
//! Others go on writing meanwhile: what looks wrong is looked at again as rows and files are then, for a digest under its
//! lock, before it is told.

use std::collections::BTreeMap;

use super::{Findings, Wanted, all};
use crate::content::{BlobReader, hash_file_of};
use crate::metadata::{ReadTxn, Rows};
use crate::model::blobs::is_named;
use crate::model::keys::{Unlink, UploadId};
use crate::model::tables::{BLOBS, MANIFESTS, UNLINKS, UPLOADS};
use crate::oci::{Algorithm, Digest};
use crate::{Error, Registry};

/// Looks through the files, as long as that is `wanted`.
pub(super) fn audit(
    registry: &Registry,
    deep: bool,
    wanted: &Wanted<'_>,
    findings: &mut Findings,
) -> Result<(), Error> {
    let named = registry.metadata().read(named)?;
    for (digest, size) in &named {
        wanted.check()?;
        if fault(registry, digest, *size, deep)?.is_some() {
            findings.lines.extend(confirmed(registry, digest, deep)?);
        }
    }
    let awaits_sweep = registry.awaits_sweep();
    let mut unnamed = Vec::new();
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        for shard in 0..=u8::MAX {
            wanted.check()?;
            let files = registry.content().list_shard(algorithm, shard)?;
            for digest in files.iter().filter(|digest| !named.contains_key(digest)) {
                unnamed.extend(is_stray(registry, digest)?.then_some(Unlink::Blob(*digest)));
            }
        }
    }
    unnamed.extend(stray_uploads(registry)?.into_iter().map(Unlink::Staged));
    let awaits_sweep = awaits_sweep || registry.awaits_sweep();
    for unlink in unnamed {
        if awaits_sweep {
            findings.awaiting.push(format!("files: {unlink:?} is named by no row"));
        } else {
            findings.lines.push(format!("files: {unlink:?} is named by no row and not queued"));
        }
    }
    Ok(())
}

/// The digests that rows say to have a file, and its size.
fn named(rows: &ReadTxn) -> Result<BTreeMap<Digest, u64>, Error> {
    let mut named: BTreeMap<Digest, u64> =
        all(rows, &BLOBS)?.into_iter().map(|(digest, row)| (digest, row.size)).collect();
    let files = all(rows, &MANIFESTS)?.into_iter().filter(|(_, row)| row.is_file);
    named.extend(files.map(|(digest, row)| (digest, row.size)));
    Ok(named)
}

/// What is wrong with the file of a digest that should be `size` bytes long.
fn fault(registry: &Registry, digest: &Digest, size: u64, deep: bool) -> Result<Option<String>, Error> {
    let Some(file) = registry.content().open_by_path(digest, size)? else {
        return Ok(Some(format!("files: {digest} is absent or not {size} bytes long")));
    };
    Ok(if deep { rot(&file, digest)? } else { None })
}

fn rot(file: &BlobReader, digest: &Digest) -> Result<Option<String>, Error> {
    let actual = hash_file_of(file, digest.algorithm())?;
    Ok((actual != *digest).then(|| format!("files: the bytes of {digest} have become {actual}")))
}

/// What is still wrong while nobody can place or unlink the file, if rows still name it.
fn confirmed(registry: &Registry, digest: &Digest, deep: bool) -> Result<Option<String>, Error> {
    let _lock = registry.content().lock(digest);
    let size = registry.metadata().read(|rows| {
        let manifest = rows.get(&MANIFESTS, digest)?.filter(|row| row.is_file).map(|row| row.size);
        Ok(rows.get(&BLOBS, digest)?.map(|row| row.size).or(manifest))
    })?;
    size.map_or(Ok(None), |size| fault(registry, digest, size, deep))
}

/// Whether the file of a digest is there, named by no row and not queued for unlinking.
fn is_stray(registry: &Registry, digest: &Digest) -> Result<bool, Error> {
    let _lock = registry.content().lock(digest);
    let is_known = registry
        .metadata()
        .read(|rows| Ok(is_named(rows, digest)? || rows.contains(&UNLINKS, &Unlink::Blob(*digest))?))?;
    Ok(!is_known && registry.content().has_file(digest)?)
}

/// Staged files of no session that are not queued for unlinking.
fn stray_uploads(registry: &Registry) -> Result<Vec<UploadId>, Error> {
    let mut strays = registry.content().list_staged()?;
    registry.metadata().read(|rows| {
        for at in (0..strays.len()).rev() {
            let id = strays[at];
            if rows.contains(&UPLOADS, &id)? || rows.contains(&UNLINKS, &Unlink::Staged(id))? {
                strays.swap_remove(at);
            }
        }
        Ok(())
    })?;
    // One that was unlinked in between left the queue after it left the directory.
    let left = registry.content().list_staged()?;
    strays.retain(|id| left.contains(id));
    Ok(strays)
}
