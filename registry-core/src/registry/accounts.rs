//! Users. Passwords arrive and leave as Argon2id hashes: the edge computes them, on threads of its own.

use serde_json::{Value, json};

use super::Registry;
use super::sessions::SessionId;
use crate::access::{AccountAction, Principal, PrincipalId};
use crate::metadata::{Growth, Lane, ReadTxn, Rows, WriteTxn};
use crate::model::profiles::{self, Profile, ProfileField};
use crate::model::records::User;
use crate::model::tables::{ROBOTS, USERS};
use crate::model::{accounts, sessions, standing};
use crate::oci::NamespaceName;
use crate::{Actor, Error};

/// A user to be created.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The name, which becomes that of the user's namespace too.
    pub name: NamespaceName,
    /// The e-mail address; may be empty.
    pub email: String,
    /// An Argon2id hash in PHC form.
    pub password_hash: String,
    /// Whether the user is a superuser whatever the configuration says.
    pub is_superuser: bool,
}

/// A user as the edge needs it to check a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Who, and the generation that a credential given out now belongs to.
    pub principal: Principal,
    /// The name.
    pub name: String,
    /// An Argon2id hash in PHC form; empty for a robot.
    pub password_hash: String,
    /// SHA-256 of a robot's token, to be compared with what it sends; none for a user.
    pub token_hash: Option<Vec<u8>>,
    /// Whether the account may not be used: not now, or not from where the request came.
    pub is_disabled: bool,
    /// Whether a robot's sign-in should be written down ([`Registry::note_use`]).
    pub is_use_due: bool,
}

/// A user as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountInfo {
    /// Identifies the user for good.
    pub id: PrincipalId,
    /// The name.
    pub name: String,
    /// The e-mail address; may be empty.
    pub email: String,
    /// Whether the user is a superuser, by the flag on the row or by the settings.
    pub is_superuser: bool,
    /// Whether the user reads everything (Quay: global read-only superuser).
    pub is_reader: bool,
    /// Whether the account may not be used.
    pub is_disabled: bool,
    /// When the user was created, in milliseconds since the Unix epoch.
    pub created_ms: u64,
}

/// What a user changes of their own account; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// An Argon2id hash in PHC form.
    pub password_hash: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
    /// What they say of themselves.
    pub profile: Vec<ProfileField>,
}

impl Registry {
    /// Creates the first user. Among concurrent calls exactly one succeeds.
    ///
    /// # Errors
    /// [`Error::AlreadyInitialized`] if there is any user, [`Error::NameTaken`] by an organization.
    pub fn create_first_user(&self, user: &NewUser) -> Result<PrincipalId, Error> {
        self.insert_user(user, |txn| {
            if accounts::has_users(txn)? { Err(Error::AlreadyInitialized) } else { Ok(()) }
        })
    }

    /// Creates a user.
    ///
    /// # Errors
    /// [`Error::NameTaken`].
    pub fn create_user(&self, user: &NewUser) -> Result<PrincipalId, Error> {
        self.insert_user(user, |_| Ok(()))
    }

    /// Creates a user where `check` allows it.
    pub(super) fn insert_user(
        &self,
        user: &NewUser,
        check: impl Fn(&WriteTxn<'_>) -> Result<(), Error>,
    ) -> Result<PrincipalId, Error> {
        let id = PrincipalId(self.0.ids.fresh(&self.0.metadata)?);
        let stamp = self.account_stamp()?;
        let row = User {
            name: user.name.to_string(),
            email: user.email.clone(),
            password_hash: user.password_hash.clone(),
            generation: 1,
            is_superuser: user.is_superuser,
            created_ms: stamp.now_ms,
            ..User::default()
        };
        let mut metadata = json!({"username": row.name, "email": row.email});
        if row.is_superuser {
            metadata["superuser"] = true.into();
        }
        self.0.metadata.write(|txn| {
            check(txn)?;
            accounts::create(txn, id, &row)?;
            stamp.record_in(txn, 0, (id.into(), &row.name), "user_create", &metadata)
        })?;
        tracing::info!(user = %user.name, id = id.0, "user created");
        Ok(id)
    }

    /// Whether any user exists.
    ///
    /// # Errors
    /// Whatever storage refuses.
    pub fn has_users(&self) -> Result<bool, Error> {
        self.0.metadata.read(accounts::has_users)
    }

    /// The account of this name: a user's, or a robot's (`acme+builder`).
    ///
    /// # Errors
    /// Whatever storage refuses.
    pub fn account(&self, name: &str) -> Result<Option<Account>, Error> {
        self.0.metadata.read(|rows| {
            let (id, user) = match accounts::principal(rows, name) {
                Ok(found) => found,
                Err(Error::PrincipalUnknown(_)) => return Ok(None),
                Err(error) => return Err(error),
            };
            let principal = Principal { id, generation: user.generation };
            let robot = rows.get(&ROBOTS, &id)?;
            let is_refused = robot.as_ref().is_some_and(|robot| self.admit_robot(robot).is_err());
            let caller = standing::caller(rows, &self.0.settings, &Actor::User(principal));
            let is_disabled = is_refused || caller.is_err();
            let is_use_due = robot.as_ref().is_some_and(|robot| self.is_use_due(robot.accessed_ms));
            Ok(Some(Account {
                principal,
                is_use_due,
                token_hash: robot.map(|robot| robot.token_hash),
                name: user.name,
                password_hash: user.password_hash,
                is_disabled,
            }))
        })
    }

    /// Up to `limit` users in the order of their ids, from the one after `after` on.
    ///
    /// # Errors
    /// Whatever storage refuses.
    pub fn accounts(&self, after: Option<PrincipalId>, limit: usize) -> Result<Vec<AccountInfo>, Error> {
        let users = self.0.metadata.read(|rows| users(rows, after, limit))?;
        Ok(users.into_iter().map(|(id, user)| self.account_info(id, user)).collect())
    }

    /// The user of this name, as others see it.
    ///
    /// # Errors
    /// Whatever storage refuses.
    pub fn find_user(&self, name: &str) -> Result<Option<AccountInfo>, Error> {
        let found = self.0.metadata.read(|rows| accounts::find(rows, name))?;
        Ok(found.map(|(id, user)| self.account_info(id, user)))
    }

    pub(super) fn account_info(&self, id: PrincipalId, user: User) -> AccountInfo {
        AccountInfo {
            id,
            is_superuser: standing::is_superuser(&self.0.settings, &user),
            is_reader: self.0.settings.is_reader(&user.name),
            name: user.name,
            email: user.email,
            is_disabled: user.is_disabled,
            created_ms: user.created_ms,
        }
    }

    /// Gives the user a new password. Everything that was signed in with the old one ends at once.
    ///
    /// # Errors
    /// [`Error::CredentialRevoked`] if the user is gone.
    pub fn set_password(&self, id: PrincipalId, password_hash: &str) -> Result<(), Error> {
        self.change_user(id, "user_change_password", |user| user.password_hash = password_hash.to_owned())
    }

    /// Disables or enables the user. Disabling ends everything that is signed in.
    ///
    /// # Errors
    /// [`Error::CredentialRevoked`] if the user is gone.
    pub fn set_disabled(&self, id: PrincipalId, is_disabled: bool) -> Result<(), Error> {
        let kind = if is_disabled { "user_disable" } else { "user_enable" };
        self.change_user(id, kind, |user| user.is_disabled = is_disabled)
    }

    fn change_user(&self, id: PrincipalId, kind: &str, change: impl Fn(&mut User)) -> Result<(), Error> {
        let stamp = self.account_stamp()?;
        let is_by_others = stamp.performer != Some(id);
        self.0.metadata.write_in(Lane::Foreground, Growth::MayUseReserve, |txn| {
            let user = accounts::update(txn, id, |user| {
                change(user);
                user.generation += 1;
            })?;
            sessions::remove_all(txn, id, None)?;
            let metadata = json!({"username": user.name, "superuser": is_by_others});
            stamp.record_in(txn, 0, (id.into(), &user.name), kind, &metadata)
        })?;
        tracing::info!(id = id.0, "user changed: what was signed in has ended");
        Ok(())
    }

    /// Changes the caller's own account. A new password ends everything that was signed in with the old one, but for the
    /// session `kept`, with which the call is made.
    ///
    /// # Errors
    /// [`Error::NotSignedIn`], [`Error::NotForCredential`], [`Error::CredentialRevoked`].
    pub fn change_account(
        &self,
        caller: &Actor,
        kept: Option<&SessionId>,
        change: &AccountChange,
    ) -> Result<(), Error> {
        let kept = kept.map(SessionId::key);
        let stamp = self.stamp(caller, 4)?;
        let action = match change.password_hash {
            Some(_) => AccountAction::SetSecrets,
            None => AccountAction::Administer,
        };
        self.0.metadata.write_in(Lane::Foreground, Growth::MayUseReserve, |txn| {
            let (id, _) = standing::account(txn, &self.0.settings, caller, action)?;
            let mut user = txn.get(&USERS, &id)?.ok_or(Error::CredentialRevoked)?;
            let at = (id.into(), user.name.clone());
            let record = |txn: &mut WriteTxn<'_>, number, kind, metadata| {
                stamp.record_in(txn, number, (at.0, &at.1), kind, &metadata)
            };
            if let Some(email) = &change.email {
                let old_email = std::mem::replace(&mut user.email, email.clone());
                record(txn, 0, "user_change_email", json!({"email": email, "old_email": old_email}))?;
            }
            if let Some(password_hash) = &change.password_hash {
                user.password_hash.clone_from(password_hash);
                let old = Principal { id, generation: user.generation };
                user.generation += 1;
                sessions::remove_all(txn, id, kept)?;
                sessions::renew(txn, &old, kept, user.generation)?;
                record(txn, 1, "user_change_password", json!({"username": user.name}))?;
            }
            txn.put(&USERS, &id, &user);
            let profile = profiles::change(txn, at.0, &change.profile)?;
            if change.profile.iter().any(|field| !field.is_about_invoices()) {
                record(txn, 2, "user_change_metadata", names_of(&profile))?;
            }
            if change.profile.iter().any(ProfileField::is_about_invoices) {
                record(txn, 3, "user_change_invoicing", invoices_of(&profile))?;
            }
            Ok(())
        })?;
        let is_new_password = change.password_hash.is_some();
        tracing::info!(actor = %caller, is_new_password, "user changed their account");
        Ok(())
    }

    /// What a user says of themselves.
    ///
    /// # Errors
    /// Whatever storage refuses.
    pub fn profile(&self, of: PrincipalId) -> Result<Profile, Error> {
        self.0.metadata.read(|rows| profiles::get(rows, of.into()))
    }

    /// Whether the credential that made this actor is still good.
    ///
    /// # Errors
    /// [`Error::CredentialRevoked`] if it is not.
    pub fn check_actor(&self, actor: &Actor) -> Result<(), Error> {
        match actor {
            Actor::User(_) | Actor::Narrowed(..) => {
                self.0.metadata.read(|rows| standing::caller(rows, &self.0.settings, actor).map(drop))
            }
            Actor::Owner | Actor::Anonymous => Ok(()),
        }
    }
}

fn names_of(profile: &Profile) -> Value {
    let Profile { given_name, family_name, company, location, .. } = profile;
    json!({"given_name": given_name, "family_name": family_name, "company": company, "location": location})
}

/// As events tell it.
pub(super) fn invoices_of(profile: &Profile) -> Value {
    let Profile { invoice_email, invoice_email_address, .. } = profile;
    json!({"invoice_email": invoice_email, "invoice_email_address": invoice_email_address})
}

/// Users, without robots, which have their rows in the same table.
pub(super) fn users(
    rows: &ReadTxn,
    mut after: Option<PrincipalId>,
    limit: usize,
) -> Result<Vec<(PrincipalId, User)>, Error> {
    let mut users = Vec::new();
    while users.len() < limit {
        let some = rows.scan(&USERS, &(), after.as_ref(), limit)?;
        let Some((last, _)) = some.last() else { break };
        after = Some(*last);
        users.extend(some.into_iter().filter(|(_, user)| user.robot_of.is_none() && !user.is_deleted));
    }
    users.truncate(limit);
    Ok(users)
}
