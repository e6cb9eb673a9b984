//! Listings and counts of events. A page costs its events, a count its days and kinds.

use std::fmt;

use super::rows::{COUNTS, EVENTS, INDEX, Scope};
use super::{DAY_MS, Event};
use crate::Error;
use crate::metadata::Rows;
use crate::metadata::key::Descending;
use crate::oci::{NamespaceName, RepositoryName};

/// Counts that are read at once.
const COUNTS_READ: usize = 256;

/// Whose events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventScope {
    /// Everybody's.
    All,
    /// Those in a namespace.
    Namespace(NamespaceName),
    /// Those in a repository.
    Repository(RepositoryName),
}

/// Which events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventQuery {
    /// Whose.
    pub scope: EventScope,
    /// Only those that the user or robot of this name performed.
    pub performer: Option<String>,
    /// From this time on, in milliseconds since the Unix epoch.
    pub from_ms: u64,
    /// Before this time.
    pub until_ms: u64,
}

/// Events, the latest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventsPage {
    /// The events.
    pub events: Vec<Event>,
    /// Where the next page goes on, if there are more.
    pub next: Option<EventCursor>,
}

/// Where a page ended. Its text means nothing to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventCursor {
    time_ms: u64,
    id: u64,
}

impl EventCursor {
    /// Reads what a cursor was displayed as.
    pub fn parse(text: &str) -> Option<Self> {
        let (time, id) = text.split_at_checked(16)?;
        let number = |digits: &str| u64::from_str_radix(digits, 16).ok();
        let cursor = Self { time_ms: number(time)?, id: number(id)? };
        // One spelling only.
        (cursor.to_string() == text).then_some(cursor)
    }
}

impl fmt::Display for EventCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.time_ms, self.id)
    }
}

/// How many events of a kind there are on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventCount {
    /// When the day began, by UTC, in milliseconds since the Unix epoch.
    pub day_ms: u64,
    /// The kind.
    pub kind: String,
    /// How many.
    pub count: u64,
}

/// Events of a scope in [`from_ms`, `until_ms`), the latest first, after `cursor`.
pub(crate) fn page(
    rows: &impl Rows,
    scope: Scope,
    from_ms: u64,
    until_ms: u64,
    cursor: Option<EventCursor>,
    limit: usize,
) -> Result<EventsPage, Error> {
    // Behind all keys of the time at which the range ends.
    let end = (scope, Descending(until_ms), Descending(0));
    let after = match cursor {
        Some(cursor) if cursor.time_ms < until_ms => {
            (scope, Descending(cursor.time_ms), Descending(cursor.id))
        }
        _ => end,
    };
    let found = rows.scan(&INDEX, &scope, Some(&after), limit.saturating_add(1))?;
    let mut keys = found.into_iter().map(|((_, Descending(time), Descending(id)), ())| (time, id));
    let mut events = Vec::new();
    for key in keys.by_ref().take_while(|(time_ms, _)| *time_ms >= from_ms).take(limit) {
        events.push(rows.get(&EVENTS, &key)?.ok_or(Error::Corrupt("event index"))?);
    }
    let is_more = events.len() == limit && keys.next().is_some_and(|(time_ms, _)| time_ms >= from_ms);
    let last = events.last().filter(|_| is_more);
    let next = last.map(|event| EventCursor { time_ms: event.time_ms, id: event.id });
    Ok(EventsPage { events, next })
}

/// The counts of a scope on the days that lie in [`from_ms`, `until_ms`), if only with a part.
pub(crate) fn counts(
    rows: &impl Rows,
    scope: Scope,
    from_ms: u64,
    until_ms: u64,
) -> Result<Vec<EventCount>, Error> {
    let mut counted = Vec::new();
    if until_ms <= from_ms {
        return Ok(counted);
    }
    let end_day = until_ms.div_ceil(DAY_MS);
    // No kind has an empty name.
    let mut after = (scope, from_ms / DAY_MS, String::new());
    loop {
        let found = rows.scan(&COUNTS, &scope, Some(&after), COUNTS_READ)?;
        let is_last = found.len() < COUNTS_READ;
        for ((_, day, kind), count) in found {
            if day >= end_day {
                return Ok(counted);
            }
            after = (scope, day, kind.clone());
            counted.push(EventCount { day_ms: day * DAY_MS, kind, count: count.count });
        }
        if is_last {
            return Ok(counted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_what_it_shows_and_nothing_else() {
        let cursor = EventCursor { time_ms: 1, id: u64::MAX };
        assert_eq!(EventCursor::parse(&cursor.to_string()), Some(cursor));
        for text in ["", "1", "é000000000000001ffffffffffffffff", "000000000000000+ffffffffffffffff"] {
            assert_eq!(EventCursor::parse(text), None, "{text}");
        }
        assert_eq!(EventCursor::parse(&cursor.to_string().to_uppercase()), None);
    }
}
