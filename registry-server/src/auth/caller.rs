//! From a request's credential to an actor. Nothing is decided here: rights come from the rows, at every request.

use std::sync::Arc;
use std::time::Instant;

use hyper::http::request::Parts;
use registry_core::{Account, Actor, Error, Principal, PrincipalId};
#[cfg(feature = "api")]
use registry_core::{SignInOutcome, SignInWay};

use super::Auth;
use super::backoff::{TooSoon, Unchecked};
use crate::admission::Client;
use crate::app::{App, lane_failed};
use crate::origin::Origin;
use crate::v2::Refusal;
use crate::wire::authorization::Authorization;
use crate::wire::path::V2Path;
use crate::wire::scope::{Actions, Scopes};
use crate::wire::secret::Secret;

/// Who sent a request, and what their credential was asked for.
#[derive(Clone, Debug)]
pub struct Caller {
    /// On whose behalf it runs.
    pub actor: Actor,
    /// Whether the request carried a credential, be it an anonymous token.
    pub has_credential: bool,
    asked: Scopes,
}

impl Caller {
    /// Who is signed in.
    pub(crate) fn principal(&self) -> Option<PrincipalId> {
        self.actor.principal_id()
    }

    /// Whether the credential was asked for with `actions` on the repository. It never grants anything.
    pub(crate) fn covers(&self, repository: &str, actions: Actions) -> bool {
        self.asked.covers(repository, actions)
    }
}

/// Why nobody was signed in.
#[derive(Debug)]
pub(crate) enum SignInError {
    /// The name or the password is wrong, or the account is disabled.
    Wrong,
    /// Too many passwords are being checked.
    Busy,
    /// The wait after earlier failures is not over.
    TooSoon(TooSoon),
    /// Neither is it, but the password is the one that was wrong a moment ago.
    WrongAgain(
        #[cfg_attr(not(feature = "api"), expect(dead_code, reason = "the API alone says how long to wait"))]
        TooSoon,
    ),
    /// The registry could not be asked.
    Registry(Error),
}

impl SignInError {
    /// Why, if it is for what was sent and not for how the server does.
    pub(super) fn guessed(&self) -> Option<&'static str> {
        match self {
            Self::Wrong | Self::WrongAgain(_) => Some("Invalid Username or Password"),
            Self::TooSoon(_) => Some("Too many login attempts"),
            Self::Busy | Self::Registry(_) => None,
        }
    }
}

impl From<Unchecked> for SignInError {
    fn from(unchecked: Unchecked) -> Self {
        match unchecked {
            Unchecked::TooSoon(wait) => Self::TooSoon(wait),
            Unchecked::WrongAgain(wait) => Self::WrongAgain(wait),
        }
    }
}

impl From<SignInError> for Refusal {
    fn from(error: SignInError) -> Self {
        match error {
            // Clients fall back from one form of the token request to the other and report the last answer.
            SignInError::Wrong | SignInError::WrongAgain(_) => {
                Self::invalid_credential("the name or the password is wrong")
            }
            SignInError::Busy => Self::too_many_sign_ins(),
            SignInError::TooSoon(wait) => Self::sign_in_too_soon(wait.retry_after_seconds()),
            SignInError::Registry(error) => error.into(),
        }
    }
}

impl Auth {
    /// Who sent the request: by a password, by a token, or nobody.
    ///
    /// # Errors
    /// A 401 for a credential that is not good; 429 when too many passwords are being checked, or too soon after a wrong
    /// one.
    pub(crate) async fn caller(
        &self,
        app: &Arc<App>,
        client: Client,
        head: &Parts,
        origin: &Origin,
    ) -> Result<Caller, Refusal> {
        let asked = Scopes { any: true, ..Scopes::default() };
        match authorization(head)? {
            None => Ok(Caller { actor: Actor::Anonymous, has_credential: false, asked }),
            Some(Authorization::Basic { user, password }) => {
                let identified = self.identify(app, client, &user, &password).await?;
                // Clients that send it with each request would leave an event for each blob: asking whether one is
                // signed in is the sign-in.
                if is_ping(head) {
                    identified.note_sign_in(app);
                }
                Ok(Caller { actor: identified.actor, has_credential: true, asked })
            }
            Some(Authorization::Bearer(token)) => self.bearer(app, &token, origin).await,
        }
    }

    async fn bearer(&self, app: &Arc<App>, token: &Secret, origin: &Origin) -> Result<Caller, Refusal> {
        let now_seconds = app.registry.now_ms() / 1000;
        let claims =
            self.tokens.verify(token.expose(), &origin.host, now_seconds).map_err(Refusal::invalid_token)?;
        let actor = claims.subject.into_actor();
        if claims.is_robot {
            // Wherever the token was obtained, it is used from here and now.
            let robot = actor.clone();
            app.ask(move |registry| registry.admit(&robot)).await?;
        }
        Ok(Caller { actor, has_credential: true, asked: claims.asked })
    }

    /// The person that this name and password belong to; robots have no password. A failure is noted in the audit trail;
    /// whether this is a sign-in, the caller knows.
    ///
    /// # Errors
    /// [`SignInError`]. A name that nobody has costs as much as a wrong password.
    #[cfg(feature = "api")]
    pub(crate) async fn sign_in(
        &self,
        app: &Arc<App>,
        client: Client,
        way: SignInWay,
        user: &str,
        password: &Secret,
    ) -> Result<Principal, SignInError> {
        let signed_in = self.checked(app, client, user, password).await;
        if let Some(why) = signed_in.as_ref().err().and_then(SignInError::guessed) {
            app.record_sign_in(way, user, SignInOutcome::Refused(why));
        }
        signed_in
    }

    /// The same, noted nowhere.
    pub(super) async fn checked(
        &self,
        app: &Arc<App>,
        client: Client,
        user: &str,
        password: &Secret,
    ) -> Result<Principal, SignInError> {
        let name = user.to_owned();
        let account: Option<Account> =
            app.ask(move |registry| registry.account(&name)).await.map_err(SignInError::Registry)?;
        let account = account.filter(|account| !account.is_disabled);
        let principal = account.as_ref().map(|account| account.principal);
        let fingerprint = self.back_off.fingerprint(password.expose(), principal);
        let attempt = self.back_off.begin(user, client, fingerprint, app.registry.now_ms())?;
        let hash = match account {
            Some(account) => account.password_hash,
            None => self.hasher.dummy_hash().to_owned(),
        };
        let check = self.check(app, client, password.clone(), hash);
        let is_right =
            self.verified.verify_with(user, password.expose(), principal, Instant::now(), check).await?;
        match principal.filter(|_| is_right) {
            Some(principal) => {
                attempt.succeeded();
                Ok(principal)
            }
            None => {
                attempt.failed(app.registry.now_ms());
                Err(SignInError::Wrong)
            }
        }
    }

    /// The hash of a new password, after waiting for a place in the short queue.
    ///
    /// # Errors
    /// [`SignInError::Busy`], or [`SignInError::Registry`] if it could not be computed.
    #[cfg(feature = "api")]
    pub(crate) async fn hash(
        &self,
        app: &App,
        client: Client,
        password: Secret,
    ) -> Result<String, SignInError> {
        let permit = self.passwords.admit(client).await.map_err(|_| SignInError::Busy)?;
        let hasher = Arc::clone(&self.hasher);
        let hashing = app.lanes.metadata.run(move || {
            let _permit = permit;
            hasher.hash(password.expose())
        });
        let hash = hashing.await.map_err(|failure| SignInError::Registry(lane_failed(&failure)))?;
        hash.map_err(|cause| {
            tracing::error!(%cause, "a password could not be hashed");
            SignInError::Registry(Error::Unavailable)
        })
    }

    /// Checks a password against a hash, after waiting for a place in the short queue.
    async fn check(
        &self,
        app: &Arc<App>,
        client: Client,
        password: Secret,
        hash: String,
    ) -> Result<bool, SignInError> {
        let permit = self.passwords.admit(client).await.map_err(|_| SignInError::Busy)?;
        let hasher = Arc::clone(&self.hasher);
        let checked = app.lanes.metadata.run(move || {
            // Held by the work itself, which goes on although the client may not.
            let _permit = permit;
            hasher.verify(password.expose(), &hash)
        });
        checked.await.map_err(|failure| SignInError::Registry(lane_failed(&failure)))
    }
}

fn is_ping(head: &Parts) -> bool {
    matches!(V2Path::parse(head.uri.path()), Ok(V2Path::Ping))
}

/// What the request carries as a credential. Of several none is chosen.
pub(super) fn authorization(head: &Parts) -> Result<Option<Authorization>, Refusal> {
    let header = Authorization::only_header(&head.headers).map_err(Refusal::invalid_credential)?;
    let Some(header) = header else { return Ok(None) };
    let text = header.to_str().map_err(|_| Refusal::invalid_credential("credentials are malformed"))?;
    Authorization::parse(text).map(Some).map_err(Refusal::invalid_credential)
}
