//! The server's end: HTTP/1.1 over the socket, `POST /` with a command, answered when it is done.

use std::convert::Infallible;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use registry_core::Registry;
use serde_json::json;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

use super::{Command, Failed, RunningServer, SOCKET, Setting, execute};
use crate::auth::password::Hasher;
use crate::lanes::Lane;

/// The largest command, in bytes.
const COMMAND_MAX_BYTES: usize = 64 << 10;
/// How long a client may take to say what it wants.
const SPEAK_TIME: Duration = Duration::from_secs(10);

/// The channel of a running server. Dropping it closes the channel and removes the socket.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    registry: Registry,
    hasher: Arc<Hasher>,
    lane: Lane,
    server: RunningServer,
    /// One proof at a time is enough to keep the disk busy.
    is_checking: AtomicBool,
}

impl Control {
    /// Listens in `data`, whose registry this process has open: so what lies there under the name is left of a server
    /// that is gone. Commands run on `lane`.
    ///
    /// # Errors
    /// The socket cannot be made, as where the path is longer than the system allows for one.
    pub fn bind(
        data: &Path,
        registry: Registry,
        hasher: Arc<Hasher>,
        lane: Lane,
        url: String,
    ) -> io::Result<Self> {
        let path = data.join(SOCKET);
        remove(&path)?;
        // The directory is open to its owner alone, so nobody else gets in before the mode is set.
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        let since = super::execute::rfc3339(registry.now_ms());
        let server = RunningServer { pid: std::process::id(), url, since };
        let is_checking = AtomicBool::new(false);
        let shared = Arc::new(Shared { registry, hasher, lane, server, is_checking });
        Ok(Self { listener, path, shared })
    }

    /// Answers commands until it is dropped.
    pub async fn serve(self) {
        let mut open = JoinSet::new();
        loop {
            tokio::select! {
                Some(_) = open.join_next() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        open.spawn(connection(Arc::clone(&self.shared), stream));
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a command");
                        tokio::time::sleep(Duration::from_millis(500)).await;
                    }
                },
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.path) {
            tracing::debug!(%error, "the control socket could not be removed");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a socket is no content")]
fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

async fn connection(shared: Arc<Shared>, stream: UnixStream) {
    // The mode keeps others out already; this holds where a file system does not know modes.
    let is_own = |uid: u32| uid == 0 || uid == rustix::process::geteuid().as_raw();
    if !stream.peer_cred().is_ok_and(|peer| is_own(peer.uid())) {
        return tracing::warn!("a command of another user was refused");
    }
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(shared, request).await) }
    });
    let mut engine = hyper::server::conn::http1::Builder::new();
    engine.timer(TokioTimer::new()).header_read_timeout(SPEAK_TIME);
    if let Err(error) = engine.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a control connection failed");
    }
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let command = match command(request).await {
        Ok(command) => command,
        Err((status, reason)) => return json_answer(status, &json!({ "error": reason })),
    };
    match run(shared, command).await {
        Ok(answer) => json_answer(StatusCode::OK, &json!(answer)),
        Err(Failed(reason)) => json_answer(StatusCode::CONFLICT, &json!({ "error": reason })),
    }
}

async fn command(request: Request<Incoming>) -> Result<Command, (StatusCode, String)> {
    if (request.method(), request.uri().path()) != (&Method::POST, "/") {
        return Err((StatusCode::NOT_FOUND, "commands are sent as POST /".to_owned()));
    }
    let body = Limited::new(request.into_body(), COMMAND_MAX_BYTES).collect();
    let body = tokio::time::timeout(SPEAK_TIME, body).await;
    let body = body.ok().and_then(Result::ok);
    let body = body.ok_or((StatusCode::BAD_REQUEST, "the command is too long or broke off".to_owned()))?;
    serde_json::from_slice(&body.to_bytes()).map_err(|cause| (StatusCode::BAD_REQUEST, cause.to_string()))
}

/// Runs the command on the lane. What takes long ends early if the client goes away, or the server stops.
async fn run(shared: Arc<Shared>, command: Command) -> Result<super::Answer, Failed> {
    let checking = match command {
        Command::Fsck { .. } => Some(Checking::begin(&shared)?),
        _ => None,
    };
    let is_wanted = Arc::new(AtomicBool::new(true));
    let _until_dropped = Withdraw(Arc::clone(&is_wanted));
    tracing::info!(?command, "a command came through the control socket");
    let at = Arc::clone(&shared);
    let done = shared.lane.run(move || {
        let _checking = checking;
        let setting = Setting { registry: &at.registry, hasher: &at.hasher, server: Some(&at.server) };
        execute(&setting, command, &|| is_wanted.load(Ordering::Relaxed))
    });
    done.await.unwrap_or_else(|failure| Err(Failed(failure.to_string())))
}

/// The one proof that is under way.
struct Checking(Arc<Shared>);

impl Checking {
    fn begin(shared: &Arc<Shared>) -> Result<Self, Failed> {
        if shared.is_checking.swap(true, Ordering::SeqCst) {
            return Err(Failed("another fsck is under way".to_owned()));
        }
        Ok(Self(Arc::clone(shared)))
    }
}

impl Drop for Checking {
    fn drop(&mut self) {
        self.0.is_checking.store(false, Ordering::SeqCst);
    }
}

/// Tells work on another thread that nobody waits for it any more.
struct Withdraw(Arc<AtomicBool>);

impl Drop for Withdraw {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

fn json_answer(status: StatusCode, body: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    let json = hyper::header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
