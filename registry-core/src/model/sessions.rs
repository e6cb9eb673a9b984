//! Sessions of people who signed in with a browser, and their indexes by user and by expiry.

use super::keys::SessionKey;
use super::records::{Session, User};
use super::standing;
use super::tables::{SESSION_EXPIRY, SESSIONS, USER_SESSIONS};
use crate::Error;
use crate::access::{Principal, PrincipalId};
use crate::metadata::{Rows, WriteTxn};

/// The most sessions of one user; a new one ends the oldest.
pub(crate) const MAX_OF_USER: usize = 100;

/// Stores a session, after ending the user's oldest ones as far as there would be too many.
pub(crate) fn insert(txn: &mut WriteTxn<'_>, key: SessionKey, session: &Session) -> Result<(), Error> {
    let others = txn.scan(&USER_SESSIONS, &(session.principal,), None, MAX_OF_USER)?;
    let too_many = (others.len() + 1).saturating_sub(MAX_OF_USER);
    for ((_, _, oldest), ()) in others.into_iter().take(too_many) {
        remove(txn, oldest)?;
    }
    txn.put(&SESSIONS, &key, session);
    txn.put(&USER_SESSIONS, &(session.principal, session.created_ms, key), &());
    txn.put(&SESSION_EXPIRY, &(session.expires_ms, key), &());
    Ok(())
}

/// Removes a session, if it is there.
pub(crate) fn remove(txn: &mut WriteTxn<'_>, key: SessionKey) -> Result<(), Error> {
    if let Some(session) = txn.get(&SESSIONS, &key)? {
        txn.delete(&SESSIONS, &key);
        txn.delete(&USER_SESSIONS, &(session.principal, session.created_ms, key));
        txn.delete(&SESSION_EXPIRY, &(session.expires_ms, key));
    }
    Ok(())
}

/// Removes the user's sessions, but for `kept`.
pub(crate) fn remove_all(
    txn: &mut WriteTxn<'_>,
    principal: PrincipalId,
    kept: Option<SessionKey>,
) -> Result<(), Error> {
    let sessions = txn.scan(&USER_SESSIONS, &(principal,), None, MAX_OF_USER)?;
    for ((_, _, key), ()) in sessions {
        if Some(key) != kept {
            remove(txn, key)?;
        }
    }
    Ok(())
}

/// Takes the session of this principal over to the user's new generation, if it is there.
pub(crate) fn renew(
    txn: &mut WriteTxn<'_>,
    principal: &Principal,
    key: Option<SessionKey>,
    generation: u64,
) -> Result<(), Error> {
    let Some(key) = key else { return Ok(()) };
    match txn.get(&SESSIONS, &key)? {
        Some(mut session)
            if session.principal == principal.id && session.generation == principal.generation =>
        {
            session.generation = generation;
            txn.put(&SESSIONS, &key, &session);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The session and its user, if it has not expired and the user may still use it.
pub(crate) fn find(
    rows: &impl Rows,
    key: &SessionKey,
    now_ms: u64,
) -> Result<Option<(Session, User)>, Error> {
    let Some(session) = rows.get(&SESSIONS, key)? else { return Ok(None) };
    if session.expires_ms <= now_ms {
        return Ok(None);
    }
    let principal = Principal { id: session.principal, generation: session.generation };
    match standing::signed_in(rows, &principal) {
        Ok(user) => Ok(Some((session, user))),
        Err(Error::CredentialRevoked) => Ok(None),
        Err(error) => Err(error),
    }
}
