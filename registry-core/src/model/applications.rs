//! OAuth applications, and the codes that are exchanged for their tokens.

use super::authorize::namespace_row;
use super::keys::{ApplicationId, NamespaceId, SecretHash};
use super::records::{Application, Code};
use super::tables::{
    APPLICATION_TOKENS, APPLICATIONS, CLIENT_IDS, CODE_EXPIRY, CODES, NAMESPACE_APPLICATIONS,
};
use super::tokens;
use crate::Error;
use crate::metadata::{Rows, WriteTxn};

/// The most applications of one namespace.
pub(crate) const MOST: usize = 200;

/// Stores a new application.
///
/// # Errors
/// [`Error::TooMany`]; [`Error::NameTaken`] if there is the client id already.
pub(crate) fn create(txn: &mut WriteTxn<'_>, id: ApplicationId, row: &Application) -> Result<(), Error> {
    if txn.scan(&NAMESPACE_APPLICATIONS, &(row.namespace,), None, MOST)?.len() == MOST {
        return Err(Error::TooMany("applications"));
    }
    if txn.contains(&CLIENT_IDS, &row.client_id)? {
        return Err(Error::NameTaken(row.client_id.clone()));
    }
    txn.put(&APPLICATIONS, &id, row);
    txn.put(&CLIENT_IDS, &row.client_id, &id);
    txn.put(&NAMESPACE_APPLICATIONS, &(row.namespace, id), &());
    Ok(())
}

/// The application of this client id.
///
/// # Errors
/// [`Error::ApplicationUnknown`].
pub(crate) fn find(rows: &impl Rows, client_id: &str) -> Result<(ApplicationId, Application), Error> {
    let unknown = || Error::ApplicationUnknown(client_id.to_owned());
    let id = rows.get(&CLIENT_IDS, &client_id.to_owned())?.ok_or_else(unknown)?;
    let row = rows.get(&APPLICATIONS, &id)?.ok_or(Error::Corrupt("applications"))?;
    if namespace_row(rows, row.namespace)?.is_deleted { Err(unknown()) } else { Ok((id, row)) }
}

/// The same, if it is one of the namespace's.
///
/// # Errors
/// [`Error::ApplicationUnknown`], for those of others as well.
pub(crate) fn find_in(
    rows: &impl Rows,
    namespace: NamespaceId,
    client_id: &str,
) -> Result<(ApplicationId, Application), Error> {
    match find(rows, client_id) {
        Ok((_, row)) if row.namespace != namespace => Err(Error::ApplicationUnknown(client_id.to_owned())),
        found => found,
    }
}

/// One step of deleting an application: its tokens end with the first, and it is gone with the last; then true.
pub(crate) fn delete_step(txn: &mut WriteTxn<'_>, id: ApplicationId, limit: usize) -> Result<bool, Error> {
    let Some(mut row) = txn.get(&APPLICATIONS, &id)? else { return Ok(true) };
    row.is_ending = true;
    txn.put(&APPLICATIONS, &id, &row);
    let found = txn.scan(&APPLICATION_TOKENS, &(id,), None, limit)?;
    for ((_, _, token), ()) in &found {
        tokens::remove(txn, *token)?;
    }
    if found.len() == limit {
        return Ok(false);
    }
    txn.delete(&APPLICATIONS, &id);
    txn.delete(&CLIENT_IDS, &row.client_id);
    txn.delete(&NAMESPACE_APPLICATIONS, &(row.namespace, id));
    Ok(true)
}

/// Stores a code.
pub(crate) fn insert_code(txn: &mut WriteTxn<'_>, key: SecretHash, code: &Code) {
    txn.put(&CODES, &key, code);
    txn.put(&CODE_EXPIRY, &(code.expires_ms, key), &());
}

/// Takes a code away, which is good for one exchange.
pub(crate) fn take_code(txn: &mut WriteTxn<'_>, key: SecretHash) -> Result<Option<Code>, Error> {
    let code = txn.get(&CODES, &key)?;
    if let Some(code) = &code {
        txn.delete(&CODES, &key);
        txn.delete(&CODE_EXPIRY, &(code.expires_ms, key));
    }
    Ok(code)
}
