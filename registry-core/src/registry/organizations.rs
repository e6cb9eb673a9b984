//! Organizations, and who belongs to them.

use std::collections::BTreeMap;

use serde_json::json;

use super::Registry;
use super::accounts::invoices_of;
use super::teams::TeamInfo;
use crate::Error;
use crate::access::{
    AccountAction, Actor, NamespaceAction, PrincipalId, TeamRole, Verdict, Who, decide_in_namespace,
};
use crate::metadata::{Growth, Lane, ReadTxn, Rows, WriteTxn};
use crate::model::authorize::{
    granted_in_namespace, granted_in_organization, namespace_named, namespace_row,
};
use crate::model::keys::{Grantee, NamespaceId, TeamId};
use crate::model::organizations::{self, NewOrganization};
use crate::model::profiles::{self, Profile, ProfileField};
use crate::model::standing::{self, Standing};
use crate::model::tables::{GRANTED, NAMESPACE, TEAM_MEMBERS, TEAM_NAMES, TEAMS};
use crate::model::{accounts, grants, repositories, teams};
use crate::oci::NamespaceName;

/// Rows that one write of a removal takes up.
pub(super) const STEP: usize = 100;

/// An organization, as an actor sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationInfo {
    /// The name.
    pub name: String,
    /// The address, for those who administer it; empty for others, and where there is none.
    pub email: String,
    /// Whether the actor administers it, or sees as much as if.
    pub is_admin: bool,
    /// Whether the actor is in any of its teams, or sees as much as if.
    pub is_member: bool,
    /// Whether the actor may create repositories.
    pub can_create: bool,
    /// Its teams, by name, for those who belong to it.
    pub teams: Vec<TeamInfo>,
    /// What it says of itself, for those who administer it.
    pub profile: Profile,
}

/// Somebody who is in a team of an organization.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberInfo {
    /// The name; a robot's with its namespace.
    pub name: String,
    /// Whether it is a robot.
    pub is_robot: bool,
    /// The names of the teams.
    pub teams: Vec<String>,
    /// Paths of the organization's repositories on which they were granted roles themselves.
    pub repositories: Vec<String>,
}

impl Registry {
    /// Creates an organization, which the actor then administers.
    ///
    /// # Errors
    /// [`Error::NameTaken`], [`Error::NotSignedIn`], [`Error::DeniedInNamespace`] for robots, restricted users, and, where
    /// the settings say so, for everybody but superusers; [`Error::Privileged`] for others than these.
    pub fn create_organization(&self, actor: &Actor, name: &NamespaceName, email: &str) -> Result<(), Error> {
        let new = NewOrganization {
            id: NamespaceId(self.0.ids.fresh(&self.0.metadata)?),
            owners: TeamId(self.0.ids.fresh(&self.0.metadata)?),
            name: name.to_string(),
            email: email.to_owned(),
            stamp: self.stamp(actor, 1)?,
        };
        self.0.metadata.write(|txn| {
            self.check_may_found(txn, actor, name)?;
            organizations::create(txn, actor, &new).map(drop)
        })?;
        tracing::info!(%actor, organization = %name, "organization created");
        Ok(())
    }

    fn check_may_found(&self, rows: &impl Rows, actor: &Actor, name: &NamespaceName) -> Result<(), Error> {
        let settings = &self.0.settings;
        let caller = standing::caller(rows, settings, actor)?;
        let may = match &caller.account {
            None if caller.who() == Who::Anonymous => return Err(Error::NotSignedIn),
            None => true,
            Some((_, user)) => {
                let is_carried = |action| caller.may(settings, action) == Verdict::Granted;
                let is_wanted = !settings.superusers_create_organizations || is_carried(AccountAction::Rule);
                let is_account = is_carried(AccountAction::Administer);
                if !caller.rules(settings) {
                    self.check_unprivileged(name.as_str())?;
                }
                is_wanted && is_account && user.robot_of.is_none() && !caller.is_restricted
            }
        };
        let denied =
            || Error::DeniedInNamespace { action: NamespaceAction::Create, namespace: name.to_string() };
        if may { Ok(()) } else { Err(denied()) }
    }

    /// The organization as the actor sees it: everybody may know that it exists.
    ///
    /// # Errors
    /// [`Error::NamespaceUnknown`], also for users' namespaces.
    pub fn organization(&self, actor: &Actor, name: &NamespaceName) -> Result<OrganizationInfo, Error> {
        self.0.metadata.read(|rows| {
            let (id, row) = namespace_named(rows, name)?;
            if !row.is_organization {
                return Err(Error::NamespaceUnknown(name.to_string()));
            }
            let caller = standing::caller(rows, &self.0.settings, actor)?;
            let Standing { role, teams } = standing::in_namespace(rows, &caller, id)?;
            let facts = caller.facts_in(Some(id), role);
            let role = facts.carried_role();
            let sees_all = matches!(caller.who_in_namespaces(), Who::Unrestricted | Who::Reader);
            let (is_admin, is_member) =
                (sees_all || role == Some(TeamRole::Admin), sees_all || role.is_some());
            let is_mine = |team: &TeamId| is_admin || teams.contains(team);
            Ok(OrganizationInfo {
                name: row.name,
                email: if is_admin { row.email } else { String::new() },
                is_admin,
                is_member,
                can_create: decide_in_namespace(&facts, NamespaceAction::Create) == Verdict::Granted,
                teams: if is_member { team_infos(rows, id, is_mine)? } else { Vec::new() },
                profile: if is_admin { profiles::get(rows, id)? } else { Profile::default() },
            })
        })
    }

    /// The names of the organizations that the actor is in a team of.
    ///
    /// # Errors
    /// [`Error::CredentialRevoked`].
    pub fn organizations_of(&self, actor: &Actor) -> Result<Vec<String>, Error> {
        self.0.metadata.read(|rows| {
            let caller = standing::caller(rows, &self.0.settings, actor)?;
            let is_told = caller.may(&self.0.settings, AccountAction::Read) == Verdict::Granted;
            let Some((id, _)) = caller.account.filter(|_| is_told) else { return Ok(Vec::new()) };
            let mut names = Vec::new();
            for id in organizations::of(rows, id)? {
                let row = namespace_row(rows, id)?;
                names.extend((!row.is_deleted).then_some(row.name));
            }
            names.sort_unstable();
            Ok(names)
        })
    }

    /// Changes what the organization says of itself, and where it is written to if that is given.
    ///
    /// # Errors
    /// The refusals of administering it.
    pub fn change_organization(
        &self,
        actor: &Actor,
        name: &NamespaceName,
        email: Option<&str>,
        profile: &[ProfileField],
    ) -> Result<(), Error> {
        let stamp = self.stamp(actor, 2)?;
        self.0.metadata.write(|txn| {
            let id = self.administered(txn, actor, name)?;
            let mut row = namespace_row(txn, id)?;
            if let Some(email) = email {
                let old_email = std::mem::replace(&mut row.email, email.to_owned());
                txn.put(&NAMESPACE, &id, &row);
                let metadata = json!({"email": email, "old_email": old_email, "namespace": row.name});
                stamp.record_in(txn, 0, (id, &row.name), "org_change_email", &metadata)?;
            }
            let said = profiles::change(txn, id, profile)?;
            if profile.is_empty() {
                return Ok(());
            }
            stamp.record_in(txn, 1, (id, &row.name), "org_change_invoicing", &invoices_of(&said))
        })
    }

    /// Everybody who is in a team, robots among them, by name.
    ///
    /// # Errors
    /// The refusals of administering the organization, except for those who may read everything.
    pub fn members(&self, actor: &Actor, name: &NamespaceName) -> Result<Vec<MemberInfo>, Error> {
        self.0.metadata.read(|rows| {
            let id = self.inspected(rows, actor, name)?;
            let mut members: BTreeMap<PrincipalId, MemberInfo> = BTreeMap::new();
            for ((_, team), team_id) in rows.scan(&TEAM_NAMES, &(id,), None, usize::MAX)? {
                for ((_, member), ()) in rows.scan(&TEAM_MEMBERS, &(team_id,), None, usize::MAX)? {
                    members.entry(member).or_default().teams.push(team.clone());
                }
            }
            let mut listed = Vec::new();
            for (member, mut info) in members {
                let Some(user) = accounts::get(rows, member)? else { continue };
                (info.name, info.is_robot) = (user.name, user.robot_of.is_some());
                info.repositories = granted_paths(rows, member, id)?;
                listed.push(info);
            }
            listed.sort_unstable_by(|one, other| one.name.cmp(&other.name));
            Ok(listed)
        })
    }

    /// Takes a user or a robot out of every team, and what they were granted in the organization away.
    ///
    /// # Errors
    /// [`Error::PrincipalUnknown`], [`Error::LastAdministrator`]; the refusals of administering the organization.
    pub fn remove_member(&self, actor: &Actor, name: &NamespaceName, member: &str) -> Result<(), Error> {
        let stamp = self.stamp(actor, 1)?;
        let step = |txn: &mut WriteTxn<'_>| {
            let organization = self.administered(txn, actor, name)?;
            let (id, _) = accounts::principal(txn, member)?;
            let memberships = organizations::teams_of(txn, organization, id)?;
            if organizations::depends_on(txn, organization, id)? {
                return Err(Error::LastAdministrator);
            }
            if !memberships.is_empty() {
                let metadata = json!({"member": member});
                let at = (organization, name.as_str());
                stamp.record_in(txn, 0, at, "org_remove_team_member", &metadata)?;
            }
            for team in memberships.iter().take(STEP) {
                teams::drop_member(txn, *team, organization, id)?;
            }
            let is_out = memberships.len() <= STEP;
            Ok(is_out && grants::delete_some_of(txn, Grantee::Principal(id), Some(organization), STEP)?)
        };
        self.in_steps(step)?;
        tracing::info!(%actor, organization = %name, member, "member removed");
        Ok(())
    }

    /// Whether the actor may see what goes on in a namespace: who administers it may, and who reads everything.
    ///
    /// # Errors
    /// The refusals of administering it.
    pub fn check_inspection(&self, actor: &Actor, name: &NamespaceName) -> Result<(), Error> {
        let settings = &self.0.settings;
        self.0.metadata.read(|rows| {
            let action = self.inspection(rows, actor)?;
            granted_in_namespace(rows, settings, actor, name, action).map(drop)
        })
    }

    fn inspection(&self, rows: &impl Rows, actor: &Actor) -> Result<NamespaceAction, Error> {
        Ok(match standing::caller(rows, &self.0.settings, actor)?.who_in_namespaces() {
            Who::Reader => NamespaceAction::Look,
            _ => NamespaceAction::Administer,
        })
    }

    /// Repeats a write until it says that nothing is left to do.
    pub(super) fn in_steps(
        &self,
        step: impl Fn(&mut WriteTxn<'_>) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        while !self.0.metadata.write_in(Lane::Foreground, Growth::MayUseReserve, &step)? {}
        Ok(())
    }

    /// The organization, if the actor administers it.
    pub(super) fn administered(
        &self,
        rows: &impl Rows,
        actor: &Actor,
        name: &NamespaceName,
    ) -> Result<NamespaceId, Error> {
        granted_in_organization(rows, &self.0.settings, actor, name, NamespaceAction::Administer)
    }

    /// The organization, if the actor administers it or may read everything.
    pub(super) fn inspected(
        &self,
        rows: &impl Rows,
        actor: &Actor,
        name: &NamespaceName,
    ) -> Result<NamespaceId, Error> {
        let action = self.inspection(rows, actor)?;
        granted_in_organization(rows, &self.0.settings, actor, name, action)
    }
}

fn team_infos(
    rows: &ReadTxn,
    organization: NamespaceId,
    is_mine: impl Fn(&TeamId) -> bool,
) -> Result<Vec<TeamInfo>, Error> {
    let named = rows.scan(&TEAM_NAMES, &(organization,), None, usize::MAX)?;
    let infos = named.into_iter().map(|(_, id)| {
        let team = rows.get(&TEAMS, &id)?.ok_or(Error::Corrupt("teams"))?;
        TeamInfo::new(rows, id, team, is_mine(&id))
    });
    infos.collect()
}

/// Paths of the namespace's repositories on which a principal was granted a role.
pub(super) fn granted_paths(
    rows: &ReadTxn,
    id: PrincipalId,
    namespace: NamespaceId,
) -> Result<Vec<String>, Error> {
    let granted = rows.scan(&GRANTED, &(Grantee::Principal(id), namespace), None, usize::MAX)?;
    let mut paths = Vec::new();
    for ((_, _, repository), ()) in granted {
        paths.extend(repositories::live(rows, repository)?.map(|row| row.path));
    }
    Ok(paths)
}
