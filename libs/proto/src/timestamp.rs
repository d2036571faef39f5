//! `google.protobuf.Timestamp` that prints as RFC 3339 UTC. Wire-compatible with the well-known type.

use std::fmt;

use serde::{Serialize, Serializer};

#[derive(Clone, Copy, PartialEq, Eq, Hash, ::prost::Message)]
pub struct Timestamp {
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

impl Timestamp {
    pub fn from_milliseconds(milliseconds: i64) -> Self {
        // The remainder of a division by 1,000 always fits.
        Self { seconds: milliseconds.div_euclid(1_000), nanos: milliseconds.rem_euclid(1_000) as i32 * 1_000_000 }
    }

    pub fn to_milliseconds(self) -> i64 {
        self.seconds.saturating_mul(1_000).saturating_add(i64::from(self.nanos) / 1_000_000)
    }
}

/// RFC 3339 UTC with milliseconds; years beyond 9999 print as their seconds.
impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.to_milliseconds()) {
            Ok(instant) => write!(formatter, "{instant:.3}"),
            Err(_) => write!(formatter, "{}", self.seconds),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
