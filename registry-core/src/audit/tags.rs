//! Tags, their histories, and what they hold.

use std::collections::BTreeMap;

use super::{Findings, all};
use crate::Error;
use crate::metadata::ReadTxn;
use crate::metadata::key::Descending;
use crate::model::keys::Hold;
use crate::model::records::LiveTag;
use crate::model::tables::{DEAD_TAGS, HOLDS, REPOSITORY, TAG_HISTORY, TAG_TIMES, TAGS};

pub(super) fn audit(rows: &ReadTxn, findings: &mut Findings) -> Result<(), Error> {
    let repositories = all(rows, &REPOSITORY)?;
    let (mut live, mut dead, mut times, mut holds) =
        (BTreeMap::new(), BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let history = rows_of_history(rows)?;
    for [(repository, tag, start, _), (older_repository, older_tag, _, older)] in history.array_windows() {
        let is_next = (repository, tag) == (older_repository, older_tag);
        let is_after = older.end_ms.is_some_and(|end| end <= *start);
        findings
            .require(!is_next || is_after, || format!("tag history: {tag} starts before the row it follows"));
    }
    for row in history {
        let (repository, tag, start, record) = row;
        let digest = record.digest.0;
        times.insert((repository, start, tag.clone()), ());
        let Some(namespace) = repositories.get(&repository).map(|row| row.namespace) else {
            findings.lines.push(format!("tag history: {tag} is of no repository"));
            continue;
        };
        match record.end_ms {
            None => {
                let previous = live
                    .insert((repository, tag.clone()), LiveTag { digest: record.digest, start_ms: start });
                findings.require(previous.is_none(), || format!("tag history: {tag} is alive twice"));
                holds.insert((repository, digest, Hold::LiveTag(tag)), ());
            }
            Some(end) => {
                findings.require(start < end, || format!("tag history: {tag} ends before it starts"));
                dead.insert((namespace, end, repository, tag.clone()), start);
                holds.insert((repository, digest, Hold::DeadTag(tag, start)), ());
            }
        }
    }
    findings.compare("tags", &live, &all(rows, &TAGS)?);
    findings.compare("dead tags", &dead, &all(rows, &DEAD_TAGS)?);
    let found_times = all_times(rows)?;
    findings.compare("tag times", &times, &found_times);
    let mut found = all(rows, &HOLDS)?;
    found.retain(|(_, _, hold), ()| matches!(hold, Hold::LiveTag(_) | Hold::DeadTag(..)));
    findings.compare("holds by tags", &holds, &found);
    Ok(())
}

type HistoryRow = (crate::model::keys::RepositoryId, crate::oci::Tag, u64, crate::model::records::TagRow);

fn rows_of_history(rows: &ReadTxn) -> Result<Vec<HistoryRow>, Error> {
    use crate::metadata::Rows;
    let history = rows.scan(&TAG_HISTORY, &(), None, usize::MAX)?;
    Ok(history
        .into_iter()
        .map(|((repository, tag, Descending(start)), record)| (repository, tag, start, record))
        .collect())
}

fn all_times(
    rows: &ReadTxn,
) -> Result<BTreeMap<(crate::model::keys::RepositoryId, u64, crate::oci::Tag), ()>, Error> {
    use crate::metadata::Rows;
    let times = rows.scan(&TAG_TIMES, &(), None, usize::MAX)?;
    Ok(times
        .into_iter()
        .map(|((repository, Descending(start), tag), ())| ((repository, start, tag), ()))
        .collect())
}
