//! Events to protobuf and back: one message per event type, named in `catalog`; large members as chunk sets before the event
//! that closes them. The only crate that knows how events look on disk. Must not know storage engines or what events lead to.
//!
//! How a family is written (`audit.rs` is the shortest example): its payload messages stand in
//! `proto/ballast/event/v1/<family>_events.proto`, all named with the family's prefix; its file has
//! `TYPES` (name, version and message of each event type), `encode` (a match over the event's variants) and `decode` (a match
//! over the type's name). Fields are added, never renumbered; a change of meaning is a new version of that type.

mod audit;
mod catalog;
mod cluster;
mod decoder;
mod input;
mod large;
mod outcome;
mod plan;
mod read;
mod snapshot;
mod task;
mod task_body;
mod throttle;
mod topology;
mod write;

pub use catalog::payload_json;
pub use decoder::Decoder;
pub use read::DecodeError;
pub use snapshot::{SnapshotError, append_snapshot, read_snapshot};
pub use task::step_stream;
pub use write::{Encoded, Meta, append_events, encode, new_events};
