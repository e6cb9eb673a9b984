//! A private OCI registry in one binary.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use registry_core::{Registry, Settings};
use registry_server::app::{App, Options};
use registry_server::auth::{Auth, setup_code::SetupCode};
use registry_server::cli::{Cli, Serve};
use registry_server::lanes::Lanes;
use registry_server::listener::Limits;
use registry_server::origin::Origins;
use registry_server::server;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Threads for blocking work: both lanes, and the few that the runtime itself uses.
const BLOCKING_THREADS: usize = 128 + 32 + 8;

fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()),
        )
        .init();
    match run(cli.serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(serve: Serve) -> Result<(), Box<dyn Error>> {
    raise_file_limit();
    let data = serve.data.clone().unwrap_or_else(|| PathBuf::from("registry-data"));
    let registry = Registry::open(&data, Settings::default())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()?;
    runtime.block_on(listen(&serve, registry))
}

async fn listen(serve: &Serve, registry: Registry) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(serve.listen).await?;
    let address = listener.local_addr()?;
    let code = if registry.has_users()? { None } else { Some(SetupCode::new(registry.random()?)) };
    let mut stdout = std::io::stdout();
    writeln!(stdout, "listening on http://{address}")?;
    if let Some(code) = &code {
        writeln!(stdout, "setup code: {code}")?;
    }
    stdout.flush()?;
    let auth = Auth::new(&registry, code)?;
    let options = Options {
        library: "library".parse()?,
        origins: Origins::default(),
        page_size: 1000,
        referrers_api: true,
        user_initialize: false,
        log_requests: false,
    };
    let (app, uploads_ended) = App::new(registry, auth, Lanes::default(), options);
    Ok(server::run(listener, app, uploads_ended, Limits::default(), stopped()?).await?)
}

/// Completes when the process is told to stop.
fn stopped() -> Result<impl Future<Output = ()>, std::io::Error> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
    })
}

/// Every connection and every open upload holds a file: the most that the system allows is taken.
fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(cause) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%cause, "the limit of open files could not be raised");
    }
}
