//! Lists of repositories, page by page.

use std::collections::BTreeMap;

use super::{RepositoriesPage, info};
use crate::access::{Actor, PrincipalId};
use crate::metadata::{ReadTxn, Rows};
use crate::model::keys::{NamespaceId, RepositoryId};
use crate::model::records::Repository;
use crate::model::tables::{NAMESPACES, PUBLIC_CATALOG, REPOSITORIES};
use crate::model::visible::{self, Shown, Sight};
use crate::model::{repositories, standing};
use crate::oci::{NamespaceName, RepositoryName};
use crate::{Error, Registry};

impl Registry {
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
            let sight = visible::to(rows, &self.0.settings, actor)?;
            let viewer = self.viewer(rows, actor)?;
            let found = self.shown(rows, actor, &sight, namespace.as_str(), after, limit)?;
            let has_more = found.len() > limit;
            let infos = found.into_values().take(limit).map(|id| info(rows, viewer, namespace.as_str(), id));
            Ok(RepositoriesPage { repositories: infos.collect::<Result<_, Error>>()?, has_more })
        })
    }

    /// As [`Registry::repositories`], in all namespaces: at most `limit` after the repository `after`, which need not exist.
    ///
    /// # Errors
    /// [`Error::CredentialRevoked`].
    pub fn all_repositories(
        &self,
        actor: &Actor,
        after: Option<&RepositoryName>,
        limit: usize,
    ) -> Result<RepositoriesPage, Error> {
        self.0.metadata.read(|rows| {
            let sight = visible::to(rows, &self.0.settings, actor)?;
            let (seen, viewer) = (sight.seen.as_ref(), self.viewer(rows, actor)?);
            let mut repositories = Vec::new();
            let mut path = after.map(RepositoryName::path);
            let is_open = self.shows_public(actor);
            let mut namespace = match after {
                Some(after) => Some(after.namespace().to_owned()),
                None => visible::next_namespace(rows, seen, is_open, None)?,
            };
            while let Some(name) = namespace {
                let wanted = limit.saturating_sub(repositories.len());
                for id in self.shown(rows, actor, &sight, &name, path.take(), wanted)?.into_values() {
                    repositories.push(info(rows, viewer, &name, id)?);
                }
                if repositories.len() > limit {
                    break;
                }
                namespace = visible::next_namespace(rows, seen, is_open, Some(&name))?;
            }
            let has_more = repositories.len() > limit;
            repositories.truncate(limit);
            Ok(RepositoriesPage { repositories, has_more })
        })
    }

    /// Whether public repositories are shown to the actor.
    pub(in crate::registry) fn shows_public(&self, actor: &Actor) -> bool {
        *actor != Actor::Anonymous || self.0.settings.anonymous_access
    }

    /// Who looks, if they have an account.
    pub(in crate::registry) fn viewer(
        &self,
        rows: &ReadTxn,
        actor: &Actor,
    ) -> Result<Option<PrincipalId>, Error> {
        Ok(standing::caller(rows, &self.0.settings, actor)?.account.map(|(id, _)| id))
    }

    /// More than `limit` repositories of a namespace that the actor sees, by path, if there are as many.
    fn shown(
        &self,
        rows: &ReadTxn,
        actor: &Actor,
        sight: &Sight,
        namespace: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<BTreeMap<String, RepositoryId>, Error> {
        let Some(id) = rows.get(&NAMESPACES, &namespace.to_owned())? else { return Ok(BTreeMap::new()) };
        let wanted = limit.saturating_add(1);
        let some = match sight.seen.as_ref().map(|seen| seen.get(namespace)) {
            None | Some(Some((_, Shown::All))) => {
                let all = sight.list(rows, &REPOSITORIES, (id, namespace), after, wanted)?;
                return Ok(all.into_iter().collect());
            }
            Some(some) => some,
        };
        let mut found =
            if self.shows_public(actor) { public(rows, id, after, wanted)? } else { BTreeMap::new() };
        if let Some((_, Shown::Some(granted))) = some {
            let granted = granted_paths(rows, granted, after)?;
            found.extend(granted.into_iter().filter(|(path, _)| sight.reaches(namespace, path)));
        }
        Ok(found)
    }
}

/// Public repositories of a namespace, after a path.
fn public(
    rows: &ReadTxn,
    namespace: NamespaceId,
    after: Option<&str>,
    limit: usize,
) -> Result<BTreeMap<String, RepositoryId>, Error> {
    let after = after.map(|path| (namespace, path.to_owned()));
    let listed = rows.scan(&PUBLIC_CATALOG, &(namespace,), after.as_ref(), limit)?;
    Ok(listed.into_iter().map(|((_, path), id)| (path, id)).collect())
}

fn granted_paths(
    rows: &ReadTxn,
    granted: &[RepositoryId],
    after: Option<&str>,
) -> Result<Vec<(String, RepositoryId)>, Error> {
    let mut found = Vec::new();
    for id in granted {
        let Some(Repository { path, .. }) = repositories::live(rows, *id)? else { continue };
        if after.is_none_or(|after| path.as_str() > after) {
            found.push((path, *id));
        }
    }
    Ok(found)
}
