//! What can be set about Flow Control, beside the figures of the control law. Must not know where it was read.

use std::time::Duration;

/// Times of one governor. All are on the clock that the governor is given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// How often limits are decided anew; new loads come about as often.
    pub sample_interval: Duration,
    /// How long a grant stands unused. Longer than the executor takes to act on it.
    pub grant_lifetime: Duration,
    /// How long to look for what was just written: brokers learn of it a little later than the controller.
    pub read_back_deadline: Duration,
    /// Least time between two tries of what failed or was withheld.
    pub retry_interval: Duration,
    /// So long a write that was not answered may still arrive: until then nothing it touches counts as taken back.
    pub late_write: Duration,
    /// How long a limit outlives its last list entry while its task goes on: the next step most likely needs it again.
    pub linger: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            sample_interval: Duration::from_secs(5),
            grant_lifetime: Duration::from_secs(60),
            read_back_deadline: Duration::from_secs(3),
            retry_interval: Duration::from_secs(2),
            late_write: Duration::from_secs(30),
            linger: Duration::from_secs(3),
        }
    }
}

/// A duration as the log counts time.
pub(crate) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
