//! Sessions of people who sign in with a browser. The edge checks the password; a session then stands for it.

use std::fmt;

use super::Registry;
use super::accounts::AccountInfo;
use crate::Error;
use crate::access::{Principal, PrincipalId};
use crate::metadata::{Growth, Lane};
use crate::model::keys::SessionKey;
use crate::model::{records, sessions, standing};
use crate::oci::{Algorithm, Digest};

/// The id of a session: 32 random bytes that whoever has them is signed in with. The registry stores their hash alone.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionId([u8; 32]);

impl SessionId {
    /// The id made of these bytes, as a client sent them.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes that a client is given.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) fn key(&self) -> SessionKey {
        let mut key = SessionKey::default();
        key.0.copy_from_slice(Digest::of(Algorithm::Sha256, &self.0).raw());
        key
    }
}

/// Does not show the bytes.
impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(***)")
    }
}

/// A session that is good now.
#[derive(Clone, PartialEq, Eq)]
pub struct Session {
    /// Whose it is.
    pub account: AccountInfo,
    /// The same, as the session's credential names them.
    pub principal: Principal,
    /// Random bytes that a page of this session knows and another site's does not.
    pub csrf_secret: [u8; 32],
    /// When the password was checked last, in milliseconds since the Unix epoch.
    pub fresh_ms: u64,
    /// Whether that was within the time that the settings call fresh.
    pub is_fresh: bool,
    /// When it ends, in milliseconds since the Unix epoch.
    pub expires_ms: u64,
}

/// Does not show the secret.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("principal", &self.principal)
            .field("is_fresh", &self.is_fresh)
            .field("expires_ms", &self.expires_ms)
            .finish_non_exhaustive()
    }
}

impl Registry {
    /// Begins a session for a principal whose password was just checked; ends `replaced`, which the same client held, and
    /// the user's oldest one if there are 100.
    ///
    /// # Errors
    /// [`Error::CredentialRevoked`] if the user is gone, disabled, or has got another password since.
    pub fn begin_session(
        &self,
        principal: &Principal,
        replaced: Option<&SessionId>,
    ) -> Result<(SessionId, Session), Error> {
        let id = SessionId(self.random()?);
        let csrf_secret = self.random::<32>()?;
        let now_ms = self.now_ms();
        let row = records::Session {
            principal: principal.id,
            generation: principal.generation,
            csrf_secret: csrf_secret.to_vec(),
            created_ms: now_ms,
            fresh_ms: now_ms,
            expires_ms: now_ms.saturating_add(self.0.settings.session_timeout_ms),
        };
        let (key, replaced) = (id.key(), replaced.map(SessionId::key));
        // Signing in is needed to free space.
        let user = self.0.metadata.write_in(Lane::Foreground, Growth::MayUseReserve, |txn| {
            let user = standing::signed_in(txn, principal)?;
            if user.robot_of.is_some() {
                return Err(Error::CredentialRevoked);
            }
            if let Some(replaced) = replaced {
                sessions::remove(txn, replaced)?;
            }
            sessions::insert(txn, key, &row)?;
            Ok(user)
        })?;
        let account = self.account_info(principal.id, user);
        Ok((id, self.session_of(row, account)?))
    }

    /// The session, unless it is unknown, ended or expired, or its user is disabled or has another password since.
    ///
    /// # Errors
    /// Whatever storage refuses.
    pub fn session(&self, id: &SessionId) -> Result<Option<Session>, Error> {
        let found = self.0.metadata.read(|rows| sessions::find(rows, &id.key(), self.now_ms()))?;
        let Some((row, user)) = found else { return Ok(None) };
        let account = self.account_info(row.principal, user);
        self.session_of(row, account).map(Some)
    }

    /// Notes that the password of the session's user was checked again just now.
    ///
    /// # Errors
    /// [`Error::CredentialRevoked`] if the session is not good any more.
    pub fn refresh_session(&self, id: &SessionId) -> Result<(), Error> {
        let (key, now_ms) = (id.key(), self.now_ms());
        self.0.metadata.write_in(Lane::Foreground, Growth::MayUseReserve, |txn| {
            let (mut row, _) = sessions::find(txn, &key, now_ms)?.ok_or(Error::CredentialRevoked)?;
            row.fresh_ms = now_ms;
            txn.put(&crate::model::tables::SESSIONS, &key, &row);
            Ok(())
        })
    }

    /// Ends all sessions of a user.
    ///
    /// # Errors
    /// Whatever storage refuses.
    pub fn end_sessions(&self, user: PrincipalId) -> Result<(), Error> {
        self.0
            .metadata
            .write_in(Lane::Foreground, Growth::MayUseReserve, |txn| sessions::remove_all(txn, user, None))
    }

    fn session_of(&self, row: records::Session, account: AccountInfo) -> Result<Session, Error> {
        let age_ms = self.now_ms().abs_diff(row.fresh_ms);
        Ok(Session {
            account,
            principal: Principal { id: row.principal, generation: row.generation },
            csrf_secret: row.csrf_secret.try_into().map_err(|_| Error::Corrupt("sessions"))?,
            fresh_ms: row.fresh_ms,
            is_fresh: age_ms < self.0.settings.fresh_login_timeout_ms,
            expires_ms: row.expires_ms,
        })
    }
}
