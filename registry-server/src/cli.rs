//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// A private OCI registry in one binary.
#[derive(Debug, Parser)]
#[command(name = "registry-server", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// What to serve, and where.
    #[command(flatten)]
    pub serve: Serve,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the registry (the default).
    Serve,
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
        assert!(Cli::try_parse_from(["registry-server", "--listen", "nowhere"]).is_err());
    }
}
