//! One call of the port: its deadline, and what running out of it means. Must not know what is asked.

use std::future::Future;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ballast_kafka::KafkaError;
use tokio::time::{Instant, timeout_at};

/// Whether asking twice can do harm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Read,
    Write,
}

/// A call under way. Parts of one call that run side by side each need their own: `sent` is about one request at a time.
pub(crate) struct Call {
    pub operation: &'static str,
    pub kind: Kind,
    pub allowed: Duration,
    until: Instant,
    sent: AtomicBool,
    endpoint: Mutex<String>,
}

impl Call {
    pub fn new(operation: &'static str, kind: Kind, allowed: Duration) -> Self {
        let until = Instant::now() + allowed;
        Self { operation, kind, allowed, until, sent: AtomicBool::new(false), endpoint: Mutex::new("the cluster".into()) }
    }

    /// Milliseconds for the timeout field of requests.
    pub fn allowed_milliseconds(&self) -> i32 {
        i32::try_from(self.allowed.as_millis()).unwrap_or(i32::MAX)
    }

    /// Half of what is left: what one of several candidates may take of a read.
    pub fn half_of_the_rest(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now()) / 2
    }

    /// Notes whom the call is dealing with, for messages.
    pub fn turn_to(&self, endpoint: &str) {
        let mut current = self.endpoint.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        current.clear();
        current.push_str(endpoint);
        self.sent.store(false, Ordering::Relaxed);
    }

    /// A whole request was handed to the network.
    pub fn mark_sent(&self) {
        self.sent.store(true, Ordering::Relaxed);
    }

    /// The request was answered.
    pub fn mark_answered(&self) {
        self.sent.store(false, Ordering::Relaxed);
    }

    /// Runs `work` to its end or to the deadline of the call.
    pub async fn run<T>(&self, work: impl Future<Output = Result<T, KafkaError>>) -> Result<T, KafkaError> {
        timeout_at(self.until, work).await.unwrap_or_else(|_| Err(self.expired()))
    }

    /// What it means that the time is over now.
    pub fn expired(&self) -> KafkaError {
        let endpoint = self.endpoint.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
        let deadline_milliseconds = u64::try_from(self.allowed.as_millis()).unwrap_or(u64::MAX);
        match (self.kind, self.sent.load(Ordering::Relaxed)) {
            (Kind::Read, _) => KafkaError::TimedOut { operation: self.operation, endpoint, deadline_milliseconds },
            (Kind::Write, true) => self.unknown(&endpoint, format!("no answer within {deadline_milliseconds} ms")),
            (Kind::Write, false) => KafkaError::Unreachable {
                endpoint,
                cause: format!("{} could not be sent within {deadline_milliseconds} ms", self.operation),
            },
        }
    }

    /// The request left, the answer did not come or cannot be read.
    pub fn unanswered(&self, endpoint: &str, cause: String) -> KafkaError {
        match self.kind {
            Kind::Read => KafkaError::Unreachable { endpoint: endpoint.to_owned(), cause },
            Kind::Write => self.unknown(endpoint, cause),
        }
    }

    /// The answer is not what the protocol says.
    pub fn malformed(&self, endpoint: &str, cause: String) -> KafkaError {
        match self.kind {
            Kind::Read => KafkaError::Malformed { endpoint: endpoint.to_owned(), cause },
            Kind::Write => self.unknown(endpoint, format!("the answer cannot be read: {cause}")),
        }
    }

    fn unknown(&self, endpoint: &str, cause: String) -> KafkaError {
        KafkaError::Unknown { operation: self.operation, endpoint: endpoint.to_owned(), cause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(kind: Kind) -> Call {
        Call::new("AlterConfigs", kind, Duration::from_millis(20))
    }

    #[tokio::test]
    async fn a_read_out_of_time_timed_out_whether_sent_or_not() {
        let call = call(Kind::Read);
        call.turn_to("a:1");
        call.mark_sent();
        let result: Result<(), _> = call.run(std::future::pending()).await;
        let expected = KafkaError::TimedOut { operation: "AlterConfigs", endpoint: "a:1".into(), deadline_milliseconds: 20 };
        assert_eq!(result, Err(expected));
    }

    #[tokio::test]
    async fn a_write_out_of_time_is_unknown_only_once_sent() {
        let call = call(Kind::Write);
        call.turn_to("a:1");
        assert!(matches!(call.expired(), KafkaError::Unreachable { .. }));
        call.mark_sent();
        let result: Result<(), _> = call.run(std::future::pending()).await;
        assert!(result.is_err_and(|error| error.is_unknown()));
        call.mark_answered();
        assert!(!call.expired().is_unknown());
    }
}
