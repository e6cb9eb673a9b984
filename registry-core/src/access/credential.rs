//! Which of a principal's credentials somebody came with.

use std::fmt;
use std::sync::Arc;

use super::{Globs, Principal, PrincipalId};
use crate::ids::random_id;

random_id! {
    /// Names a stored token to clients and in events: a random UUID. Not the secret.
    TokenId
}

impl std::str::FromStr for TokenId {
    type Err = crate::Error;

    /// Reads the hyphenated form.
    ///
    /// # Errors
    /// [`crate::Error::TokenUnknown`]: no token has such a name.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        uuid::Uuid::try_parse(text).map(|id| Self(id.into_bytes())).map_err(|_| crate::Error::TokenUnknown)
    }
}

/// What a job token narrows its robot to. Nothing of it is stored: it travels, signed, in the token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Job {
    /// Tells it apart in events.
    pub id: TokenId,
    /// Which repositories it reaches.
    pub repositories: Globs,
    /// Whether it pushes, besides pulling.
    pub pushes: bool,
}

/// A credential that may be narrower than its principal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Credential {
    /// An OAuth access token. Its row is read at each request, so that revoking it counts with the next one; a new
    /// password of its user does not end it.
    AccessToken(TokenId),
    /// An app-specific token, likewise.
    AppToken(TokenId),
    /// A token that a robot derived for one job. It ends with the robot's generation.
    Job(Arc<Job>),
}

/// On whose behalf an operation runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// The program that embeds the registry: everything is granted.
    Owner,
    /// Nobody is signed in.
    Anonymous,
    /// A signed-in principal, by a credential of their own: a password, a session, a robot's token.
    User(Principal),
    /// The same, by a credential that may be narrower.
    Narrowed(Principal, Credential),
}

impl Actor {
    /// Who is signed in.
    pub fn principal(&self) -> Option<&Principal> {
        match self {
            Self::User(principal) | Self::Narrowed(principal, _) => Some(principal),
            Self::Owner | Self::Anonymous => None,
        }
    }

    /// The id of who is signed in.
    pub fn principal_id(&self) -> Option<PrincipalId> {
        self.principal().map(|principal| principal.id)
    }

    /// The credential, if it is not the principal's own.
    pub fn credential(&self) -> Option<&Credential> {
        match self {
            Self::Narrowed(_, credential) => Some(credential),
            Self::Owner | Self::Anonymous | Self::User(_) => None,
        }
    }
}

/// As log lines name it.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner => f.write_str("owner"),
            Self::Anonymous => f.write_str("anonymous"),
            Self::User(principal) => write!(f, "user {}", principal.id.0),
            Self::Narrowed(principal, Credential::AccessToken(id) | Credential::AppToken(id)) => {
                write!(f, "user {} by token {id}", principal.id.0)
            }
            Self::Narrowed(principal, Credential::Job(job)) => {
                write!(f, "robot {} by job {}", principal.id.0, job.id)
            }
        }
    }
}
