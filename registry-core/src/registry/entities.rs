//! Finding users, robots, teams and organizations by the beginnings of their names.

use std::collections::BTreeSet;

use super::Registry;
use crate::Error;
use crate::access::{Actor, NamespaceAction, PrincipalId, TeamRole, Verdict, Who, decide_in_namespace};
use crate::metadata::{ReadTxn, Record, Rows, Table};
use crate::model::authorize::{granted_in_namespace, namespace_row};
use crate::model::keys::NamespaceId;
use crate::model::standing::{self, Caller, Standing};
use crate::model::tables::{MEMBERSHIPS, NAMESPACE, NAMESPACES, ROBOT_NAMES, TEAM_NAMES};
use crate::oci::NamespaceName;

/// Names that a search by the beginning of one passes over, for want of what it looks for.
const NAMES_READ: usize = 200;

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
                let member = PrincipalId(id.0);
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
fn names_from<V: Record>(
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
