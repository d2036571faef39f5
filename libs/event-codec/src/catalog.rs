//! Every event type with its newest schema version and how its payload prints. Must not know what the types mean.

use ballast_events::Envelope;
use prost::Message;
use serde_json::Value;

use crate::read::{self, DecodeError, Malformed};

/// One event type; a row of a family's `TYPES`.
pub(crate) struct EventType {
    /// Family and name, e.g. "task.accepted".
    pub(crate) name: &'static str,
    pub(crate) schema_version: u32,
    json: fn(&[u8]) -> Result<Value, Malformed>,
}

impl EventType {
    /// A type whose payload is message `M`, in its first version.
    pub(crate) const fn of<M: Message + Default + serde::Serialize>(name: &'static str) -> Self {
        Self { name, schema_version: 1, json: json_of::<M> }
    }
}

fn json_of<M: Message + Default + serde::Serialize>(payload: &[u8]) -> Result<Value, Malformed> {
    let message: M = read::message(payload)?;
    serde_json::to_value(message).map_err(|error| Malformed(error.to_string()))
}

const FAMILIES: [&[EventType]; 8] = [
    crate::cluster::TYPES,
    crate::plan::TYPES,
    crate::task::TASK_TYPES,
    crate::task::STEP_TYPES,
    crate::throttle::THROTTLE_TYPES,
    crate::throttle::ADMISSION_TYPES,
    crate::audit::TYPES,
    crate::large::TYPES,
];

pub(crate) fn all() -> impl Iterator<Item = &'static EventType> {
    FAMILIES.into_iter().flatten()
}

pub(crate) fn find(name: &str) -> Option<&'static EventType> {
    all().find(|known| known.name == name)
}

/// The type of an event that this version can read.
pub(crate) fn readable(envelope: &Envelope) -> Result<&'static EventType, DecodeError> {
    let (sequence, event_type) = (envelope.sequence, envelope.header.event_type.clone());
    let Some(known) = find(&event_type) else {
        return Err(DecodeError::UnknownType { sequence, event_type });
    };
    let (found, known_version) = (envelope.header.schema_version, known.schema_version);
    if found > known_version {
        return Err(DecodeError::NewerSchema { sequence, event_type, found, known: known_version });
    }
    Ok(known)
}

/// The payload for people: its fields as JSON, chunk sets by name, the data of a chunk by its length.
pub fn payload_json(envelope: &Envelope) -> Result<Value, DecodeError> {
    let known = readable(envelope)?;
    let mut value = (known.json)(&envelope.payload).map_err(|Malformed(detail)| DecodeError::Malformed {
        sequence: envelope.sequence,
        event_type: known.name.into(),
        detail,
    })?;
    if known.name == crate::large::CHUNK {
        let bytes = value.get("data").and_then(Value::as_array).map_or(0, Vec::len);
        value["data"] = serde_json::json!({ "bytes": bytes });
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_types_have_one_row_each_and_a_family() {
        let mut names: Vec<_> = all().map(|known| known.name).collect();
        assert!(names.iter().all(|name| name.contains('.')), "family and name, divided by a dot");
        let rows = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), rows);
    }
}
