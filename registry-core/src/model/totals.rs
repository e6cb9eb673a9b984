//! What the whole registry holds, counted in the transactions that change it.
//!
//! There is one row for each first byte of a digest, or of an upload's name, so that no row is changed by every write.

use super::keys::UploadId;
use super::records::Totals;
use super::tables::TOTALS;
use crate::Error;
use crate::metadata::{Rows, WriteTxn};
use crate::oci::Digest;
use crate::statistics::Stored;

/// The row in which content of this digest is counted.
pub(crate) fn row_of(digest: &Digest) -> u8 {
    digest.raw()[0]
}

/// The row in which an open upload is counted.
pub(crate) fn row_of_upload(id: UploadId) -> u8 {
    id.0[0]
}

/// Changes a row; one that counts nothing any more goes.
pub(crate) fn update(txn: &mut WriteTxn<'_>, row: u8, change: impl Fn(&mut Totals)) -> Result<(), Error> {
    let mut totals = txn.get(&TOTALS, &row)?.unwrap_or_default();
    change(&mut totals);
    if totals == Totals::default() {
        txn.delete(&TOTALS, &row);
    } else {
        txn.put(&TOTALS, &row, &totals);
    }
    Ok(())
}

/// All rows added up: at most 256.
pub(crate) fn sum(rows: &impl Rows) -> Result<Stored, Error> {
    let mut stored = Stored::default();
    for (_, totals) in rows.scan(&TOTALS, &(), None, usize::from(u8::MAX) + 1)? {
        stored.blobs += totals.blobs;
        stored.blob_bytes += totals.blob_bytes;
        stored.manifests += totals.manifests;
        stored.manifest_bytes += totals.manifest_bytes;
        stored.open_uploads += totals.uploads;
    }
    Ok(stored)
}
