//! The operator's channel: one way for every command, whether a server runs or not.
//!
//! A server listens on [`SOCKET`] in its data directory, which nobody but its own user and root can reach: whoever can
//! could read and write the data as well, so no password is asked for, and a lost one can be reset. A command is sent
//! there, or carried out here on the data itself if no server has it.

pub mod client;
mod execute;
pub mod program;
pub mod server;

use serde::{Deserialize, Serialize};

pub use self::execute::{Failed, Setting, execute};
use crate::wire::secret::Secret;

/// The socket's name in the data directory.
pub const SOCKET: &str = "control.sock";

/// What an operator can ask for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Command {
    /// Creates a user.
    UserCreate {
        /// The name.
        name: String,
        /// The e-mail address; may be empty.
        #[serde(default)]
        email: String,
        /// The password.
        password: Secret,
        /// Whether the user is a superuser whatever the configuration says.
        #[serde(default)]
        is_superuser: bool,
    },
    /// Gives a user a new password; whatever was signed in with the old one ends.
    UserPasswd {
        /// The name.
        name: String,
        /// The password.
        password: Secret,
    },
    /// Lists the users.
    UserList,
    /// Ends whatever a user is signed in to, and lets nobody sign in as them.
    UserDisable {
        /// The name.
        name: String,
    },
    /// Lets a user sign in again.
    UserEnable {
        /// The name.
        name: String,
    },
    /// How the server does.
    Status,
    /// Takes the clock as right although it jumped ahead.
    ClockAccept,
    /// Proves that rows and files agree.
    Fsck {
        /// Whether every file is hashed as well.
        #[serde(default)]
        deep: bool,
    },
}

/// What a command came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It is done.
    Done,
    /// The users.
    Users(Vec<User>),
    /// How the server does.
    Status(Status),
    /// What does not agree.
    Fsck {
        /// A line for each thing.
        findings: Vec<String>,
        /// Files that the search after an unclean stop has yet to look at.
        awaiting: Vec<String>,
    },
}

/// A user, as an operator sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// The name.
    pub name: String,
    /// The e-mail address; may be empty.
    pub email: String,
    /// Whether the user is a superuser, by its row or by the configuration.
    pub is_superuser: bool,
    /// Whether nobody can sign in as them.
    pub is_disabled: bool,
    /// RFC 3339.
    pub created: String,
}

/// How a server does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The server, if one runs.
    pub server: Option<RunningServer>,
    /// The version of the program that answers.
    pub version: String,
    /// Blobs, each once.
    pub blobs: u64,
    /// Their bytes.
    pub blob_bytes: u64,
    /// Manifests, each once.
    pub manifests: u64,
    /// Uploads that have neither ended nor expired.
    pub open_uploads: u64,
    /// Whether files that no row names are still being looked for after an unclean stop.
    pub awaits_sweep: bool,
    /// Blobs that were found absent or of the wrong length since the start.
    pub missing_blobs: u64,
    /// Whether the clock jumped ahead, so that nothing ends by time until it is accepted.
    pub doubts_clock: bool,
    /// How often the metadata was reopened after a failure since the start.
    pub reopenings: u64,
}

/// A server that runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunningServer {
    /// Its process.
    pub pid: u32,
    /// Where clients reach it.
    pub url: String,
    /// Since when, RFC 3339.
    pub since: String,
}
