//! Typed tables, and how rows are read: alike in a read transaction and in a write's overlay.

use std::fmt;
use std::marker::PhantomData;

use super::key::Component;
use super::record::Record;
use crate::Error;

/// A table: its name in the database, the type of its keys and of its records.
pub(crate) struct Table<K, V> {
    /// The name under which the database knows it.
    pub(crate) name: &'static str,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Table<K, V> {
    /// Declares a table.
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, types: PhantomData }
    }
}

impl<K, V> fmt::Debug for Table<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A row as the database holds it.
pub(crate) type RawRow = (Vec<u8>, Vec<u8>);

/// Reading rows. The two required methods are all that a transaction implements.
pub(crate) trait Rows {
    /// The record under `key`.
    fn get_raw(&self, table: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, Error>;

    /// At most `limit` rows in key order: those whose key starts with `prefix` and sorts after `after`.
    fn scan_raw(
        &self,
        table: &'static str,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<RawRow>, Error>;

    /// The record under `key`, decoded.
    fn get<K: Component, V: Record>(&self, table: &Table<K, V>, key: &K) -> Result<Option<V>, Error> {
        match self.get_raw(table.name, &key.encode())? {
            Some(bytes) => decoded(table.name, V::decode(&bytes)).map(Some),
            None => Ok(None),
        }
    }

    /// Whether a record lies under `key`.
    fn contains<K: Component, V: Record>(&self, table: &Table<K, V>, key: &K) -> Result<bool, Error> {
        Ok(self.get_raw(table.name, &key.encode())?.is_some())
    }

    /// At most `limit` rows in key order whose key begins with the components of `prefix`, after the key `after`.
    fn scan<K: Component, V: Record>(
        &self,
        table: &Table<K, V>,
        prefix: &impl Component,
        after: Option<&K>,
        limit: usize,
    ) -> Result<Vec<(K, V)>, Error> {
        let after = after.map(Component::encode);
        self.scan_raw(table.name, &prefix.encode(), after.as_deref(), limit)?
            .into_iter()
            .map(|(key, record)| {
                Ok((decoded(table.name, K::decode(&key))?, decoded(table.name, V::decode(&record))?))
            })
            .collect()
    }

    /// The first row whose key begins with the components of `prefix`.
    fn first<K: Component, V: Record>(
        &self,
        table: &Table<K, V>,
        prefix: &impl Component,
    ) -> Result<Option<(K, V)>, Error> {
        Ok(self.scan(table, prefix, None, 1)?.pop())
    }
}

fn decoded<T>(table: &'static str, value: Option<T>) -> Result<T, Error> {
    value.ok_or(Error::Corrupt(table))
}
