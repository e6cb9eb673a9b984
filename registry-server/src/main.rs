//! A private OCI registry in one binary.

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use registry_core::{Clock, Registry};
use registry_server::app::App;
use registry_server::audit_stream::Streaming;
use registry_server::auth::{Auth, setup_code::SetupCode};
use registry_server::cli::{Cli, ClockTask, Output, Serve, Task, UserTask};
use registry_server::config::{Config, ConfigError, LogFormat};
use registry_server::control::Command;
use registry_server::control::program::{self, read_password};
use registry_server::control::server::Control;
use registry_server::lanes::{Lane, Lanes};
use registry_server::listener::{Endpoint, Limits};
use registry_server::server;
use registry_server::tls::{self, Certificates, PairError};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tracing_subscriber::EnvFilter;

/// Threads for blocking work: both lanes, and the few that the runtime itself uses.
const BLOCKING_THREADS: usize = 128 + 32 + 8;

fn main() -> ExitCode {
    let Cli { command, serve } = Cli::parse();
    let ended = match command {
        None | Some(Task::Serve) => run(&serve).map(|()| ExitCode::SUCCESS),
        Some(Task::User(task)) => {
            user_command(task).and_then(|(command, output)| operate(&serve, command, output))
        }
        Some(Task::Status(output)) => operate(&serve, Command::Status, output),
        Some(Task::Clock(ClockTask::Accept)) => operate(&serve, Command::ClockAccept, Output::default()),
        Some(Task::Fsck { deep, output }) => operate(&serve, Command::Fsck { deep }, output),
    };
    ended.unwrap_or_else(|error| {
        // The log may not have been set up yet.
        let _ = writeln!(std::io::stderr(), "registry-server: {error}");
        ExitCode::FAILURE
    })
}

fn user_command(task: UserTask) -> Result<(Command, Output), Box<dyn Error>> {
    let command = match task {
        UserTask::List(output) => return Ok((Command::UserList, output)),
        UserTask::Create { name, email, superuser } => {
            Command::UserCreate { name, email, password: read_password()?, is_superuser: superuser }
        }
        UserTask::Passwd { name } => Command::UserPasswd { name, password: read_password()? },
        UserTask::Disable { name } => Command::UserDisable { name },
        UserTask::Enable { name } => Command::UserEnable { name },
    };
    Ok((command, Output::default()))
}

/// Has a command carried out by the server that has the data, or without one.
fn operate(serve: &Serve, command: Command, output: Output) -> Result<ExitCode, Box<dyn Error>> {
    let (config, _) = configuration(serve)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(program::run(&data(serve, &config), config.settings.clone(), command, output.json)))
}

fn configuration(serve: &Serve) -> Result<(Config, Vec<String>), ConfigError> {
    match &serve.config {
        Some(path) => Config::load(path),
        None => Ok((Config::without_file(), Vec::new())),
    }
}

/// The data directory: what the command line says beats the configuration.
fn data(serve: &Serve, config: &Config) -> PathBuf {
    let data = serve.data.clone().or_else(|| config.storage_path.clone());
    data.unwrap_or_else(|| PathBuf::from("registry-data"))
}

fn run(serve: &Serve) -> Result<(), Box<dyn Error>> {
    let (config, warnings) = configuration(serve)?;
    start_log(config.log_format);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let certificates = certificates(serve, &config)?;
    if certificates.is_some() && config.options.origins.scheme.as_deref() == Some("http") {
        tracing::warn!("PREFERRED_URL_SCHEME: clients are sent to http, and the server speaks https");
    }
    raise_file_limit();
    let data = data(serve, &config);
    let opened = Registry::open(&data, config.settings.clone());
    let registry = opened.map_err(|error| format!("{}: {error}", data.display()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()?;
    runtime.block_on(listen(serve, config, certificates, &data, registry))
}

/// The pair beside the configuration file, if HTTPS is this server's to speak.
fn certificates(serve: &Serve, config: &Config) -> Result<Option<Certificates>, PairError> {
    match serve.config.as_deref().and_then(Path::parent) {
        Some(directory) if !config.tls_ends_in_front => Certificates::load(directory, Clock::System),
        _ => Ok(None),
    }
}

async fn listen(
    serve: &Serve,
    config: Config,
    certificates: Option<Certificates>,
    data: &Path,
    registry: Registry,
) -> Result<(), Box<dyn Error>> {
    let socket = TcpListener::bind(serve.listen).await?;
    let address = socket.local_addr()?;
    let scheme = if certificates.is_some() { "https" } else { "http" };
    let lanes = Lanes::default();
    // Taken also where there is no pair to read again: left alone, the signal would end the process.
    let hangup = signal(SignalKind::hangup())?;
    let endpoint = match certificates.map(Arc::new) {
        Some(certificates) => {
            tokio::spawn(tls::keep_fresh(Arc::clone(&certificates), lanes.blobs.clone(), hangup));
            Endpoint::https(socket, certificates)
        }
        None => Endpoint::from(socket),
    };
    let url = format!("{scheme}://{address}");
    let wants_code = config.setup_code && !registry.has_users()?;
    let code = if wants_code { Some(SetupCode::new(registry.random()?)) } else { None };
    let announcement = announcement(&url, code.as_ref());
    let auth = Auth::new(&registry, code)?;
    let mut control = control(data, &registry, &auth, lanes.blobs.clone(), url);
    // Whoever reads this may rely on both channels, and on a stop that is clean.
    let signalled = stopped()?;
    let mut stdout = std::io::stdout();
    stdout.write_all(announcement.as_bytes())?;
    stdout.flush()?;
    // After that line, which is the first on standard output.
    let streaming = config.audit_stream.map(|target| Streaming::start(&registry, target)).transpose()?;
    let (app, uploads_ended) = App::new(registry, auth, lanes, config.options);
    let stop = async move {
        signalled.await;
        // Waited for, since what ends with the runtime may leave the socket behind.
        control.shutdown().await;
    };
    let ended = server::run(endpoint, app, uploads_ended, Limits::default(), stop).await;
    if let Some(streaming) = streaming {
        streaming.finish();
    }
    Ok(ended?)
}

fn announcement(url: &str, code: Option<&SetupCode>) -> String {
    match code {
        Some(code) => format!("listening on {url}\nsetup code: {code}\n"),
        None => format!("listening on {url}\n"),
    }
}

/// The operator's channel, until it is dropped. The registry serves without it too.
fn control(data: &Path, registry: &Registry, auth: &Auth, lane: Lane, url: String) -> JoinSet<()> {
    let mut channel = JoinSet::new();
    match Control::bind(data, registry.clone(), auth.hasher(), lane, url) {
        Ok(control) => {
            channel.spawn(control.serve());
        }
        Err(error) => tracing::warn!(%error, "no commands are taken: the control socket cannot be made"),
    }
    channel
}

/// Log lines go to standard error; `RUST_LOG` chooses among them.
fn start_log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    match format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().init(),
    }
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
