//! Messages that superusers show to everybody.

use crate::ids::random_id;
use crate::metadata::record::record;

record! {
    /// A message.
    pub(crate) struct Message {
        content: String,
        /// The media type by name.
        media_type: String,
        /// How grave it is, by name.
        severity: String,
        created_ms: u64,
    }
}

random_id! {
    /// Names a message to clients: a random UUID.
    MessageId
}

impl MessageId {
    /// Reads the hyphenated form; none if it names nothing.
    pub fn parse(text: &str) -> Option<Self> {
        uuid::Uuid::try_parse(text).ok().map(|id| Self(id.into_bytes()))
    }
}
