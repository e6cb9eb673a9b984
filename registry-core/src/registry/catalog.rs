//! Listing repositories. A page costs its rows and the namespaces that the actor was granted, never what exists.

use super::Registry;
use crate::Error;
use crate::access::Actor;
use crate::metadata::Rows;
use crate::model::authorize::{Granted, granted_or_created};
use crate::model::records::Repository;
use crate::model::repositories;
use crate::model::tables::{CATALOG, NAMESPACES, PUBLIC_CATALOG};
use crate::model::visible::{self, Shown, Sight};
use crate::oci::RepositoryName;

/// A page of the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogPage {
    /// Full names, ordered by namespace and then by path.
    pub repositories: Vec<String>,
    /// Whether there are more after the last one.
    pub has_more: bool,
}

impl Registry {
    /// Creates a repository for itself, empty; its namespace is made where a push would make it.
    ///
    /// # Errors
    /// [`Error::NameTaken`] if it exists; the refusals of a push.
    pub fn create_repository(
        &self,
        actor: &Actor,
        name: &RepositoryName,
        is_public: bool,
    ) -> Result<(), Error> {
        self.create_described_repository(actor, name, is_public, None)
    }

    /// As [`Registry::create_repository`], with what is said of it: to describe it later takes more than to create it.
    ///
    /// # Errors
    /// As [`Registry::create_repository`].
    pub fn create_described_repository(
        &self,
        actor: &Actor,
        name: &RepositoryName,
        is_public: bool,
        description: Option<&str>,
    ) -> Result<(), Error> {
        let new = self.new_repository(actor, true, Some(is_public), 0)?;
        self.0.metadata.write(|txn| {
            let Granted { repository, .. } = granted_or_created(txn, &self.0.settings, actor, name, &new)?;
            if repository != new.repository {
                return Err(Error::NameTaken(name.to_string()));
            }
            let describe = |row: &mut Repository| row.description = description.map(str::to_owned);
            repositories::update(txn, repository, describe).map(drop)
        })?;
        tracing::info!(%actor, repository = %name, is_public, "repository created");
        Ok(())
    }

    /// At most `limit` repositories after `last`, which need not exist: those in which the actor has a role, and
    /// public ones if the catalog shows them. Repositories that never got a manifest are left out.
    ///
    /// # Errors
    /// [`Error::CredentialRevoked`].
    pub fn catalog(
        &self,
        actor: &Actor,
        last: Option<&RepositoryName>,
        limit: usize,
    ) -> Result<CatalogPage, Error> {
        self.0.metadata.read(|rows| {
            let sight = visible::to(rows, &self.0.settings, actor)?;
            let mut repositories = Vec::new();
            let mut after = last.map(|name| name.path().to_owned());
            let mut namespace = match last {
                Some(last) => Some(last.namespace().to_owned()),
                None => self.next_namespace(rows, &sight, None)?,
            };
            while let Some(name) = namespace {
                let wanted = limit.saturating_add(1) - repositories.len();
                for path in self.paths(rows, &sight, &name, after.take(), wanted)? {
                    repositories.push(format!("{name}/{path}"));
                }
                if repositories.len() > limit {
                    break;
                }
                namespace = self.next_namespace(rows, &sight, Some(&name))?;
            }
            let has_more = limit > 0 && repositories.len() > limit;
            repositories.truncate(limit);
            Ok(CatalogPage { repositories, has_more })
        })
    }

    fn next_namespace(
        &self,
        rows: &impl Rows,
        sight: &Sight,
        last: Option<&String>,
    ) -> Result<Option<String>, Error> {
        visible::next_namespace(rows, sight.seen.as_ref(), self.0.settings.public_catalog, last)
    }

    fn paths(
        &self,
        rows: &impl Rows,
        sight: &Sight,
        name: &String,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<String>, Error> {
        let Some(namespace) = rows.get(&NAMESPACES, name)? else { return Ok(Vec::new()) };
        let is_public_shown = self.0.settings.public_catalog;
        let after = after.as_deref();
        let some = match sight.seen.as_ref().map(|seen| seen.get(name)) {
            None | Some(Some((_, Shown::All))) => {
                let listed = sight.list(rows, &CATALOG, (namespace, name), after, limit)?;
                return Ok(listed.into_iter().map(|(path, _)| path).collect());
            }
            Some(Some((_, Shown::Some(repositories)))) => repositories.as_slice(),
            Some(None) => &[],
        };
        let mut paths = visible::paths(rows, some, after)?;
        paths.retain(|path| sight.reaches(name, path));
        if is_public_shown {
            let after = after.map(|path| (namespace, path.to_owned()));
            let listed = rows.scan(&PUBLIC_CATALOG, &(namespace,), after.as_ref(), limit)?;
            paths.extend(listed.into_iter().map(|((_, path), _)| path));
        }
        paths.sort_unstable();
        paths.dedup();
        paths.truncate(limit);
        Ok(paths)
    }
}
