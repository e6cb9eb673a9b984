//! redb itself: opening, the settings it runs with, and its errors. Only this file and the batch know redb.

use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use redb::{ReadableDatabase, ReadableTable, TableDefinition, TableError};

use super::overlay::Changes;
use super::table::{RawRow, Rows};
use crate::Error;
use crate::files::{DatabaseFile, Disk, Reserve, Warmth};

/// The shared transaction of a batch.
pub(super) type Transaction = redb::WriteTransaction;

const fn definition(table: &'static str) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(table)
}

/// An open database file with the space kept ahead of it.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) database: redb::Database,
    pub(super) reserve: Arc<Reserve>,
    pub(super) warmth: Arc<Warmth>,
}

/// Opens the database at `path`, or makes it.
pub(super) fn open(disk: &Arc<dyn Disk>, path: &Path, cache_bytes: usize) -> Result<Opened, Error> {
    let file = DatabaseFile::open(disk, path)?;
    let (reserve, warmth) = (file.reserve(), file.warmth());
    let database =
        redb::Builder::new().set_cache_size(cache_bytes).create_with_backend(file).map_err(failed)?;
    Ok(Opened { database, reserve, warmth })
}

/// Begins the shared transaction of a batch. Its commit is durable and leaves a database that reopens in
/// milliseconds, at any size, after a kill.
#[expect(clippy::disallowed_methods, reason = "the door itself")]
pub(super) fn begin_write(database: &redb::Database) -> Result<Transaction, Error> {
    let mut transaction = database.begin_write().map_err(failed)?;
    transaction.set_quick_repair(true);
    Ok(transaction)
}

/// Begins a read of everything that is committed by now.
#[expect(clippy::disallowed_methods, reason = "the door itself")]
pub(super) fn begin_read(database: &redb::Database) -> Result<ReadTxn, Error> {
    Ok(ReadTxn(database.begin_read().map_err(failed)?))
}

/// Lays `changes` into the shared transaction. A failure half way leaves it unusable: the batch must be aborted.
pub(super) fn merge(transaction: &Transaction, changes: Changes) -> Result<(), Error> {
    for (name, rows) in changes {
        let mut table = transaction.open_table(definition(name)).map_err(failed)?;
        for (key, record) in rows {
            match record {
                Some(record) => table.insert(key.as_slice(), record.as_slice()).map_err(failed).map(drop)?,
                None => table.remove(key.as_slice()).map_err(failed).map(drop)?,
            }
        }
    }
    Ok(())
}

/// The record under `key` as the shared transaction has it.
pub(super) fn get_from(
    transaction: &Transaction,
    table: &'static str,
    key: &[u8],
) -> Result<Option<Vec<u8>>, Error> {
    get(&transaction.open_table(definition(table)).map_err(failed)?, key)
}

/// Rows as the shared transaction has them.
pub(super) fn scan_from(
    transaction: &Transaction,
    table: &'static str,
    prefix: &[u8],
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<RawRow>, Error> {
    scan(&transaction.open_table(definition(table)).map_err(failed)?, prefix, after, limit)
}

type Bytes = &'static [u8];

fn get(table: &impl ReadableTable<Bytes, Bytes>, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    Ok(table.get(key).map_err(failed)?.map(|record| record.value().to_vec()))
}

fn scan(
    table: &impl ReadableTable<Bytes, Bytes>,
    prefix: &[u8],
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<RawRow>, Error> {
    let start = match after {
        Some(after) => Bound::Excluded(after),
        None => Bound::Included(prefix),
    };
    let mut rows = Vec::new();
    for row in table.range::<&[u8]>((start, Bound::Unbounded)).map_err(failed)?.take(limit) {
        let (key, record) = row.map_err(failed)?;
        if !key.value().starts_with(prefix) {
            break;
        }
        rows.push((key.value().to_vec(), record.value().to_vec()));
    }
    Ok(rows)
}

/// A read in progress: it sees what was committed when it began.
#[derive(Debug)]
pub(crate) struct ReadTxn(redb::ReadTransaction);

impl ReadTxn {
    fn table(&self, name: &'static str) -> Result<Option<redb::ReadOnlyTable<Bytes, Bytes>>, Error> {
        match self.0.open_table(definition(name)) {
            Ok(table) => Ok(Some(table)),
            // No commit has made the table yet, so it is empty.
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(cause) => Err(failed(cause)),
        }
    }
}

impl Rows for ReadTxn {
    fn get_raw(&self, table: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.table(table)?.map_or(Ok(None), |table| get(&table, key))
    }

    fn scan_raw(
        &self,
        table: &'static str,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<RawRow>, Error> {
        self.table(table)?.map_or(Ok(Vec::new()), |table| scan(&table, prefix, after, limit))
    }
}

/// Sorts redb's errors by what a caller can do: make room, try again, or nothing.
///
/// After one failed write redb answers everything with `PreviousIo`, and readers of a database that was reopened
/// meanwhile get `DatabaseClosed`: both mean "try again".
pub(super) fn failed(cause: impl Into<redb::Error>) -> Error {
    match cause.into() {
        redb::Error::Io(cause) if crate::error::is_full(&cause) => Error::StorageFull,
        redb::Error::Io(cause) => {
            tracing::error!(%cause, "metadata file failed");
            Error::Unavailable
        }
        redb::Error::PreviousIo | redb::Error::DatabaseClosed => Error::Unavailable,
        cause => Error::Metadata(Box::new(cause)),
    }
}
