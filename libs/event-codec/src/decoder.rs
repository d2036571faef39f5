//! Reads events one after the other, holding the chunks of large members until the event that closes them. Must not know what
//! is done with the events.

use ballast_events::{Envelope, Event};
use ballast_proto::event::v1 as proto;

use crate::catalog::{self, EventType};
use crate::large::{self, OpenSets};
use crate::read::{self, DecodeError, Malformed};
use crate::{audit, cluster, plan, task, throttle};

/// Reads what one follower is given, in order. A follower that skips streams may do so; one that skips the chunks of a stream
/// whose events it reads gets errors.
#[derive(Default)]
pub struct Decoder {
    open: OpenSets,
}

impl Decoder {
    pub fn new() -> Self {
        Self::default()
    }

    /// The event, or `None` for a chunk, which is kept for the event that closes its set.
    pub fn decode(&mut self, envelope: &Envelope) -> Result<Option<Event>, DecodeError> {
        let known = catalog::readable(envelope)?;
        self.decode_known(envelope, known).map_err(|Malformed(detail)| DecodeError::Malformed {
            sequence: envelope.sequence,
            event_type: known.name.into(),
            detail,
        })
    }

    /// Chunk sets that no event has closed so far.
    pub fn open_sets(&self) -> usize {
        self.open.count()
    }

    fn decode_known(&mut self, envelope: &Envelope, known: &EventType) -> Result<Option<Event>, Malformed> {
        let (name, payload) = (known.name, envelope.payload.as_slice());
        let mut sets = self.open.of(&envelope.stream);
        let event = match name.split('.').next().unwrap_or_default() {
            "cluster" => Event::Cluster(cluster::decode(name, payload, &mut sets)?),
            "plan" => Event::Plan(plan::decode(name, payload, &mut sets)?),
            "task" => Event::Task(task::decode_task(name, payload, &mut sets)?),
            "step" => Event::Step(task::decode_step(name, payload)?),
            "throttle" => Event::Throttle(throttle::decode_throttle(name, payload)?),
            "admission" => Event::Admission(throttle::decode_admission(name, payload)?),
            "lease" | "audit" => audit::decode(name, payload)?,
            _ => {
                let chunk: proto::LogChunk = read::message(payload)?;
                self.open.keep(&envelope.stream, large::chunk_from_proto(chunk)?);
                return Ok(None);
            }
        };
        Ok(Some(event))
    }
}
