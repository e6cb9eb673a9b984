//! Stored tokens: access tokens of OAuth applications, and app-specific tokens that stand in for a user's password.

use serde_json::json;

use super::Registry;
use super::accounts::AccountInfo;
use crate::Error;
use crate::access::{Actor, Credential, Principal, PrincipalId, Scopes, TokenId};
use crate::metadata::key::Descending;
use crate::metadata::{Growth, Lane, Rows, WriteTxn};
use crate::model::authorize::namespace_row;
use crate::model::keys::{ApplicationId, SecretHash};
use crate::model::records::{Application, Robot, Token};
use crate::model::tables::{APPLICATION_TOKENS, APPLICATIONS, ROBOTS, TOKENS};
use crate::model::{accounts, applications, standing, tokens};
use crate::oci::NamespaceName;
use crate::trail::Stamp;

/// The use of a token or a robot is written down at most this often, in milliseconds.
const ACCESS_NOTED_MS: u64 = 60 * 60 * 1000;
/// An access token to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// What it is called; may be empty.
    pub title: String,
    /// What it may be used for.
    pub scopes: Scopes,
    /// SHA-256 of the token, which is not kept itself.
    pub hash: [u8; 32],
    /// How long it is good, in milliseconds.
    pub lifetime_ms: u64,
}

/// A stored token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedToken {
    /// Names it.
    pub id: TokenId,
    /// What it is called.
    pub title: String,
    /// What it may be used for; of an app-specific token none.
    pub scopes: Scopes,
    /// Whose it is.
    pub user: String,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created_ms: u64,
    /// When it ends; never without.
    pub expires_ms: Option<u64>,
    /// About when it was used last: to the hour.
    pub accessed_ms: Option<u64>,
    /// What an app-specific token is made of.
    pub nonce: Vec<u8>,
}

/// Who sent a stored token.
#[derive(Clone, Debug)]
pub struct TokenHolder {
    /// Who acts, as the token lets them.
    pub actor: Actor,
    /// Their account; a superuser only if the token lets them be one.
    pub account: AccountInfo,
    /// When the token ends, in milliseconds since the Unix epoch.
    pub expires_ms: Option<u64>,
    /// Whether its use should be written down ([`Registry::note_use`]).
    pub is_use_due: bool,
}

impl Registry {
    /// Makes an access token of an application; it acts for the actor, and never as more than the credential with which
    /// it was asked for, nor for longer.
    ///
    /// # Errors
    /// [`Error::ApplicationUnknown`], [`Error::NotForCredential`] for scopes that the actor's credential lacks,
    /// [`Error::TooMany`]; the refusals of administering the organization.
    pub fn create_application_token(
        &self,
        actor: &Actor,
        organization: &NamespaceName,
        client_id: &str,
        new: &NewToken,
    ) -> Result<IssuedToken, Error> {
        let id = TokenId::from_random(self.0.entropy.bytes()?);
        let stamp = self.stamp(actor, 1)?;
        let user = actor.principal_id().ok_or(Error::NotSignedIn)?;
        let made = self.0.metadata.write(|txn| {
            let at = self.administered(txn, actor, organization)?;
            self.check_scopes(txn, actor, new.scopes)?;
            let (application, row) = applications::find_in(txn, at, client_id)?;
            let left_ms = left_ms(txn, actor, stamp.now_ms)?;
            let new = NewToken { lifetime_ms: new.lifetime_ms.min(left_ms), ..new.clone() };
            self.issue(txn, &stamp, id, (application, &row), user, &new)
        })?;
        tracing::info!(%actor, %organization, client_id, token = %id, "access token created");
        Ok(made)
    }

    /// Stores an access token and its event, number 0.
    pub(super) fn issue(
        &self,
        txn: &mut WriteTxn<'_>,
        stamp: &Stamp,
        id: TokenId,
        (application, owner): (ApplicationId, &Application),
        user: PrincipalId,
        new: &NewToken,
    ) -> Result<IssuedToken, Error> {
        let row = Token {
            principal: user,
            application: Some(application),
            title: new.title.clone(),
            scopes: new.scopes.bits().into(),
            secret_hash: new.hash.to_vec(),
            created_ms: stamp.now_ms,
            expires_ms: Some(stamp.now_ms.saturating_add(new.lifetime_ms)),
            ..Token::default()
        };
        tokens::insert(txn, &self.0.settings, id, &row)?;
        let metadata = json!({
            "oauth_token_uuid": id.to_string(),
            "scope": new.scopes.to_string(),
            "token_display_name": row.title,
            "application_name": owner.name,
            "auth_method": "OAuth",
            "client_id": owner.client_id,
        });
        let namespace = namespace_row(txn, owner.namespace)?.name;
        stamp.record_in(txn, 0, (owner.namespace, &namespace), "create_oauth_api_token", &metadata)?;
        info(txn, id, row)
    }

    /// At most `limit` access tokens of an application, the latest first, after the one named; and whether there are more.
    ///
    /// # Errors
    /// [`Error::ApplicationUnknown`]; the refusals of administering the organization, except for who reads everything.
    pub fn application_tokens(
        &self,
        actor: &Actor,
        organization: &NamespaceName,
        client_id: &str,
        after: Option<TokenId>,
        limit: usize,
    ) -> Result<(Vec<IssuedToken>, bool), Error> {
        self.0.metadata.read(|rows| {
            let at = self.inspected(rows, actor, organization)?;
            let (application, _) = applications::find_in(rows, at, client_id)?;
            // What is no token of it any more is the first page.
            let after = match after {
                Some(id) => rows.get(&TOKENS, &id)?.filter(|row| row.application == Some(application)),
                None => None,
            }
            .zip(after)
            .map(|(row, id)| (application, Descending(row.created_ms), id));
            let listed = rows.scan(&APPLICATION_TOKENS, &(application,), after.as_ref(), limit + 1)?;
            let has_more = listed.len() > limit;
            let found = listed.into_iter().take(limit).map(|((_, _, id), ())| {
                info(rows, id, rows.get(&TOKENS, &id)?.ok_or(Error::Corrupt("tokens"))?)
            });
            Ok((found.collect::<Result<_, Error>>()?, has_more))
        })
    }

    /// Revokes an access token of an application, whoever it acts for.
    ///
    /// # Errors
    /// [`Error::TokenUnknown`], [`Error::ApplicationUnknown`]; the refusals of administering the organization.
    pub fn revoke_application_token(
        &self,
        actor: &Actor,
        organization: &NamespaceName,
        client_id: &str,
        id: TokenId,
    ) -> Result<(), Error> {
        let stamp = self.stamp(actor, 1)?;
        self.0.metadata.write_in(Lane::Foreground, Growth::MayUseReserve, |txn| {
            let at = self.administered(txn, actor, organization)?;
            let (application, _) = applications::find_in(txn, at, client_id)?;
            let row = txn.get(&TOKENS, &id)?.filter(|row| row.application == Some(application));
            revoke(txn, &stamp, id, &row.ok_or(Error::TokenUnknown)?)
        })?;
        tracing::info!(%actor, token = %id, "access token revoked");
        Ok(())
    }

    /// Who sent the token of this SHA-256, an access token or an app-specific one, if it is good.
    ///
    /// # Errors
    /// Whatever storage refuses.
    pub fn token_holder(&self, hash: [u8; 32]) -> Result<Option<TokenHolder>, Error> {
        let now_ms = self.now_ms();
        self.0.metadata.read(|rows| {
            let Some((id, row)) = tokens::find(rows, SecretHash(hash), now_ms)? else { return Ok(None) };
            let user = match standing::enabled(rows, row.principal) {
                Ok(user) => user,
                Err(Error::CredentialRevoked) => return Ok(None),
                Err(error) => return Err(error),
            };
            let principal = Principal { id: row.principal, generation: user.generation };
            let credential = match row.application {
                Some(_) => Credential::AccessToken(id),
                None => Credential::AppToken(id),
            };
            let actor = Actor::Narrowed(principal, credential);
            let caller = match standing::caller(rows, &self.0.settings, &actor) {
                Ok(caller) => caller,
                Err(Error::CredentialRevoked) => return Ok(None),
                Err(error) => return Err(error),
            };
            let rules = caller.rules(&self.0.settings);
            let account = AccountInfo { is_superuser: rules, ..self.account_info(row.principal, user) };
            let is_use_due = self.is_use_due(row.accessed_ms);
            Ok(Some(TokenHolder { actor, account, expires_ms: row.expires_ms, is_use_due }))
        })
    }

    /// Notes that the actor's stored token was used just now, or that the actor, a robot, was.
    ///
    /// # Errors
    /// Whatever storage refuses.
    pub fn note_use(&self, actor: &Actor) -> Result<(), Error> {
        let accessed_ms = Some(self.now_ms());
        self.0.metadata.write_in(Lane::Foreground, Growth::MayUseReserve, |txn| {
            if let Some(Credential::AccessToken(id) | Credential::AppToken(id)) = actor.credential() {
                if let Some(row) = txn.get(&TOKENS, id)? {
                    txn.put(&TOKENS, id, &Token { accessed_ms, ..row });
                }
            } else if let Some(id) = actor.principal_id()
                && let Some(row) = txn.get(&ROBOTS, &id)?
            {
                txn.put(&ROBOTS, &id, &Robot { accessed_ms, ..row });
            }
            Ok(())
        })
    }

    /// Whether the use of what was used then is to be written down again.
    pub(super) fn is_use_due(&self, accessed_ms: Option<u64>) -> bool {
        accessed_ms.is_none_or(|at_ms| self.now_ms().saturating_sub(at_ms) >= ACCESS_NOTED_MS)
    }
}

/// How long the actor's credential is still good, as far as it has an end of its own.
fn left_ms(rows: &impl Rows, actor: &Actor, now_ms: u64) -> Result<u64, Error> {
    let expires_ms = match actor.credential() {
        Some(Credential::AccessToken(id)) => rows.get(&TOKENS, id)?.and_then(|row| row.expires_ms),
        _ => None,
    };
    Ok(expires_ms.map_or(u64::MAX, |expires_ms| expires_ms.saturating_sub(now_ms)))
}

pub(super) fn revoke(txn: &mut WriteTxn<'_>, stamp: &Stamp, id: TokenId, row: &Token) -> Result<(), Error> {
    let application = row.application.unwrap_or(tokens::APP_SPECIFIC);
    let owner = txn.get(&APPLICATIONS, &application)?.ok_or(Error::Corrupt("applications"))?;
    let namespace = namespace_row(txn, owner.namespace)?.name;
    let metadata = json!({
        "oauth_token_uuid": id.to_string(),
        "application_name": owner.name,
        "client_id": owner.client_id,
    });
    stamp.record_in(txn, 0, (owner.namespace, &namespace), "revoke_oauth_api_token", &metadata)?;
    tokens::remove(txn, id).map(drop)
}

pub(super) fn info(rows: &impl Rows, id: TokenId, row: Token) -> Result<IssuedToken, Error> {
    let user = accounts::get(rows, row.principal)?.map(|user| user.name).unwrap_or_default();
    Ok(IssuedToken {
        id,
        scopes: row.scopes(),
        title: row.title,
        user,
        created_ms: row.created_ms,
        expires_ms: row.expires_ms,
        accessed_ms: row.accessed_ms,
        nonce: row.nonce,
    })
}
