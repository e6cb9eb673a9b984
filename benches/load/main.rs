//! The client with which the server is compared with others: makes one kind of load and prints one line of JSON.

mod crowd;
mod http;
mod measure;
mod pull;
mod push;
mod seed;

use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::http::Target;

#[derive(Debug, Parser)]
#[command(about = "Makes one kind of load on a registry and prints one line of JSON")]
struct Cli {
    #[command(subcommand)]
    load: Load,
}

#[derive(Debug, Args)]
struct Server {
    /// Address and port of the server.
    #[arg(long)]
    address: SocketAddr,
    /// Bearer token for each request.
    #[arg(long)]
    token: Option<String>,
    /// Speak TLS and trust the certificate in this PEM file.
    #[arg(long)]
    ca: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Load {
    /// Pull one path many times.
    Pull {
        #[command(flatten)]
        server: Server,
        path: String,
        #[arg(long, default_value_t = 1)]
        connections: usize,
        /// Pulls on each connection.
        #[arg(long, default_value_t = 1)]
        times: usize,
    },
    /// Ask for one path again and again.
    Requests {
        #[command(flatten)]
        server: Server,
        path: String,
        #[arg(long, default_value = "GET")]
        method: String,
        #[arg(long, default_value_t = 1)]
        connections: usize,
        /// From an answer to the next request on the same connection.
        #[arg(long, default_value_t = 0)]
        interval_ms: u64,
        #[arg(long)]
        seconds: f64,
    },
    /// Push distinct images of five small layers.
    Images {
        #[command(flatten)]
        server: Server,
        /// What the repositories' names begin with; a number follows.
        prefix: String,
        #[arg(long)]
        connections: usize,
        #[arg(long)]
        seconds: f64,
        #[arg(long)]
        seed: u64,
    },
    /// Push one blob.
    Blob {
        #[command(flatten)]
        server: Server,
        repository: String,
        #[arg(long)]
        bytes: u64,
        #[arg(long)]
        seed: u64,
    },
    /// Gather slow pulls, uploads and resting connections until standard input ends.
    Crowd {
        #[command(flatten)]
        server: Server,
        /// What the slow ones pull.
        path: String,
        /// Where the uploads go.
        repository: String,
        #[arg(long)]
        slow: usize,
        #[arg(long)]
        uploads: usize,
        #[arg(long)]
        idle: usize,
    },
    /// Fill a data directory that no server uses.
    Fill {
        #[arg(long)]
        data: PathBuf,
        #[arg(long)]
        namespace: String,
        /// So many repositories, and so many tags in one of them.
        #[arg(long)]
        count: usize,
    },
}

impl Server {
    fn target(self) -> Result<Target, std::io::Error> {
        let tls = self.ca.map(|path| http::trusting(&path)).transpose()?;
        Ok(Target { address: self.address, token: self.token, tls })
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;
    let report = match Cli::parse().load {
        Load::Pull { server, path, connections, times } => {
            pull::pull(&server.target()?, &path, connections, times)?
        }
        Load::Requests { server, path, method, connections, interval_ms, seconds } => {
            let interval = Duration::from_millis(interval_ms);
            let lasting = Duration::from_secs_f64(seconds);
            pull::requests(&server.target()?, (&method, &path), connections, interval, lasting)?
        }
        Load::Images { server, prefix, connections, seconds, seed } => {
            push::images(&server.target()?, &prefix, connections, Duration::from_secs_f64(seconds), seed)?
        }
        Load::Blob { server, repository, bytes, seed } => {
            push::blob(&server.target()?, &repository, bytes, seed)?
        }
        Load::Crowd { server, path, repository, slow, uploads, idle } => {
            crowd::Crowd { slow, path, uploads, repository, idle }.gather(&server.target()?)?
        }
        Load::Fill { data, namespace, count } => seed::fill(&data, &namespace, count)?,
    };
    writeln!(std::io::stdout(), "{report}")?;
    Ok(())
}
