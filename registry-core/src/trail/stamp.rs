//! How the events of one write come into its transaction.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::rows::OUTBOX;
use super::{Event, Named, Origin};
use crate::Error;
use crate::access::{Credential, PrincipalId};
use crate::metadata::{Rows, WriteTxn};
use crate::model::accounts;
use crate::model::authorize::Granted;
use crate::model::keys::NamespaceId;
use crate::model::tokens;
use crate::oci::RepositoryName;

/// What the events of one write share, and their ids: handed in, since a write may run twice.
#[derive(Clone, Debug)]
pub(crate) struct Stamp {
    pub(crate) origin: Option<Arc<Origin>>,
    pub(crate) performer: Option<PrincipalId>,
    /// What the performer came with, if it is not their own.
    pub(crate) credential: Option<Credential>,
    pub(crate) now_ms: u64,
    /// The id of event number 0. Those up to the number that was asked for are free.
    pub(crate) first_id: u64,
    /// Namespaces in which nothing is recorded.
    pub(crate) unaudited: Arc<BTreeSet<String>>,
}

impl Stamp {
    /// Queues an event in a repository; its namespace and name are added to the metadata.
    pub(crate) fn record_at(
        &self,
        txn: &mut WriteTxn<'_>,
        number: u64,
        at: Granted,
        name: &RepositoryName,
        kind: &str,
        mut metadata: Value,
    ) -> Result<(), Error> {
        metadata["namespace"] = name.namespace().into();
        metadata["repo"] = name.path().into();
        let repository = Some(Named { id: at.repository.0, name: name.path().to_owned() });
        let namespace = Named { id: at.namespace.0, name: name.namespace().to_owned() };
        self.record(txn, number, Event { repository, ..event(kind, namespace) }, metadata)
    }

    /// Queues an event in a namespace.
    pub(crate) fn record_in(
        &self,
        txn: &mut WriteTxn<'_>,
        number: u64,
        (id, name): (NamespaceId, &str),
        kind: &str,
        metadata: &Value,
    ) -> Result<(), Error> {
        let namespace = Named { id: id.0, name: name.to_owned() };
        self.record(txn, number, event(kind, namespace), metadata.clone())
    }

    fn record(
        &self,
        txn: &mut WriteTxn<'_>,
        number: u64,
        event: Event,
        mut metadata: Value,
    ) -> Result<(), Error> {
        if event.namespace.as_ref().is_some_and(|namespace| self.unaudited.contains(&namespace.name)) {
            return Ok(());
        }
        tokens::describe(txn, self.credential.as_ref(), &mut metadata)?;
        let mut event = Event {
            id: self.first_id + number,
            time_ms: self.now_ms,
            performer: performer(txn, self.performer)?,
            metadata: metadata.to_string(),
            ..event
        };
        if let Some(origin) = &self.origin {
            event.set_origin(origin);
        }
        txn.put(&OUTBOX, &event.key(), &event);
        Ok(())
    }
}

fn event(kind: &str, namespace: Named) -> Event {
    Event { kind: kind.to_owned(), namespace: Some(namespace), ..Event::default() }
}

/// The performer by name.
pub(crate) fn performer(rows: &impl Rows, id: Option<PrincipalId>) -> Result<Option<Named>, Error> {
    let Some(id) = id else { return Ok(None) };
    let name = accounts::get(rows, id)?.map(|user| user.name).unwrap_or_default();
    Ok(Some(Named { id: id.0, name }))
}
