//! Exports: the events of a namespace or a repository, written to a file that is fetched by an id nobody can guess.

use std::fmt;

use serde_json::Value;

use super::{Registry, ids};
use crate::Error;
use crate::content::BlobReader;
use crate::metadata::Rows;
use crate::model::tables::NAMESPACE;
use crate::trail::{Event, EventQuery, EventScope, ExportDraft, Scope, page};

/// Events that are read and written at once.
const PAGE: usize = 500;

/// An export that was begun: whoever writes it calls [`Registry::write_export`]. It is gone when this is dropped before.
pub struct Export {
    id: String,
    query: EventQuery,
    /// What the query's names meant when it began: by the time it is written they may be others'.
    scope: Scope,
    draft: ExportDraft,
}

/// Does not show the id, by which anybody fetches the export.
impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Export").field("query", &self.query).finish_non_exhaustive()
    }
}

impl Export {
    /// The id by which it is fetched: 32 hexadecimal digits. Whoever has it may read the export.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it is about.
    pub fn query(&self) -> &EventQuery {
        &self.query
    }
}

impl Registry {
    /// Begins to export the events of a query, which is about a namespace or a repository. Nothing is decided here:
    /// whoever may call may read.
    ///
    /// # Errors
    /// [`Error::TooMany`] if eight exports of the namespace are kept or being written, [`Error::NamespaceUnknown`].
    pub fn begin_export(&self, query: EventQuery) -> Result<Export, Error> {
        let namespace = match &query.scope {
            EventScope::Namespace(name) => name.to_string(),
            EventScope::Repository(name) => name.namespace().to_owned(),
            EventScope::All => return Err(Error::NamespaceUnknown(String::new())),
        };
        let id = u128::from_be_bytes(self.random::<16>()?);
        let id = format!("{id:032x}");
        let (found, _) = self.0.metadata.read(|rows| ids(rows, &namespace, None))?;
        let unknown = || Error::NamespaceUnknown(namespace.clone());
        let (at, scope) = (found.ok_or_else(unknown)?, self.scope(&query)?.ok_or_else(unknown)?);
        let draft = self.0.trail.exports.begin(at, &id, self.now_ms())?;
        Ok(Export { id, query, scope, draft })
    }

    /// Writes an export in the form of Quay's, the latest event first and each as `shown` gives it, as long as `is_wanted`
    /// says so; from then on it can be fetched for a day. Gives the number of events.
    ///
    /// # Errors
    /// [`Error::GivenUp`], or whatever storage refuses; nothing is left of the export then.
    pub fn write_export(
        &self,
        export: Export,
        shown: &dyn Fn(&Event) -> Value,
        is_wanted: &dyn Fn() -> bool,
    ) -> Result<u64, Error> {
        let Export { id, query: EventQuery { from_ms, until_ms, .. }, scope, mut draft } = export;
        draft.append(&format!("{{\"export_id\": \"{id}\", \"logs\": [\n"))?;
        let (mut cursor, mut count) = (None, 0);
        loop {
            if !is_wanted() {
                return Err(Error::GivenUp);
            }
            let logs = &self.0.trail.logs;
            let found = logs.read(|rows| page(rows, scope, from_ms, until_ms, cursor, PAGE))?;
            let lines: String = found.events.iter().map(|event| format!("{},\n", shown(event))).collect();
            draft.append(&lines)?;
            count += found.events.len() as u64;
            cursor = found.next;
            if cursor.is_none() {
                break;
            }
        }
        // The list has no last comma of its own to leave out (Quay).
        draft.append("{\"terminator\": true}]\n}\n")?;
        draft.finish()?;
        Ok(count)
    }

    /// The export that has this id, until it expires or its namespace is deleted.
    ///
    /// # Errors
    /// Whatever storage refuses.
    pub fn exported(&self, id: &str) -> Result<Option<BlobReader>, Error> {
        let Some((namespace, file)) = self.0.trail.exports.find(id, self.now_ms())? else { return Ok(None) };
        let row = self.0.metadata.read(|rows| rows.get(&NAMESPACE, &namespace))?;
        Ok(row.filter(|row| !row.is_deleted).map(|_| file))
    }
}
