//! The command's end: asks the server that has the data, or opens the data itself.

use std::io;
use std::path::Path;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::header::HOST;
use hyper_util::rt::TokioIo;
use registry_core::{Error, Registry, Settings};
use tokio::net::UnixStream;

use super::{Answer, Command, Failed, SOCKET, Setting, execute};
use crate::auth::password::Hasher;

/// Has `command` carried out on the registry in `data`. `settings` hold where no server runs.
///
/// # Errors
/// [`Failed`].
pub async fn ask(data: &Path, settings: Settings, command: Command) -> Result<Answer, Failed> {
    let socket = data.join(SOCKET);
    match UnixStream::connect(&socket).await {
        Ok(stream) => converse(stream, &command).await,
        Err(cause) if is_nobody(&cause) => directly(data, settings, command),
        Err(cause) => Err(Failed(format!("{}: {cause}", socket.display()))),
    }
}

/// Whether nobody listens: there is no socket, or that of a server that is gone.
fn is_nobody(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

async fn converse(stream: UnixStream, command: &Command) -> Result<Answer, Failed> {
    let broken = |cause: hyper::Error| Failed(format!("the server did not answer: {cause}"));
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let connection = tokio::spawn(connection);
    let body = serde_json::to_vec(command).map_err(|cause| Failed(cause.to_string()))?;
    let request = Request::post("/").header(HOST, "control").body(Full::new(Bytes::from(body)));
    let request = request.map_err(|cause| Failed(cause.to_string()))?;
    let response = sender.send_request(request).await.map_err(broken)?;
    let is_ok = response.status().is_success();
    let body = response.into_body().collect().await.map_err(broken)?.to_bytes();
    connection.abort();
    let not_understood =
        |_| Failed("the server's answer was not understood: is it another version?".to_owned());
    if is_ok {
        return serde_json::from_slice(&body).map_err(not_understood);
    }
    let refusal: serde_json::Value = serde_json::from_slice(&body).map_err(not_understood)?;
    Err(Failed(refusal["error"].as_str().unwrap_or("the server refused").to_owned()))
}

/// Opens the data, which no server has, and closes it again.
fn directly(data: &Path, settings: Settings, command: Command) -> Result<Answer, Failed> {
    if !data.join("registry.redb").exists() {
        return Err(Failed(format!("{}: there is no registry here", data.display())));
    }
    let registry = Registry::open(data, settings).map_err(|error| match error {
        Error::InUse(by) => Failed(format!("{}: {by}, which does not answer commands", data.display())),
        error => Failed(format!("{}: {}", data.display(), Failed::from(error))),
    })?;
    if matches!(command, Command::Fsck { .. }) {
        // What an unclean stop left behind is put in order first, as a server does.
        registry.run_background()?;
    }
    let setting = Setting { registry: &registry, hasher: &Hasher::new(), server: None };
    let answer = execute(&setting, command, &|| true);
    registry.close()?;
    answer
}
