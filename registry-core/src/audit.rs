//! Proof that the rows agree: every count equals a recount, every index entry has its row, every named digest has its
//! file, and nothing unnamed is left behind.
//!
//! It reads everything and holds the keys in memory. Others go on working: the rows are those of one moment.

mod content;
mod files;
mod manifests;
mod names;
mod rights;
mod sessions;
mod tags;
#[cfg(test)]
mod tests;
mod tokens;
mod trail;
mod usage;

use std::collections::BTreeMap;
use std::fmt::Debug;

use crate::metadata::key::Component;
use crate::metadata::{ReadTxn, Record, Rows, Table};
use crate::{Error, Registry};

/// What a look through all rows and files came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditReport {
    /// What does not agree, a line each.
    pub findings: Vec<String>,
    /// Files that no row names while the search for such files, after an unclean stop, has not ended. It finds them.
    pub awaiting: Vec<String>,
}

#[derive(Debug, Default)]
struct Findings {
    lines: Vec<String>,
    awaiting: Vec<String>,
}

/// Says whether an audit is still wanted: it may take hours.
struct Wanted<'w>(&'w dyn Fn() -> bool);

impl Wanted<'_> {
    fn check(&self) -> Result<(), Error> {
        if (self.0)() { Ok(()) } else { Err(Error::GivenUp) }
    }
}

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
                    self.lines.push(format!("{subject}: {key:?} is {other:?} and should be {value:?}"))
                }
                None => self.lines.push(format!("{subject}: {key:?} is missing, it should be {value:?}")),
            }
        }
        for (key, value) in found.iter().filter(|(key, _)| !expected.contains_key(*key)) {
            self.lines.push(format!("{subject}: {key:?} is {value:?} and should not be there"));
        }
    }

    /// Adds a line unless `holds`.
    fn require(&mut self, holds: bool, line: impl FnOnce() -> String) {
        if !holds {
            self.lines.push(line());
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
        Ok(self.audit_while(deep, &|| true)?.findings)
    }

    /// As [`Registry::audit`], as long as `wanted` says so; it is asked before each file.
    ///
    /// # Errors
    /// [`Error::GivenUp`] once it is not wanted any more; whatever storage refuses.
    pub fn audit_while(&self, deep: bool, wanted: &dyn Fn() -> bool) -> Result<AuditReport, Error> {
        let mut findings = Findings::default();
        self.metadata().read(|rows| {
            names::audit(rows, &mut findings)?;
            rights::audit(rows, &mut findings)?;
            sessions::audit(rows, &mut findings)?;
            tokens::audit(rows, &mut findings)?;
            tags::audit(rows, &mut findings)?;
            manifests::audit(rows, &mut findings)?;
            content::audit(rows, &mut findings)?;
            usage::audit(rows, &mut findings)
        })?;
        trail::audit(self, &Wanted(wanted), &mut findings)?;
        files::audit(self, deep, &Wanted(wanted), &mut findings)?;
        Ok(AuditReport { findings: findings.lines, awaiting: findings.awaiting })
    }
}
