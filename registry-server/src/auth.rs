//! From credentials to an actor. Nothing here grants: what an actor may do is decided by `registry-core`.
//!
//! - [`caller`]: what a request carries, Basic or Bearer, to who sent it.
//! - [`endpoint`]: the token endpoint.
//! - `identify`: which kind of credential a name and a password are.
//! - [`job_token`]: what a robot derives for one job.
//! - [`token`]: bearer tokens, which name a principal and what was asked for.
//! - [`password`]: the rules for people's passwords, their Argon2id hashes and the queue in front of that work.
//! - [`backoff`]: the wait after a wrong password.
//! - [`verified`]: which secrets were found to match a moment ago, so that Basic on every request stays cheap.
//! - [`robot_token`]: what robots send in the place of a password.
//! - [`setup_code`]: the one-time code that lets somebody create the first administrator.
//! - [`visitor`]: CSRF tokens of those who have not signed in.
//!
//! Time and random keys are handed in. A type that holds a secret does not show it in `Debug`.

pub mod backoff;
pub mod caller;
pub mod endpoint;
pub(crate) mod identify;
pub mod job_token;
pub mod password;
pub mod robot_token;
pub mod setup_code;
pub mod token;
pub mod verified;
pub mod visitor;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use backoff::BackOff;
pub use caller::Caller;
use password::{Hasher, PasswordQueue};
use registry_core::{Error, Registry};
pub use registry_core::{Principal, PrincipalId};
use robot_token::RobotKey;
use setup_code::SetupCode;
use token::TokenKey;
use verified::VerifiedSecrets;
#[cfg(feature = "api")]
use visitor::VisitorKey;

/// What checking credentials needs.
#[derive(Debug)]
pub struct Auth {
    pub(crate) tokens: TokenKey,
    pub(crate) hasher: Arc<Hasher>,
    pub(crate) passwords: PasswordQueue,
    robots: RobotKey,
    #[cfg(feature = "api")]
    pub(crate) visitors: VisitorKey,
    verified: VerifiedSecrets,
    back_off: BackOff,
    setup_code: Mutex<Option<SetupCode>>,
}

impl Auth {
    /// With the registry's own token key, which survives a restart, and the key that robots' tokens are made with. A `setup_code` lets whoever types it create the
    /// first administrator.
    ///
    /// # Errors
    /// Whatever storage refuses.
    pub fn new(registry: &Registry, setup_code: Option<SetupCode>) -> Result<Self, Error> {
        Ok(Self {
            robots: RobotKey::new(registry.key_file(robot_token::KEY_FILE)?),
            tokens: TokenKey::new(registry.secret("token key")?),
            hasher: Arc::new(Hasher::new()),
            passwords: PasswordQueue::new(),
            verified: VerifiedSecrets::new(registry.random()?, Instant::now()),
            #[cfg(feature = "api")]
            visitors: VisitorKey::new(registry.secret("visitor key")?),
            back_off: BackOff::new(),
            setup_code: Mutex::new(setup_code),
        })
    }

    /// What hashes people's passwords.
    pub fn hasher(&self) -> Arc<Hasher> {
        Arc::clone(&self.hasher)
    }

    /// What robots' tokens are made with.
    pub fn robots(&self) -> &RobotKey {
        &self.robots
    }

    /// Whether the first administrator is made with a one-time code.
    pub fn needs_setup_code(&self) -> bool {
        self.code().is_some()
    }

    /// Whether `typed` is the one-time code.
    pub fn is_setup_code(&self, typed: &str) -> bool {
        self.code().as_ref().is_some_and(|code| code.matches(typed))
    }

    fn code(&self) -> std::sync::MutexGuard<'_, Option<SetupCode>> {
        self.setup_code.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
