//! The audit trail: who did what, where and when. (The proof that rows and files agree is `audit`.)
//!
//! An event of a change is queued in the transaction of the change, so that there is none without the other. The
//! background moves it into a second database file, the log, and it counts as moved once it is durable there. What
//! changes nothing, such as a pull, goes by a queue in memory and costs its caller no commit. Old events leave the log
//! for compressed files.

mod archive;
mod attempts;
mod event;
mod exports;
mod observed;
mod reading;
mod rows;
mod stamp;
mod stream;

pub(crate) use archive::{Archives, Draft};
pub use attempts::{Refused, SignIn, SignInOutcome, SignInWay};
pub use event::{Event, Named, Origin};
pub(crate) use exports::{ExportDraft, Exports};
pub use observed::{Observed, Pull};
pub(crate) use observed::{Queue, Waiting, dropped};
pub use reading::{EventCount, EventCursor, EventQuery, EventScope, EventsPage};
pub(crate) use reading::{counts, page};
pub(crate) use rows::{
    ARCHIVE, Archive, COUNTS, EVENTS, EventKey, INDEX, OUTBOX, Scope, TALLY, Tally, insert, remove, scopes,
};
pub(crate) use stamp::{Stamp, performer};
pub(crate) use stream::Streams;
pub use stream::{EventStream, Streamed};

/// Milliseconds in a day. Counts and files are those of a day, by UTC.
pub(crate) const DAY_MS: u64 = 24 * 60 * 60 * 1000;
