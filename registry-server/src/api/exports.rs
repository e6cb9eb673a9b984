//! `…/exportlogs`, and `GET /exportedlogs/<id>`: logs as a file, written in the background and fetched by an id that
//! nobody can guess.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bytes::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use registry_core::oci::NamespaceName;
use registry_core::{Actor, BlobReader, Error, EventQuery, EventScope, Export, Observed, Registry};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::body::{Fields, MaybeFields};
use super::caller::Caller;
use super::error::ApiError;
use super::logs::{self, Range};
use super::operation::{Operation, Parameter, Scope};
use super::organizations::organization;
use super::repositories::repository;
use super::routes::{Asked, Named};
use super::schema::Schema;
use super::{date, message};
use crate::app::{App, lane_failed};
use crate::lanes::Lane;
use crate::listener::{BlobStream, Body, Outbox};
use crate::origin::Origin;
use crate::outbound::{Outbound, OutboundError, Target};

/// Where exports are fetched.
pub(super) const EXPORTED: &str = "/exportedlogs/";

const WANTED: Schema = Schema::Named(
    "ExportLogs",
    &Schema::Object(&[], &[("callback_url", Schema::Text), ("callback_email", Schema::Text)]),
);
const BEGUN: Schema = Schema::Object(&[("export_id", Schema::Text)], &[]);
const DAYS: &[Parameter] = &[
    ("starttime", Schema::Text, "The first day (`MM/DD/YYYY`)."),
    ("endtime", Schema::Text, "The last day (`MM/DD/YYYY`)."),
];

/// What is answered here.
pub(super) fn registered() -> Vec<Operation> {
    const OWN: &str = "/api/v1/user/exportlogs";
    const ORG: &str = "/api/v1/organization/{orgname}/exportlogs";
    const REPOSITORY: &str = "/api/v1/repository/{repository}/exportlogs";
    let operations = [
        Operation::post(OWN, "exportUserLogs", own, "Exports the caller's log.").scope(Scope::UserAdmin),
        Operation::post(ORG, "exportOrgLogs", of_organization, "Exports an organization's log.")
            .scope(Scope::OrganizationAdmin),
        Operation::post(REPOSITORY, "exportRepoLogs", of_repository, "Exports a repository's log.")
            .scope(Scope::RepositoryAdmin),
    ];
    operations.into_iter().map(|operation| operation.query(DAYS).may_take(WANTED).gives(BEGUN)).collect()
}

/// `POST /api/v1/organization/<org>/exportlogs`.
async fn of_organization(
    State(app): State<Arc<App>>,
    Extension(origin): Extension<Origin>,
    caller: Caller,
    Named(name): Named<String>,
    asked: Asked,
    MaybeFields(fields): MaybeFields,
) -> Result<Response, ApiError> {
    of_namespace(&app, &origin, &caller, organization(&name)?, &asked, &fields).await
}

/// `POST /api/v1/user/exportlogs`: of the caller's own namespace.
async fn own(
    State(app): State<Arc<App>>,
    Extension(origin): Extension<Origin>,
    caller: Caller,
    asked: Asked,
    MaybeFields(fields): MaybeFields,
) -> Result<Response, ApiError> {
    let name = organization(&caller.signed_in()?.0.name)?;
    of_namespace(&app, &origin, &caller, name, &asked, &fields).await
}

async fn of_namespace(
    app: &Arc<App>,
    origin: &Origin,
    caller: &Caller,
    name: NamespaceName,
    asked: &Asked,
    fields: &Fields,
) -> Result<Response, ApiError> {
    let (actor, namespace) = (caller.actor(), name.clone());
    app.call(move |registry| registry.check_inspection(&actor, &namespace)).await?;
    begin(app, origin, caller.actor(), EventScope::Namespace(name), asked, fields).await
}

/// `POST /api/v1/repository/<repository>/exportlogs`.
async fn of_repository(
    State(app): State<Arc<App>>,
    Extension(origin): Extension<Origin>,
    caller: Caller,
    Named(name): Named<String>,
    asked: Asked,
    MaybeFields(fields): MaybeFields,
) -> Result<Response, ApiError> {
    let (actor, name) = (caller.actor(), repository(&app, &name)?);
    let wanted = name.clone();
    app.call(move |registry| registry.check_repository_inspection(&actor, &wanted)).await?;
    begin(&app, &origin, caller.actor(), EventScope::Repository(name), &asked, &fields).await
}

/// Begins the export and answers; the rest goes on without the client.
async fn begin(
    app: &Arc<App>,
    origin: &Origin,
    actor: Actor,
    scope: EventScope,
    asked: &Asked,
    fields: &Fields,
) -> Result<Response, ApiError> {
    if !app.options.log_export {
        return Err(ApiError::missing());
    }
    let callback = callback(&app.options.outbound, fields).await?;
    let Range { from_ms, until_ms } = Range::of(asked, app.registry.now_ms())?;
    let query = EventQuery { scope, performer: None, from_ms, until_ms };
    let begun = app.call(move |registry| registry.begin_export(query)).await;
    let export = begun.map_err(|error| match error {
        Error::NamespaceUnknown(_) => ApiError::missing(),
        other => other.into(),
    })?;
    let id = export.id().to_owned();
    let url = format!("{}://{}{EXPORTED}{id}", origin.scheme, origin.host);
    let task = Task {
        registry: app.by_request(),
        lane: app.lanes.blobs.clone(),
        outbound: app.options.outbound.clone(),
        exporting: Arc::clone(&app.exporting),
        actor,
        query: export.query().clone(),
        callback,
        url,
    };
    tokio::spawn(task.run(export));
    Ok(Json(json!({ "export_id": id })).into_response())
}

/// Where the client wants to be told; it is resolved now, so that what cannot be reached is refused at once.
async fn callback(outbound: &Outbound, fields: &Fields) -> Result<Option<Target>, ApiError> {
    if fields.optional_text("callback_email")?.is_some_and(|address| !address.is_empty()) {
        return Err(ApiError::invalid(
            "This registry sends no mail: name a callback_url, or fetch the export",
        ));
    }
    let Some(url) = fields.optional_text("callback_url")?.filter(|url| !url.is_empty()) else {
        return Ok(None);
    };
    let refused = |error: OutboundError| ApiError::invalid(format!("callback_url: {error}"));
    let target = Target::parse(url).map_err(refused)?;
    outbound.resolve(&target).await.map_err(refused)?;
    Ok(Some(target))
}

/// An export that goes on in the background. It holds parts of the server and never the whole, which a stop waits for.
struct Task {
    registry: Registry,
    lane: Lane,
    outbound: Outbound,
    exporting: Arc<Semaphore>,
    actor: Actor,
    query: EventQuery,
    callback: Option<Target>,
    url: String,
}

/// Sets the flag when the task is dropped, as a stop does, so that the thread that writes gives up.
struct Wanted(Arc<AtomicBool>);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Task {
    async fn run(self, export: Export) {
        let written = self.write(export).await;
        let message = match &written {
            Ok(()) => None,
            Err(Error::GivenUp) => return,
            Err(cause) => {
                tracing::warn!(%cause, "logs could not be exported");
                Some("the export could not be written".to_owned())
            }
        };
        let told = self.tell(message.is_none()).await;
        self.record(message.or(told));
    }

    /// One export is written at a time.
    async fn write(&self, export: Export) -> Result<(), Error> {
        let _turn = self.exporting.acquire().await.map_err(|_| Error::GivenUp)?;
        let flag = Arc::new(AtomicBool::new(true));
        let (registry, wanted) = (self.registry.clone(), Wanted(Arc::clone(&flag)));
        let writing = self.lane.run(move || {
            let shown = |event: &_| logs::view(event, None);
            registry.write_export(export, &shown, &|| flag.load(Ordering::Relaxed)).map(drop)
        });
        let written = writing.await.unwrap_or_else(|failure| Err(lane_failed(&failure)));
        drop(wanted);
        written
    }

    /// Tells whoever wants to be told; gives what went wrong with that.
    async fn tell(&self, is_written: bool) -> Option<String> {
        let target = self.callback.as_ref()?;
        let (namespace, repository) = self.names();
        let mut body = json!({
            "start_time": date(self.query.from_ms),
            "end_time": date(self.query.until_ms),
            "namespace": namespace,
            "repository": repository,
            "status": if is_written { "success" } else { "failed" },
        });
        if is_written {
            let id = self.url.rsplit('/').next().unwrap_or_default();
            body["export_id"] = id.into();
            body["exported_data_url"] = self.url.as_str().into();
        }
        match self.outbound.post_json(target, Bytes::from(body.to_string())).await {
            Ok(status) if status.is_success() => None,
            Ok(status) => Some(format!("the callback was answered with {status}")),
            Err(cause) => {
                tracing::warn!(%cause, callback = target.shown(), "an export could not be told of");
                Some("the callback could not be reached".to_owned())
            }
        }
    }

    fn names(&self) -> (String, Option<String>) {
        match &self.query.scope {
            EventScope::Namespace(name) => (name.to_string(), None),
            EventScope::Repository(name) => (name.namespace().to_owned(), Some(name.path().to_owned())),
            EventScope::All => (String::new(), None),
        }
    }

    /// The event of it, without the id: whoever reads the log later must not fetch the export.
    fn record(&self, failure: Option<String>) {
        let (namespace, repository) = self.names();
        let mut metadata = json!({ "date/time": date(self.registry.now_ms()), "email": Value::Null });
        metadata["url"] = self.callback.as_ref().map(Target::shown).into();
        if let Some(repository) = &repository {
            metadata["repo"] = repository.as_str().into();
        }
        let kind = if failure.is_some() { "export_logs_failure" } else { "export_logs_success" };
        if let Some(message) = failure {
            metadata["message"] = message.into();
        }
        self.registry.record_event(Observed {
            kind: kind.to_owned(),
            actor: self.actor.clone(),
            credential: self.actor.credential().cloned(),
            namespace: Some(namespace),
            repository,
            metadata: metadata.to_string(),
        });
    }
}

/// Answers a request for an export, to whoever has its id. It is sent as it is read.
pub(super) async fn send(app: &App, head: &Parts) -> hyper::Response<Body> {
    if ![Method::GET, Method::HEAD].contains(&head.method) {
        return message(StatusCode::METHOD_NOT_ALLOWED, "The method is not allowed for the requested URL.");
    }
    let id = head.uri.path().trim_start_matches(EXPORTED).to_owned();
    match app.call(move |registry| registry.exported(&id)).await {
        Ok(Some(file)) => sent(app, head, file),
        Ok(None) => message(StatusCode::NOT_FOUND, "There is no such export, or it has expired"),
        Err(cause) => {
            tracing::error!(?cause, "an export could not be read");
            message(StatusCode::SERVICE_UNAVAILABLE, "Try again")
        }
    }
}

fn sent(app: &App, head: &Parts, file: BlobReader) -> hyper::Response<Body> {
    let (size, outbox) = (file.size(), head.extensions.get::<Outbox>());
    let mut response =
        hyper::Response::new(Body::Blob(BlobStream::new(app.lanes.blobs.clone(), file, 0, size, outbox)));
    for (name, value) in [
        (CONTENT_TYPE, "application/json"),
        (CONTENT_DISPOSITION, "attachment; filename=\"logs.json\""),
        (CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
