//! Finding repositories. What is found is what the actor sees anyhow: nothing that is hidden is read, so that neither a count
//! nor the time it takes tells of it.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::Registry;
use super::repositories::{RepositoryInfo, info};
use crate::Error;
use crate::access::Actor;
use crate::metadata::ReadTxn;
use crate::model::authorize::namespace_row;
use crate::model::keys::{Realm, RepositoryId};
use crate::model::records::Namespace;
use crate::model::visible::{self, Shown, Sight};
use crate::model::{repositories, words};

/// The most repositories that one search looks at in each realm.
const FOUND_MAX: usize = 200;

/// A repository that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRepository {
    /// What it is.
    pub info: RepositoryInfo,
    /// Whether its namespace is an organization.
    pub is_organization: bool,
    /// How well it fits: 4 for the very path, 3 where every word is one of the path's, 2 otherwise.
    pub score: u32,
}

impl Registry {
    /// The repositories that the actor sees whose paths have words that begin as those of the query do, the best first; at
    /// most `limit`.
    ///
    /// # Errors
    /// [`Error::CredentialRevoked`].
    pub fn find_repositories(
        &self,
        actor: &Actor,
        query: &str,
        limit: usize,
    ) -> Result<Vec<FoundRepository>, Error> {
        let wanted = words::of(query);
        self.0.metadata.read(|rows| {
            let viewer = self.viewer(rows, actor)?;
            let sight = visible::to(rows, &self.0.settings, actor)?;
            let is_open = self.shows_public(actor);
            let (mut namespaces, mut found) = (BTreeMap::new(), Vec::new());
            for id in self.candidates(rows, &sight, is_open, &wanted)? {
                let Some(row) = repositories::live(rows, id)? else { continue };
                let namespace = match namespaces.entry(row.namespace) {
                    Entry::Vacant(place) => place.insert(namespace_row(rows, row.namespace)?),
                    Entry::Occupied(known) => known.into_mut(),
                };
                let is_reached = (row.is_public && is_open) || sight.reaches(&namespace.name, &row.path);
                if !namespace.is_deleted && is_reached {
                    found.push((Reverse(score(&row.path, query, &wanted)), row.namespace, row.path, id));
                }
            }
            // Of the many that may fit, only those that are shown are looked at further.
            found.sort_by(|one, other| {
                let name = |id| namespaces.get(id).map(|row: &Namespace| row.name.as_str());
                (one.0, name(&one.1), &one.2).cmp(&(other.0, name(&other.1), &other.2))
            });
            let shown = found.into_iter().take(limit).map(|(Reverse(score), at, _, id)| {
                let namespace = namespaces.get(&at).ok_or(Error::Corrupt("namespace"))?;
                let info = info(rows, viewer, &namespace.name, id)?;
                Ok(FoundRepository { info, is_organization: namespace.is_organization, score })
            });
            shown.collect()
        })
    }

    fn candidates(
        &self,
        rows: &ReadTxn,
        sight: &Sight,
        is_open: bool,
        wanted: &BTreeSet<String>,
    ) -> Result<BTreeSet<RepositoryId>, Error> {
        if wanted.is_empty() {
            return Ok(BTreeSet::new());
        }
        let Some(seen) = &sight.seen else {
            return words::find(rows, Realm::Everything, wanted, FOUND_MAX);
        };
        let mut found = BTreeSet::new();
        if is_open {
            found = words::find(rows, Realm::Public, wanted, FOUND_MAX)?;
        }
        for (namespace, shown) in seen.values() {
            match shown {
                Shown::All => {
                    found.extend(words::find(rows, Realm::Namespace(*namespace), wanted, FOUND_MAX)?)
                }
                Shown::Some(granted) => {
                    for id in granted {
                        let row = repositories::live(rows, *id)?;
                        if row.is_some_and(|row| words::match_all(&words::of(&row.path), wanted)) {
                            found.insert(*id);
                        }
                    }
                }
            }
        }
        Ok(found)
    }
}

fn score(path: &str, query: &str, wanted: &BTreeSet<String>) -> u32 {
    if path == query.trim() {
        4
    } else if wanted.is_subset(&words::of(path)) {
        3
    } else {
        2
    }
}
