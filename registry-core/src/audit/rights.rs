//! Robots, teams, grants and default permissions.

use std::collections::BTreeMap;

use super::{Findings, all};
use crate::Error;
use crate::access::TeamRole;
use crate::metadata::ReadTxn;
use crate::model::keys::Grantee;
use crate::model::tables::{
    GRANTED, GRANTS, MEMBERSHIPS, NAMESPACE, PROTOTYPES, REPOSITORY, ROBOT_NAMES, ROBOTS, TEAM_MEMBERS,
    TEAM_NAMES, TEAM_ROLES, TEAMS, USERS,
};

pub(super) fn audit(rows: &ReadTxn, findings: &mut Findings) -> Result<(), Error> {
    robots(rows, findings)?;
    teams(rows, findings)?;
    grants(rows, findings)
}

fn robots(rows: &ReadTxn, findings: &mut Findings) -> Result<(), Error> {
    let robots = all(rows, &ROBOTS)?;
    let mut names = BTreeMap::new();
    for (id, user) in all(rows, &USERS)? {
        let Some(namespace) = user.robot_of else { continue };
        match robots.get(&id) {
            Some(_) => drop(names.insert((namespace, user.name), id)),
            None => findings.require(false, || format!("robots: {} has no row", user.name)),
        }
    }
    findings.compare("robot names", &names, &all(rows, &ROBOT_NAMES)?);
    findings.require(names.len() == robots.len(), || "robots: a row has no account".to_owned());
    Ok(())
}

fn teams(rows: &ReadTxn, findings: &mut Findings) -> Result<(), Error> {
    let teams = all(rows, &TEAMS)?;
    let organizations = all(rows, &NAMESPACE)?;
    let names = teams.iter().map(|(id, team)| ((team.organization, team.name.clone()), *id)).collect();
    findings.compare("team names", &names, &all(rows, &TEAM_NAMES)?);
    let higher = teams.iter().filter(|(_, team)| team.role != TeamRole::Member);
    let roles = higher.map(|(id, team)| ((team.organization, *id), team.role)).collect();
    findings.compare("team roles", &roles, &all(rows, &TEAM_ROLES)?);
    let (accounts, mut memberships, mut counts) = (all(rows, &USERS)?, BTreeMap::new(), BTreeMap::new());
    for (team, member) in all(rows, &TEAM_MEMBERS)?.into_keys() {
        *counts.entry(team).or_insert(0) += 1;
        findings.require(accounts.contains_key(&member), || format!("team members: {member:?} is nobody"));
        match teams.get(&team) {
            Some(row) => drop(memberships.insert((member, row.organization, team), ())),
            None => findings.require(false, || format!("team members: {team:?} is not there")),
        }
    }
    findings.compare("memberships", &memberships, &all(rows, &MEMBERSHIPS)?);
    for (id, team) in &teams {
        let count = counts.get(id).copied().unwrap_or(0);
        findings.require(team.members == count, || {
            format!("team {}: counts {} members of {count}", team.name, team.members)
        });
        findings.require(organizations.contains_key(&team.organization), || {
            format!("team {}: its organization is not there", team.name)
        });
    }
    Ok(())
}

fn grants(rows: &ReadTxn, findings: &mut Findings) -> Result<(), Error> {
    let (repositories, accounts, teams) = (all(rows, &REPOSITORY)?, all(rows, &USERS)?, all(rows, &TEAMS)?);
    let mut granted = BTreeMap::new();
    for (repository, grantee) in all(rows, &GRANTS)?.into_keys() {
        let is_there = match grantee {
            Grantee::Principal(id) => accounts.contains_key(&id),
            Grantee::Team(id) => teams.contains_key(&id),
        };
        findings.require(is_there, || format!("grants: {grantee:?} is nobody"));
        match repositories.get(&repository) {
            Some(row) => drop(granted.insert((grantee, row.namespace, repository), ())),
            None => findings.require(false, || format!("grants: {repository:?} is not there")),
        }
    }
    findings.compare("granted", &granted, &all(rows, &GRANTED)?);
    let organizations = all(rows, &NAMESPACE)?;
    for (namespace, id) in all(rows, &PROTOTYPES)?.into_keys() {
        findings.require(organizations.contains_key(&namespace), || {
            format!("default permission {id}: its organization is not there")
        });
    }
    Ok(())
}
