//! Default permissions: the grants that new repositories of an organization begin with (Quay's prototypes).

use std::collections::BTreeMap;

use super::accounts;
use super::authorize::Granted;
use super::grants;
use super::keys::Grantee;
use super::records::Prototype;
use super::tables::{NAMESPACE, PROTOTYPES, TEAMS};
use crate::Error;
use crate::access::{PrincipalId, Role};
use crate::metadata::{Rows, WriteTxn};

/// The most default permissions of an organization: all of them may apply in the write that creates a repository.
pub(crate) const MOST: usize = 200;

/// Grants what the organization's default permissions say for a repository that `creator` makes. One for this creator
/// beats a general one for the same delegate; the creator administers the repository anyway.
pub(crate) fn apply(txn: &mut WriteTxn<'_>, at: Granted, creator: PrincipalId) -> Result<(), Error> {
    if !txn.get(&NAMESPACE, &at.namespace)?.is_some_and(|row| row.is_organization) {
        return Ok(());
    }
    let prototypes = txn.scan(&PROTOTYPES, &(at.namespace,), None, MOST)?;
    let mut chosen: BTreeMap<Grantee, (bool, Role)> = BTreeMap::new();
    for (_, Prototype { activating, delegate, role }) in prototypes {
        let is_specific = activating.is_some();
        let applies = activating.is_none_or(|activating| activating == creator);
        let is_better = chosen.get(&delegate).is_none_or(|(specific, _)| !specific || is_specific);
        if applies && is_better && delegate != Grantee::Principal(creator) {
            chosen.insert(delegate, (is_specific, role.0));
        }
    }
    for (delegate, (_, role)) in chosen {
        if is_there(txn, delegate)? {
            grants::put(txn, at, delegate, role);
        }
    }
    Ok(())
}

/// Whether a grantee still exists: what a default permission names may have been deleted since.
pub(crate) fn is_there(rows: &impl Rows, grantee: Grantee) -> Result<bool, Error> {
    match grantee {
        Grantee::Principal(id) => Ok(accounts::get(rows, id)?.is_some()),
        Grantee::Team(id) => rows.contains(&TEAMS, &id),
    }
}
