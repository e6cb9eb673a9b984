//! What an event says, and where its request came from.

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::access::PrincipalId;
use crate::metadata::record::{Field, record};

/// Where a request came from and what it was signed in with: what [`crate::Registry::by`] adds to the events of all
/// that is done through the handle it gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The client's address; empty if there is none.
    pub address: String,
    /// The client's `User-Agent`; may be empty. Kept up to 512 bytes.
    pub user_agent: String,
    /// What kind of credential was used; may be empty.
    pub credential: String,
    /// Who changes an account, as those operations take no actor. Elsewhere the actor counts.
    pub performer: Option<PrincipalId>,
}

/// Clients choose what they say of themselves, and it is kept for each event.
const USER_AGENT_MAX: usize = 512;

impl Origin {
    /// The same with no more of the user agent than is kept.
    pub(crate) fn bounded(mut self) -> Self {
        self.user_agent.truncate(self.user_agent.floor_char_boundary(USER_AGENT_MAX));
        self
    }
}

/// A thing by its id, which is never given out again, and the name that it had at the time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Named {
    /// The id.
    pub id: u64,
    /// The name: of a repository its path in the namespace.
    pub name: String,
}

impl Field for Named {
    fn write(&self, out: &mut Vec<u8>) {
        Field::write(&self.id, out);
        Field::write(&self.name, out);
    }
    fn read(input: &mut &[u8]) -> Option<Self> {
        Some(Self { id: Field::read(input)?, name: Field::read(input)? })
    }
}

record! {
    /// Something that was done.
    #[derive(Serialize)]
    pub struct Event {
        /// Tells events of one millisecond apart. No two events have the same.
        id: u64,
        /// When, in milliseconds since the Unix epoch.
        time_ms: u64,
        /// What, by Quay's name for it.
        kind: String,
        /// In which namespace.
        namespace: Option<Named>,
        /// In which repository.
        repository: Option<Named>,
        /// Who, if somebody was signed in.
        performer: Option<Named>,
        /// From which address; may be empty.
        address: String,
        /// With which `User-Agent`; may be empty.
        user_agent: String,
        /// With what kind of credential; may be empty.
        credential: String,
        /// The rest, as a JSON object whose keys are Quay's for this kind.
        #[serde(serialize_with = "as_object")]
        metadata: String,
    }
}

/// Shows the object itself rather than its text.
fn as_object<S: Serializer>(metadata: &str, serializer: S) -> Result<S::Ok, S::Error> {
    match serde_json::from_str::<Value>(metadata) {
        Ok(object) => object.serialize(serializer),
        Err(_) => serializer.serialize_str(metadata),
    }
}

impl Event {
    /// Takes over where the request came from.
    pub(crate) fn set_origin(&mut self, origin: &Origin) {
        self.address.clone_from(&origin.address);
        self.user_agent.clone_from(&origin.user_agent);
        self.credential.clone_from(&origin.credential);
    }

    /// The event as a line of JSON.
    pub(crate) fn to_line(&self) -> String {
        // Only maps with keys other than strings cannot be written.
        let mut line = serde_json::to_string(self).expect("invariant: an event has plain fields");
        line.push('\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Record;

    fn event() -> Event {
        Event {
            id: 7,
            time_ms: 1_700_000_000_000,
            kind: "push_repo".into(),
            namespace: Some(Named { id: 1, name: "acme".into() }),
            repository: Some(Named { id: 2, name: "app".into() }),
            metadata: r#"{"tag":"v\"1"}"#.into(),
            ..Event::default()
        }
    }

    #[test]
    fn a_long_user_agent_is_cut_between_characters() {
        let origin = Origin { user_agent: "aü".repeat(300), ..Origin::default() }.bounded();
        assert_eq!(origin.user_agent, "aü".repeat(170) + "a");
    }

    #[test]
    fn an_event_survives_the_round_trip() {
        assert_eq!(Event::decode(&event().encode()), Some(event()));
    }

    #[test]
    fn an_event_is_one_line_of_json_with_its_metadata_as_an_object() {
        let line = event().to_line();
        assert_eq!(line.find('\n'), Some(line.len() - 1));
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["metadata"]["tag"], "v\"1");
        assert_eq!((&read["namespace"]["name"], &read["performer"]), (&"acme".into(), &Value::Null));
    }
}
