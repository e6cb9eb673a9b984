//! Who a client of the registry is by a name and a password: a person, a robot, a job of one, or one of Quay's names for
//! stored tokens.

use std::sync::Arc;

use registry_core::{Account, Actor, Credential, Principal, SignIn, SignInOutcome, SignInWay};
use sha2::{Digest, Sha256};

use super::caller::SignInError;
use super::token::{Claims, Subject};
use super::{Auth, job_token, robot_token};
use crate::admission::Client;
use crate::app::App;
use crate::wire::secret::Secret;

/// The name under which an OAuth access token is sent (Quay).
const OAUTH: &str = "$oauthtoken";
/// The name under which an app-specific token is sent (Quay).
const APP: &str = "$app";

/// Somebody whose credential was found good.
#[derive(Clone, Debug)]
pub(crate) struct Identified {
    /// On whose behalf they act.
    pub(crate) actor: Actor,
    /// The name of that user or robot.
    pub(crate) name: String,
    /// Whether it is a robot, which may be bound to addresses and a time.
    pub(crate) is_robot: bool,
    /// When the credential ends, in seconds since the Unix epoch.
    pub(crate) expires_at: Option<u64>,
}

impl Identified {
    /// Notes in the audit trail that they signed in.
    pub(super) fn note_sign_in(&self, app: &App) {
        app.by_request().record_sign_in(&SignIn {
            way: SignInWay::Client,
            name: self.name.clone(),
            credential: self.actor.credential().cloned(),
            outcome: SignInOutcome::SignedIn,
        });
    }
}

impl Auth {
    /// Who sends this name and password. A failure is noted in the audit trail.
    ///
    /// # Errors
    /// [`SignInError`].
    pub(crate) async fn identify(
        &self,
        app: &Arc<App>,
        client: Client,
        name: &str,
        password: &Secret,
    ) -> Result<Identified, SignInError> {
        let found = self.identified(app, client, name, password).await;
        if let Some(why) = found.as_ref().err().and_then(SignInError::guessed) {
            app.record_sign_in(SignInWay::Client, name, SignInOutcome::Refused(why));
        }
        found
    }

    async fn identified(
        &self,
        app: &Arc<App>,
        client: Client,
        name: &str,
        password: &Secret,
    ) -> Result<Identified, SignInError> {
        match name {
            OAUTH | APP => self.stored(app, name, password).await,
            _ if name.contains('+') => self.robot(app, name, password).await,
            _ => {
                let principal = self.checked(app, client, name, password).await?;
                let (actor, name) = (Actor::User(principal), name.to_owned());
                Ok(Identified { actor, name, is_robot: false, expires_at: None })
            }
        }
    }

    async fn stored(&self, app: &Arc<App>, name: &str, token: &Secret) -> Result<Identified, SignInError> {
        let actor = stored_token(app, token).await?.filter(|holder| {
            let is_access_token = matches!(holder.actor.credential(), Some(Credential::AccessToken(_)));
            is_access_token == (name == OAUTH)
        });
        let holder = actor.ok_or(SignInError::Wrong)?;
        let expires_at = holder.expires_ms.map(|ms| ms / 1000);
        Ok(Identified { actor: holder.actor, name: holder.account.name, is_robot: false, expires_at })
    }

    async fn robot(&self, app: &Arc<App>, name: &str, sent: &Secret) -> Result<Identified, SignInError> {
        let asked = name.to_owned();
        let account =
            app.ask(move |registry| registry.account(&asked)).await.map_err(SignInError::Registry)?;
        let account = account.filter(|account| !account.is_disabled);
        let is_use_due = account.as_ref().is_some_and(|account| account.is_use_due);
        let now_seconds = app.registry.now_ms() / 1000;
        let found = match job_token::open(&self.tokens, sent, now_seconds) {
            Some(claims) => job(account, claims),
            None => matching(account, sent).map(|principal| (Actor::User(principal), None)),
        };
        let (actor, expires_at) = found.ok_or(SignInError::Wrong)?;
        if is_use_due {
            note_use(app, &actor).await;
        }
        Ok(Identified { actor, name: name.to_owned(), is_robot: true, expires_at })
    }
}

/// Who sent a stored token, whose use is noted.
///
/// # Errors
/// [`SignInError::Registry`].
pub(crate) async fn stored_token(
    app: &Arc<App>,
    token: &Secret,
) -> Result<Option<registry_core::TokenHolder>, SignInError> {
    let hash: [u8; 32] = Sha256::digest(token.expose()).into();
    let found = app.ask(move |registry| registry.token_holder(hash)).await;
    let found = found.map_err(SignInError::Registry)?;
    if let Some(holder) = found.as_ref().filter(|holder| holder.is_use_due) {
        note_use(app, &holder.actor).await;
    }
    Ok(found)
}

async fn note_use(app: &Arc<App>, actor: &Actor) {
    let actor = actor.clone();
    let noted = app.call(move |registry| registry.note_use(&actor)).await;
    // The token is as good without.
    let _ = noted.inspect_err(|cause| tracing::warn!(%cause, "the use of a token was not noted"));
}

/// The robot of the account, if that is its token. A robot that does not exist costs as much.
fn matching(account: Option<Account>, sent: &Secret) -> Option<Principal> {
    let principal = account.as_ref().map(|account| account.principal);
    let hash = account.and_then(|account| account.token_hash).unwrap_or_else(|| vec![0; 32]);
    principal.filter(|_| robot_token::matches(sent, &hash))
}

/// The job and when it ends, if the account is its robot's, at the generation that it was derived from.
fn job(account: Option<Account>, claims: Claims) -> Option<(Actor, Option<u64>)> {
    let Subject::Narrowed(principal, credential) = claims.subject else { return None };
    account.filter(|account| account.principal == principal)?;
    Some((Actor::Narrowed(principal, credential), Some(claims.expires_at)))
}
