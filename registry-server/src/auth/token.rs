//! Bearer tokens: who somebody is and what they asked for, signed.
//!
//! A token carries no decision: the rights of its principal are looked up when it is used, and its principal's
//! generation is compared with the row then, so that revocation is immediate.
//!
//! The form is that of a JWT (RFC 7519) under HS256, in compact serialization (RFC 7515 §7.1), since clients expect
//! to see one; nobody but this registry reads it. It is written out here because `jsonwebtoken` would bring a second
//! crypto library for one HMAC. The header is a constant: a token that says anything else of itself is refused
//! before anything in it is read, so the algorithm is chosen by the key and never by the token.

use std::{collections::BTreeMap, fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use registry_core::{Actor, Credential};

use super::job_token::SignedJob;
use super::{Principal, PrincipalId};
use crate::wire::{
    authorization::MAX_BEARER_BYTES,
    scope::{Actions, Scopes},
};

/// How long a token is good, in seconds, as in Quay.
pub const LIFETIME_SECONDS: u64 = 3600;

/// How far the clock may go back between issue and use, and how long after its end a token is still taken, in seconds.
pub const LEEWAY_SECONDS: u64 = 30;

/// `{"alg":"HS256","typ":"JWT"}` and the dot after it.
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.";

/// Whom a token was issued to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Somebody who did not sign in.
    Anonymous,
    /// A principal, at the generation that its credential had.
    Principal(Principal),
    /// The same by a credential that may be narrower.
    Narrowed(Principal, Credential),
}

impl Subject {
    /// On whose behalf a token of this subject acts.
    pub fn into_actor(self) -> Actor {
        match self {
            Self::Anonymous => Actor::Anonymous,
            Self::Principal(principal) => Actor::User(principal),
            Self::Narrowed(principal, credential) => Actor::Narrowed(principal, credential),
        }
    }
}

impl From<Actor> for Subject {
    fn from(actor: Actor) -> Self {
        match actor {
            // The embedder sends no requests.
            Actor::Owner | Actor::Anonymous => Self::Anonymous,
            Actor::User(principal) => Self::Principal(principal),
            Actor::Narrowed(principal, credential) => Self::Narrowed(principal, credential),
        }
    }
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Whom it was issued to.
    pub subject: Subject,
    /// Whether that is a robot, which may be bound to addresses and a time.
    pub is_robot: bool,
    /// What was asked for; grants nothing.
    pub asked: Scopes,
    /// The registry that it is for, as named in the challenge; empty for a job token, which is for this one under any
    /// name.
    pub service: String,
    /// When it was issued, in seconds since the Unix epoch.
    pub issued_at: u64,
    /// When it ends, in seconds since the Unix epoch.
    pub expires_at: u64,
}

impl Claims {
    /// Claims issued at `now_seconds` (since the Unix epoch) that hold for [`LIFETIME_SECONDS`].
    pub fn new(subject: Subject, asked: Scopes, service: impl Into<String>, now_seconds: u64) -> Self {
        let expires_at = now_seconds.saturating_add(LIFETIME_SECONDS);
        Self { subject, is_robot: false, asked, service: service.into(), issued_at: now_seconds, expires_at }
    }
}

/// Why a token was refused. None of them repeats what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Too long, or not in the form in which tokens are issued here.
    #[error("token is malformed")]
    Malformed,
    /// Not signed with this key, or changed since.
    #[error("token is not signed by this registry")]
    BadSignature,
    /// Used after its end.
    #[error("token has expired")]
    Expired,
    /// Used before it was issued: the clock went back.
    #[error("token is not valid yet")]
    NotYetValid,
    /// Issued for another service.
    #[error("token is for another service")]
    OtherService,
}

/// The key that signs tokens; `Debug` does not show it.
#[derive(Clone)]
pub struct TokenKey(Hmac<Sha256>);

impl TokenKey {
    /// The key made of `secret`, which has to be random.
    pub fn new(secret: [u8; 32]) -> Self {
        Self(Hmac::new_from_slice(&secret).expect("invariant: HMAC takes keys of any length"))
    }

    /// The token that says `claims`.
    ///
    /// Where the list of what was asked for would make it longer than a token that is read
    /// ([`MAX_BEARER_BYTES`]), it says that anything was asked for, which grants nothing either.
    pub fn issue(&self, claims: &Claims) -> String {
        let token = self.sign(&Payload::listed(claims));
        if token.len() <= MAX_BEARER_BYTES { token } else { self.sign(&Payload::any(claims)) }
    }

    /// What `token` says, if it was issued with this key for `expected_service` and holds at `now_seconds` (since the
    /// Unix epoch).
    ///
    /// # Errors
    /// Every [`TokenError`]. Nothing in a token is read before its signature is found good.
    pub fn verify(
        &self,
        token: &str,
        expected_service: &str,
        now_seconds: u64,
    ) -> Result<Claims, TokenError> {
        let claims = self.open(token)?.into_claims().ok_or(TokenError::Malformed)?;
        if claims.service != expected_service && !claims.service.is_empty() {
            return Err(TokenError::OtherService);
        }
        if now_seconds.saturating_add(LEEWAY_SECONDS) < claims.issued_at {
            return Err(TokenError::NotYetValid);
        }
        if now_seconds >= claims.expires_at.saturating_add(LEEWAY_SECONDS) {
            return Err(TokenError::Expired);
        }
        Ok(claims)
    }

    fn sign(&self, payload: &Payload) -> String {
        let json =
            serde_json::to_vec(payload).expect("invariant: strings, numbers and maps of them are JSON");
        let mut token = HEADER.to_owned();
        URL_SAFE_NO_PAD.encode_string(json, &mut token);
        let signature = self.0.clone().chain_update(&token).finalize().into_bytes();
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        token
    }

    fn open(&self, token: &str) -> Result<Payload, TokenError> {
        if token.len() > MAX_BEARER_BYTES {
            return Err(TokenError::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let payload = signed.strip_prefix(HEADER).ok_or(TokenError::Malformed)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Malformed)?;
        // In constant time.
        self.0.clone().chain_update(signed).verify_slice(&signature).map_err(|_| TokenError::BadSignature)?;
        let json = URL_SAFE_NO_PAD.decode(payload).map_err(|_| TokenError::Malformed)?;
        serde_json::from_slice(&json).map_err(|_| TokenError::Malformed)
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(***)")
    }
}

/// The claims as they stand in a token: registered names where RFC 7519 has them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    aud: String,
    iat: u64,
    exp: u64,
    /// Absent for an anonymous subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<SignedPrincipal>,
    asked: Asked,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignedPrincipal {
    id: u64,
    generation: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    robot: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    app_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    job: Option<SignedJob>,
}

impl SignedPrincipal {
    fn new(Principal { id, generation }: &Principal, credential: Option<&Credential>, robot: bool) -> Self {
        let (mut access_token, mut app_token, mut job) = (None, None, None);
        match credential {
            None => {}
            Some(Credential::AccessToken(id)) => access_token = Some(id.to_string()),
            Some(Credential::AppToken(id)) => app_token = Some(id.to_string()),
            Some(Credential::Job(narrowed)) => job = Some(SignedJob::of(narrowed)),
        }
        Self { id: id.0, generation: *generation, robot, access_token, app_token, job }
    }

    /// None if it says what this build does not: nothing that narrows is passed over.
    fn into_subject(self) -> Option<Subject> {
        let principal = Principal { id: PrincipalId(self.id), generation: self.generation };
        let credential = match (self.access_token, self.app_token, self.job) {
            (None, None, None) => return Some(Subject::Principal(principal)),
            (Some(id), None, None) => Credential::AccessToken(id.parse().ok()?),
            (None, Some(id), None) => Credential::AppToken(id.parse().ok()?),
            (None, None, Some(job)) => Credential::Job(Arc::new(job.into_job()?)),
            _ => return None,
        };
        Some(Subject::Narrowed(principal, credential))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// Actions as in a scope, by repository.
    repositories: BTreeMap<String, String>,
    catalog: bool,
    any: bool,
}

impl Payload {
    fn listed(claims: &Claims) -> Self {
        let asked = &claims.asked;
        let repositories =
            asked.repositories.iter().map(|(name, actions)| (name.clone(), actions.to_string()));
        Self::new(
            claims,
            Asked { repositories: repositories.collect(), catalog: asked.catalog, any: asked.any },
        )
    }

    fn any(claims: &Claims) -> Self {
        Self::new(claims, Asked { repositories: BTreeMap::new(), catalog: claims.asked.catalog, any: true })
    }

    fn new(claims: &Claims, asked: Asked) -> Self {
        let principal = match &claims.subject {
            Subject::Anonymous => None,
            Subject::Principal(principal) => Some(SignedPrincipal::new(principal, None, claims.is_robot)),
            Subject::Narrowed(principal, credential) => {
                Some(SignedPrincipal::new(principal, Some(credential), claims.is_robot))
            }
        };
        Self { aud: claims.service.clone(), iat: claims.issued_at, exp: claims.expires_at, principal, asked }
    }

    fn into_claims(self) -> Option<Claims> {
        let Asked { repositories, catalog, any } = self.asked;
        let repositories =
            repositories.into_iter().map(|(name, actions)| (name, Actions::parse(&actions))).collect();
        let is_robot = self.principal.as_ref().is_some_and(|principal| principal.robot);
        let subject = match self.principal {
            None => Subject::Anonymous,
            Some(principal) => principal.into_subject()?,
        };
        Some(Claims {
            subject,
            is_robot,
            asked: Scopes { repositories, catalog, any },
            service: self.aud,
            issued_at: self.iat,
            expires_at: self.exp,
        })
    }
}

#[cfg(test)]
mod tests;
