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
    /// Directory that holds everything; made if it is missing [default: ./registry-data, or the configured one]
    #[arg(long, value_name = "DIR", global = true)]
    pub data: Option<PathBuf>,
    /// Address and port to listen on; port 0 lets the system choose
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080", global = true)]
    pub listen: SocketAddr,
}
