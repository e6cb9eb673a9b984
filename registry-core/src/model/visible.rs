//! Which repositories an actor sees, for listings: the cost is what the actor was granted, never what exists.

use std::collections::BTreeMap;

use super::authorize::namespace_row;
use super::keys::{Grantee, NamespaceId, RepositoryId};
use super::standing;
use super::tables::{GRANTED, MEMBERSHIPS, NAMESPACES, PUBLIC_NAMESPACES, REPOSITORY, TEAM_ROLES};
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

/// The namespaces in which the actor sees anything that is not public, by name; `None` for who sees everything.
pub(crate) fn to(rows: &impl Rows, settings: &Settings, actor: &Actor) -> Result<Option<Seen>, Error> {
    let caller = standing::caller(rows, settings, actor)?;
    if matches!(caller.who, Who::Unrestricted | Who::Reader) {
        return Ok(None);
    }
    let mut seen = BTreeMap::new();
    if let Some((id, user)) = &caller.account {
        if user.robot_of.is_none() {
            seen.insert((*id).into(), Shown::All);
        }
        granted_to(rows, *id, &mut seen)?;
    }
    let named = |(id, shown): (NamespaceId, Shown)| Ok((namespace_row(rows, id)?.name, (id, shown)));
    seen.into_iter().map(named).collect::<Result<_, Error>>().map(Some)
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
    repositories: &[RepositoryId],
    after: Option<&str>,
) -> Result<Vec<String>, Error> {
    let mut paths = Vec::new();
    for repository in repositories {
        let row = rows.get(&REPOSITORY, repository)?.ok_or(Error::Corrupt("repository"))?;
        if row.had_manifest && after.is_none_or(|after| row.path.as_str() > after) {
            paths.push(row.path);
        }
    }
    Ok(paths)
}
