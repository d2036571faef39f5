//! What can be set about the Task Manager. Must not know where it was read.

use std::time::Duration;

use ballast_task::Limits;

/// Times are on the clock that the Task Manager is given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Of moves in flight, stalls and patience; per cluster.
    pub limits: Limits,
    /// How often a cluster is looked at while something is under way and nothing new is recorded.
    pub look_interval: Duration,
    /// How often the bytes of moves in flight are measured, and brokers are asked what a step that is due must know of them.
    pub progress_interval: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { limits: Limits::default(), look_interval: Duration::from_millis(500), progress_interval: Duration::from_secs(2) }
    }
}
