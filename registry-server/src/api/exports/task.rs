//! An export as it goes on behind the answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use registry_core::{Actor, Error, EventQuery, EventScope, Export, Observed, Registry};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::api::{date, logs};
use crate::app::lane_failed;
use crate::lanes::Lane;
use crate::outbound::{Outbound, Target};

/// An export that goes on in the background. It holds parts of the server and never the whole, which a stop waits for.
pub(super) struct Task {
    pub(super) registry: Registry,
    pub(super) lane: Lane,
    pub(super) outbound: Outbound,
    pub(super) exporting: Arc<Semaphore>,
    pub(super) actor: Actor,
    pub(super) query: EventQuery,
    pub(super) callback: Option<Target>,
    pub(super) url: String,
}

/// Sets the flag when the task is dropped, as a stop does, so that the thread that writes gives up.
struct Wanted(Arc<AtomicBool>);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Task {
    pub(super) async fn run(self, export: Export) {
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
            let shown = |event: &_| logs::view(event, false);
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
            namespace: Some(namespace),
            repository,
            metadata: metadata.to_string(),
        });
    }
}
