//! Stars: the repositories that somebody marked for themselves. They are nobody else's business, and no events.

use super::Registry;
use super::repositories::{RepositoryInfo, info};
use crate::Error;
use crate::access::{AccountAction, Action, Actor, PrincipalId};
use crate::metadata::Rows;
use crate::model::authorize::{granted, namespace_row};
use crate::model::keys::RepositoryId;
use crate::model::tables::{REPOSITORY, STARS};
use crate::model::{standing, stars};
use crate::oci::{NamespaceName, RepositoryName};
use crate::settings::Settings;

/// A page of starred repositories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StarredPage {
    /// Those that the actor still sees, in the order in which they were created.
    pub repositories: Vec<RepositoryInfo>,
    /// Where the next page begins, if there may be one.
    pub next: Option<u64>,
}

impl Registry {
    /// Marks a repository.
    ///
    /// # Errors
    /// [`Error::NotSignedIn`]; the refusals of a pull.
    pub fn star(&self, actor: &Actor, name: &RepositoryName) -> Result<(), Error> {
        self.0.metadata.write(|txn| {
            let user = account(txn, &self.0.settings, actor)?;
            let at = granted(txn, &self.0.settings, actor, name, Action::Pull)?;
            stars::put(txn, user, at.repository)
        })
    }

    /// Takes the mark away, if it is there.
    ///
    /// # Errors
    /// As [`Registry::star`].
    pub fn unstar(&self, actor: &Actor, name: &RepositoryName) -> Result<(), Error> {
        self.0.metadata.write(|txn| {
            let user = account(txn, &self.0.settings, actor)?;
            let at = granted(txn, &self.0.settings, actor, name, Action::Pull)?;
            stars::delete(txn, user, at.repository)
        })
    }

    /// What the actor marked, `limit` rows after `after`; what they do not see any more is passed over.
    ///
    /// # Errors
    /// [`Error::NotSignedIn`], [`Error::CredentialRevoked`].
    pub fn starred(&self, actor: &Actor, after: Option<u64>, limit: usize) -> Result<StarredPage, Error> {
        self.0.metadata.read(|rows| {
            let user = account(rows, &self.0.settings, actor)?;
            let after = after.map(|id| (user, RepositoryId(id)));
            let starred = rows.scan(&STARS, &(user,), after.as_ref(), limit.saturating_add(1))?;
            let is_more = starred.len() > limit;
            let mut page = StarredPage { repositories: Vec::new(), next: None };
            for ((_, id), ()) in starred.into_iter().take(limit) {
                page.next = is_more.then_some(id.0);
                let row = rows.get(&REPOSITORY, &id)?.ok_or(Error::Corrupt("stars"))?;
                let namespace = namespace_row(rows, row.namespace)?.name;
                let name: NamespaceName = namespace.parse().map_err(|_| Error::Corrupt("namespace"))?;
                let name = RepositoryName::new(&name, &row.path).map_err(|_| Error::Corrupt("repository"))?;
                match granted(rows, &self.0.settings, actor, &name, Action::Pull) {
                    Ok(at) if at.repository == id => {
                        page.repositories.push(info(rows, Some(user), &namespace, id)?)
                    }
                    // One that was deleted, and another that has its name.
                    Ok(_) | Err(Error::RepositoryUnknown(_) | Error::Denied { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(page)
        })
    }
}

fn account(rows: &impl Rows, settings: &Settings, actor: &Actor) -> Result<PrincipalId, Error> {
    Ok(standing::account(rows, settings, actor, AccountAction::Administer)?.0)
}
