//! Upload sessions as rows. The staged bytes are `content`'s.

use super::authorize::Granted;
use super::keys::{Unlink, UploadId};
use super::records::{Count, Upload};
use super::tables::{REPOSITORY_UPLOADS, UNLINKS, UPLOAD_COUNTS, UPLOAD_EXPIRY, UPLOADS};
use super::{repositories, totals};
use crate::Error;
use crate::metadata::{Rows, WriteTxn};
use crate::settings::Settings;

/// Whether one more may be open, in its namespace and of its principal.
///
/// # Errors
/// [`Error::TooManyUploads`].
pub(crate) fn check_room(rows: &impl Rows, settings: &Settings, upload: &Upload) -> Result<(), Error> {
    let [most_in_namespace, most_of_principal] =
        [settings.uploads_per_namespace, settings.uploads_per_principal];
    for (key, most) in counts_of(upload).into_iter().flatten().zip([most_in_namespace, most_of_principal]) {
        if rows.get(&UPLOAD_COUNTS, &key)?.unwrap_or_default().count >= most {
            return Err(Error::TooManyUploads);
        }
    }
    Ok(())
}

/// The rows in which an open session is counted.
pub(crate) fn counts_of(upload: &Upload) -> [Option<(u8, u64)>; 2] {
    [Some((0, upload.namespace.0)), upload.principal.map(|principal| (1, principal.0))]
}

fn recount(txn: &mut WriteTxn<'_>, upload: &Upload, change: impl Fn(u64) -> u64) -> Result<(), Error> {
    for key in counts_of(upload).into_iter().flatten() {
        match change(txn.get(&UPLOAD_COUNTS, &key)?.unwrap_or_default().count) {
            0 => txn.delete(&UPLOAD_COUNTS, &key),
            count => txn.put(&UPLOAD_COUNTS, &key, &Count { count }),
        }
    }
    Ok(())
}

/// Stores a new session.
pub(crate) fn begin(txn: &mut WriteTxn<'_>, id: UploadId, upload: &Upload) -> Result<(), Error> {
    repositories::update(txn, upload.repository, |row| row.uploads += 1)?;
    totals::update(txn, totals::row_of_upload(id), |row| row.uploads += 1)?;
    recount(txn, upload, |count| count + 1)?;
    txn.put(&UPLOADS, &id, upload);
    txn.put(&REPOSITORY_UPLOADS, &(upload.repository, id), &());
    txn.put(&UPLOAD_EXPIRY, &(upload.expires_ms, id), &());
    Ok(())
}

/// The session.
///
/// # Errors
/// [`Error::UploadUnknown`].
pub(crate) fn get(rows: &impl Rows, id: UploadId) -> Result<Upload, Error> {
    rows.get(&UPLOADS, &id)?.ok_or(Error::UploadUnknown)
}

/// Saves how far the session is on disk, and puts off its expiry.
///
/// # Errors
/// [`Error::UploadUnknown`].
pub(crate) fn save(
    txn: &mut WriteTxn<'_>,
    id: UploadId,
    offset: u64,
    hash_state: &[u8],
    expires_ms: u64,
) -> Result<(), Error> {
    let mut upload = get(txn, id)?;
    txn.delete(&UPLOAD_EXPIRY, &(upload.expires_ms, id));
    upload.offset = offset;
    upload.hash_state = hash_state.to_vec();
    upload.expires_ms = expires_ms;
    txn.put(&UPLOAD_EXPIRY, &(expires_ms, id), &());
    txn.put(&UPLOADS, &id, &upload);
    Ok(())
}

/// Ends the session: its staged file has become the blob's.
pub(crate) fn end(txn: &mut WriteTxn<'_>, id: UploadId) -> Result<Granted, Error> {
    let upload = get(txn, id)?;
    recount(txn, &upload, |count| count.saturating_sub(1))?;
    txn.delete(&UPLOADS, &id);
    txn.delete(&REPOSITORY_UPLOADS, &(upload.repository, id));
    txn.delete(&UPLOAD_EXPIRY, &(upload.expires_ms, id));
    repositories::update(txn, upload.repository, |row| row.uploads -= 1)?;
    totals::update(txn, totals::row_of_upload(id), |row| row.uploads -= 1)?;
    Ok(Granted::for_background(upload.namespace, upload.repository))
}

/// Ends the session and gives its staged file up.
pub(crate) fn abandon(txn: &mut WriteTxn<'_>, id: UploadId) -> Result<(), Error> {
    let at = end(txn, id)?;
    txn.put(&UNLINKS, &Unlink::Staged(id), &());
    repositories::remove_if_never_used(txn, at)
}
