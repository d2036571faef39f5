//! Names of streams: every event belongs to one, and each has one writer. Must not know what is in them.

use std::fmt;

/// A validated stream name such as `task/task-7kq3/0`. Cheap to compare, ordered by name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StreamName(String);

impl StreamName {
    pub fn cluster(cluster: &str) -> Self {
        Self(format!("cluster/{cluster}"))
    }

    pub fn plan(id: &str) -> Self {
        Self(format!("plan/{id}"))
    }

    pub fn task(id: &str) -> Self {
        Self(format!("task/{id}"))
    }

    /// Steps `500 n` to `500 n + 499` of a task.
    pub fn task_steps(id: &str, n: u32) -> Self {
        Self(format!("task/{id}/{n}"))
    }

    pub fn throttle(cluster: &str) -> Self {
        Self(format!("throttle/{cluster}"))
    }

    pub fn admission(cluster: &str) -> Self {
        Self(format!("admission/{cluster}"))
    }

    /// The snapshot that plans were made from, by its hash.
    pub fn snapshot(hash: &[u8; 32]) -> Self {
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Self(format!("snapshot/{hex}"))
    }

    pub fn lease() -> Self {
        Self("lease/active".into())
    }

    pub fn audit() -> Self {
        Self("audit".into())
    }

    /// A name read back from storage or the wire. `None` when it is empty, longer than 255 bytes or has control characters.
    pub fn parse(name: &str) -> Option<Self> {
        let legal = !name.is_empty() && name.len() <= 255 && !name.chars().any(char::is_control);
        legal.then(|| Self(name.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the first slash: the family of the stream.
    pub fn family(&self) -> &str {
        self.0.split('/').next().unwrap_or(&self.0)
    }

    /// The parts after the family, e.g. `["task-7kq3", "0"]`.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').skip(1)
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
