//! What one write has changed so far, over the transaction that it shares with others.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::database::{Transaction, get_from, scan_from};
use super::key::Component;
use super::record::Record;
use super::table::{RawRow, Rows, Table};
use crate::Error;

/// The rows that a write has put (`Some`) or deleted (`None`), by table and key.
pub(super) type Changes = BTreeMap<&'static str, BTreeMap<Vec<u8>, Option<Vec<u8>>>>;

/// A write in progress: it reads the open transaction and, before it, its own changes. Dropping it forgets them.
pub(crate) struct WriteTxn<'open> {
    open: &'open Transaction,
    changes: Changes,
}

impl<'open> WriteTxn<'open> {
    pub(super) fn over(open: &'open Transaction) -> Self {
        Self { open, changes: Changes::new() }
    }

    pub(super) fn into_changes(self) -> Changes {
        self.changes
    }

    /// Whether the other write changed the same rows in the same way.
    #[cfg(any(test, feature = "simulation"))]
    pub(super) fn changed_alike(&self, other: &Self) -> bool {
        self.changes == other.changes
    }

    /// Stores `record` under `key`.
    pub(crate) fn put<K: Component, V: Record>(&mut self, table: &Table<K, V>, key: &K, record: &V) {
        self.change(table.name, key.encode(), Some(record.encode()));
    }

    /// Removes the record under `key`, if there is one.
    pub(crate) fn delete<K: Component, V>(&mut self, table: &Table<K, V>, key: &K) {
        self.change(table.name, key.encode(), None);
    }

    fn change(&mut self, table: &'static str, key: Vec<u8>, record: Option<Vec<u8>>) {
        self.changes.entry(table).or_default().insert(key, record);
    }
}

impl Rows for WriteTxn<'_> {
    fn get_raw(&self, table: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        match self.changes.get(table).and_then(|rows| rows.get(key)) {
            Some(changed) => Ok(changed.clone()),
            None => get_from(self.open, table, key),
        }
    }

    fn scan_raw(
        &self,
        table: &'static str,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<RawRow>, Error> {
        let Some(changed) = self.changes.get(table) else {
            return scan_from(self.open, table, prefix, after, limit);
        };
        let start = match after {
            Some(after) => Bound::Excluded(after),
            None => Bound::Included(prefix),
        };
        let changed: Vec<_> = changed
            .range::<[u8], _>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .collect();
        // Each deleted row may hide one of the stored ones.
        let hidden = changed.iter().filter(|(_, record)| record.is_none()).count();
        let stored = scan_from(self.open, table, prefix, after, limit.saturating_add(hidden))?;
        let complete = stored.len() < limit.saturating_add(hidden);
        Ok(merged(stored, complete, &changed, limit))
    }
}

/// Lays the changed rows over the stored ones. Unless `complete`, nothing is known beyond the last stored row.
fn merged(
    stored: Vec<RawRow>,
    complete: bool,
    changed: &[(&Vec<u8>, &Option<Vec<u8>>)],
    limit: usize,
) -> Vec<RawRow> {
    let horizon = stored.last().map(|(key, _)| key.clone());
    let mut rows: BTreeMap<Vec<u8>, Vec<u8>> = stored.into_iter().collect();
    for (key, record) in changed {
        match record {
            Some(record) if complete || horizon.as_ref().is_some_and(|last| *key <= last) => {
                rows.insert((*key).clone(), record.clone());
            }
            Some(_) => {}
            None => {
                rows.remove(*key);
            }
        }
    }
    rows.into_iter().take(limit).collect()
}
