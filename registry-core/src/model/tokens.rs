//! Stored tokens: OAuth access tokens and app-specific tokens, and their indexes.

use serde_json::Value;

use super::authorize::namespace_row;
use super::keys::{ApplicationId, SecretHash};
use super::records::Token;
use super::tables::{APPLICATION_TOKENS, APPLICATIONS, TOKEN_EXPIRY, TOKEN_HASHES, TOKENS, USER_TOKENS};
use crate::Error;
use crate::access::{Cap, Credential, PrincipalId, Scopes, TokenId};
use crate::metadata::key::Descending;
use crate::metadata::{Rows, WriteTxn};
use crate::settings::Settings;

/// The most app-specific tokens of one user.
pub(crate) const MOST_OF_USER: usize = 200;
/// The most tokens of one application, whatever the settings say.
pub(crate) const MOST_OF_APPLICATION: u64 = 10_000;

/// The application under which app-specific tokens lie; there is none of this id.
pub(crate) const APP_SPECIFIC: ApplicationId = ApplicationId(0);

impl Token {
    /// The application whose it is.
    fn owner(&self) -> ApplicationId {
        self.application.unwrap_or(APP_SPECIFIC)
    }

    /// What it may be used for.
    pub(crate) fn scopes(&self) -> Scopes {
        Scopes::from_bits(self.scopes.to_le_bytes()[0])
    }

    fn key(&self) -> Result<SecretHash, Error> {
        self.secret_hash.as_slice().try_into().map(SecretHash).map_err(|_| Error::Corrupt("tokens"))
    }
}

/// Stores a token. Of an application there may be so many as the settings say.
///
/// # Errors
/// [`Error::TooMany`].
pub(crate) fn insert(
    txn: &mut WriteTxn<'_>,
    settings: &Settings,
    id: TokenId,
    row: &Token,
) -> Result<(), Error> {
    if let Some(application) = row.application {
        let mut owner = txn.get(&APPLICATIONS, &application)?.ok_or(Error::Corrupt("applications"))?;
        let limit = settings.application_tokens_max.unwrap_or(MOST_OF_APPLICATION).min(MOST_OF_APPLICATION);
        if owner.is_ending {
            return Err(Error::ApplicationUnknown(owner.client_id));
        }
        if owner.tokens >= limit {
            return Err(Error::TooMany("tokens of this application"));
        }
        owner.tokens += 1;
        txn.put(&APPLICATIONS, &application, &owner);
        txn.put(&APPLICATION_TOKENS, &(application, Descending(row.created_ms), id), &());
    } else if txn.scan(&USER_TOKENS, &(row.principal, APP_SPECIFIC), None, MOST_OF_USER)?.len()
        == MOST_OF_USER
    {
        return Err(Error::TooMany("app-specific tokens"));
    }
    txn.put(&TOKENS, &id, row);
    txn.put(&TOKEN_HASHES, &row.key()?, &id);
    txn.put(&USER_TOKENS, &(row.principal, row.owner(), id), &());
    if let Some(expires_ms) = row.expires_ms {
        txn.put(&TOKEN_EXPIRY, &(expires_ms, id), &());
    }
    Ok(())
}

/// Removes a token, if it is there; gives its row.
pub(crate) fn remove(txn: &mut WriteTxn<'_>, id: TokenId) -> Result<Option<Token>, Error> {
    let Some(row) = txn.get(&TOKENS, &id)? else { return Ok(None) };
    txn.delete(&TOKENS, &id);
    txn.delete(&TOKEN_HASHES, &row.key()?);
    txn.delete(&USER_TOKENS, &(row.principal, row.owner(), id));
    if let Some(expires_ms) = row.expires_ms {
        txn.delete(&TOKEN_EXPIRY, &(expires_ms, id));
    }
    if let Some(application) = row.application {
        txn.delete(&APPLICATION_TOKENS, &(application, Descending(row.created_ms), id));
        if let Some(mut owner) = txn.get(&APPLICATIONS, &application)? {
            owner.tokens = owner.tokens.saturating_sub(1);
            txn.put(&APPLICATIONS, &application, &owner);
        }
    }
    Ok(Some(row))
}

/// Removes some of a user's tokens; true once none is left.
pub(crate) fn remove_some_of(txn: &mut WriteTxn<'_>, user: PrincipalId, limit: usize) -> Result<bool, Error> {
    let found = txn.scan(&USER_TOKENS, &(user,), None, limit)?;
    for ((_, _, token), ()) in &found {
        remove(txn, *token)?;
    }
    Ok(found.len() < limit)
}

/// The token of this hash, if it is good at this time.
pub(crate) fn find(
    rows: &impl Rows,
    hash: SecretHash,
    now_ms: u64,
) -> Result<Option<(TokenId, Token)>, Error> {
    let Some(id) = rows.get(&TOKEN_HASHES, &hash)? else { return Ok(None) };
    let row = rows.get(&TOKENS, &id)?.ok_or(Error::Corrupt("tokens"))?;
    let is_good = row.expires_ms.is_none_or(|expires_ms| expires_ms > now_ms);
    Ok(is_good.then_some((id, row)))
}

/// The token of this id, if it is that user's and of that application, or app-specific.
///
/// # Errors
/// [`Error::TokenUnknown`].
pub(crate) fn own(
    rows: &impl Rows,
    user: PrincipalId,
    is_app_specific: bool,
    id: TokenId,
) -> Result<Token, Error> {
    let row = rows.get(&TOKENS, &id)?.ok_or(Error::TokenUnknown)?;
    let is_wanted = row.principal == user && row.application.is_none() == is_app_specific;
    if is_wanted { Ok(row) } else { Err(Error::TokenUnknown) }
}

/// What an access token carries of its user's rights.
///
/// # Errors
/// [`Error::CredentialRevoked`] if it is gone, or its application is going.
pub(crate) fn access_cap(rows: &impl Rows, user: PrincipalId, id: TokenId) -> Result<Cap, Error> {
    let row = own(rows, user, false, id).map_err(revoked)?;
    match rows.get(&APPLICATIONS, &row.owner())? {
        Some(owner) if !owner.is_ending && !namespace_row(rows, owner.namespace)?.is_deleted => {
            Ok(row.scopes().cap())
        }
        _ => Err(Error::CredentialRevoked),
    }
}

/// Whether an app-specific token is good.
///
/// # Errors
/// [`Error::CredentialRevoked`] if it is gone, or there are none of its kind.
pub(crate) fn check_app_token(
    rows: &impl Rows,
    settings: &Settings,
    user: PrincipalId,
    id: TokenId,
) -> Result<(), Error> {
    own(rows, user, true, id).map_err(revoked)?;
    if settings.app_tokens { Ok(()) } else { Err(Error::CredentialRevoked) }
}

fn revoked(error: Error) -> Error {
    match error {
        Error::TokenUnknown => Error::CredentialRevoked,
        other => other,
    }
}

/// Adds to an event's metadata what it was done with (Quay's keys).
pub(crate) fn describe(
    rows: &impl Rows,
    credential: Option<&Credential>,
    metadata: &mut Value,
) -> Result<(), Error> {
    match credential {
        None => {}
        Some(Credential::Job(job)) => metadata["job"] = job.id.to_string().into(),
        Some(Credential::AppToken(id)) => metadata["app_specific_token"] = id.to_string().into(),
        Some(Credential::AccessToken(id)) => {
            metadata["oauth_token_id"] = id.to_string().into();
            let application = rows.get(&TOKENS, id)?.and_then(|row| row.application);
            if let Some(row) = application.map(|id| rows.get(&APPLICATIONS, &id)).transpose()?.flatten() {
                metadata["oauth_token_application_id"] = row.client_id.into();
                metadata["oauth_token_application"] = row.name.into();
            }
        }
    }
    Ok(())
}
