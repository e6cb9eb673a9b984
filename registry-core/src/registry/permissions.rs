//! Roles granted on repositories.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Registry;
use super::organizations::MemberInfo;
use crate::Error;
use crate::access::{Action, Actor, PrincipalId, Role};
use crate::metadata::{ReadTxn, Rows};
use crate::model::authorize::{Granted, granted, namespace_row};
use crate::model::keys::{Grantee, NamespaceId};
use crate::model::tables::{GRANTED, GRANTS, MEMBERSHIPS, REPOSITORIES, TEAMS};
use crate::model::{accounts, grants, organizations, repositories, robots, teams};
use crate::oci::{NamespaceName, RepositoryName};

/// Whom a role is granted to, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To<'n> {
    /// A user, or a robot with its namespace (`acme+builder`).
    Principal(&'n str),
    /// A team of the repository's organization.
    Team(&'n str),
}

impl To<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Principal(name) | Self::Team(name) => name,
        }
    }

    /// As events name it.
    pub(super) fn metadata(&self) -> Value {
        match self {
            Self::Principal(name) => json!({"username": name}),
            Self::Team(name) => json!({"team": name}),
        }
    }
}

/// A role that somebody was granted on a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// The name of the user, the robot or the team.
    pub name: String,
    /// Whether it is a team.
    pub is_team: bool,
    /// Whether it is a robot.
    pub is_robot: bool,
    /// Whether it belongs to the repository's organization: as a member of a team, or as its robot.
    pub is_member: bool,
    /// What was granted.
    pub role: Role,
}

/// A repository on which a role was granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryRole {
    /// The repository's namespace.
    pub namespace: String,
    /// Its path there.
    pub path: String,
    /// Whether everybody may pull from it.
    pub is_public: bool,
    /// What was granted.
    pub role: Role,
}

impl RepositoryRole {
    pub(super) fn all_of(rows: &ReadTxn, grantee: Grantee) -> Result<Vec<Self>, Error> {
        let granted = rows.scan(&GRANTED, &(grantee,), None, usize::MAX)?;
        let mut roles = Vec::new();
        for ((_, namespace, repository), ()) in granted {
            let namespace = namespace_row(rows, namespace)?;
            let Some(row) = repositories::live(rows, repository)?.filter(|_| !namespace.is_deleted) else {
                continue;
            };
            let role = rows.get(&GRANTS, &(repository, grantee))?.ok_or(Error::Corrupt("grants"))?;
            roles.push(Self { namespace: namespace.name, path: row.path, is_public: row.is_public, role });
        }
        Ok(roles)
    }
}

impl Registry {
    /// Grants a role on a repository, in the place of the one that was granted before.
    ///
    /// # Errors
    /// [`Error::PrincipalUnknown`], also for a robot of another namespace that is not usable elsewhere;
    /// [`Error::TeamUnknown`], [`Error::OwnsNamespace`]; the refusals of administering the repository.
    pub fn grant(
        &self,
        actor: &Actor,
        repository: &RepositoryName,
        to: To<'_>,
        role: Role,
    ) -> Result<Permission, Error> {
        let stamp = self.stamp(actor, 1)?;
        let permission = self.0.metadata.write(|txn| {
            let at = granted(txn, &self.0.settings, actor, repository, Action::Administer)?;
            let grantee = grantee(txn, at.namespace, to)?;
            if let Grantee::Principal(id) = grantee {
                let user = accounts::get(txn, id)?.ok_or(Error::Corrupt("users"))?;
                robots::check_usable(txn, at.namespace, id, &user)?;
            }
            grants::put(txn, at, grantee, role);
            let mut metadata = to.metadata();
            metadata["role"] = role.name().into();
            stamp.record_at(txn, 0, at, repository, "change_repo_permission", metadata)?;
            permission(txn, at, grantee, role)?.ok_or(Error::Corrupt("grants"))
        })?;
        tracing::info!(%actor, %repository, ?to, ?role, "role granted");
        Ok(permission)
    }

    /// Takes what was granted away.
    ///
    /// # Errors
    /// [`Error::GrantUnknown`] if nothing was; otherwise as [`Registry::grant`].
    pub fn revoke(&self, actor: &Actor, repository: &RepositoryName, from: To<'_>) -> Result<(), Error> {
        let stamp = self.stamp(actor, 1)?;
        self.0.metadata.write(|txn| {
            let at = granted(txn, &self.0.settings, actor, repository, Action::Administer)?;
            let grantee = grantee(txn, at.namespace, from)?;
            if grants::delete(txn, at, grantee)?.is_none() {
                return Err(Error::GrantUnknown(from.name().to_owned()));
            }
            stamp.record_at(txn, 0, at, repository, "delete_repo_permission", from.metadata())
        })?;
        tracing::info!(%actor, %repository, ?from, "role taken away");
        Ok(())
    }

    /// Users who are in no team and were granted roles on repositories of the organization, by name.
    ///
    /// # Errors
    /// As [`Registry::members`].
    pub fn collaborators(&self, actor: &Actor, name: &NamespaceName) -> Result<Vec<MemberInfo>, Error> {
        self.0.metadata.read(|rows| {
            let at = self.inspected(rows, actor, name)?;
            let mut collaborators: BTreeMap<PrincipalId, MemberInfo> = BTreeMap::new();
            for ((_, path), repository) in rows.scan(&REPOSITORIES, &(at,), None, usize::MAX)? {
                for ((_, grantee), _) in rows.scan(&GRANTS, &(repository,), None, usize::MAX)? {
                    if let Grantee::Principal(id) = grantee {
                        collaborators.entry(id).or_default().repositories.push(path.clone());
                    }
                }
            }
            let mut outside = Vec::new();
            for (id, mut info) in collaborators {
                let Some(user) = accounts::get(rows, id)? else { continue };
                if user.robot_of.is_none() && rows.first(&MEMBERSHIPS, &(id, at))?.is_none() {
                    info.name = user.name;
                    outside.push(info);
                }
            }
            outside.sort_unstable_by(|one, other| one.name.cmp(&other.name));
            Ok(outside)
        })
    }

    /// Everything that was granted on the repository, by name.
    ///
    /// # Errors
    /// The refusals of administering the repository, except for who reads everything.
    pub fn permissions(&self, actor: &Actor, repository: &RepositoryName) -> Result<Vec<Permission>, Error> {
        self.0.metadata.read(|rows| {
            let at = self.inspected_repository(rows, actor, repository)?;
            let granted = rows.scan(&GRANTS, &(at.repository,), None, usize::MAX)?;
            let mut found = Vec::new();
            for ((_, grantee), role) in granted {
                found.extend(permission(rows, at, grantee, role)?);
            }
            found.sort_unstable_by(|one, other| one.name.cmp(&other.name));
            Ok(found)
        })
    }

    /// The roles that a user or a robot has by being granted them, or by their teams: one for each source.
    ///
    /// # Errors
    /// [`Error::PrincipalUnknown`]; as [`Registry::permissions`].
    pub fn transitive_roles(
        &self,
        actor: &Actor,
        repository: &RepositoryName,
        name: &str,
    ) -> Result<Vec<Role>, Error> {
        self.0.metadata.read(|rows| {
            let at = self.inspected_repository(rows, actor, repository)?;
            let (id, _) = accounts::principal(rows, name)?;
            let mut sources = vec![Grantee::Principal(id)];
            sources.extend(organizations::teams_of(rows, at.namespace, id)?.into_iter().map(Grantee::Team));
            let mut roles = Vec::new();
            for source in sources {
                roles.extend(rows.get(&GRANTS, &(at.repository, source))?);
            }
            Ok(roles)
        })
    }

    /// Whether the actor may see what goes on in a repository: who administers it may, and who reads everything.
    ///
    /// # Errors
    /// The refusals of administering it.
    pub fn check_repository_inspection(
        &self,
        actor: &Actor,
        repository: &RepositoryName,
    ) -> Result<(), Error> {
        self.0.metadata.read(|rows| self.inspected_repository(rows, actor, repository).map(drop))
    }

    fn inspected_repository(
        &self,
        rows: &ReadTxn,
        actor: &Actor,
        repository: &RepositoryName,
    ) -> Result<Granted, Error> {
        let who = crate::model::standing::caller(rows, &self.0.settings, actor)?.who();
        let action = if who == crate::access::Who::Reader { Action::Pull } else { Action::Administer };
        granted(rows, &self.0.settings, actor, repository, action)
    }
}

/// Whom a name stands for. Who owns the namespace has every right in it already.
fn grantee(rows: &impl Rows, namespace: NamespaceId, to: To<'_>) -> Result<Grantee, Error> {
    match to {
        To::Team(name) => Ok(Grantee::Team(teams::find(rows, namespace, name)?.0)),
        To::Principal(name) => {
            let (id, _) = accounts::principal(rows, name)?;
            if NamespaceId::from(id) == namespace {
                return Err(Error::OwnsNamespace(name.to_owned()));
            }
            Ok(Grantee::Principal(id))
        }
    }
}

/// None where the account is being deleted.
fn permission(
    rows: &impl Rows,
    at: Granted,
    grantee: Grantee,
    role: Role,
) -> Result<Option<Permission>, Error> {
    Ok(Some(match grantee {
        Grantee::Team(id) => {
            let name = rows.get(&TEAMS, &id)?.ok_or(Error::Corrupt("teams"))?.name;
            Permission { name, is_team: true, is_robot: false, is_member: true, role }
        }
        Grantee::Principal(id) => {
            let Some(user) = accounts::get(rows, id)? else { return Ok(None) };
            let is_member = is_member(rows, at.namespace, id, user.robot_of)?;
            Permission { name: user.name, is_team: false, is_robot: user.robot_of.is_some(), is_member, role }
        }
    }))
}

fn is_member(
    rows: &impl Rows,
    namespace: NamespaceId,
    id: PrincipalId,
    robot_of: Option<NamespaceId>,
) -> Result<bool, Error> {
    Ok(robot_of == Some(namespace) || !organizations::teams_of(rows, namespace, id)?.is_empty())
}
