//! What narrows a robot beside what it was granted: repositories, networks and a time.

use serde_json::json;

use super::Registry;
use super::robots::{RobotInfo, info};
use crate::Error;
use crate::access::{Actor, Globs};
use crate::address::AddressBlock;
use crate::metadata::{Growth, Lane, Rows};
use crate::model::records::Robot;
use crate::model::tables::ROBOTS;
use crate::model::{robots, standing};
use crate::oci::NamespaceName;

/// What narrows a robot beside what it was granted. By default nothing does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RobotLimits {
    /// When its credentials end, in milliseconds since the Unix epoch.
    pub expires_ms: Option<u64>,
    /// The only repositories in which it does anything. It then has no powers over namespaces either.
    pub repositories: Option<Globs>,
    /// The only addresses from which its credentials are taken, if there are any.
    pub networks: Vec<AddressBlock>,
}

impl RobotLimits {
    pub(super) fn of(robot: &Robot) -> Result<Self, Error> {
        let (repositories, networks) = (robots::globs(robot)?, robots::networks(robot)?);
        Ok(Self { expires_ms: robot.expires_ms, repositories, networks })
    }

    pub(super) fn write(&self, robot: &mut Robot) {
        robot.expires_ms = self.expires_ms;
        robot.repositories = self.repositories.as_ref().map(Globs::to_string).unwrap_or_default();
        let networks: Vec<String> = self.networks.iter().map(AddressBlock::to_string).collect();
        robot.networks = networks.join(" ");
    }
}

impl Registry {
    /// Changes what narrows a robot; what is wider counts with the next request, and so does what is narrower.
    ///
    /// # Errors
    /// As [`Registry::set_robot_token`].
    pub fn set_robot_limits(
        &self,
        actor: &Actor,
        namespace: &NamespaceName,
        short_name: &str,
        limits: &RobotLimits,
    ) -> Result<RobotInfo, Error> {
        self.change_robot_limits(actor, namespace, short_name, |_| limits.clone())
    }

    /// As [`Registry::set_robot_limits`], to what `change` makes of those that it has when they are changed.
    ///
    /// # Errors
    /// As [`Registry::set_robot_token`].
    pub fn change_robot_limits(
        &self,
        actor: &Actor,
        namespace: &NamespaceName,
        short_name: &str,
        change: impl Fn(RobotLimits) -> RobotLimits,
    ) -> Result<RobotInfo, Error> {
        let stamp = self.stamp(actor, 1)?;
        let changed = self.0.metadata.write_in(Lane::Foreground, Growth::MayUseReserve, |txn| {
            let at = self.with_robots(txn, actor, namespace)?;
            let (id, user, mut robot) = robots::find(txn, at, short_name)?;
            change(RobotLimits::of(&robot)?).write(&mut robot);
            txn.put(&ROBOTS, &id, &robot);
            let metadata = json!({
                "robot": short_name,
                "expiration_ms": robot.expires_ms,
                "repositories": robot.repositories,
                "networks": robot.networks,
            });
            stamp.record_in(txn, 0, (at, namespace.as_str()), "change_robot_limits", &metadata)?;
            info(user, robot, true)
        })?;
        tracing::info!(%actor, robot = %changed.name, "robot has new limits");
        Ok(changed)
    }

    /// Whether the actor's credential is good now and from where the request came: a robot may be bound to addresses and
    /// to a time. For callers at the edge, to be asked at each request by a robot.
    ///
    /// # Errors
    /// [`Error::CredentialRevoked`], [`Error::AddressRefused`].
    pub fn admit(&self, actor: &Actor) -> Result<(), Error> {
        let Some(id) = actor.principal_id() else { return Ok(()) };
        self.0.metadata.read(|rows| {
            standing::caller(rows, &self.0.settings, actor)?;
            match rows.get(&ROBOTS, &id)? {
                Some(robot) => self.admit_robot(&robot),
                None => Ok(()),
            }
        })
    }

    pub(super) fn admit_robot(&self, robot: &Robot) -> Result<(), Error> {
        let address = self.1.as_ref().map_or("", |origin| origin.address.as_str());
        robots::admit(robot, address, self.now_ms())
    }
}
