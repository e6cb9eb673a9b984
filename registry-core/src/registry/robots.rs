//! Robot accounts: `namespace+name`, with a token in the place of a password.
//!
//! A token is made at the edge, of a nonce and of a key that lies outside this database; its SHA-256 is what a sign-in is
//! compared with. So it can be shown again (Quay shows it) without being stored.

use serde_json::json;

use super::Registry;
use super::organizations::{STEP, granted_paths};
use super::permissions::RepositoryRole;
use super::robot_limits::RobotLimits;
use crate::Error;
use crate::access::{Actor, NamespaceAction, PrincipalId};
use crate::metadata::{Growth, Lane, ReadTxn, Rows, WriteTxn};
use crate::model::authorize::granted_in_namespace;
use crate::model::keys::{Grantee, NamespaceId};
use crate::model::records::{Robot, User};
use crate::model::standing;
use crate::model::tables::{MEMBERSHIPS, ROBOT_NAMES, ROBOTS, TEAMS};
use crate::model::{accounts, organizations, robots};
use crate::oci::NamespaceName;

/// What a robot's token was made of, and what is compared with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RobotToken {
    /// Random bytes.
    pub nonce: [u8; 16],
    /// SHA-256 of the token.
    pub hash: [u8; 32],
}

/// A robot to be created.
#[derive(Clone, Debug)]
pub struct NewRobot {
    /// The part of the name behind the plus sign.
    pub short_name: NamespaceName,
    /// What it is for; may be empty.
    pub description: String,
    /// A JSON object that clients keep there; empty if none.
    pub metadata: String,
    /// Whether other organizations may grant it roles.
    pub is_usable_elsewhere: bool,
    /// Its token.
    pub token: RobotToken,
    /// What narrows it.
    pub limits: RobotLimits,
}

/// A robot, as an actor sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RobotInfo {
    /// The full name.
    pub name: String,
    /// What it is for; may be empty.
    pub description: String,
    /// A JSON object that clients keep there; empty if none.
    pub metadata: String,
    /// When it was created, in milliseconds since the Unix epoch.
    pub created_ms: u64,
    /// About when it signed in last, in milliseconds since the Unix epoch: to the hour.
    pub accessed_ms: Option<u64>,
    /// Whether other organizations may grant it roles.
    pub is_usable_elsewhere: bool,
    /// What narrows it.
    pub limits: RobotLimits,
    /// What its token is made of, for those who administer the namespace.
    pub nonce: Option<Vec<u8>>,
}

/// Where a robot gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RobotReach {
    /// The teams of its namespace that it is in.
    pub teams: Vec<String>,
    /// Paths of the repositories of its namespace on which it was granted a role itself.
    pub repositories: Vec<String>,
}

impl Registry {
    /// Creates a robot in an organization, or in the actor's own namespace.
    ///
    /// # Errors
    /// [`Error::NameTaken`], [`Error::RobotsRefused`]; the refusals of administering the namespace.
    pub fn create_robot(
        &self,
        actor: &Actor,
        namespace: &NamespaceName,
        new: &NewRobot,
    ) -> Result<RobotInfo, Error> {
        let id = PrincipalId(self.0.ids.fresh(&self.0.metadata)?);
        let name = format!("{namespace}+{}", new.short_name);
        let mut robot = Robot {
            description: new.description.clone(),
            metadata: new.metadata.clone(),
            nonce: new.token.nonce.to_vec(),
            token_hash: new.token.hash.to_vec(),
            is_usable_elsewhere: new.is_usable_elsewhere,
            ..Robot::default()
        };
        new.limits.write(&mut robot);
        let stamp = self.stamp(actor, 1)?;
        let user = self.0.metadata.write(|txn| {
            let at = self.with_robots(txn, actor, namespace)?;
            let settings = &self.0.settings;
            if settings.robots_are_disallowed && !settings.allowed_robots.contains(&name) {
                return Err(Error::RobotsRefused);
            }
            let user = User {
                name: new.short_name.to_string(),
                generation: 1,
                created_ms: stamp.now_ms,
                robot_of: Some(at),
                ..User::default()
            };
            robots::create(txn, id, at, &user, &robot)?;
            let metadata = json!({"robot": user.name, "description": robot.description});
            stamp.record_in(txn, 0, (at, namespace.as_str()), "create_robot", &metadata)?;
            Ok(User { name: name.clone(), ..user })
        })?;
        tracing::info!(%actor, robot = %name, "robot created");
        info(user, robot, true)
    }

    /// The namespace, if the actor may make, change and delete robots there.
    pub(super) fn with_robots(
        &self,
        rows: &impl Rows,
        actor: &Actor,
        namespace: &NamespaceName,
    ) -> Result<NamespaceId, Error> {
        let settings = &self.0.settings;
        let at = granted_in_namespace(rows, settings, actor, namespace, NamespaceAction::Administer)?;
        let is_barred = standing::caller(rows, settings, actor)?.is_barred_in(at);
        if is_barred { Err(Error::RobotsRefused) } else { Ok(at) }
    }

    /// The robots of a namespace, by name, for everybody who belongs to it.
    ///
    /// # Errors
    /// The refusals of looking into the namespace.
    pub fn robots(&self, actor: &Actor, namespace: &NamespaceName) -> Result<Vec<RobotInfo>, Error> {
        self.0.metadata.read(|rows| {
            let settings = &self.0.settings;
            let at = granted_in_namespace(rows, settings, actor, namespace, NamespaceAction::Look)?;
            let is_admin =
                granted_in_namespace(rows, settings, actor, namespace, NamespaceAction::Administer).is_ok();
            let named = rows.scan(&ROBOT_NAMES, &(at,), None, usize::MAX)?;
            let infos = named.into_iter().map(|(_, id)| {
                let user = accounts::get(rows, id)?.ok_or(Error::Corrupt("users"))?;
                let robot = rows.get(&ROBOTS, &id)?.ok_or(Error::Corrupt("robots"))?;
                info(user, robot, is_admin)
            });
            infos.collect()
        })
    }

    /// As [`Registry::robots`], with where each gets, for who administers the namespace or reads everything.
    ///
    /// # Errors
    /// The refusals of administering the namespace.
    pub fn robots_with_reach(
        &self,
        actor: &Actor,
        namespace: &NamespaceName,
    ) -> Result<Vec<(RobotInfo, RobotReach)>, Error> {
        self.0.metadata.read(|rows| {
            let (at, is_admin) = self.inspected_robots(rows, actor, namespace)?;
            let named = rows.scan(&ROBOT_NAMES, &(at,), None, usize::MAX)?;
            let infos = named.into_iter().map(|(_, id)| {
                let user = accounts::get(rows, id)?.ok_or(Error::Corrupt("users"))?;
                let robot = rows.get(&ROBOTS, &id)?.ok_or(Error::Corrupt("robots"))?;
                Ok((info(user, robot, is_admin)?, reach(rows, id, at)?))
            });
            infos.collect()
        })
    }

    /// One robot, for who administers the namespace or reads everything.
    ///
    /// # Errors
    /// [`Error::PrincipalUnknown`]; the refusals of administering the namespace.
    pub fn robot(
        &self,
        actor: &Actor,
        namespace: &NamespaceName,
        short_name: &str,
    ) -> Result<RobotInfo, Error> {
        self.0.metadata.read(|rows| {
            let (at, is_admin) = self.inspected_robots(rows, actor, namespace)?;
            let (_, user, robot) = robots::find(rows, at, short_name)?;
            info(user, robot, is_admin)
        })
    }

    /// The repositories on which a robot was granted a role.
    ///
    /// # Errors
    /// As [`Registry::robot`].
    pub fn robot_permissions(
        &self,
        actor: &Actor,
        namespace: &NamespaceName,
        short_name: &str,
    ) -> Result<Vec<RepositoryRole>, Error> {
        self.0.metadata.read(|rows| {
            let (at, _) = self.inspected_robots(rows, actor, namespace)?;
            RepositoryRole::all_of(rows, Grantee::Principal(robots::find(rows, at, short_name)?.0))
        })
    }

    /// The namespace, and whether the actor administers it and not only reads everything.
    fn inspected_robots(
        &self,
        rows: &impl Rows,
        actor: &Actor,
        namespace: &NamespaceName,
    ) -> Result<(NamespaceId, bool), Error> {
        let settings = &self.0.settings;
        match granted_in_namespace(rows, settings, actor, namespace, NamespaceAction::Administer) {
            Ok(at) => Ok((at, true)),
            Err(refusal) => match standing::caller(rows, settings, actor)?.who_in_namespaces() {
                crate::access::Who::Reader => {
                    let look = NamespaceAction::Look;
                    Ok((granted_in_namespace(rows, settings, actor, namespace, look)?, false))
                }
                _ => Err(refusal),
            },
        }
    }

    /// Gives a robot a new token. Everything that was signed in with the old one ends at once.
    ///
    /// # Errors
    /// [`Error::PrincipalUnknown`], [`Error::RobotsRefused`]; the refusals of administering the namespace.
    pub fn set_robot_token(
        &self,
        actor: &Actor,
        namespace: &NamespaceName,
        short_name: &str,
        token: &RobotToken,
    ) -> Result<RobotInfo, Error> {
        let stamp = self.stamp(actor, 1)?;
        let changed = self.0.metadata.write_in(Lane::Foreground, Growth::MayUseReserve, |txn| {
            let at = self.with_robots(txn, actor, namespace)?;
            let (id, user, robot) = robots::find(txn, at, short_name)?;
            robots::set_token(txn, id, robot.clone(), &token.nonce, &token.hash)?;
            let metadata = json!({"robot": short_name});
            stamp.record_in(txn, 0, (at, namespace.as_str()), "regenerate_robot_token", &metadata)?;
            info(user, Robot { nonce: token.nonce.to_vec(), ..robot }, true)
        })?;
        tracing::info!(%actor, robot = %changed.name, "robot has a new token");
        Ok(changed)
    }

    /// Deletes a robot. Its token ends at once.
    ///
    /// # Errors
    /// [`Error::LastAdministrator`] of an organization; as [`Registry::set_robot_token`].
    pub fn delete_robot(
        &self,
        actor: &Actor,
        namespace: &NamespaceName,
        short_name: &str,
    ) -> Result<(), Error> {
        let stamp = self.stamp(actor, 1)?;
        self.in_steps(|txn: &mut WriteTxn<'_>| {
            let at = self.with_robots(txn, actor, namespace)?;
            let (id, user, _) = robots::find(txn, at, short_name)?;
            // It administers nothing any more once the first step has disabled it.
            if !user.is_disabled && organizations::any_depends_on(txn, id)? {
                return Err(Error::LastAdministrator);
            }
            accounts::update(txn, id, |user| user.is_disabled = true)?;
            let is_gone = robots::delete_step(txn, id, STEP)?;
            if is_gone {
                let metadata = json!({"robot": short_name});
                stamp.record_in(txn, 0, (at, namespace.as_str()), "delete_robot", &metadata)?;
            }
            Ok(is_gone)
        })?;
        tracing::info!(%actor, robot = %format!("{namespace}+{short_name}"), "robot deleted");
        Ok(())
    }
}

fn reach(rows: &ReadTxn, id: PrincipalId, at: NamespaceId) -> Result<RobotReach, Error> {
    let memberships = rows.scan(&MEMBERSHIPS, &(id, at), None, usize::MAX)?;
    let teams = memberships
        .into_iter()
        .map(|((_, _, team), ())| Ok(rows.get(&TEAMS, &team)?.ok_or(Error::Corrupt("teams"))?.name));
    let teams = teams.collect::<Result<_, Error>>()?;
    Ok(RobotReach { teams, repositories: granted_paths(rows, id, at)? })
}

pub(super) fn info(user: User, robot: Robot, is_admin: bool) -> Result<RobotInfo, Error> {
    Ok(RobotInfo {
        limits: RobotLimits::of(&robot)?,
        name: user.name,
        description: robot.description,
        metadata: robot.metadata,
        created_ms: user.created_ms,
        accessed_ms: robot.accessed_ms,
        is_usable_elsewhere: robot.is_usable_elsewhere,
        nonce: is_admin.then_some(robot.nonce),
    })
}
