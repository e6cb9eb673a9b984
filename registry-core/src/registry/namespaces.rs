//! Deleting, renaming and taking over namespaces. A name that was taken away can be used again at once.

use serde_json::{Value, json};

use super::Registry;
use crate::Error;
use crate::access::{AccountAction, Actor, NamespaceAction, Principal, PrincipalId, TeamRole};
use crate::metadata::{Growth, Lane, Rows, WriteTxn};
use crate::model::authorize::{granted_in_organization, namespace_named, namespace_row, organization_named};
use crate::model::keys::{NamespaceId, TeamId};
use crate::model::tables::{NAMESPACE, NAMESPACES, PUBLIC_NAMESPACES, TEAM_ROLES, USERS};
use crate::model::{accounts, deletion, organizations, standing, teams};
use crate::oci::NamespaceName;

impl Registry {
    /// Deletes an organization with everything in it. Nobody finds it from the commit on; what it holds goes in the
    /// background.
    ///
    /// # Errors
    /// [`Error::Privileged`]; the refusals of administering it, except for superusers.
    pub fn delete_organization(&self, actor: &Actor, name: &NamespaceName) -> Result<(), Error> {
        let stamp = self.stamp(actor, 1)?;
        self.change_names(|txn| {
            let at = self.governed_organization(txn, actor, name)?;
            self.check_unprivileged(name.as_str())?;
            deletion::bury_namespace(txn, at)?;
            let metadata = json!({"namespace": name.as_str()});
            stamp.record_in(txn, 0, (at, name.as_str()), "org_delete", &metadata)
        })?;
        tracing::info!(%actor, organization = %name, "organization deleted");
        Ok(())
    }

    /// The organization, if the actor administers it or is a superuser.
    fn governed_organization(
        &self,
        rows: &impl Rows,
        actor: &Actor,
        name: &NamespaceName,
    ) -> Result<NamespaceId, Error> {
        let settings = &self.0.settings;
        if standing::check_account(rows, settings, actor, AccountAction::Rule).is_err() {
            return granted_in_organization(rows, settings, actor, name, NamespaceAction::Administer);
        }
        Ok(organization_named(rows, name)?.0)
    }

    /// Refuses what would free a name to which the configuration gives power, or give it to just anybody.
    pub(super) fn check_unprivileged(&self, name: &str) -> Result<(), Error> {
        if self.0.settings.gives_power(name) { Err(Error::Privileged(name.to_owned())) } else { Ok(()) }
    }

    /// Deletes the caller's own account, with the namespace of the same name and everything in it.
    ///
    /// # Errors
    /// [`Error::Privileged`] for superusers, [`Error::LastAdministrator`] of an organization,
    /// [`Error::CredentialRevoked`].
    pub fn delete_own_account(&self, actor: &Actor) -> Result<(), Error> {
        let stamp = self.stamp(actor, 1)?;
        self.change_names(|txn| {
            let (id, _) = self.acting_user(txn, actor, AccountAction::Administer)?;
            let name = self.end_account(txn, id)?;
            deletion::bury_namespace(txn, id.into())?;
            let metadata = json!({"username": name});
            stamp.record_in(txn, 0, (id.into(), &name), "user_delete", &metadata)
        })?;
        tracing::info!(%actor, "user deleted");
        Ok(())
    }

    /// Deletes a user, with the namespace of the same name and everything in it.
    ///
    /// # Errors
    /// [`Error::PrincipalUnknown`], [`Error::Privileged`] for superusers, [`Error::LastAdministrator`] of an organization;
    /// the refusals of governing the registry.
    pub fn delete_user(&self, actor: &Actor, name: &str) -> Result<(), Error> {
        let stamp = self.stamp(actor, 1)?;
        self.change_names(|txn| {
            standing::check_account(txn, &self.0.settings, actor, AccountAction::Rule)?;
            let (id, _) = accounts::user_named(txn, name)?;
            self.end_account(txn, id)?;
            deletion::bury_namespace(txn, id.into())?;
            let metadata = json!({"username": name});
            stamp.record_in(txn, 0, (id.into(), name), "user_delete", &metadata)
        })?;
        tracing::info!(%actor, user = name, "user deleted");
        Ok(())
    }

    /// The actor's own account, if it is a user's and the actor may do this with it; and its name.
    fn acting_user(
        &self,
        rows: &impl Rows,
        actor: &Actor,
        action: AccountAction,
    ) -> Result<(PrincipalId, String), Error> {
        let (id, user) = standing::account(rows, &self.0.settings, actor, action)?;
        if user.robot_of.is_some() { Err(Error::NotForCredential) } else { Ok((id, user.name)) }
    }

    /// Ends an account that no organization depends on; gives its name.
    fn end_account(&self, txn: &mut WriteTxn<'_>, id: PrincipalId) -> Result<String, Error> {
        let user = txn.get(&USERS, &id)?.ok_or(Error::CredentialRevoked)?;
        if user.is_superuser {
            return Err(Error::Privileged(user.name));
        }
        self.check_unprivileged(&user.name)?;
        if organizations::any_depends_on(txn, id)? {
            return Err(Error::LastAdministrator);
        }
        deletion::bury_account(txn, id)?;
        Ok(user.name)
    }

    /// Gives an organization another name. Its repositories, teams and robots go with it.
    ///
    /// # Errors
    /// [`Error::NamespaceUnknown`], [`Error::NotAnOrganization`], [`Error::NameTaken`], [`Error::Privileged`]; the refusals
    /// of governing the registry.
    pub fn rename_organization(
        &self,
        actor: &Actor,
        name: &NamespaceName,
        new_name: &NamespaceName,
    ) -> Result<(), Error> {
        let stamp = self.stamp(actor, 1)?;
        self.change_names(|txn| {
            standing::check_account(txn, &self.0.settings, actor, AccountAction::Rule)?;
            let (at, _) = organization_named(txn, name)?;
            self.rename(txn, at, name.as_str(), new_name.as_str())?;
            let names = json!({"old_name": name.as_str(), "new_name": new_name.as_str(), "superuser": true});
            stamp.record_in(txn, 0, (at, new_name.as_str()), "org_change_name", &names)
        })?;
        tracing::info!(%actor, organization = %name, %new_name, "organization renamed");
        Ok(())
    }

    /// Gives the caller's account, and the namespace of the same name, another name.
    ///
    /// # Errors
    /// [`Error::NameTaken`], [`Error::Privileged`], [`Error::CredentialRevoked`].
    pub fn rename_own_account(&self, actor: &Actor, new_name: &NamespaceName) -> Result<(), Error> {
        let stamp = self.stamp(actor, 1)?;
        self.change_names(|txn| {
            let (id, old_name) = self.acting_user(txn, actor, AccountAction::Administer)?;
            self.rename(txn, id.into(), &old_name, new_name.as_str())?;
            accounts::update(txn, id, |user| user.name = new_name.to_string())?;
            let metadata = json!({"old_username": old_name});
            stamp.record_in(txn, 0, (id.into(), new_name.as_str()), "user_change_name", &metadata)
        })?;
        tracing::info!(%actor, %new_name, "user renamed");
        Ok(())
    }

    fn rename(
        &self,
        txn: &mut WriteTxn<'_>,
        at: NamespaceId,
        name: &str,
        new_name: &str,
    ) -> Result<(), Error> {
        self.check_unprivileged(name)?;
        // Nor may anybody come to a name that is to be somebody's.
        self.check_unprivileged(new_name)?;
        if txn.contains(&NAMESPACES, &new_name.to_owned())? {
            return Err(Error::NameTaken(new_name.to_owned()));
        }
        let mut row = namespace_row(txn, at)?;
        txn.delete(&NAMESPACES, &row.name);
        txn.delete(&PUBLIC_NAMESPACES, &row.name);
        new_name.clone_into(&mut row.name);
        txn.put(&NAMESPACES, &row.name, &at);
        if row.public_repositories > 0 {
            txn.put(&PUBLIC_NAMESPACES, &row.name, &at);
        }
        txn.put(&NAMESPACE, &at, &row);
        Ok(())
    }

    /// Makes the actor an administrator of a namespace; a user's becomes an organization, and the user ends (Quay).
    ///
    /// # Errors
    /// [`Error::NamespaceUnknown`], [`Error::Privileged`] for a superuser's, [`Error::LastAdministrator`]; the refusals of
    /// governing the registry.
    pub fn take_ownership(&self, actor: &Actor, name: &NamespaceName) -> Result<(), Error> {
        let owners = TeamId(self.0.ids.fresh(&self.0.metadata)?);
        let stamp = self.stamp(actor, 1)?;
        self.change_names(|txn| {
            standing::check_account(txn, &self.0.settings, actor, AccountAction::Rule)?;
            let (at, row) = namespace_named(txn, name)?;
            if !row.is_organization {
                self.make_organization(txn, PrincipalId(at.0))?;
            }
            let team = administrators(txn, at, owners)?;
            if let Some(new_owner) = actor.principal_id() {
                teams::add(txn, team, new_owner)?;
            }
            let metadata = json!({
                "entity_id": at.0, "namespace": name.as_str(), "was_user": !row.is_organization, "superuser": true,
            });
            stamp.record_in(txn, 0, (at, name.as_str()), "take_ownership", &metadata)
        })?;
        tracing::info!(%actor, namespace = %name, "ownership taken");
        Ok(())
    }

    /// Makes an organization of the caller's account, administered by the user `owner`.
    ///
    /// # Errors
    /// [`Error::OwnsNamespace`] if that is the caller, [`Error::Privileged`] for superusers, [`Error::LastAdministrator`] of
    /// an organization, [`Error::CredentialRevoked`] if either credential is not good any more.
    pub fn convert_account(&self, actor: &Actor, owner: &Principal) -> Result<(), Error> {
        let owners = TeamId(self.0.ids.fresh(&self.0.metadata)?);
        let stamp = self.stamp(actor, 1)?;
        self.change_names(|txn| {
            let (id, name) = self.acting_user(txn, actor, AccountAction::SetSecrets)?;
            if id == owner.id {
                return Err(Error::OwnsNamespace(name));
            }
            if standing::signed_in(txn, owner)?.robot_of.is_some() {
                return Err(Error::CredentialRevoked);
            }
            self.make_organization(txn, id)?;
            let team = administrators(txn, id.into(), owners)?;
            teams::add(txn, team, owner.id)?;
            stamp.record_in(txn, 0, (id.into(), &name), "account_convert", &Value::default())
        })?;
        tracing::info!(%actor, "user became an organization");
        Ok(())
    }

    fn make_organization(&self, txn: &mut WriteTxn<'_>, user: PrincipalId) -> Result<(), Error> {
        let email = txn.get(&USERS, &user)?.ok_or(Error::CredentialRevoked)?.email;
        self.end_account(txn, user)?;
        let mut row = namespace_row(txn, user.into())?;
        (row.is_organization, row.email) = (true, email);
        txn.put(&NAMESPACE, &user.into(), &row);
        Ok(())
    }

    /// One write that takes names away or gives them, and may leave work behind.
    fn change_names(&self, change: impl Fn(&mut WriteTxn<'_>) -> Result<(), Error>) -> Result<(), Error> {
        self.0.metadata.write_in(Lane::Foreground, Growth::MayUseReserve, change)?;
        self.0.wake.notify();
        Ok(())
    }
}

/// A team of those who administer an organization; made of `fresh` if there is none.
fn administrators(txn: &mut WriteTxn<'_>, at: NamespaceId, fresh: TeamId) -> Result<TeamId, Error> {
    let roles = txn.scan(&TEAM_ROLES, &(at,), None, usize::MAX)?;
    match roles.into_iter().find(|(_, role)| *role == TeamRole::Admin) {
        Some(((_, team), _)) => Ok(team),
        None => organizations::create_owners(txn, at, fresh),
    }
}
