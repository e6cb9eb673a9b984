//! Uploading blobs (distribution-spec, "Pushing blobs"): begin, append, ask, finish, cancel, mount.
//!
//! What is received goes into the registry piece by piece, on a task of its own: a client that goes away, or a server
//! that stops, must not keep the session's state from being saved.

mod inflow;

use std::sync::Arc;

use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderName, LOCATION, RANGE};
use hyper::{Method, Response, StatusCode};
use registry_core::oci::{Algorithm, Digest, RepositoryName};
use registry_core::{Actor, Error, Mounted, Registry, UploadId, UploadWriter};

use self::inflow::Inflow;
pub(crate) use self::inflow::PIECE_BYTES;
use super::blobs::digest_of;
use super::refusal::{Code, Refusal};
use super::reply::{self, CONTENT_DIGEST};
use super::{Call, DISCARD_BYTES, DISCARD_TIME, Reply};
use crate::admission::{Slot, Turn};
use crate::app::App;
use crate::listener::{Body, BodyError, ReceivedBody};
use crate::wire::range::ContentRange;

const UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");

/// An upload as a request names it.
#[derive(Clone, Debug)]
struct Session {
    app: Arc<App>,
    actor: Actor,
    /// As the client wrote it: its URLs go on with that.
    name: String,
    repository: RepositoryName,
    id: UploadId,
    known: Known,
    turn: Arc<Turn>,
}

/// Who can go on with an upload whose request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// The client has its URL.
    ToTheClient,
    /// It began with the request that was to end it, so it ends with that in any case.
    ToNobody,
}

/// What a request says of the bytes that it carries.
#[derive(Clone, Copy, Debug, Default)]
struct Announced {
    range: Option<ContentRange>,
    length: Option<u64>,
}

impl Call {
    /// `POST /v2/<name>/blobs/uploads/`.
    pub(super) async fn start_upload(&self, name: &str, body: &mut Option<ReceivedBody>) -> Reply {
        let repository = self.pushable(name).await?;
        if let Some(mounted) = self.mount(name, &repository).await? {
            return Ok(mounted);
        }
        let whole = match self.query.get("digest") {
            Some(digest) if body.as_ref().is_some_and(|body| !body.is_empty()) => Some(digest_of(digest)?),
            Some(digest) => Some(digest_of(digest)?).filter(is_of_nothing),
            None => None,
        };
        let algorithm = match self.query.get("digest-algorithm") {
            Some(name) => Some(algorithm_of(name)?),
            None => whole.as_ref().map(Digest::algorithm),
        };
        let announced = self.announced()?;
        let (actor, at) = (self.caller.actor.clone(), repository.clone());
        let id = self.registry(move |registry| registry.start_upload(&actor, &at, algorithm)).await?;
        let Some(digest) = whole else {
            let session = self.session(name, repository, id, Known::ToTheClient);
            return Ok(session.at_offset(StatusCode::ACCEPTED, 0));
        };
        let session = self.session(name, repository, id, Known::ToNobody);
        session.receive(body.take(), announced, Some(digest)).await
    }

    /// The answer to a mount that succeeded. Whatever keeps it from succeeding leads to an upload, never to an error.
    async fn mount(
        &self,
        name: &str,
        repository: &RepositoryName,
    ) -> Result<Option<Response<Body>>, Refusal> {
        let Some(digest) = self.query.get("mount").and_then(|text| text.parse::<Digest>().ok()) else {
            return Ok(None);
        };
        let source = match self.query.get("from").filter(|from| !from.is_empty()) {
            Some(from) => match self.app.repository(from) {
                Ok(source) => Some(source),
                Err(_) => return Ok(None),
            },
            None => None,
        };
        let (actor, target) = (self.caller.actor.clone(), repository.clone());
        let mounted = self
            .registry(move |registry| registry.mount_blob(&actor, &target, &digest, source.as_ref()))
            .await?;
        Ok((mounted == Mounted::Yes).then(|| created(name, &digest)))
    }

    /// `GET`, `PATCH`, `PUT` and `DELETE` of `/v2/<name>/blobs/uploads/<id>`.
    pub(super) async fn upload(&self, name: &str, id: &str, body: &mut Option<ReceivedBody>) -> Reply {
        let repository = self.pushable(name).await?;
        let session = self.session(name, repository, id.parse::<UploadId>()?, Known::ToTheClient);
        match self.head.method {
            Method::GET => session.ask().await,
            Method::DELETE => session.cancel().await,
            Method::PATCH => session.receive(body.take(), self.announced()?, None).await,
            _ => self.close(session, body).await,
        }
    }

    /// The order of chunks is looked at before the digest: a chunk out of order is 416 whatever the digest.
    async fn close(&self, session: Session, body: &mut Option<ReceivedBody>) -> Reply {
        let announced = self.announced()?;
        let digest = match self.query.get("digest") {
            Some(digest) => digest_of(digest),
            None => Err(Refusal::new(StatusCode::BAD_REQUEST, Code::DigestInvalid, "the digest is missing")),
        };
        match digest {
            Ok(digest) => session.receive(body.take(), announced, Some(digest)).await,
            Err(refusal) => Err(session.check_order(announced).await?.unwrap_or(refusal)),
        }
    }

    fn session(&self, name: &str, repository: RepositoryName, id: UploadId, known: Known) -> Session {
        let (app, actor) = (Arc::clone(&self.app), self.caller.actor.clone());
        Session { app, actor, name: name.to_owned(), repository, id, known, turn: Arc::clone(&self.turn) }
    }

    fn announced(&self) -> Result<Announced, Refusal> {
        let length = self.header(CONTENT_LENGTH).and_then(|length| length.parse().ok());
        let Some(range) = self.head.headers.get(CONTENT_RANGE) else {
            return Ok(Announced { range: None, length });
        };
        let range =
            range.to_str().ok().and_then(|range| ContentRange::parse(range).ok()).ok_or_else(|| {
                Refusal::new(
                    StatusCode::RANGE_NOT_SATISFIABLE,
                    Code::RangeInvalid,
                    "Content-Range is malformed",
                )
            })?;
        if length.is_some_and(|length| length != range.len()) {
            let message = "Content-Range and Content-Length do not agree";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, Code::SizeInvalid, message));
        }
        Ok(Announced { range: Some(range), length })
    }
}

impl Session {
    async fn ask(&self) -> Reply {
        let (actor, repository, id) = (self.actor.clone(), self.repository.clone(), self.id);
        let offset = self.app.call(move |registry| registry.upload_offset(&actor, &repository, id)).await?;
        Ok(self.at_offset(StatusCode::NO_CONTENT, offset))
    }

    async fn cancel(&self) -> Reply {
        let (actor, repository, id) = (self.actor.clone(), self.repository.clone(), self.id);
        self.app.call(move |registry| registry.cancel_upload(&actor, &repository, id)).await?;
        Ok(reply::empty(StatusCode::NO_CONTENT))
    }

    /// The refusal of a chunk that does not start where the upload stands.
    async fn check_order(&self, announced: Announced) -> Result<Option<Refusal>, Refusal> {
        let Some(range) = announced.range else { return Ok(None) };
        let (actor, repository, id) = (self.actor.clone(), self.repository.clone(), self.id);
        let offset = self.app.call(move |registry| registry.upload_offset(&actor, &repository, id)).await?;
        Ok((range.start != offset).then(|| self.out_of_order(offset)))
    }

    /// Appends the body and, given a digest, ends the upload with it.
    async fn receive(
        self,
        body: Option<ReceivedBody>,
        announced: Announced,
        digest: Option<Digest>,
    ) -> Reply {
        let Some(body) = body else { return Err(Error::Unavailable.into()) };
        let guard = self.app.uploading.clone();
        let task = tokio::spawn(async move {
            let _guard = guard;
            let reply = self.run(body, announced, digest).await;
            if reply.is_err() && self.known == Known::ToNobody {
                self.give_up().await;
            }
            reply
        });
        task.await.unwrap_or_else(|cause| {
            tracing::error!(%cause, "an upload ended in a panic");
            Err(Error::Unavailable.into())
        })
    }

    /// Ends what nobody can go on with. Where that fails, it expires.
    async fn give_up(&self) {
        if let Err(refusal) = self.cancel().await
            && refusal.status != StatusCode::NOT_FOUND
        {
            tracing::warn!(upload = %self.id, "a refused upload could not be ended");
        }
    }

    async fn run(&self, mut body: ReceivedBody, announced: Announced, digest: Option<Digest>) -> Reply {
        let result = self.receive_all(&mut body, announced).await;
        body.discard(DISCARD_BYTES, DISCARD_TIME);
        // Held to the end, so that no more uploads wait for their end than may be received.
        let (writer, _slot) = result?;
        let offset = writer.offset();
        let Some(digest) = digest else { return Ok(self.at_offset(StatusCode::ACCEPTED, offset)) };
        self.turn.resume().await;
        self.app.call(move |_| writer.finish(&digest)).await?;
        Ok(created(&self.name, &digest))
    }

    /// Opens the upload: at once where memory has it, else on the blob lane.
    async fn open(&self) -> Result<UploadWriter, Error> {
        let (actor, repository, id, registry) =
            (self.actor.clone(), self.repository.clone(), self.id, &self.app.registry);
        if registry.answers_from_memory()
            && let Some(writer) = registry.open_upload_from_memory(&actor, &repository, id)?
        {
            return Ok(writer);
        }
        let open = move |registry: &Registry| registry.open_upload(&actor, &repository, id);
        self.app.call_in(&self.app.lanes.blobs, open).await
    }

    /// Takes the body in while it holds an upload's place.
    async fn receive_all(
        &self,
        body: &mut ReceivedBody,
        announced: Announced,
    ) -> Result<(UploadWriter, Slot), Refusal> {
        let slot = self.turn.receive().await?;
        Ok((self.append_all(body, announced).await?, slot))
    }

    async fn append_all(
        &self,
        body: &mut ReceivedBody,
        announced: Announced,
    ) -> Result<UploadWriter, Refusal> {
        let writer = self.open().await?;
        let start = writer.offset();
        if announced.range.is_some_and(|range| range.start != start) {
            return Err(self.out_of_order(start));
        }
        let limit_bytes = self.app.registry.settings().blob_limit_bytes;
        if announced.length.is_some_and(|length| start.saturating_add(length) > limit_bytes) {
            return Err(Error::BlobTooLarge { limit_bytes }.into());
        }
        self.append(writer, body, announced).await
    }

    async fn append(
        &self,
        writer: UploadWriter,
        body: &mut ReceivedBody,
        announced: Announced,
    ) -> Result<UploadWriter, Refusal> {
        let start = writer.offset();
        let mut inflow = Inflow::new(&self.app, writer);
        let broken = inflow.receive(body).await?;
        let writer = inflow.into_writer().await?;
        if let Some(error) = broken {
            return Err(self.broken_off(writer, &error).await);
        }
        let expected = announced.range.map(|range| range.len()).or(announced.length);
        if expected.is_some_and(|expected| writer.offset() - start != expected) {
            self.save(writer).await;
            let message = "the body is not as long as was announced";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, Code::SizeInvalid, message));
        }
        Ok(writer)
    }

    async fn broken_off(&self, writer: UploadWriter, error: &BodyError) -> Refusal {
        self.save(writer).await;
        Refusal::new(StatusCode::REQUEST_TIMEOUT, Code::BlobUploadInvalid, error)
    }

    /// A request that ended short: what came is kept over a power cut.
    async fn save(&self, mut writer: UploadWriter) {
        if let Err(cause) = self.app.call(move |_| writer.save()).await {
            tracing::warn!(%cause, upload = %self.id, "the state of an upload could not be saved");
        }
    }

    fn location(&self) -> String {
        format!("/v2/{}/blobs/uploads/{}", self.name, self.id)
    }

    /// An answer that says where the upload stands. `Range: 0-0` also means that it holds nothing.
    fn at_offset(&self, status: StatusCode, offset: u64) -> Response<Body> {
        let mut response = reply::empty(status);
        for (name, value) in self.standing(offset) {
            reply::set(&mut response, name, value);
        }
        response
    }

    fn standing(&self, offset: u64) -> [(HeaderName, String); 3] {
        let range = format!("0-{}", offset.saturating_sub(1));
        [(LOCATION, self.location()), (RANGE, range), (UPLOAD_UUID, self.id.to_string())]
    }

    /// Some clients resume from what stands on this refusal.
    fn out_of_order(&self, offset: u64) -> Refusal {
        let message = format!("the chunk does not start at the upload's offset {offset}");
        let refusal = Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, Code::RangeInvalid, message);
        self.standing(offset).into_iter().fold(refusal, |refusal, (name, value)| {
            match hyper::header::HeaderValue::try_from(value) {
                Ok(value) => refusal.with(name, value),
                Err(_) => refusal,
            }
        })
    }
}

fn created(name: &str, digest: &Digest) -> Response<Body> {
    let mut response = reply::empty(StatusCode::CREATED);
    reply::set(&mut response, LOCATION, format_args!("/v2/{name}/blobs/{digest}"));
    reply::set(&mut response, CONTENT_DIGEST, digest);
    response
}

fn algorithm_of(name: &str) -> Result<Algorithm, Refusal> {
    let message = "the digest algorithm is not supported";
    name.parse().map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, Code::DigestInvalid, message))
}

/// Whether this is the digest of no bytes at all.
fn is_of_nothing(digest: &Digest) -> bool {
    *digest == Digest::of(digest.algorithm(), b"")
}
