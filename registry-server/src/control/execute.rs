//! Commands, carried out on a registry: by a server for whoever asks, or by the command itself.

use registry_core::{Account, AccountInfo, Error, NewUser, Registry};

use super::{Answer, Command, RunningServer, Status, User};
use crate::auth::password::{self, Hasher};
use crate::wire::secret::Secret;

/// Users read at once.
const PAGE: usize = 1000;

/// Why a command was not carried out, in words for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failed(pub String);

impl Failed {
    fn because(reason: impl std::fmt::Display) -> Self {
        Self(reason.to_string())
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        match error {
            Error::File(cause) => Self(cause.to_string()),
            error => Self::because(error),
        }
    }
}

/// What a command works on.
#[derive(Debug)]
pub struct Setting<'s> {
    /// The registry.
    pub registry: &'s Registry,
    /// Hashes passwords.
    pub hasher: &'s Hasher,
    /// The server that carries it out, if one does.
    pub server: Option<&'s RunningServer>,
}

/// Carries a command out; it blocks, and goes on with what takes long while `wanted` says so.
///
/// # Errors
/// [`Failed`], with nothing changed.
pub fn execute(setting: &Setting<'_>, command: Command, wanted: &dyn Fn() -> bool) -> Result<Answer, Failed> {
    let registry = setting.registry;
    match command {
        Command::UserCreate { name, email, password, is_superuser } => {
            let name = name.parse().map_err(|error| Failed(format!("{name}: {error}")))?;
            let password_hash = hashed(setting.hasher, &password)?;
            registry.create_user(&NewUser { name, email, password_hash, is_superuser })?;
            Ok(Answer::Done)
        }
        Command::UserPasswd { name, password } => {
            let account = account(registry, &name)?;
            registry.set_password(account.principal.id, &hashed(setting.hasher, &password)?)?;
            Ok(Answer::Done)
        }
        Command::UserDisable { name } => set_disabled(registry, &name, true),
        Command::UserEnable { name } => set_disabled(registry, &name, false),
        Command::UserList => Ok(Answer::Users(users(registry)?)),
        Command::Status => Ok(Answer::Status(status(registry, setting.server)?)),
        Command::ClockAccept => {
            registry.accept_clock()?;
            Ok(Answer::Done)
        }
        Command::Fsck { deep } => {
            // Nobody else is there to wait for, and what the search finds is no finding.
            if setting.server.is_none() && registry.awaits_sweep() {
                registry.sweep()?;
                registry.run_background()?;
            }
            let report = registry.audit_while(deep, wanted)?;
            Ok(Answer::Fsck { findings: report.findings, awaiting: report.awaiting })
        }
    }
}

fn account(registry: &Registry, name: &str) -> Result<Account, Failed> {
    registry.account(name)?.ok_or_else(|| Failed(format!("there is no user {name}")))
}

fn set_disabled(registry: &Registry, name: &str, is_disabled: bool) -> Result<Answer, Failed> {
    let account = account(registry, name)?;
    registry.set_disabled(account.principal.id, is_disabled)?;
    Ok(Answer::Done)
}

fn hashed(hasher: &Hasher, password: &Secret) -> Result<String, Failed> {
    password::check_rules(password.expose()).map_err(Failed::because)?;
    hasher.hash(password.expose()).map_err(Failed::because)
}

fn users(registry: &Registry) -> Result<Vec<User>, Failed> {
    let (mut users, mut last) = (Vec::new(), None);
    loop {
        let page = registry.accounts(last, PAGE)?;
        let Some(end) = page.last() else { return Ok(users) };
        last = Some(end.id);
        users.extend(page.into_iter().map(user));
    }
}

fn user(account: AccountInfo) -> User {
    User {
        name: account.name,
        email: account.email,
        is_superuser: account.is_superuser,
        is_disabled: account.is_disabled,
        created: rfc3339(account.created_ms),
    }
}

fn status(registry: &Registry, server: Option<&RunningServer>) -> Result<Status, Failed> {
    let stored = registry.stored()?;
    Ok(Status {
        server: server.cloned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        blobs: stored.blobs,
        blob_bytes: stored.blob_bytes,
        manifests: stored.manifests,
        open_uploads: stored.open_uploads,
        awaits_sweep: registry.awaits_sweep(),
        missing_blobs: registry.missing_blobs(),
        doubts_clock: registry.doubts_clock(),
        reopenings: registry.reopenings(),
    })
}

/// A time in milliseconds since the Unix epoch, as RFC 3339 to the second.
pub(super) fn rfc3339(ms: u64) -> String {
    let seconds = i64::try_from(ms / 1000).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| ms.to_string(), |time| time.to_string())
}
