//! Roles granted on repositories.

use super::authorize::Granted;
use super::keys::Grantee;
use super::tables::{GRANTED, GRANTS};
use crate::Error;
use crate::access::Role;
use crate::metadata::{Rows, WriteTxn};

/// Grants that a write takes away at once.
const AT_ONCE: usize = 500;

/// Grants a role, in the place of what was granted before.
pub(crate) fn put(txn: &mut WriteTxn<'_>, at: Granted, to: Grantee, role: Role) {
    txn.put(&GRANTS, &(at.repository, to), &role);
    txn.put(&GRANTED, &(to, at.namespace, at.repository), &());
}

/// Takes a grant away; gives what it was.
pub(crate) fn delete(txn: &mut WriteTxn<'_>, at: Granted, from: Grantee) -> Result<Option<Role>, Error> {
    let role = txn.get(&GRANTS, &(at.repository, from))?;
    if role.is_some() {
        txn.delete(&GRANTS, &(at.repository, from));
        txn.delete(&GRANTED, &(from, at.namespace, at.repository));
    }
    Ok(role)
}

/// Takes some of the grants on a repository away; true once none is left.
pub(crate) fn delete_some(txn: &mut WriteTxn<'_>, at: Granted, limit: usize) -> Result<bool, Error> {
    let grants = txn.scan(&GRANTS, &(at.repository,), None, limit)?;
    for ((_, grantee), _) in &grants {
        delete(txn, at, *grantee)?;
    }
    Ok(grants.len() < limit)
}

/// Takes every grant on a repository away; false, and nothing is, if they are more than one write may touch.
pub(crate) fn delete_all(txn: &mut WriteTxn<'_>, at: Granted) -> Result<bool, Error> {
    let grants = txn.scan(&GRANTS, &(at.repository,), None, AT_ONCE)?;
    if grants.len() == AT_ONCE {
        return Ok(false);
    }
    for ((_, grantee), _) in grants {
        delete(txn, at, grantee)?;
    }
    Ok(true)
}

/// Takes some of what a principal or a team was granted away, everywhere or in one namespace; true once nothing is left.
pub(crate) fn delete_some_of(
    txn: &mut WriteTxn<'_>,
    grantee: Grantee,
    within: Option<super::keys::NamespaceId>,
    limit: usize,
) -> Result<bool, Error> {
    let rows = match within {
        Some(namespace) => txn.scan(&GRANTED, &(grantee, namespace), None, limit)?,
        None => txn.scan(&GRANTED, &(grantee,), None, limit)?,
    };
    for ((_, namespace, repository), ()) in &rows {
        delete(txn, Granted::for_background(*namespace, *repository), grantee)?;
    }
    Ok(rows.len() < limit)
}
