//! Small tools for reading payloads: decoding a message, and naming what is missing in one. Must not know event families.

use prost::Message;

/// Why an event could not be read. The view that meets one stops: guessing would make it wrong.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeError {
    #[error("event {sequence} has the type {event_type}, which this version of Ballast does not know")]
    UnknownType { sequence: u64, event_type: String },
    #[error(
        "event {sequence} ({event_type}) has schema version {found}, newer than {known}, the newest that this version of Ballast reads"
    )]
    NewerSchema { sequence: u64, event_type: String, found: u32, known: u32 },
    #[error("event {sequence} ({event_type}) cannot be read: {detail}")]
    Malformed { sequence: u64, event_type: String, detail: String },
}

impl DecodeError {
    /// The reason code under which a client sees this.
    pub fn reason_code(&self) -> &'static str {
        "EVENT_UNREADABLE"
    }
}

/// What is wrong with a payload; [`crate::Decoder`] adds the event's place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Malformed(pub(crate) String);

/// The payload as message `M`.
pub(crate) fn message<M: Message + Default>(payload: &[u8]) -> Result<M, Malformed> {
    M::decode(payload).map_err(|error| Malformed(error.to_string()))
}

/// The value of a field that must be there.
pub(crate) fn required<T>(field: Option<T>, name: &str) -> Result<T, Malformed> {
    field.ok_or_else(|| Malformed(format!("{name} is missing")))
}

/// The match arm for a type name that is in the catalog but not in the family's `decode`; a test keeps this from happening.
pub(crate) fn unlisted(event_type: &str) -> Malformed {
    Malformed(format!("{event_type} is not of this family"))
}
