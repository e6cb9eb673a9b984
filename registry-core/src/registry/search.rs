//! Finding repositories, and those who can be granted something. What is found is what the actor sees anyhow: nothing that
//! is hidden is read, so that neither a count nor the time it takes tells of it.

use std::collections::BTreeSet;

use super::Registry;
use super::repositories::{RepositoryInfo, info};
use crate::Error;
use crate::access::{Actor, NamespaceAction, TeamRole, Verdict, Who, decide_in_namespace};
use crate::metadata::{ReadTxn, Rows, Table};
use crate::model::authorize::{granted_in_namespace, namespace_row};
use crate::model::keys::{NamespaceId, Realm, RepositoryId};
use crate::model::standing::{self, Caller, Standing};
use crate::model::tables::{MEMBERSHIPS, NAMESPACE, NAMESPACES, ROBOT_NAMES, TEAM_NAMES};
use crate::model::visible::{self, Shown, Sight};
use crate::model::{repositories, words};
use crate::oci::NamespaceName;

/// The most repositories that one search looks at in each realm.
const FOUND_MAX: usize = 200;
/// Names that a search by the beginning of one passes over, for want of what it looks for.
const NAMES_READ: usize = 200;

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

/// Who or what bears a name that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntityKind {
    /// A user.
    User,
    /// A robot.
    Robot,
    /// A team.
    Team,
    /// An organization.
    Organization,
}

/// Somebody who can be granted something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// The name; a robot's is the full one.
    pub name: String,
    /// Who bears it.
    pub kind: EntityKind,
    /// The organization of a team.
    pub organization: Option<String>,
    /// Whether they belong to the namespace that was asked about; none where the actor may not know.
    pub is_member: Option<bool>,
}

/// What to look for beside users.
#[derive(Clone, Copy, Debug, Default)]
pub struct EntityQuery<'q> {
    /// Robots and teams of this namespace, if the actor belongs to it.
    pub namespace: Option<&'q NamespaceName>,
    /// Its teams as well.
    pub teams: bool,
    /// Organizations as well.
    pub organizations: bool,
    /// Only whole names: for who is not to learn which there are.
    pub is_exact: bool,
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
            let caller = standing::caller(rows, &self.0.settings, actor)?;
            let viewer = caller.account.map(|(id, _)| id);
            let mut found = Vec::new();
            let sight = visible::to(rows, &self.0.settings, actor)?;
            let is_open = self.shows_public(actor);
            for id in self.candidates(rows, &sight, is_open, &wanted)? {
                let Some(row) = repositories::live(rows, id)? else { continue };
                let namespace = namespace_row(rows, row.namespace)?;
                let is_reached = (row.is_public && is_open) || sight.reaches(&namespace.name, &row.path);
                if namespace.is_deleted || !is_reached {
                    continue;
                }
                found.push(FoundRepository {
                    score: score(&row.path, query, &wanted),
                    is_organization: namespace.is_organization,
                    info: info(rows, viewer, &namespace.name, id)?,
                });
            }
            found.sort_by(|one, other| {
                let place = |found: &FoundRepository| (found.info.namespace.clone(), found.info.path.clone());
                other.score.cmp(&one.score).then_with(|| place(one).cmp(&place(other)))
            });
            found.truncate(limit);
            Ok(found)
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

    /// At most `limit` users whose names begin so, and what else the query asks for, each by name.
    ///
    /// # Errors
    /// [`Error::CredentialRevoked`].
    pub fn find_entities(
        &self,
        actor: &Actor,
        prefix: &str,
        query: &EntityQuery<'_>,
        limit: usize,
    ) -> Result<Vec<Entity>, Error> {
        self.0.metadata.read(|rows| {
            standing::caller(rows, &self.0.settings, actor)?;
            let look =
                |name| granted_in_namespace(rows, &self.0.settings, actor, name, NamespaceAction::Look).ok();
            let place = query.namespace.and_then(|name| Some((look(name)?, name.as_str())));
            let mut found = named(rows, prefix, query, place.map(|(id, _)| id), limit)?;
            if let Some((id, name)) = place {
                found.extend(robots(rows, id, name, prefix, limit)?);
                if query.teams {
                    found.extend(teams(rows, id, name, prefix, limit)?);
                }
            }
            Ok(found)
        })
    }

    /// Organizations that the actor belongs to, their teams that the actor may see, and robots there and at home, whose
    /// names begin so: at most `limit` of each in each. Who sees everything finds every organization.
    ///
    /// # Errors
    /// [`Error::CredentialRevoked`].
    pub fn find_own_entities(&self, actor: &Actor, prefix: &str, limit: usize) -> Result<Vec<Entity>, Error> {
        self.0.metadata.read(|rows| {
            let caller = standing::caller(rows, &self.0.settings, actor)?;
            let mut found = Vec::new();
            if matches!(caller.who_in_namespaces(), Who::Unrestricted | Who::Reader) {
                let all = EntityQuery { organizations: true, ..EntityQuery::default() };
                found = named(rows, prefix, &all, None, limit)?;
                found.retain(|entity| entity.kind == EntityKind::Organization);
            }
            for id in own_namespaces(rows, &caller)? {
                let row = namespace_row(rows, id)?;
                let Standing { role, teams: mine } = standing::in_namespace(rows, &caller, id)?;
                let facts = caller.facts_in(Some(id), role);
                if row.is_deleted || decide_in_namespace(&facts, NamespaceAction::Look) != Verdict::Granted {
                    continue;
                }
                let is_new = !found.iter().any(|entity| entity.name == row.name);
                if row.is_organization && row.name.starts_with(prefix) && is_new {
                    found.push(entity(row.name.clone(), EntityKind::Organization));
                }
                found.extend(robots(rows, id, &row.name, prefix, limit)?);
                for (name, team) in names_from(rows, &TEAM_NAMES, id, prefix, limit)? {
                    if role == Some(TeamRole::Admin) || mine.contains(&team) {
                        found.push(Entity {
                            organization: Some(row.name.clone()),
                            ..entity(name, EntityKind::Team)
                        });
                    }
                }
            }
            Ok(found)
        })
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

fn entity(name: String, kind: EntityKind) -> Entity {
    Entity { name, kind, organization: None, is_member: None }
}

/// The namespaces that somebody belongs to: their own, and those of their teams.
fn own_namespaces(rows: &ReadTxn, caller: &Caller) -> Result<BTreeSet<NamespaceId>, Error> {
    let Some((id, user)) = &caller.account else { return Ok(BTreeSet::new()) };
    let memberships = rows.scan(&MEMBERSHIPS, &(*id,), None, usize::MAX)?;
    let mut own: BTreeSet<NamespaceId> = memberships.into_iter().map(|((_, at, _), ())| at).collect();
    if user.robot_of.is_none() {
        own.insert((*id).into());
    }
    Ok(own)
}

/// Users, and organizations if they are asked for, whose names begin with `prefix`.
fn named(
    rows: &ReadTxn,
    prefix: &str,
    query: &EntityQuery<'_>,
    within: Option<NamespaceId>,
    limit: usize,
) -> Result<Vec<Entity>, Error> {
    let prefix = prefix.to_owned();
    let mut names: Vec<(String, NamespaceId)> = Vec::new();
    names.extend(rows.get(&NAMESPACES, &prefix)?.map(|id| (prefix.clone(), id)));
    if !query.is_exact {
        names.extend(rows.scan(&NAMESPACES, &(), Some(&prefix), NAMES_READ)?);
    }
    let (mut users, mut organizations) = (Vec::new(), Vec::new());
    for (name, id) in names.into_iter().take_while(|(name, _)| name.starts_with(&prefix)) {
        let row = rows.get(&NAMESPACE, &id)?.ok_or(Error::Corrupt("namespace"))?;
        let (list, kind) = if row.is_organization {
            (&mut organizations, EntityKind::Organization)
        } else {
            (&mut users, EntityKind::User)
        };
        if list.len() < limit && (kind == EntityKind::User || query.organizations) {
            let belongs = |within| -> Result<bool, Error> {
                let is_itself = within == id;
                let member = crate::access::PrincipalId(id.0);
                Ok(is_itself || rows.first(&MEMBERSHIPS, &(member, within))?.is_some())
            };
            let is_member = within.map(belongs).transpose()?;
            list.push(Entity { is_member, ..entity(name, kind) });
        }
    }
    users.extend(organizations);
    Ok(users)
}

fn robots(
    rows: &ReadTxn,
    at: NamespaceId,
    namespace: &str,
    prefix: &str,
    limit: usize,
) -> Result<Vec<Entity>, Error> {
    let names = names_from(rows, &ROBOT_NAMES, at, prefix, limit)?;
    let robot = |(short, _)| Entity {
        is_member: Some(true),
        ..entity(format!("{namespace}+{short}"), EntityKind::Robot)
    };
    Ok(names.into_iter().map(robot).collect())
}

fn teams(
    rows: &ReadTxn,
    at: NamespaceId,
    organization: &str,
    prefix: &str,
    limit: usize,
) -> Result<Vec<Entity>, Error> {
    let names = names_from(rows, &TEAM_NAMES, at, prefix, limit)?;
    let team = |(name, _)| Entity {
        organization: Some(organization.to_owned()),
        is_member: Some(true),
        ..entity(name, EntityKind::Team)
    };
    Ok(names.into_iter().map(team).collect())
}

/// The first names of a namespace that begin with `prefix`.
fn names_from<V: crate::metadata::Record>(
    rows: &ReadTxn,
    table: &Table<(NamespaceId, String), V>,
    at: NamespaceId,
    prefix: &str,
    limit: usize,
) -> Result<Vec<(String, V)>, Error> {
    let key = (at, prefix.to_owned());
    let mut names: Vec<(String, V)> = Vec::new();
    names.extend(rows.get(table, &key)?.map(|value| (prefix.to_owned(), value)));
    let after = rows.scan(table, &(at,), Some(&key), limit)?;
    let after = after.into_iter().map(|((_, name), value)| (name, value));
    names.extend(after.take_while(|(name, _)| name.starts_with(prefix)));
    names.truncate(limit);
    Ok(names)
}
