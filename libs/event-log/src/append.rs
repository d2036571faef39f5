//! What an append asks for and answers. Must not know engines.

use ballast_cluster::Timestamp;
use ballast_events::{Actor, Basis, Fencing, RequestRef, StreamName};

/// All events of one command, with the conditions under which they may be taken.
#[derive(Clone, Debug)]
pub struct Append {
    pub context: Context,
    /// Each must hold when the append is taken. Streams that are written to without an entry are taken as they are.
    pub expected: Vec<(StreamName, ExpectedVersion)>,
    /// Sequence of the lease event of the writing process; refused when another lease was taken since, or this one was
    /// released. `None` is for the event that takes the lease; anything else without an epoch is refused once there is a lease.
    pub epoch: Option<u64>,
    /// At least one, at most [`EVENTS_MAX`].
    pub events: Vec<NewEvent>,
    /// Closes work that runs already (a step observed done, a throttle taken back): may use half of the room that is kept free
    /// on the volume, where everything else is refused.
    pub essential: bool,
}

/// Events in one append, at most.
pub const EVENTS_MAX: usize = 256;

impl Append {
    /// An append without expectations.
    pub fn new(context: Context, epoch: Option<u64>, events: Vec<NewEvent>) -> Self {
        Self { context, expected: Vec::new(), epoch, events, essential: false }
    }

    /// The same append with one more expectation.
    #[must_use]
    pub fn expecting(mut self, stream: StreamName, version: ExpectedVersion) -> Self {
        self.expected.push((stream, version));
        self
    }

    /// The same append as one that closes running work.
    #[must_use]
    pub fn essential(self) -> Self {
        Self { essential: true, ..self }
    }
}

/// Who asks and why: the same for all events of an append.
#[derive(Clone, Debug, Default)]
pub struct Context {
    pub actor: Actor,
    pub reason: String,
    pub request: Option<RequestRef>,
    pub traceparent: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExpectedVersion {
    /// The stream has exactly this many events; 0: it does not exist yet.
    Exactly(u64),
    /// The stream exists.
    Exists,
}

/// An event to be recorded; the log gives it its sequence, version, id and recorded time.
#[derive(Clone, Debug)]
pub struct NewEvent {
    pub stream: StreamName,
    pub event_type: String,
    pub schema_version: u32,
    pub payload: Vec<u8>,
    pub occurred_at: Timestamp,
    pub cluster: Option<String>,
    pub correlation_id: Option<String>,
    pub causation: Option<u64>,
    pub fencing: Option<Fencing>,
    pub basis: Option<Basis>,
}

/// Where the events of an append stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Appended {
    pub first_sequence: u64,
    pub last_sequence: u64,
    /// The request id had been used for the same command before: these are the events of that time.
    pub replayed: bool,
}
