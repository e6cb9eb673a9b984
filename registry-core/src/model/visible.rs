//! Which repositories an actor sees, for listings: the cost is what the actor was granted, never what exists.

use std::collections::BTreeMap;

use super::authorize::namespace_row;
use super::keys::{Grantee, NamespaceId, RepositoryId};
use super::repositories;
use super::standing::{self, Caller};
use super::tables::{GRANTED, MEMBERSHIPS, NAMESPACES, PUBLIC_NAMESPACES, TEAM_ROLES};
use crate::Error;
use crate::access::{Actor, PrincipalId, TeamRole, Who};
use crate::metadata::{Rows, Table};
use crate::settings::Settings;

/// What an actor sees of a namespace, beside what is public.
#[derive(Clone, Debug)]
pub(crate) enum Shown {
    All,
    Some(Vec<RepositoryId>),
}

/// The namespaces in which an actor sees more than what is public, by name.
pub(crate) type Seen = BTreeMap<String, (NamespaceId, Shown)>;

/// What an actor sees, as their credential lets them.
#[derive(Debug)]
pub(crate) struct Sight {
    /// The namespaces in which the actor sees anything that is not public, by name; `None` for who sees everything.
    pub(crate) seen: Option<Seen>,
    caller: Caller,
}

impl Sight {
    /// Whether the credential lets the repository be seen by more than its being public.
    pub(crate) fn reaches(&self, namespace: &str, path: &str) -> bool {
        !self.caller.is_listed() || self.caller.reaches(&format!("{namespace}/{path}"))
    }

    /// At most `limit` repositories of a namespace, from a table of them, that the credential reaches. Where it names its
    /// repositories, those that it does not reach cost as much as the others.
    pub(crate) fn list(
        &self,
        rows: &impl Rows,
        table: &Table<(NamespaceId, String), RepositoryId>,
        (id, name): (NamespaceId, &str),
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, RepositoryId)>, Error> {
        let mut after = after.map(|path| (id, path.to_owned()));
        let mut found = Vec::new();
        while found.len() < limit {
            let listed = rows.scan(table, &(id,), after.as_ref(), limit)?;
            let is_last = listed.len() < limit;
            after = listed.last().map(|(key, _)| key.clone());
            let reached = listed.into_iter().filter(|((_, path), _)| self.reaches(name, path));
            found.extend(reached.map(|((_, path), repository)| (path, repository)));
            if is_last {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }
}

/// What the actor sees.
pub(crate) fn to(rows: &impl Rows, settings: &Settings, actor: &Actor) -> Result<Sight, Error> {
    let caller = standing::caller(rows, settings, actor)?;
    let seen = match caller.who() {
        Who::Unrestricted | Who::Reader => None,
        Who::Anonymous | Who::SignedIn => Some(seen(rows, &caller)?),
    };
    Ok(Sight { seen, caller })
}

fn seen(rows: &impl Rows, caller: &Caller) -> Result<Seen, Error> {
    let mut seen = BTreeMap::new();
    if let Some((id, user)) = caller.account.as_ref().filter(|_| caller.pulls()) {
        if user.robot_of.is_none() {
            seen.insert((*id).into(), Shown::All);
        }
        granted_to(rows, *id, &mut seen)?;
    }
    let mut named = BTreeMap::new();
    for (id, shown) in seen {
        let row = namespace_row(rows, id)?;
        if !row.is_deleted {
            named.insert(row.name, (id, shown));
        }
    }
    Ok(named)
}

fn granted_to(
    rows: &impl Rows,
    id: PrincipalId,
    seen: &mut BTreeMap<NamespaceId, Shown>,
) -> Result<(), Error> {
    let mut grantees = vec![Grantee::Principal(id)];
    for ((_, namespace, team), ()) in rows.scan(&MEMBERSHIPS, &(id,), None, usize::MAX)? {
        grantees.push(Grantee::Team(team));
        if rows.get(&TEAM_ROLES, &(namespace, team))? == Some(TeamRole::Admin) {
            seen.insert(namespace, Shown::All);
        }
    }
    for grantee in grantees {
        for ((_, namespace, repository), ()) in rows.scan(&GRANTED, &(grantee,), None, usize::MAX)? {
            match seen.entry(namespace).or_insert_with(|| Shown::Some(Vec::new())) {
                Shown::All => {}
                Shown::Some(repositories) => repositories.push(repository),
            }
        }
    }
    Ok(())
}

/// The first namespace after `last` in which the actor may see anything, public repositories if these are shown.
pub(crate) fn next_namespace(
    rows: &impl Rows,
    seen: Option<&Seen>,
    is_public_shown: bool,
    last: Option<&String>,
) -> Result<Option<String>, Error> {
    let first_after = |table: &Table<String, NamespaceId>| -> Result<Option<String>, Error> {
        Ok(rows.scan(table, &(), last, 1)?.pop().map(|(name, _)| name))
    };
    let Some(seen) = seen else { return first_after(&NAMESPACES) };
    let own = seen.keys().find(|name| last.is_none_or(|last| *name > last)).cloned();
    let public = if is_public_shown { first_after(&PUBLIC_NAMESPACES)? } else { None };
    Ok([own, public].into_iter().flatten().min())
}

/// The paths, after `after`, of those of the repositories that ever got a manifest.
pub(crate) fn paths(
    rows: &impl Rows,
    of: &[RepositoryId],
    after: Option<&str>,
) -> Result<Vec<String>, Error> {
    let mut paths = Vec::new();
    for repository in of {
        let row = repositories::live(rows, *repository)?.filter(|row| row.had_manifest);
        paths.extend(row.map(|row| row.path).filter(|path| after.is_none_or(|after| path.as_str() > after)));
    }
    Ok(paths)
}
