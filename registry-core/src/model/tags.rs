//! Tags as histories of rows (Quay's model): at most one row alive, older ones restorable.

use super::authorize::Granted;
use super::keys::{Hold, NamespaceId};
use super::records::{DigestField, LiveTag, TagRow};
use super::tables::{DEAD_TAGS, HOLDS, TAG_HISTORY, TAG_TIMES, TAGS};
use super::{collection, repositories};
use crate::Error;
use crate::metadata::key::Descending;
use crate::metadata::{Rows, WriteTxn};
use crate::oci::{Digest, Tag};

/// Points the tag at `digest` from now on. What it pointed at before becomes restorable.
///
/// A row never starts before the one it follows, even if the clock went back.
pub(crate) fn set(
    txn: &mut WriteTxn<'_>,
    at: Granted,
    tag: &Tag,
    digest: &Digest,
    now_ms: u64,
    is_reversion: bool,
) -> Result<(), Error> {
    let start = match txn.first(&TAG_HISTORY, &(at.repository, tag.clone()))? {
        Some(((_, _, Descending(last_start)), last)) => {
            now_ms.max(last_start + 1).max(last.end_ms.unwrap_or(0))
        }
        None => now_ms,
    };
    if txn.contains(&TAGS, &(at.repository, tag.clone()))? {
        end(txn, at, tag, start)?;
    }
    let digest_field = DigestField(*digest);
    txn.put(&TAGS, &(at.repository, tag.clone()), &LiveTag { digest: digest_field, start_ms: start });
    txn.put(
        &TAG_HISTORY,
        &(at.repository, tag.clone(), Descending(start)),
        &TagRow { digest: digest_field, end_ms: None, is_reversion },
    );
    txn.put(&TAG_TIMES, &(at.repository, Descending(start), tag.clone()), &());
    txn.put(&HOLDS, &(at.repository, *digest, Hold::LiveTag(tag.clone())), &());
    collection::note_change(txn, at);
    txn.delete(&HOLDS, &(at.repository, *digest, Hold::Push));
    repositories::count_tag(txn, at, true)
}

/// Ends the live row of the tag; it stays restorable within the namespace's window.
///
/// # Errors
/// [`Error::ManifestUnknown`] if the tag is not alive.
pub(crate) fn end(txn: &mut WriteTxn<'_>, at: Granted, tag: &Tag, now_ms: u64) -> Result<(), Error> {
    let live = get(txn, at, tag)?;
    let digest = live.digest.0;
    // Ends differ as starts do, so that every dead row has a key of its own.
    let end = now_ms.max(live.start_ms + 1);
    let key = (at.repository, tag.clone(), Descending(live.start_ms));
    let mut row = txn.get(&TAG_HISTORY, &key)?.ok_or(Error::Corrupt("tag history"))?;
    row.end_ms = Some(end);
    txn.put(&TAG_HISTORY, &key, &row);
    txn.delete(&TAGS, &(at.repository, tag.clone()));
    txn.put(&DEAD_TAGS, &(at.namespace, end, at.repository, tag.clone()), &live.start_ms);
    txn.delete(&HOLDS, &(at.repository, digest, Hold::LiveTag(tag.clone())));
    txn.put(&HOLDS, &(at.repository, digest, Hold::DeadTag(tag.clone(), live.start_ms)), &());
    repositories::count_tag(txn, at, false)
}

/// Removes some rows of the repository's tags, alive or not; true once none is left.
pub(crate) fn forget_some(txn: &mut WriteTxn<'_>, at: Granted, limit: usize) -> Result<bool, Error> {
    let rows = txn.scan(&TAG_HISTORY, &(at.repository,), None, limit)?;
    for ((_, tag, start), row) in &rows {
        forget(txn, at, tag, *start, row)?;
    }
    Ok(rows.len() < limit)
}

/// Removes some rows of the namespace's tags that ended by `until_ms`, and nominates what they held; true once none is left.
pub(crate) fn expire_some(
    txn: &mut WriteTxn<'_>,
    namespace: NamespaceId,
    until_ms: u64,
    limit: usize,
) -> Result<bool, Error> {
    let dead = txn.scan(&DEAD_TAGS, &(namespace,), None, limit)?;
    let due = dead.iter().take_while(|((_, end_ms, _, _), _)| *end_ms <= until_ms);
    let mut expired = 0;
    for ((_, _, repository, tag), start_ms) in due {
        let at = Granted::for_background(namespace, *repository);
        let key = (*repository, tag.clone(), Descending(*start_ms));
        let row = txn.get(&TAG_HISTORY, &key)?.ok_or(Error::Corrupt("tag history"))?;
        forget(txn, at, tag, Descending(*start_ms), &row)?;
        collection::nominate(txn, at, &row.digest.0);
        expired += 1;
    }
    Ok(expired < limit)
}

/// Removes a row of a tag's history, and what it holds.
fn forget(
    txn: &mut WriteTxn<'_>,
    at: Granted,
    tag: &Tag,
    start: Descending,
    row: &TagRow,
) -> Result<(), Error> {
    let Descending(start_ms) = start;
    txn.delete(&TAG_HISTORY, &(at.repository, tag.clone(), Descending(start_ms)));
    txn.delete(&TAG_TIMES, &(at.repository, Descending(start_ms), tag.clone()));
    let hold = match row.end_ms {
        None => {
            txn.delete(&TAGS, &(at.repository, tag.clone()));
            repositories::count_tag(txn, at, false)?;
            Hold::LiveTag(tag.clone())
        }
        Some(end) => {
            txn.delete(&DEAD_TAGS, &(at.namespace, end, at.repository, tag.clone()));
            Hold::DeadTag(tag.clone(), start_ms)
        }
    };
    txn.delete(&HOLDS, &(at.repository, row.digest.0, hold));
    Ok(())
}

/// The live row.
///
/// # Errors
/// [`Error::ManifestUnknown`].
pub(crate) fn get(rows: &impl Rows, at: Granted, tag: &Tag) -> Result<LiveTag, Error> {
    rows.get(&TAGS, &(at.repository, tag.clone()))?.ok_or_else(|| Error::ManifestUnknown(tag.to_string()))
}

/// At most `limit` live tags that point at `digest`.
pub(crate) fn pointing_at(
    rows: &impl Rows,
    at: Granted,
    digest: &Digest,
    limit: usize,
) -> Result<Vec<Tag>, Error> {
    let holds = rows.scan(&HOLDS, &(at.repository, *digest, Hold::LIVE_TAGS), None, limit)?;
    Ok(holds
        .into_iter()
        .filter_map(|((_, _, hold), ())| match hold {
            Hold::LiveTag(tag) => Some(tag),
            _ => None,
        })
        .collect())
}
