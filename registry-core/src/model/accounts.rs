//! Users, and the namespaces that bear their names.

use super::authorize::namespace_row;
use super::keys::{Grantee, NamespaceId};
use super::records::{Namespace, User};
use super::tables::{MEMBERSHIPS, NAMESPACE, NAMESPACES, USERS};
use super::{grants, robots, stars, teams};
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
        ..Namespace::default()
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
        None => user_named(rows, name),
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

/// The user of this name, who must be there.
///
/// # Errors
/// [`Error::PrincipalUnknown`].
pub(crate) fn user_named(rows: &impl Rows, name: &str) -> Result<(PrincipalId, User), Error> {
    find(rows, name)?.ok_or_else(|| Error::PrincipalUnknown(name.to_owned()))
}

/// The user of this name, if there is one.
pub(crate) fn find(rows: &impl Rows, name: &str) -> Result<Option<(PrincipalId, User)>, Error> {
    let Some(namespace) = rows.get(&NAMESPACES, &name.to_owned())? else { return Ok(None) };
    let id = PrincipalId(namespace.0);
    Ok(get(rows, id)?.map(|user| (id, user)))
}

/// The account as it is shown: a robot's name is `namespace+name`, so that renaming a namespace costs nothing. None if it
/// is gone or being deleted. What is put back must come from [`update`].
pub(crate) fn get(rows: &impl Rows, id: PrincipalId) -> Result<Option<User>, Error> {
    let user = rows.get(&USERS, &id)?.filter(|user| !user.is_deleted);
    let Some(mut user) = user else { return Ok(None) };
    if let Some(home) = user.robot_of {
        let home = namespace_row(rows, home)?;
        if home.is_deleted {
            return Ok(None);
        }
        user.name = format!("{}+{}", home.name, user.name);
    }
    Ok(Some(user))
}

/// One step of taking away what an account was granted, its stars and the teams that it is in; true once nothing is left.
pub(crate) fn strip_step(txn: &mut WriteTxn<'_>, id: PrincipalId, limit: usize) -> Result<bool, Error> {
    if !grants::delete_some_of(txn, Grantee::Principal(id), None, limit)? {
        return Ok(false);
    }
    if !stars::delete_some_of_user(txn, id, limit)? {
        return Ok(false);
    }
    let memberships = txn.scan(&MEMBERSHIPS, &(id,), None, limit)?;
    for ((_, organization, team), ()) in &memberships {
        teams::drop_member(txn, *team, *organization, id)?;
    }
    Ok(memberships.len() < limit)
}

/// Changes the user's row; gives it as it is stored.
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
