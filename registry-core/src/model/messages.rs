//! Messages that superusers show to everybody.

use crate::metadata::key::{Component, take};
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

/// Names a message to clients: a random UUID.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub(crate) [u8; 16]);

impl MessageId {
    /// The id made of these random bytes.
    pub(crate) fn from_random(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid().into_bytes())
    }

    /// Reads the hyphenated form; none if it names nothing.
    pub fn parse(text: &str) -> Option<Self> {
        uuid::Uuid::try_parse(text).ok().map(|id| Self(id.into_bytes()))
    }
}

impl std::fmt::Display for MessageId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        uuid::Uuid::from_bytes(self.0).hyphenated().fmt(f)
    }
}

impl Component for MessageId {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
    fn read(input: &mut &[u8]) -> Option<Self> {
        take(input).map(Self)
    }
}
