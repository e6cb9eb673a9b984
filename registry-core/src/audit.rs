//! Proof that the rows agree: every count equals a recount, every index entry has its row, every named digest has its
//! file, and nothing unnamed is left behind.
//!
//! It reads everything, holds the keys in memory, and wants nobody else to write meanwhile.

mod content;
mod manifests;
mod names;
mod tags;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Debug;

use crate::metadata::key::Component;
use crate::metadata::{ReadTxn, Record, Rows, Table};
use crate::{Error, Registry};

/// What does not agree, a line each.
#[derive(Debug, Default)]
struct Findings(Vec<String>);

impl Findings {
    /// Compares what an index should hold with what it holds.
    fn compare<K: Debug + Ord, V: Debug + PartialEq>(
        &mut self,
        subject: &str,
        expected: &BTreeMap<K, V>,
        found: &BTreeMap<K, V>,
    ) {
        for (key, value) in expected {
            match found.get(key) {
                Some(other) if other == value => {}
                Some(other) => {
                    self.0.push(format!("{subject}: {key:?} is {other:?} and should be {value:?}"))
                }
                None => self.0.push(format!("{subject}: {key:?} is missing, it should be {value:?}")),
            }
        }
        for (key, value) in found.iter().filter(|(key, _)| !expected.contains_key(*key)) {
            self.0.push(format!("{subject}: {key:?} is {value:?} and should not be there"));
        }
    }

    /// Adds a line unless `holds`.
    fn require(&mut self, holds: bool, line: impl FnOnce() -> String) {
        if !holds {
            self.0.push(line());
        }
    }
}

/// Every row of a table.
fn all<K: Component + Ord, V: Record>(rows: &ReadTxn, table: &Table<K, V>) -> Result<BTreeMap<K, V>, Error> {
    Ok(rows.scan(table, &(), None, usize::MAX)?.into_iter().collect())
}

impl Registry {
    /// Looks through all rows and files; gives a line for each thing that does not agree. With `deep` every file is
    /// hashed as well.
    ///
    /// # Errors
    /// Whatever storage refuses.
    pub fn audit(&self, deep: bool) -> Result<Vec<String>, Error> {
        let mut findings = Findings::default();
        self.metadata().read(|rows| {
            names::audit(rows, &mut findings)?;
            tags::audit(rows, &mut findings)?;
            manifests::audit(rows, &mut findings)?;
            content::audit(rows, &mut findings)
        })?;
        content::audit_files(self, deep, &mut findings)?;
        Ok(findings.0)
    }
}
