//! Components that nobody can guess: random ids, and hashes of what was given out.

use crate::access::TokenId;
use crate::ids::random_id;
use crate::metadata::key::{Component, take};
use crate::metadata::record::Record;
use crate::model::messages::MessageId;

/// Declares how so many bytes are stored: as they are.
macro_rules! stored_as_they_are {
    ($($name:ident),+) => {
        $(impl Component for $name {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.0);
            }
            fn read(input: &mut &[u8]) -> Option<Self> {
                take(input).map(Self)
            }
        })+
    };
}
stored_as_they_are!(PrototypeId, UploadId, SessionKey, SecretHash, TokenId, MessageId);

random_id! {
    /// Names a default permission to clients: a random UUID.
    PrototypeId
}

impl std::str::FromStr for PrototypeId {
    type Err = crate::Error;

    /// Reads the hyphenated form.
    ///
    /// # Errors
    /// [`crate::Error::PrototypeUnknown`]: no default permission has such a name.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        uuid::Uuid::try_parse(text)
            .map(|id| Self(id.into_bytes()))
            .map_err(|_| crate::Error::PrototypeUnknown)
    }
}

random_id! {
    /// The name of an upload session: a random UUID (RFC 9562, version 4), unguessable.
    UploadId
}

impl std::str::FromStr for UploadId {
    type Err = crate::Error;

    /// Reads the hyphenated form.
    ///
    /// # Errors
    /// [`crate::Error::UploadUnknown`]: no session has such a name.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let id = uuid::Uuid::try_parse(text).map_err(|_| crate::Error::UploadUnknown)?;
        let id = Self(id.into_bytes());
        // One spelling only: the session's URL is what was given out.
        if id.to_string() == text { Ok(id) } else { Err(crate::Error::UploadUnknown) }
    }
}

/// What a session's row lies under: the SHA-256 of its id, so that whoever reads the rows cannot use any of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SessionKey(pub(crate) [u8; 32]);

/// The SHA-256 of a token or a code, under which it is found: whoever reads the rows cannot use any of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SecretHash(pub(crate) [u8; 32]);

impl Record for TokenId {
    fn encode(&self) -> Vec<u8> {
        Component::encode(self)
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        Component::decode(bytes)
    }
}
