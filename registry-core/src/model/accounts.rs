//! Users, and the namespaces that bear their names.

use super::keys::NamespaceId;
use super::records::{Namespace, User};
use super::robots;
use super::tables::{NAMESPACE, NAMESPACES, USERS};
use crate::Error;
use crate::access::PrincipalId;
use crate::metadata::{Rows, WriteTxn};

/// Stores a new user and the namespace of the same name.
///
/// # Errors
/// [`Error::NameTaken`] if a user or an organization has the name.
pub(crate) fn create(txn: &mut WriteTxn<'_>, id: PrincipalId, user: &User) -> Result<(), Error> {
    let namespace = Namespace {
        name: user.name.clone(),
        is_organization: false,
        created_ms: user.created_ms,
        public_repositories: 0,
        email: String::new(),
    };
    create_namespace(txn, id.into(), &namespace)?;
    txn.put(&USERS, &id, user);
    Ok(())
}

/// Stores a new namespace under its name.
///
/// # Errors
/// [`Error::NameTaken`].
pub(crate) fn create_namespace(
    txn: &mut WriteTxn<'_>,
    id: NamespaceId,
    namespace: &Namespace,
) -> Result<(), Error> {
    if txn.contains(&NAMESPACES, &namespace.name)? {
        return Err(Error::NameTaken(namespace.name.clone()));
    }
    txn.put(&NAMESPACES, &namespace.name, &id);
    txn.put(&NAMESPACE, &id, namespace);
    Ok(())
}

/// The user or the robot (`namespace+name`) of this name.
///
/// # Errors
/// [`Error::PrincipalUnknown`].
pub(crate) fn principal(rows: &impl Rows, name: &str) -> Result<(PrincipalId, User), Error> {
    let unknown = || Error::PrincipalUnknown(name.to_owned());
    match name.split_once('+') {
        None => find(rows, name)?.ok_or_else(unknown),
        Some((namespace, short_name)) => {
            let namespace = rows.get(&NAMESPACES, &namespace.to_owned())?.ok_or_else(unknown)?;
            robots::find(rows, namespace, short_name).map(|(id, user, _)| (id, user)).map_err(|error| {
                match error {
                    Error::PrincipalUnknown(_) => unknown(),
                    other => other,
                }
            })
        }
    }
}

/// Whether any user exists.
pub(crate) fn has_users(rows: &impl Rows) -> Result<bool, Error> {
    Ok(rows.first(&USERS, &())?.is_some())
}

/// The user of this name.
pub(crate) fn find(rows: &impl Rows, name: &str) -> Result<Option<(PrincipalId, User)>, Error> {
    let Some(namespace) = rows.get(&NAMESPACES, &name.to_owned())? else { return Ok(None) };
    let id = PrincipalId(namespace.0);
    Ok(rows.get(&USERS, &id)?.map(|user| (id, user)))
}

/// Changes the user's row.
///
/// # Errors
/// [`Error::CredentialRevoked`] if the user is gone.
pub(crate) fn update(
    txn: &mut WriteTxn<'_>,
    id: PrincipalId,
    change: impl FnOnce(&mut User),
) -> Result<User, Error> {
    let mut user = txn.get(&USERS, &id)?.ok_or(Error::CredentialRevoked)?;
    change(&mut user);
    txn.put(&USERS, &id, &user);
    Ok(user)
}
