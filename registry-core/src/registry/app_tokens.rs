//! App-specific tokens, which stand in for their user's password at clients of the registry.
//!
//! Each is made at the edge, of a nonce and of a key outside this database, so that it can be shown again.

use serde_json::json;

use super::Registry;
use super::applications::KeptSecret;
use super::tokens::{IssuedToken, info};
use crate::Error;
use crate::access::{AccountAction, Actor, TokenId};
use crate::metadata::{Growth, Lane, Rows};
use crate::model::records::Token;
use crate::model::tables::{TOKENS, USER_TOKENS};
use crate::model::{standing, tokens};

impl Registry {
    /// Makes an app-specific token of the actor's.
    ///
    /// # Errors
    /// [`Error::TooMany`] beyond 200; as [`Registry::authorizations`].
    pub fn create_app_token(
        &self,
        actor: &Actor,
        title: &str,
        secret: &KeptSecret,
    ) -> Result<IssuedToken, Error> {
        let id = TokenId::from_random(self.0.entropy.bytes()?);
        let stamp = self.stamp(actor, 1)?;
        let made = self.0.metadata.write(|txn| {
            let (user, account) = standing::account(txn, &self.0.settings, actor, AccountAction::SetSecrets)?;
            let lifetime_ms = self.0.settings.app_token_expiry_ms;
            let row = Token {
                principal: user,
                title: title.to_owned(),
                nonce: secret.nonce.to_vec(),
                secret_hash: secret.hash.to_vec(),
                created_ms: stamp.now_ms,
                expires_ms: lifetime_ms.map(|lifetime_ms| stamp.now_ms.saturating_add(lifetime_ms)),
                ..Token::default()
            };
            tokens::insert(txn, &self.0.settings, id, &row)?;
            let metadata = named(id, title);
            stamp.record_in(txn, 0, (user.into(), &account.name), "create_app_specific_token", &metadata)?;
            info(txn, id, row)
        })?;
        tracing::info!(%actor, token = %id, "app-specific token created");
        Ok(made)
    }

    /// The actor's app-specific tokens, without their nonces, in no order that means anything.
    ///
    /// # Errors
    /// As [`Registry::authorizations`].
    pub fn app_tokens(&self, actor: &Actor) -> Result<Vec<IssuedToken>, Error> {
        self.0.metadata.read(|rows| {
            let (user, _) = standing::account(rows, &self.0.settings, actor, AccountAction::Administer)?;
            let prefix = (user, tokens::APP_SPECIFIC);
            let listed = rows.scan(&USER_TOKENS, &prefix, None, tokens::MOST_OF_USER)?;
            let found = listed.into_iter().map(|((_, _, id), ())| {
                let row = rows.get(&TOKENS, &id)?.ok_or(Error::Corrupt("tokens"))?;
                info(rows, id, Token { nonce: Vec::new(), ..row })
            });
            found.collect()
        })
    }

    /// One of the actor's app-specific tokens.
    ///
    /// # Errors
    /// [`Error::TokenUnknown`]; as [`Registry::authorizations`].
    pub fn app_token(&self, actor: &Actor, id: TokenId) -> Result<IssuedToken, Error> {
        self.0.metadata.read(|rows| {
            let (user, _) = standing::account(rows, &self.0.settings, actor, AccountAction::SetSecrets)?;
            info(rows, id, tokens::own(rows, user, true, id)?)
        })
    }

    /// Revokes one of the actor's app-specific tokens.
    ///
    /// # Errors
    /// As [`Registry::app_token`].
    pub fn revoke_app_token(&self, actor: &Actor, id: TokenId) -> Result<(), Error> {
        let stamp = self.stamp(actor, 1)?;
        self.0.metadata.write_in(Lane::Foreground, Growth::MayUseReserve, |txn| {
            let (user, account) = standing::account(txn, &self.0.settings, actor, AccountAction::Administer)?;
            let row = tokens::own(txn, user, true, id)?;
            tokens::remove(txn, id)?;
            let metadata = named(id, &row.title);
            stamp.record_in(txn, 0, (user.into(), &account.name), "revoke_app_specific_token", &metadata)
        })?;
        tracing::info!(%actor, token = %id, "app-specific token revoked");
        Ok(())
    }
}

fn named(id: TokenId, title: &str) -> serde_json::Value {
    json!({"app_specific_token_title": title, "app_specific_token": id.to_string()})
}
