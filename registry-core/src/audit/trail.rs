//! The log: every event is in the index of each of its scopes and in their counts, and nothing else is.
//!
//! Events are read one page after another, since they may be many; the counts are few.

use std::collections::BTreeMap;

use super::{Findings, Wanted, all};
use crate::metadata::key::{Component, Descending};
use crate::metadata::{ReadTxn, Record, Rows, Table};
use crate::model::records::Count;
use crate::trail::{ARCHIVE, COUNTS, DAY_MS, EVENTS, Event, INDEX, OUTBOX, Scope, TALLY, Tally, scopes};
use crate::{Error, Registry};

/// Rows that are read at once.
const PAGE: usize = 1024;

pub(super) fn audit(registry: &Registry, wanted: &Wanted<'_>, findings: &mut Findings) -> Result<(), Error> {
    // Whether they can be read is all that can be told of events that are on their way.
    registry.metadata().read(|rows| pages(rows, &OUTBOX, wanted, |_, _| Ok(())))?;
    registry.logs().read(|rows| {
        let mut recount = Recount::default();
        pages(rows, &EVENTS, wanted, |key, event| {
            findings.require(key == event.key(), || format!("events: {key:?} holds another event"));
            recount.add(rows, &event, findings)
        })?;
        findings.compare("event counts", &recount.counts, &all(rows, &COUNTS)?);
        let tally = rows.get(&TALLY, &0)?.unwrap_or_default();
        findings.require(tally == recount.tally, || {
            format!("event tally: it is {tally:?} and should be {:?}", recount.tally)
        });
        let mut indexed = 0;
        pages(rows, &INDEX, wanted, |_, ()| {
            indexed += 1;
            Ok(())
        })?;
        findings.require(indexed == recount.indexed, || {
            format!("event index: it has {indexed} rows and should have {}", recount.indexed)
        });
        files(registry, rows, findings)
    })
}

/// What the events come to.
#[derive(Default)]
struct Recount {
    counts: BTreeMap<(Scope, u64, String), Count>,
    tally: Tally,
    indexed: u64,
}

impl Recount {
    fn add(&mut self, rows: &ReadTxn, event: &Event, findings: &mut Findings) -> Result<(), Error> {
        self.tally.events += 1;
        self.tally.bytes += event.encode().len() as u64;
        for scope in scopes(event) {
            self.indexed += 1;
            let key = (scope, event.time_ms / DAY_MS, event.kind.clone());
            self.counts.entry(key).or_default().count += 1;
            let is_listed =
                rows.contains(&INDEX, &(scope, Descending(event.time_ms), Descending(event.id)))?;
            findings
                .require(is_listed, || format!("event index: {:?} is not listed in {scope:?}", event.key()));
        }
        Ok(())
    }
}

/// Rows only go once the file is there that has their events.
fn files(registry: &Registry, rows: &ReadTxn, findings: &mut Findings) -> Result<(), Error> {
    let Some(archive) = rows.get(&ARCHIVE, &0)?.filter(|archive| archive.is_written) else { return Ok(()) };
    let is_there = registry.archives().has(&archive.name)?;
    findings.require(is_there, || format!("files: logs/{} is absent", archive.name));
    Ok(())
}

/// Every row of a table, some at a time.
fn pages<K: Component + Clone, V: Record>(
    rows: &ReadTxn,
    table: &Table<K, V>,
    wanted: &Wanted<'_>,
    mut each: impl FnMut(K, V) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut after = None;
    loop {
        wanted.check()?;
        let page = rows.scan(table, &(), after.as_ref(), PAGE)?;
        after = page.last().map(|(key, _)| key.clone());
        let is_last = page.len() < PAGE;
        page.into_iter().try_for_each(|(key, row)| each(key, row))?;
        if is_last {
            return Ok(());
        }
    }
}
