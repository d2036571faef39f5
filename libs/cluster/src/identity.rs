//! Names of things: brokers, partitions, instants. Must not know what the named things are like.

use std::fmt;

/// Kafka's `node.id` of a broker.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BrokerId(pub i32);

impl fmt::Display for BrokerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// One partition of one topic, by name. Names are reused after a topic is deleted: compare topic ids before acting on one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TopicPartition {
    pub topic: String,
    pub partition: u32,
}

impl TopicPartition {
    pub fn new(topic: impl Into<String>, partition: u32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

/// Prints as `topic:partition`, the form that `plan explain` and `plan create --topic` take.
impl fmt::Display for TopicPartition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.topic, self.partition)
    }
}

/// An instant in milliseconds since the Unix epoch, UTC. Passed into pure code; only the clock port makes one from the present.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timestamp {
    pub milliseconds: i64,
}

impl Timestamp {
    pub const fn from_milliseconds(milliseconds: i64) -> Self {
        Self { milliseconds }
    }

    /// This instant moved forward; saturates at the end of time.
    pub const fn plus_milliseconds(self, milliseconds: i64) -> Self {
        Self { milliseconds: self.milliseconds.saturating_add(milliseconds) }
    }

    /// Milliseconds from `earlier` to this instant; negative when `earlier` is later.
    pub const fn milliseconds_since(self, earlier: Timestamp) -> i64 {
        self.milliseconds.saturating_sub(earlier.milliseconds)
    }
}
