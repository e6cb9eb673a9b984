//! What each namespace uses, counted in the writes that change it.

use super::keys::NamespaceId;
use super::records::Usage;
use super::tables::USAGE;
use crate::Error;
use crate::metadata::{Rows, WriteTxn};

/// What the namespace uses now.
pub(crate) fn of(rows: &impl Rows, namespace: NamespaceId) -> Result<Usage, Error> {
    Ok(rows.get(&USAGE, &namespace)?.unwrap_or_default())
}

/// Changes the row; one that counts nothing any more goes.
pub(crate) fn update(
    txn: &mut WriteTxn<'_>,
    namespace: NamespaceId,
    change: impl FnOnce(&mut Usage),
) -> Result<(), Error> {
    let mut usage = of(txn, namespace)?;
    change(&mut usage);
    if usage == Usage::default() {
        txn.delete(&USAGE, &namespace);
    } else {
        txn.put(&USAGE, &namespace, &usage);
    }
    Ok(())
}
