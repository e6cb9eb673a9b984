//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// A private OCI registry in one binary.
#[derive(Debug, Parser)]
#[command(name = "registry-server", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Task>,
    /// What to serve, and where.
    #[command(flatten)]
    pub serve: Serve,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Serve the registry (the default)
    Serve,
    /// Create, list, disable and enable users, and give them new passwords
    #[command(subcommand)]
    User(UserTask),
    /// Tell how the server does
    Status(Output),
    /// Say that the clock is right after it jumped ahead, so that what is due by it ends
    #[command(subcommand)]
    Clock(ClockTask),
    /// Prove that rows and files agree: status 0 if they do, 1 if not, 2 if it could not be found out
    Fsck {
        /// Hash every file as well
        #[arg(long)]
        deep: bool,
        /// How to print it.
        #[command(flatten)]
        output: Output,
    },
}

/// What can be done with users.
#[derive(Debug, Subcommand)]
pub enum UserTask {
    /// Create a user; the password is asked for, or read from standard input
    Create {
        /// The name, which becomes that of the user's namespace too
        name: String,
        /// The e-mail address
        #[arg(long, default_value = "", hide_default_value = true)]
        email: String,
        /// Make the user a superuser, whatever the configuration says
        #[arg(long)]
        superuser: bool,
    },
    /// Give a user a new password; it is asked for, or read from standard input
    Passwd {
        /// The user
        name: String,
    },
    /// List the users
    List(Output),
    /// Let nobody sign in as the user, and end what is signed in
    Disable {
        /// The user
        name: String,
    },
    /// Let the user sign in again
    Enable {
        /// The user
        name: String,
    },
}

/// What can be done about the clock.
#[derive(Debug, Subcommand)]
pub enum ClockTask {
    /// Take it as right
    Accept,
}

/// How an answer is printed.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct Output {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Options of `serve`.
#[derive(Debug, clap::Args)]
pub struct Serve {
    /// Configuration file, with Quay's key names
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Directory that holds everything; made if it is missing [default: ./registry-data, or the configured one]
    #[arg(long, value_name = "DIR", global = true)]
    pub data: Option<PathBuf>,
    /// Address and port to listen on; port 0 lets the system choose
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080", global = true)]
    pub listen: SocketAddr,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_stand_before_and_after_the_command() {
        for line in [
            ["registry-server", "serve", "--data", "d", "--listen", "127.0.0.1:0"],
            ["registry-server", "--data", "d", "--listen", "127.0.0.1:0", "serve"],
        ] {
            let cli = Cli::try_parse_from(line).unwrap();
            assert_eq!(cli.serve.data, Some(PathBuf::from("d")));
            assert_eq!(cli.serve.listen.port(), 0);
        }
    }

    #[test]
    fn with_no_arguments_it_serves_on_loopback() {
        let cli = Cli::try_parse_from(["registry-server"]).unwrap();
        assert_eq!(cli.serve.listen.to_string(), "127.0.0.1:8080");
        assert_eq!((cli.serve.config, cli.serve.data), (None, None));
    }

    #[test]
    fn what_it_does_not_know_is_refused() {
        assert!(Cli::try_parse_from(["registry-server", "server"]).is_err());
        assert!(Cli::try_parse_from(["registry-server", "user", "create"]).is_err());
        assert!(Cli::try_parse_from(["registry-server", "--listen", "nowhere"]).is_err());
    }
}
