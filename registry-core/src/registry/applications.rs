//! OAuth applications of an organization, and letting them act for somebody: Quay's consent flow.
//!
//! Secrets are made at the edge. A client secret is made of a nonce and of a key outside this database, so that it can be
//! shown again; of an access token and of a code the SHA-256 alone is kept.

use serde_json::json;

use super::Registry;
use super::organizations::STEP;
use crate::Error;
use crate::access::Actor;
use crate::metadata::Rows;
use crate::model::applications;
use crate::model::authorize::namespace_row;
use crate::model::keys::ApplicationId;
use crate::model::records::Application;
use crate::model::tables::{APPLICATIONS, NAMESPACE_APPLICATIONS};
use crate::oci::NamespaceName;

/// What a secret that can be shown again was made of, and what is compared with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptSecret {
    /// Random bytes.
    pub nonce: [u8; 16],
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
}

/// What people say of an application.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApplicationDetails {
    /// The name; several may have the same.
    pub name: String,
    /// What it is for; may be empty.
    pub description: String,
    /// Where it is to be found; may be empty.
    pub application_uri: String,
    /// What every address begins with to which its users are sent back; may be empty.
    pub redirect_uri: String,
    /// The e-mail address of its avatar.
    pub avatar_email: Option<String>,
}

/// An application, as an actor sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationInfo {
    /// The name of the organization.
    pub namespace: String,
    /// Names it to clients.
    pub client_id: String,
    /// What people say of it.
    pub details: ApplicationDetails,
    /// What its client secret is made of, for those who administer the organization.
    pub nonce: Option<Vec<u8>>,
}

impl Registry {
    /// Makes an application in an organization.
    ///
    /// # Errors
    /// [`Error::TooMany`] beyond 200 of a namespace; the refusals of administering it.
    pub fn create_application(
        &self,
        actor: &Actor,
        organization: &NamespaceName,
        client_id: &str,
        details: &ApplicationDetails,
        secret: &KeptSecret,
    ) -> Result<ApplicationInfo, Error> {
        let id = ApplicationId(self.0.ids.fresh(&self.0.metadata)?);
        let stamp = self.stamp(actor, 1)?;
        let made = self.0.metadata.write(|txn| {
            let namespace = self.administered(txn, actor, organization)?;
            let mut row = Application {
                namespace,
                client_id: client_id.to_owned(),
                nonce: secret.nonce.to_vec(),
                secret_hash: secret.hash.to_vec(),
                created_ms: stamp.now_ms,
                ..Application::default()
            };
            describe(&mut row, details);
            applications::create(txn, id, &row)?;
            let metadata =
                json!({"name": row.name, "application_name": row.name, "client_id": row.client_id});
            let at = (namespace, organization.as_str());
            stamp.record_in(txn, 0, at, "create_application", &metadata)?;
            Ok(info(organization.to_string(), row, true))
        })?;
        tracing::info!(%actor, %organization, client_id, "application created");
        Ok(made)
    }

    /// The applications of an organization, the oldest first.
    ///
    /// # Errors
    /// The refusals of administering it, except for who reads everything.
    pub fn applications(
        &self,
        actor: &Actor,
        organization: &NamespaceName,
    ) -> Result<Vec<ApplicationInfo>, Error> {
        self.0.metadata.read(|rows| {
            let at = self.inspected(rows, actor, organization)?;
            let is_admin = self.administered(rows, actor, organization).is_ok();
            let listed = rows.scan(&NAMESPACE_APPLICATIONS, &(at,), None, applications::MOST)?;
            let infos = listed.into_iter().map(|((_, id), ())| {
                let row = rows.get(&APPLICATIONS, &id)?.ok_or(Error::Corrupt("applications"))?;
                Ok(info(organization.to_string(), row, is_admin))
            });
            infos.collect()
        })
    }

    /// One application.
    ///
    /// # Errors
    /// [`Error::ApplicationUnknown`]; as [`Registry::applications`].
    pub fn application(
        &self,
        actor: &Actor,
        organization: &NamespaceName,
        client_id: &str,
    ) -> Result<ApplicationInfo, Error> {
        self.0.metadata.read(|rows| {
            let at = self.inspected(rows, actor, organization)?;
            let is_admin = self.administered(rows, actor, organization).is_ok();
            let (_, row) = applications::find_in(rows, at, client_id)?;
            Ok(info(organization.to_string(), row, is_admin))
        })
    }

    /// What everybody is told of an application.
    ///
    /// # Errors
    /// [`Error::ApplicationUnknown`].
    pub fn public_application(&self, client_id: &str) -> Result<ApplicationInfo, Error> {
        self.0.metadata.read(|rows| {
            let (_, row) = applications::find(rows, client_id)?;
            Ok(info(namespace_row(rows, row.namespace)?.name, row, false))
        })
    }

    /// Changes what is said of an application. Where answers go to another address, those who allowed it are asked again.
    ///
    /// # Errors
    /// [`Error::ApplicationUnknown`]; the refusals of administering the organization.
    pub fn change_application(
        &self,
        actor: &Actor,
        organization: &NamespaceName,
        client_id: &str,
        details: &ApplicationDetails,
    ) -> Result<ApplicationInfo, Error> {
        let metadata = json!({
            "name": details.name,
            "redirect_uri": details.redirect_uri,
            "application_uri": details.application_uri,
            "application_name": details.name,
            "client_id": client_id,
        });
        let event = ("update_application", metadata);
        let now_ms = self.now_ms();
        self.update_application(actor, organization, client_id, &event, |row| {
            if row.redirect_uri != details.redirect_uri {
                row.redirect_set_ms = now_ms;
            }
            describe(row, details);
        })
    }

    /// Gives an application a new client secret.
    ///
    /// # Errors
    /// As [`Registry::change_application`].
    pub fn reset_application_secret(
        &self,
        actor: &Actor,
        organization: &NamespaceName,
        client_id: &str,
        secret: &KeptSecret,
    ) -> Result<ApplicationInfo, Error> {
        let event = ("reset_application_client_secret", json!({"client_id": client_id}));
        self.update_application(actor, organization, client_id, &event, |row| {
            row.nonce = secret.nonce.to_vec();
            row.secret_hash = secret.hash.to_vec();
        })
    }

    fn update_application(
        &self,
        actor: &Actor,
        organization: &NamespaceName,
        client_id: &str,
        (kind, metadata): &(&str, serde_json::Value),
        change: impl Fn(&mut Application),
    ) -> Result<ApplicationInfo, Error> {
        let stamp = self.stamp(actor, 1)?;
        let changed = self.0.metadata.write(|txn| {
            let at = self.administered(txn, actor, organization)?;
            let (id, mut row) = applications::find_in(txn, at, client_id)?;
            change(&mut row);
            txn.put(&APPLICATIONS, &id, &row);
            let mut metadata = metadata.clone();
            metadata["application_name"] = row.name.clone().into();
            stamp.record_in(txn, 0, (at, organization.as_str()), kind, &metadata)?;
            Ok(info(organization.to_string(), row, true))
        })?;
        tracing::info!(%actor, %organization, client_id, kind, "application changed");
        Ok(changed)
    }

    /// Deletes an application. Its tokens end at once.
    ///
    /// # Errors
    /// As [`Registry::change_application`].
    pub fn delete_application(
        &self,
        actor: &Actor,
        organization: &NamespaceName,
        client_id: &str,
    ) -> Result<(), Error> {
        let stamp = self.stamp(actor, 1)?;
        self.in_steps(|txn| {
            let at = self.administered(txn, actor, organization)?;
            let (id, row) = applications::find_in(txn, at, client_id)?;
            let is_gone = applications::delete_step(txn, id, STEP)?;
            if is_gone {
                let metadata = json!({"application_name": row.name, "client_id": client_id});
                stamp.record_in(txn, 0, (at, organization.as_str()), "delete_application", &metadata)?;
            }
            Ok(is_gone)
        })?;
        tracing::info!(%actor, %organization, client_id, "application deleted");
        Ok(())
    }
}

fn describe(row: &mut Application, details: &ApplicationDetails) {
    row.name.clone_from(&details.name);
    row.description.clone_from(&details.description);
    row.application_uri.clone_from(&details.application_uri);
    row.redirect_uri.clone_from(&details.redirect_uri);
    row.avatar_email.clone_from(&details.avatar_email);
}

pub(super) fn info(namespace: String, row: Application, is_admin: bool) -> ApplicationInfo {
    ApplicationInfo {
        namespace,
        client_id: row.client_id,
        details: ApplicationDetails {
            name: row.name,
            description: row.description,
            application_uri: row.application_uri,
            redirect_uri: if is_admin { row.redirect_uri } else { String::new() },
            avatar_email: row.avatar_email,
        },
        nonce: is_admin.then_some(row.nonce),
    }
}
