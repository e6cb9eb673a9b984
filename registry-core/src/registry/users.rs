//! What superusers do with users and organizations: Quay's panel, which needs no full access.

use serde_json::{Value, json};

use super::Registry;
use super::accounts::{AccountInfo, NewUser, users};
use crate::Error;
use crate::access::{AccountAction, Actor, PrincipalId};
use crate::metadata::{Growth, Lane, Rows, WriteTxn};
use crate::model::authorize::{namespace_row, organization_named};
use crate::model::keys::NamespaceId;
use crate::model::records::User;
use crate::model::tables::NAMESPACES;
use crate::model::{accounts, sessions, standing};
use crate::oci::NamespaceName;

/// What a superuser changes of somebody's account; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserChange {
    /// An Argon2id hash in PHC form.
    pub password_hash: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
    /// Whether the account may not be used.
    pub is_disabled: Option<bool>,
}

/// An organization as a superuser sees it in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationRow {
    /// The name.
    pub name: String,
    /// Where it is written to; may be empty.
    pub email: String,
}

impl Registry {
    /// Whether the actor may do `action`, with their own account or, as a superuser, in the whole registry.
    ///
    /// # Errors
    /// [`Error::NotForCredential`], [`Error::NotSignedIn`], [`Error::CredentialRevoked`].
    pub fn check_account(&self, actor: &Actor, action: AccountAction) -> Result<(), Error> {
        self.0.metadata.read(|rows| standing::check_account(rows, &self.0.settings, actor, action))
    }

    /// Up to `limit` users in the order in which they were created, from the one after `after` on.
    ///
    /// # Errors
    /// The refusals of surveying the registry.
    pub fn every_user(
        &self,
        actor: &Actor,
        after: Option<PrincipalId>,
        limit: usize,
    ) -> Result<Vec<AccountInfo>, Error> {
        let users = self.0.metadata.read(|rows| {
            standing::check_account(rows, &self.0.settings, actor, AccountAction::Inspect)?;
            users(rows, after, limit)
        })?;
        Ok(users.into_iter().map(|(id, user)| self.account_info(id, user)).collect())
    }

    /// Up to `limit` organizations by name, after `after`.
    ///
    /// # Errors
    /// The refusals of surveying the registry.
    pub fn every_organization(
        &self,
        actor: &Actor,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<OrganizationRow>, Error> {
        self.0.metadata.read(|rows| {
            standing::check_account(rows, &self.0.settings, actor, AccountAction::Inspect)?;
            let (mut found, mut after) = (Vec::new(), after.map(str::to_owned));
            while found.len() < limit {
                let some: Vec<(String, NamespaceId)> = rows.scan(&NAMESPACES, &(), after.as_ref(), limit)?;
                let Some((last, _)) = some.last() else { break };
                after = Some(last.clone());
                for (_, id) in some {
                    let row = namespace_row(rows, id)?;
                    if row.is_organization {
                        found.push(OrganizationRow { name: row.name, email: row.email });
                    }
                }
            }
            found.truncate(limit);
            Ok(found)
        })
    }

    /// One organization.
    ///
    /// # Errors
    /// [`Error::NamespaceUnknown`], [`Error::NotAnOrganization`]; the refusals of surveying the registry.
    pub fn organization_row(&self, actor: &Actor, name: &NamespaceName) -> Result<OrganizationRow, Error> {
        self.0.metadata.read(|rows| {
            standing::check_account(rows, &self.0.settings, actor, AccountAction::Inspect)?;
            let (_, row) = organization_named(rows, name)?;
            Ok(OrganizationRow { name: row.name, email: row.email })
        })
    }

    /// One user.
    ///
    /// # Errors
    /// [`Error::PrincipalUnknown`]; the refusals of surveying the registry.
    pub fn user(&self, actor: &Actor, name: &str) -> Result<AccountInfo, Error> {
        let (id, user) = self.0.metadata.read(|rows| {
            standing::check_account(rows, &self.0.settings, actor, AccountAction::Inspect)?;
            accounts::user_named(rows, name)
        })?;
        Ok(self.account_info(id, user))
    }

    /// Creates a user on behalf of a superuser.
    ///
    /// # Errors
    /// [`Error::NameTaken`]; the refusals of governing the registry.
    pub fn add_user(&self, actor: &Actor, user: &NewUser) -> Result<PrincipalId, Error> {
        self.insert_user(user, |txn| {
            standing::check_account(txn, &self.0.settings, actor, AccountAction::Rule)
        })
    }

    /// Creates a user who registers by themselves, and so under no name to which the configuration gives power.
    ///
    /// # Errors
    /// [`Error::NameTaken`], [`Error::Privileged`].
    pub fn register_user(&self, user: &NewUser) -> Result<PrincipalId, Error> {
        self.check_unprivileged(user.name.as_str())?;
        self.insert_user(user, |_| Ok(()))
    }

    /// Changes somebody's account. A new password, disabling and enabling end everything that is signed in.
    ///
    /// # Errors
    /// [`Error::PrincipalUnknown`], [`Error::Privileged`] for a superuser's; the refusals of governing the registry.
    pub fn govern_user(&self, actor: &Actor, name: &str, change: &UserChange) -> Result<AccountInfo, Error> {
        let stamp = self.stamp(actor, 3)?;
        let (id, user) = self.0.metadata.write_in(Lane::Foreground, Growth::MayUseReserve, |txn| {
            standing::check_account(txn, &self.0.settings, actor, AccountAction::Rule)?;
            let (id, user) = accounts::user_named(txn, name)?;
            if standing::is_superuser(&self.0.settings, &user) {
                return Err(Error::Privileged(user.name));
            }
            for (number, (kind, metadata)) in (0..).zip(events(&user, change)) {
                stamp.record_in(txn, number, (id.into(), &user.name), kind, &metadata)?;
            }
            Ok((id, changed(txn, id, change)?))
        })?;
        tracing::info!(%actor, user = name, "user changed");
        Ok(self.account_info(id, user))
    }
}

/// What is recorded of a change.
fn events(user: &User, change: &UserChange) -> Vec<(&'static str, Value)> {
    let who = json!({"username": user.name, "superuser": true});
    let mut events = Vec::new();
    if let Some(email) = &change.email {
        let metadata = json!({"email": email, "old_email": user.email, "superuser": true});
        events.push(("user_change_email", metadata));
    }
    if change.password_hash.is_some() {
        events.push(("user_change_password", who.clone()));
    }
    if let Some(is_disabled) = change.is_disabled {
        events.push((if is_disabled { "user_disable" } else { "user_enable" }, who));
    }
    events
}

fn changed(txn: &mut WriteTxn<'_>, id: PrincipalId, change: &UserChange) -> Result<User, Error> {
    let ends_credentials = change.password_hash.is_some() || change.is_disabled.is_some();
    if ends_credentials {
        sessions::remove_all(txn, id, None)?;
    }
    accounts::update(txn, id, |user| {
        user.generation += u64::from(ends_credentials);
        user.is_disabled = change.is_disabled.unwrap_or(user.is_disabled);
        if let Some(email) = &change.email {
            user.email.clone_from(email);
        }
        if let Some(password_hash) = &change.password_hash {
            user.password_hash.clone_from(password_hash);
        }
    })
}
