//! What repositories are, apart from their content.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Registry;
use crate::Error;
use crate::access::{Action, Actor, Who};
use crate::metadata::{Growth, Lane, ReadTxn, Rows, Table};
use crate::model::authorize::granted;
use crate::model::keys::{NamespaceId, RepositoryId};
use crate::model::records::Repository;
use crate::model::repositories;
use crate::model::standing;
use crate::model::tables::{NAMESPACES, PUBLIC_CATALOG, REPOSITORIES, REPOSITORY};
use crate::model::visible::{self, Shown};
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
            info(rows, name.namespace(), at.repository)
        })
    }

    /// Whether the actor may do `action` in the repository now; not whether it exists.
    pub fn may(&self, actor: &Actor, name: &RepositoryName, action: Action) -> bool {
        self.0.metadata.read(|rows| granted(rows, &self.0.settings, actor, name, action)).is_ok()
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
            let is_everywhere = matches!(caller.who, Who::Unrestricted | Who::Reader);
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

    /// At most `limit` repositories of a namespace after the path `after`: all of them for those who administer it, otherwise
    /// those on which a role was granted, and the public ones that ever got a manifest.
    ///
    /// # Errors
    /// [`Error::CredentialRevoked`]. A namespace that does not exist is empty.
    pub fn repositories(
        &self,
        actor: &Actor,
        namespace: &NamespaceName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<RepositoriesPage, Error> {
        self.0.metadata.read(|rows| {
            let seen = visible::to(rows, &self.0.settings, actor)?;
            let Some(id) = rows.get(&NAMESPACES, &namespace.to_string())? else {
                return Ok(RepositoriesPage { repositories: Vec::new(), has_more: false });
            };
            let list = |table: &Table<(NamespaceId, String), RepositoryId>| {
                let after = after.map(|path| (id, path.to_owned()));
                rows.scan(table, &(id,), after.as_ref(), limit + 1)
            };
            let found: BTreeMap<String, RepositoryId> =
                match seen.map(|mut seen| seen.remove(namespace.as_str())) {
                    None | Some(Some((_, Shown::All))) => paths(list(&REPOSITORIES)?),
                    Some(some) => {
                        let is_open = *actor != Actor::Anonymous || self.0.settings.anonymous_access;
                        let mut found = if is_open { paths(list(&PUBLIC_CATALOG)?) } else { BTreeMap::new() };
                        if let Some((_, Shown::Some(granted))) = some {
                            found.extend(granted_paths(rows, granted, after)?);
                        }
                        found
                    }
                };
            let has_more = found.len() > limit;
            let infos = found.into_values().take(limit).map(|id| info(rows, namespace.as_str(), id));
            Ok(RepositoriesPage { repositories: infos.collect::<Result<_, Error>>()?, has_more })
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

fn paths(listed: Vec<((NamespaceId, String), RepositoryId)>) -> BTreeMap<String, RepositoryId> {
    listed.into_iter().map(|((_, path), id)| (path, id)).collect()
}

fn granted_paths(
    rows: &ReadTxn,
    granted: Vec<RepositoryId>,
    after: Option<&str>,
) -> Result<Vec<(String, RepositoryId)>, Error> {
    let mut found = Vec::new();
    for id in granted {
        let path = rows.get(&REPOSITORY, &id)?.ok_or(Error::Corrupt("repository"))?.path;
        if after.is_none_or(|after| path.as_str() > after) {
            found.push((path, id));
        }
    }
    Ok(found)
}

fn info(rows: &ReadTxn, namespace: &str, id: RepositoryId) -> Result<RepositoryInfo, Error> {
    let Repository { path, description, is_public, is_read_only, created_ms, .. } =
        rows.get(&REPOSITORY, &id)?.ok_or(Error::Corrupt("repository"))?;
    let namespace = namespace.to_owned();
    Ok(RepositoryInfo { namespace, path, description, is_public, is_read_only, created_ms })
}
