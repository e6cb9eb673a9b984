//! What repositories are, apart from their content.

mod lists;

use serde_json::{Value, json};

use super::Registry;
use crate::Error;
use crate::access::{Action, Actor, NamespaceAction, PrincipalId, Who};
use crate::metadata::key::Descending;
use crate::metadata::{Growth, Lane, ReadTxn, Rows};
use crate::model::authorize::{granted, granted_in_namespace, is_known_to_be_missing};
use crate::model::keys::RepositoryId;
use crate::model::records::Repository;
use crate::model::repositories;
use crate::model::standing;
use crate::model::tables::{NAMESPACES, REPOSITORIES, REPOSITORY, STARS, TAG_TIMES};
use crate::oci::{NamespaceName, RepositoryName};

/// A repository, as an actor sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryInfo {
    /// The namespace.
    pub namespace: String,
    /// The path there.
    pub path: String,
    /// What people say of it; none if a push made it.
    pub description: Option<String>,
    /// Whether everybody may pull from it.
    pub is_public: bool,
    /// Whether it takes no content.
    pub is_read_only: bool,
    /// When it was created, in milliseconds since the Unix epoch.
    pub created_ms: u64,
    /// When one of its tags was set last, in milliseconds since the Unix epoch; none if none ever was.
    pub last_modified_ms: Option<u64>,
    /// How many starred it.
    pub stars: u64,
    /// Whether the actor did; none for who has no account.
    pub is_starred: Option<bool>,
}

/// A page of repositories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoriesPage {
    /// In the order of their paths.
    pub repositories: Vec<RepositoryInfo>,
    /// Whether there are more after the last one.
    pub has_more: bool,
}

impl Registry {
    /// What the repository is.
    ///
    /// # Errors
    /// The refusals of a pull.
    pub fn repository(&self, actor: &Actor, name: &RepositoryName) -> Result<RepositoryInfo, Error> {
        self.0.metadata.read(|rows| {
            let at = granted(rows, &self.0.settings, actor, name, Action::Pull)?;
            info(rows, self.viewer(rows, actor)?, name.namespace(), at.repository)
        })
    }

    /// Whether the actor may do `action` in the repository now; not whether it exists.
    pub fn may(&self, actor: &Actor, name: &RepositoryName, action: Action) -> bool {
        self.0.metadata.read(|rows| granted(rows, &self.0.settings, actor, name, action)).is_ok()
    }

    /// Whether `actor` may do `action` in the namespace, which is there; for answers that say what somebody could do.
    pub fn may_in_namespace(&self, actor: &Actor, name: &NamespaceName, action: NamespaceAction) -> bool {
        self.0.metadata.read(|rows| granted_in_namespace(rows, &self.0.settings, actor, name, action)).is_ok()
    }

    /// The id of the repository's namespace, if the actor has a role in it or in the repository, or acts everywhere. That a
    /// repository is public makes nobody at home there.
    ///
    /// # Errors
    /// [`Error::CredentialRevoked`].
    pub fn home(&self, actor: &Actor, name: &RepositoryName) -> Result<Option<u64>, Error> {
        self.0.metadata.read(|rows| {
            let caller = standing::caller(rows, &self.0.settings, actor)?;
            let Some(namespace) = rows.get(&NAMESPACES, &name.namespace().to_owned())? else {
                return Ok(None);
            };
            let is_everywhere = matches!(caller.who(), Who::Unrestricted | Who::Reader);
            let is_at_home = is_everywhere
                || standing::in_namespace(rows, &caller, namespace)?.role.is_some()
                || match rows.get(&REPOSITORIES, &(namespace, name.path().to_owned()))? {
                    Some(repository) => {
                        standing::in_repository(rows, &caller, namespace, repository)?.is_some()
                    }
                    None => false,
                };
            Ok(is_at_home.then_some(namespace.0))
        })
    }

    /// Opens the repository to everybody, or closes it again.
    ///
    /// # Errors
    /// The refusals of administering it.
    pub fn set_public(&self, actor: &Actor, name: &RepositoryName, is_public: bool) -> Result<(), Error> {
        let stamp = self.stamp(actor, 1)?;
        self.0.metadata.write_in(Lane::Foreground, Growth::MayUseReserve, |txn| {
            let at = granted(txn, &self.0.settings, actor, name, Action::Administer)?;
            repositories::set_public(txn, at, is_public)?;
            let metadata = json!({"visibility": if is_public { "public" } else { "private" }});
            stamp.record_at(txn, 0, at, name, "change_repo_visibility", metadata)
        })?;
        tracing::info!(%actor, repository = %name, is_public, "visibility set");
        Ok(())
    }

    /// Lets the repository take content, or not any more.
    ///
    /// # Errors
    /// The refusals of administering it.
    pub fn set_read_only(
        &self,
        actor: &Actor,
        name: &RepositoryName,
        is_read_only: bool,
    ) -> Result<(), Error> {
        let state = if is_read_only { "READ_ONLY" } else { "NORMAL" };
        let event = ("change_repo_state", json!({"state_changed": state}));
        self.change(actor, name, Action::Administer, &event, |row| row.is_read_only = is_read_only)?;
        tracing::info!(%actor, repository = %name, is_read_only, "state set");
        Ok(())
    }

    /// Says something of the repository.
    ///
    /// # Errors
    /// The refusals of [`Action::Describe`].
    pub fn set_description(&self, actor: &Actor, name: &RepositoryName, text: &str) -> Result<(), Error> {
        let event = ("set_repo_description", json!({"description": text}));
        self.change(actor, name, Action::Describe, &event, |row| row.description = Some(text.to_owned()))
    }

    /// Deletes the repository with everything in it. Nobody finds it from the commit on; what it holds goes in the
    /// background, and its name can be used again at once.
    ///
    /// One that is missing is as good as deleted, for those who may know that it is missing (Quay).
    ///
    /// # Errors
    /// The refusals of administering it.
    pub fn delete_repository(&self, actor: &Actor, name: &RepositoryName) -> Result<(), Error> {
        let stamp = self.stamp(actor, 1)?;
        let settings = &self.0.settings;
        self.0.metadata.write_in(Lane::Foreground, Growth::MayUseReserve, |txn| {
            if is_known_to_be_missing(txn, settings, actor, name)? {
                return Ok(());
            }
            let at = granted(txn, settings, actor, name, Action::Administer)?;
            repositories::bury(txn, at)?;
            stamp.record_at(txn, 0, at, name, "delete_repo", json!({}))
        })?;
        self.0.wake.notify();
        tracing::info!(%actor, repository = %name, "repository deleted");
        Ok(())
    }

    /// Gives the repository another path in its namespace; with it go its content and what was granted on it.
    ///
    /// # Errors
    /// [`Error::NameTaken`]; the refusals of administering the repository and of creating one in the namespace;
    /// [`Error::NamespaceUnknown`] if the new name lies in another.
    pub fn rename_repository(
        &self,
        actor: &Actor,
        name: &RepositoryName,
        new_name: &RepositoryName,
    ) -> Result<(), Error> {
        let stamp = self.stamp(actor, 1)?;
        let settings = &self.0.settings;
        self.0.metadata.write_in(Lane::Foreground, Growth::MayUseReserve, |txn| {
            let at = granted(txn, settings, actor, name, Action::Administer)?;
            let namespace = new_name.namespace();
            let target: NamespaceName =
                namespace.parse().map_err(|_| Error::NamespaceUnknown(namespace.to_owned()))?;
            if granted_in_namespace(txn, settings, actor, &target, NamespaceAction::Create)? != at.namespace {
                return Err(Error::NamespaceUnknown(namespace.to_owned()));
            }
            // A credential that is bound to repositories makes none of another name of them.
            if !standing::caller(txn, settings, actor)?.reaches(new_name.as_str()) {
                return Err(Error::Denied { action: Action::Create, repository: new_name.clone() });
            }
            repositories::rename(txn, at, new_name)?;
            stamp.record_at(txn, 0, at, new_name, "rename_repo", json!({"old_name": name.path()}))
        })?;
        tracing::info!(%actor, repository = %name, %new_name, "repository renamed");
        Ok(())
    }

    fn change(
        &self,
        actor: &Actor,
        name: &RepositoryName,
        action: Action,
        (kind, metadata): &(&str, Value),
        change: impl Fn(&mut Repository),
    ) -> Result<(), Error> {
        let stamp = self.stamp(actor, 1)?;
        self.0.metadata.write(|txn| {
            let at = granted(txn, &self.0.settings, actor, name, action)?;
            repositories::update(txn, at.repository, &change)?;
            stamp.record_at(txn, 0, at, name, kind, metadata.clone())
        })
    }
}

/// The repository, as `viewer` sees it.
pub(super) fn info(
    rows: &ReadTxn,
    viewer: Option<PrincipalId>,
    namespace: &str,
    id: RepositoryId,
) -> Result<RepositoryInfo, Error> {
    let row = rows.get(&REPOSITORY, &id)?.ok_or(Error::Corrupt("repository"))?;
    let last_tag = rows.first(&TAG_TIMES, &(id,))?;
    Ok(RepositoryInfo {
        namespace: namespace.to_owned(),
        path: row.path,
        description: row.description,
        is_public: row.is_public,
        is_read_only: row.is_read_only,
        created_ms: row.created_ms,
        last_modified_ms: last_tag.map(|((_, Descending(start_ms), _), ())| start_ms),
        stars: row.stars,
        is_starred: viewer.map(|viewer| rows.contains(&STARS, &(viewer, id))).transpose()?,
    })
}
