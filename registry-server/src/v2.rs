//! The distribution specification: `/v2/`, parsed by hand from the right on the raw path.
//!
//! A handler parses, makes one call into the registry and wraps the answer. What is refused, and to whom, is decided
//! in the registry; how a refusal looks on the wire is said once, in [`refusal`].

mod blobs;
mod catalog;
mod manifests;
mod referrers;
mod refusal;
mod reply;
mod tags;
mod uploads;

use std::sync::Arc;
use std::time::Duration;

use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use registry_core::oci::RepositoryName;
use registry_core::{Action, Error, Refused, Registry};

use crate::admission::{Client, Turn, Visitor};
use crate::app::App;
use crate::auth::{self, Caller};
use crate::listener::{Body, ConnectionInfo, ReceivedBody};
use crate::origin::Origin;
use crate::wire::path::V2Path;
use crate::wire::query::Query;
use crate::wire::scope::Actions;

pub(crate) use self::refusal::{Code, Refusal};
pub(crate) use self::reply::json as json_answer;
#[cfg(feature = "api")]
pub(crate) use self::reply::{harden, keep_length_only};
pub(crate) use self::uploads::PIECE_BYTES;

/// What a handler answers.
type Reply = Result<Response<Body>, Refusal>;

/// How much of a refused request's body is still read, so that the client gets to the answer.
const DISCARD_BYTES: u64 = 16 << 20;
const DISCARD_TIME: Duration = Duration::from_secs(10);

/// A request whose caller is known.
#[derive(Debug)]
pub(crate) struct Call {
    app: Arc<App>,
    head: Parts,
    query: Query,
    caller: Caller,
    turn: Arc<Turn>,
}

/// Answers a request for a path under `/v2`.
pub(crate) async fn answer(
    app: &Arc<App>,
    request: Request<ReceivedBody>,
    from: ConnectionInfo,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let mut body = Some(body);
    let origin = app.options.origins.origin(&head, from);
    let is_head = head.method == Method::HEAD;
    let mut scope = String::new();
    let client = app.options.origins.client(&head.headers, from.peer.ip()).into();
    let reply = route(app, client, head, &mut body, &origin, &mut scope).await;
    if let Some(unread) = body {
        unread.discard(DISCARD_BYTES, DISCARD_TIME);
    }
    reply::finish(reply, &origin, &scope, is_head)
}

/// The answer to a request whose handler failed in a way that nobody foresaw.
pub(crate) fn unknown_failure() -> Response<Body> {
    let message = "the request could not be handled";
    reply::without_challenge(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Unknown, message))
}

/// The answer outside `/v2/` where nothing else is served.
#[cfg(not(feature = "api"))]
pub(crate) fn nothing_here() -> Response<Body> {
    reply::without_challenge(unknown_path())
}

/// Finds the handler. `scope` is what a challenge asks a client to come back with.
async fn route(
    app: &Arc<App>,
    client: Client,
    head: Parts,
    body: &mut Option<ReceivedBody>,
    origin: &Origin,
    scope: &mut String,
) -> Reply {
    let path = V2Path::parse(head.uri.path())
        .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, Code::NameInvalid, error))?;
    let allowed = path.methods();
    if allowed.is_empty() {
        return Err(unknown_path());
    }
    if !allowed.contains(&head.method.as_str()) {
        return Err(Refusal::method_not_allowed(allowed));
    }
    let turn = app.admission.enter(client).await?;
    if path == V2Path::Token {
        return auth::endpoint::answer(app, client, &turn, &head, body, origin).await;
    }
    *scope = needed(&path, &head.method);
    let query = Query::parse(head.uri.query().unwrap_or(""))
        .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, Code::Unsupported, error))?;
    let caller = app.auth.caller(app, client, &head, origin).await?;
    let visitor = match path.name().map(|name| app.repository(name)) {
        Some(Ok(repository)) => app.visitor(client, &caller.actor, &repository).await,
        _ => Visitor { principal: caller.principal(), ..client.into() },
    };
    let turn = Arc::new(turn.go_in(visitor).await?);
    let call = Call { app: Arc::clone(app), head, query, caller, turn };
    let reply = match &path {
        V2Path::Ping => call.ping().await,
        V2Path::Catalog => call.catalog().await,
        V2Path::Blob { name, digest } => call.blob(name, digest).await,
        V2Path::UploadStart { name } => call.start_upload(name, body).await,
        V2Path::Upload { name, id } => call.upload(name, id, body).await,
        V2Path::Manifest { name, reference } => call.manifest(name, reference, body).await,
        V2Path::Tags { name } => call.tags(name).await,
        V2Path::Referrers { name, digest } => call.referrers(name, digest).await,
        V2Path::Token | V2Path::Unknown => Err(unknown_path()),
    };
    if let Err(refusal) = &reply {
        call.note_refused(&path, refusal);
    }
    reply
}

/// The scope that a token for this request has to be asked for (Docker's token protocol).
fn needed(path: &V2Path, method: &Method) -> String {
    let name = match path.name() {
        Some(name) => name,
        None if *path == V2Path::Catalog => return "registry:catalog:*".to_owned(),
        None => return String::new(),
    };
    let is_upload = matches!(path, V2Path::UploadStart { .. } | V2Path::Upload { .. });
    let actions = match *method {
        _ if is_upload => "pull,push",
        Method::GET | Method::HEAD => "pull",
        Method::DELETE => "delete",
        _ => "pull,push",
    };
    format!("repository:{name}:{actions}")
}

fn unknown_path() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, Code::Unsupported, "nothing lies at this path")
}

impl Call {
    /// Clients learn the way to sign in from this answer alone, so nobody gets through unsigned.
    async fn ping(&self) -> Reply {
        if !self.caller.has_credential {
            return Err(Refusal::sign_in());
        }
        let actor = self.caller.actor.clone();
        self.ask(move |registry| registry.check_actor(&actor)).await?;
        Ok(reply::json(StatusCode::OK, "application/json", &serde_json::json!({})))
    }

    /// The repository that the path names, if the credential was asked for with these actions.
    fn repository(&self, name: &str, actions: Actions) -> Result<RepositoryName, Refusal> {
        let repository = self
            .app
            .repository(name)
            .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, Code::NameInvalid, error))?;
        if self.caller.covers(name, actions) || self.caller.covers(repository.as_str(), actions) {
            Ok(repository)
        } else {
            Err(Refusal::insufficient_scope())
        }
    }

    /// The repository that the path names, if the caller may push into it: refused before anything of the request is
    /// looked at and before its body is asked for.
    async fn pushable(&self, name: &str) -> Result<RepositoryName, Refusal> {
        let repository = self.repository(name, Actions::PUSH)?;
        let (actor, at) = (self.caller.actor.clone(), repository.clone());
        self.ask(move |registry| registry.check_push(&actor, &at)).await?;
        Ok(repository)
    }

    /// Notes in the audit trail that a pull, a push or a deletion was refused. The first answer that a client gets,
    /// which tells it how to sign in, is none.
    fn note_refused(&self, path: &V2Path, refusal: &Refusal) {
        let (name, reference, action) = match (path, self.head.method.as_str()) {
            (V2Path::Manifest { name, reference }, "PUT") => (name, Some(reference), Action::Push),
            (V2Path::Manifest { name, reference }, "DELETE") => (name, Some(reference), Action::Delete),
            (V2Path::Manifest { name, reference }, _) => (name, Some(reference), Action::Pull),
            (V2Path::UploadStart { name }, _) => (name, None, Action::Push),
            _ => return,
        };
        let is_told_to_sign_in = refusal.status == StatusCode::UNAUTHORIZED && !self.caller.has_credential;
        if is_told_to_sign_in || !refusal.status.is_client_error() {
            return;
        }
        let Ok(repository) = self.app.repository(name) else { return };
        let (actor, reference) = (self.caller.actor.clone(), reference.cloned());
        let message = refusal.message().to_owned();
        self.app.by_request().record_refused(&Refused { action, actor, repository, reference, message });
    }

    /// Asks the registry for what costs a few rows.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Registry) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Refusal> {
        Ok(self.app.ask(question).await?)
    }

    /// Calls the registry on the metadata lane.
    async fn registry<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Registry) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Refusal> {
        Ok(self.app.call(work).await?)
    }

    fn header(&self, name: impl hyper::header::AsHeaderName) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }
}
