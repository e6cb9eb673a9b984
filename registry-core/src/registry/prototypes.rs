//! Default permissions of an organization (Quay's prototypes): they never change repositories that exist.

use serde_json::json;

use super::Registry;
use crate::Error;
use crate::access::{Actor, PrincipalId, Role};
use crate::metadata::{ReadTxn, Rows};
use crate::model::accounts;
use crate::model::keys::{Grantee, NamespaceId, PrototypeId};
use crate::model::prototypes::{MOST, is_there};
use crate::model::records::{Prototype, RoleField};
use crate::model::tables::{PROTOTYPES, TEAMS};
use crate::model::{organizations, robots, teams};
use crate::oci::NamespaceName;

use super::permissions::To;

/// A default permission to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewPrototype<'n> {
    /// Only for repositories that this user or robot creates.
    pub activating: Option<&'n str>,
    /// Who is granted the role.
    pub delegate: To<'n>,
    /// What is granted.
    pub role: Role,
}

/// A user, a robot or a team that a default permission names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegate {
    /// The name.
    pub name: String,
    /// Whether it is a team.
    pub is_team: bool,
    /// Whether it is a robot.
    pub is_robot: bool,
    /// Whether it belongs to the organization.
    pub is_member: bool,
}

/// A default permission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrototypeInfo {
    /// Names it.
    pub id: PrototypeId,
    /// Only for repositories that this user or robot creates.
    pub activating: Option<Delegate>,
    /// Who is granted the role.
    pub delegate: Delegate,
    /// What is granted.
    pub role: Role,
}

impl Registry {
    /// Makes a default permission.
    ///
    /// # Errors
    /// [`Error::PrincipalUnknown`], [`Error::TeamUnknown`], [`Error::TooMany`] beyond 200 of an organization; the
    /// refusals of administering it.
    pub fn create_prototype(
        &self,
        actor: &Actor,
        organization: &NamespaceName,
        new: &NewPrototype<'_>,
    ) -> Result<PrototypeInfo, Error> {
        let id = PrototypeId::from_random(self.0.entropy.bytes()?);
        let stamp = self.stamp(actor, 1)?;
        let made = self.0.metadata.write(|txn| {
            let at = self.administered(txn, actor, organization)?;
            if txn.scan(&PROTOTYPES, &(at,), None, MOST)?.len() == MOST {
                return Err(Error::TooMany("default permissions"));
            }
            let activating = new.activating.map(|name| accounts::principal(txn, name)).transpose()?;
            let delegate = match new.delegate {
                To::Team(name) => Grantee::Team(teams::find(txn, at, name)?.0),
                To::Principal(name) => {
                    let (id, user) = accounts::principal(txn, name)?;
                    robots::check_usable(txn, at, id, &user)?;
                    Grantee::Principal(id)
                }
            };
            let activating = activating.map(|(id, _)| id);
            let row = Prototype { activating, delegate, role: RoleField(new.role) };
            txn.put(&PROTOTYPES, &(at, id), &row);
            let mut metadata = new.delegate.metadata();
            metadata["prototypeid"] = id.to_string().into();
            metadata["role"] = new.role.name().into();
            let at_name = (at, organization.as_str());
            stamp.record_in(txn, 0, at_name, "create_prototype_permission", &metadata)?;
            info(txn, at, id, &row)?.ok_or(Error::Corrupt("prototypes"))
        })?;
        tracing::info!(%actor, %organization, prototype = %id, "default permission created");
        Ok(made)
    }

    /// The default permissions of an organization; those that name somebody who is gone are left out.
    ///
    /// # Errors
    /// The refusals of administering the organization, except for who reads everything.
    pub fn prototypes(
        &self,
        actor: &Actor,
        organization: &NamespaceName,
    ) -> Result<Vec<PrototypeInfo>, Error> {
        self.0.metadata.read(|rows: &ReadTxn| {
            let at = self.inspected(rows, actor, organization)?;
            let mut found = Vec::new();
            for ((_, id), row) in rows.scan(&PROTOTYPES, &(at,), None, MOST)? {
                found.extend(info(rows, at, id, &row)?);
            }
            Ok(found)
        })
    }

    /// Changes the role of a default permission.
    ///
    /// # Errors
    /// [`Error::PrototypeUnknown`]; the refusals of administering the organization.
    pub fn set_prototype_role(
        &self,
        actor: &Actor,
        organization: &NamespaceName,
        id: PrototypeId,
        role: Role,
    ) -> Result<PrototypeInfo, Error> {
        let stamp = self.stamp(actor, 1)?;
        self.0.metadata.write(|txn| {
            let at = self.administered(txn, actor, organization)?;
            let mut row = txn.get(&PROTOTYPES, &(at, id))?.ok_or(Error::PrototypeUnknown)?;
            row.role = RoleField(role);
            txn.put(&PROTOTYPES, &(at, id), &row);
            let metadata = json!({"prototypeid": id.to_string(), "role": role.name()});
            let at_name = (at, organization.as_str());
            stamp.record_in(txn, 0, at_name, "modify_prototype_permission", &metadata)?;
            info(txn, at, id, &row)?.ok_or(Error::PrototypeUnknown)
        })
    }

    /// Deletes a default permission.
    ///
    /// # Errors
    /// As [`Registry::set_prototype_role`].
    pub fn delete_prototype(
        &self,
        actor: &Actor,
        organization: &NamespaceName,
        id: PrototypeId,
    ) -> Result<(), Error> {
        let stamp = self.stamp(actor, 1)?;
        self.0.metadata.write(|txn| {
            let at = self.administered(txn, actor, organization)?;
            if !txn.contains(&PROTOTYPES, &(at, id))? {
                return Err(Error::PrototypeUnknown);
            }
            txn.delete(&PROTOTYPES, &(at, id));
            let metadata = json!({"prototypeid": id.to_string()});
            stamp.record_in(txn, 0, (at, organization.as_str()), "delete_prototype_permission", &metadata)
        })
    }
}

/// None if somebody whom it names is gone.
fn info(
    rows: &impl Rows,
    at: NamespaceId,
    id: PrototypeId,
    row: &Prototype,
) -> Result<Option<PrototypeInfo>, Error> {
    let activating = row.activating.map(Grantee::Principal);
    if !is_there(rows, row.delegate)?
        || activating.map_or(Ok(false), |id| is_there(rows, id).map(|is| !is))?
    {
        return Ok(None);
    }
    Ok(Some(PrototypeInfo {
        id,
        activating: activating.map(|activating| delegate(rows, at, activating)).transpose()?,
        delegate: delegate(rows, at, row.delegate)?,
        role: row.role.0,
    }))
}

fn delegate(rows: &impl Rows, at: NamespaceId, grantee: Grantee) -> Result<Delegate, Error> {
    let id: PrincipalId = match grantee {
        Grantee::Principal(id) => id,
        Grantee::Team(id) => {
            let name = rows.get(&TEAMS, &id)?.ok_or(Error::Corrupt("teams"))?.name;
            return Ok(Delegate { name, is_team: true, is_robot: false, is_member: true });
        }
    };
    let user = accounts::get(rows, id)?.ok_or(Error::Corrupt("users"))?;
    let is_member = user.robot_of == Some(at) || !organizations::teams_of(rows, at, id)?.is_empty();
    Ok(Delegate { name: user.name, is_team: false, is_robot: user.robot_of.is_some(), is_member })
}
