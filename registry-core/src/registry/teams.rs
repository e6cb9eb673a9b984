//! Teams: their roles, their members, and what they were granted.

use serde_json::json;

use super::Registry;
use super::organizations::STEP;
use super::permissions::RepositoryRole;
use crate::Error;
use crate::access::{Actor, NamespaceAction, TeamRole};
use crate::metadata::{ReadTxn, Rows, WriteTxn};
use crate::model::authorize::granted_in_organization;
use crate::model::keys::{Grantee, TeamId};
use crate::model::organizations;
use crate::model::records::Team;
use crate::model::tables::{GRANTED, TEAM_MEMBERS, TEAM_NAMES};
use crate::model::{accounts, robots, teams};
use crate::oci::NamespaceName;

/// A team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamInfo {
    /// The name.
    pub name: String,
    /// What it is for; may be empty.
    pub description: String,
    /// What its members are in the organization.
    pub role: TeamRole,
    /// Members, robots among them.
    pub members: u64,
    /// Repositories on which it was granted a role.
    pub repositories: u64,
    /// Whether the actor may see who its members are.
    pub can_view: bool,
}

impl TeamInfo {
    pub(super) fn new(rows: &ReadTxn, id: TeamId, team: Team, can_view: bool) -> Result<Self, Error> {
        let repositories = rows.scan(&GRANTED, &(Grantee::Team(id),), None, usize::MAX)?.len() as u64;
        let Team { name, description, role, members, .. } = team;
        Ok(Self { name, description, role, members, repositories, can_view })
    }
}

/// A member of a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamMember {
    /// The name; a robot's with its namespace.
    pub name: String,
    /// Whether it is a robot.
    pub is_robot: bool,
}

/// A team and its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamMembers {
    /// The members, by name.
    pub members: Vec<TeamMember>,
    /// Whether the actor may change them.
    pub can_edit: bool,
}

impl Registry {
    /// Creates a team, or changes the role and, if one is given, the description of the one that is there. Gives the team,
    /// and whether it is new.
    ///
    /// # Errors
    /// [`Error::LastAdministrator`]; the refusals of administering the organization.
    pub fn put_team(
        &self,
        actor: &Actor,
        organization: &NamespaceName,
        name: &NamespaceName,
        role: TeamRole,
        description: Option<&str>,
    ) -> Result<(TeamInfo, bool), Error> {
        let fresh = TeamId(self.0.ids.fresh(&self.0.metadata)?);
        let stamp = self.stamp(actor, 1)?;
        let is_new = self.0.metadata.write(|txn| {
            let at = self.administered(txn, actor, organization)?;
            let record = |txn: &mut WriteTxn<'_>, kind| {
                let metadata = json!({"team": name.as_str(), "role": role.name()});
                stamp.record_in(txn, 0, (at, organization.as_str()), kind, &metadata)
            };
            if txn.contains(&TEAM_NAMES, &(at, name.to_string()))? {
                let (id, team) = teams::find(txn, at, name.as_str())?;
                teams::change(txn, id, team, role, description)?;
                record(txn, "org_set_team_role")?;
                return Ok(false);
            }
            let description = description.unwrap_or_default().to_owned();
            let team = Team { organization: at, name: name.to_string(), description, role, members: 0 };
            teams::create(txn, fresh, &team);
            record(txn, "org_create_team")?;
            Ok(true)
        })?;
        tracing::info!(%actor, %organization, team = %name, ?role, is_new, "team set");
        let info = self.0.metadata.read(|rows| {
            let at = self.inspected(rows, actor, organization)?;
            let (id, team) = teams::find(rows, at, name.as_str())?;
            TeamInfo::new(rows, id, team, true)
        })?;
        Ok((info, is_new))
    }

    /// Deletes a team, and with it what it was granted.
    ///
    /// # Errors
    /// [`Error::TeamUnknown`], [`Error::LastAdministrator`]; the refusals of administering the organization.
    pub fn delete_team(&self, actor: &Actor, organization: &NamespaceName, name: &str) -> Result<(), Error> {
        let stamp = self.stamp(actor, 1)?;
        self.in_steps(|txn| {
            let at = self.administered(txn, actor, organization)?;
            let (id, team) = teams::find(txn, at, name)?;
            let is_gone = teams::delete_step(txn, id, &team, STEP)?;
            if is_gone {
                let metadata = json!({"team": name});
                stamp.record_in(txn, 0, (at, organization.as_str()), "org_delete_team", &metadata)?;
            }
            Ok(is_gone)
        })?;
        tracing::info!(%actor, %organization, team = %name, "team deleted");
        Ok(())
    }

    /// A team's members: its members may see them, and who administers the organization or reads everything.
    ///
    /// # Errors
    /// [`Error::TeamUnknown`]; the refusals of administering the organization.
    pub fn team_members(
        &self,
        actor: &Actor,
        organization: &NamespaceName,
        name: &str,
    ) -> Result<TeamMembers, Error> {
        self.0.metadata.read(|rows| {
            let can_edit = self.administered(rows, actor, organization);
            let (id, can_edit) = match can_edit {
                Ok(at) => (teams::find(rows, at, name)?.0, true),
                Err(refusal) => (self.own_team(rows, actor, organization, name, refusal)?, false),
            };
            let rows_found = rows.scan(&TEAM_MEMBERS, &(id,), None, usize::MAX)?;
            let mut members = Vec::new();
            for ((_, member), ()) in rows_found {
                let user = accounts::get(rows, member)?;
                members.extend(
                    user.map(|user| TeamMember { name: user.name, is_robot: user.robot_of.is_some() }),
                );
            }
            members.sort_unstable_by(|one, other| one.name.cmp(&other.name));
            Ok(TeamMembers { members, can_edit })
        })
    }

    /// The team, if the actor is in it or reads everything; `refusal` otherwise, be it there or not.
    fn own_team(
        &self,
        rows: &ReadTxn,
        actor: &Actor,
        organization: &NamespaceName,
        name: &str,
        refusal: Error,
    ) -> Result<TeamId, Error> {
        if let Ok(at) = self.inspected(rows, actor, organization) {
            return Ok(teams::find(rows, at, name)?.0);
        }
        let settings = &self.0.settings;
        let Ok(at) = granted_in_organization(rows, settings, actor, organization, NamespaceAction::Look)
        else {
            return Err(refusal);
        };
        let Some(principal) = actor.principal_id() else { return Err(refusal) };
        match teams::find(rows, at, name) {
            Ok((id, _)) if organizations::teams_of(rows, at, principal)?.contains(&id) => Ok(id),
            _ => Err(refusal),
        }
    }

    /// Adds a user or a robot to a team. A robot of another namespace is taken only where that says so.
    ///
    /// # Errors
    /// [`Error::TeamUnknown`], [`Error::PrincipalUnknown`], [`Error::MemberAlready`]; the refusals of administering the
    /// organization.
    pub fn add_team_member(
        &self,
        actor: &Actor,
        organization: &NamespaceName,
        team: &str,
        member: &str,
    ) -> Result<TeamMember, Error> {
        let stamp = self.stamp(actor, 1)?;
        let added = self.0.metadata.write(|txn: &mut WriteTxn<'_>| {
            let at = self.administered(txn, actor, organization)?;
            let (id, _) = teams::find(txn, at, team)?;
            let (principal, user) = accounts::principal(txn, member)?;
            robots::check_usable(txn, at, principal, &user)?;
            if !teams::add(txn, id, principal)? {
                return Err(Error::MemberAlready(member.to_owned()));
            }
            let metadata = json!({"member": member, "team": team});
            stamp.record_in(txn, 0, (at, organization.as_str()), "org_add_team_member", &metadata)?;
            Ok(TeamMember { name: user.name, is_robot: user.robot_of.is_some() })
        })?;
        tracing::info!(%actor, %organization, team, member, "team member added");
        Ok(added)
    }

    /// Takes a user or a robot out of a team.
    ///
    /// # Errors
    /// [`Error::TeamUnknown`], [`Error::PrincipalUnknown`], [`Error::GrantUnknown`] if they are not in it,
    /// [`Error::LastAdministrator`]; the refusals of administering the organization.
    pub fn remove_team_member(
        &self,
        actor: &Actor,
        organization: &NamespaceName,
        team: &str,
        member: &str,
    ) -> Result<(), Error> {
        let stamp = self.stamp(actor, 1)?;
        self.0.metadata.write(|txn| {
            let at = self.administered(txn, actor, organization)?;
            let (id, row) = teams::find(txn, at, team)?;
            let (principal, _) = accounts::principal(txn, member)?;
            if !teams::remove(txn, id, &row, principal)? {
                return Err(Error::GrantUnknown(member.to_owned()));
            }
            let metadata = json!({"member": member, "team": team});
            stamp.record_in(txn, 0, (at, organization.as_str()), "org_remove_team_member", &metadata)
        })?;
        tracing::info!(%actor, %organization, team, member, "team member removed");
        Ok(())
    }

    /// The repositories on which a team was granted a role.
    ///
    /// # Errors
    /// [`Error::TeamUnknown`]; the refusals of administering the organization, except for who reads everything.
    pub fn team_permissions(
        &self,
        actor: &Actor,
        organization: &NamespaceName,
        name: &str,
    ) -> Result<Vec<RepositoryRole>, Error> {
        self.0.metadata.read(|rows| {
            let at = self.inspected(rows, actor, organization)?;
            let (id, _) = teams::find(rows, at, name)?;
            RepositoryRole::all_of(rows, Grantee::Team(id))
        })
    }
}
