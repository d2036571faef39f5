//! Kept connections, and one request on one of them. Must not know which node is which or what to do when one is away.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use ballast_cluster::BrokerId;
use ballast_kafka::KafkaError;
use kafka_protocol::protocol::Request;
use tokio::time::timeout;

use crate::call::{Call, Kind};
use crate::connection::{Connection, Failure, decode};
use crate::security;

/// Idle connections kept for each endpoint: more calls than these side by side open connections of their own.
const IDLE_PER_ENDPOINT_MAX: usize = 4;

pub(crate) struct Pool {
    client_id: String,
    connect_deadline: Duration,
    idle: Mutex<HashMap<String, Vec<Connection>>>,
}

impl Pool {
    pub fn new(client_id: String, connect_deadline: Duration) -> Self {
        Self { client_id, connect_deadline, idle: Mutex::new(HashMap::new()) }
    }

    /// Sends one request to one endpoint and reads its answer, in a version of at least `lowest`.
    pub async fn exchange<R: Request>(
        &self,
        call: &Call,
        endpoint: &str,
        request: &R,
        lowest: i16,
    ) -> Result<R::Response, KafkaError> {
        call.turn_to(endpoint);
        while let Some(mut connection) = self.take(endpoint) {
            match self.ask(call, endpoint, &mut connection, request, lowest).await {
                // A kept connection may have died unnoticed: the next one, or a new one, will do. A write that may have arrived
                // is not sent again.
                Err(Failure::NotSent(_)) => {}
                Err(Failure::Closed(_)) if call.kind == Kind::Read => {}
                Err(failure) => return Err(self.explain(call, endpoint, failure)),
                Ok(answer) => return self.kept(endpoint, connection, answer),
            }
            call.turn_to(endpoint);
        }
        let mut connection = self.open(endpoint).await?;
        match self.ask(call, endpoint, &mut connection, request, lowest).await {
            Ok(answer) => self.kept(endpoint, connection, answer),
            Err(Failure::Closed(_)) if security::wants_sasl(endpoint, &self.client_id).await => {
                Err(KafkaError::SecurityRequired { endpoint: endpoint.to_owned(), wants: "SASL" })
            }
            Err(failure) => Err(self.explain(call, endpoint, failure)),
        }
    }

    /// The answer, or why this node cannot be asked at all, in which case the connection is still good.
    async fn ask<R: Request>(
        &self,
        call: &Call,
        endpoint: &str,
        connection: &mut Connection,
        request: &R,
        lowest: i16,
    ) -> Result<Result<R::Response, KafkaError>, Failure> {
        let Some(version) = connection.version_of::<R>(lowest) else {
            let needs = format!("it does not speak version {lowest} or later of API {} ({endpoint})", R::KEY);
            return Ok(Err(KafkaError::Unsupported { operation: call.operation, broker: BrokerId(-1), needs }));
        };
        let frame = connection.frame(request, version)?;
        connection.send(&frame).await?;
        call.mark_sent();
        let mut body = connection.receive::<R>(version).await?;
        let response = decode::<R::Response>(&mut body, version)?;
        call.mark_answered();
        Ok(Ok(response))
    }

    async fn open(&self, endpoint: &str) -> Result<Connection, KafkaError> {
        let unreachable = |cause: String| KafkaError::Unreachable { endpoint: endpoint.to_owned(), cause };
        let tls = || KafkaError::SecurityRequired { endpoint: endpoint.to_owned(), wants: "TLS" };
        let attempt = async {
            match Connection::open(endpoint, &self.client_id).await {
                Ok(connection) => Ok(connection),
                Err(Failure::TlsAlert) => Err(tls()),
                Err(Failure::Closed(_)) if security::wants_tls(endpoint).await => Err(tls()),
                Err(Failure::NotSent(cause) | Failure::Closed(cause)) => Err(unreachable(cause)),
                Err(Failure::Malformed(cause)) => Err(KafkaError::Malformed { endpoint: endpoint.to_owned(), cause }),
            }
        };
        let no_answer = |_| Err(unreachable(format!("no connection within {} ms", self.connect_deadline.as_millis())));
        timeout(self.connect_deadline, attempt).await.unwrap_or_else(no_answer)
    }

    fn explain(&self, call: &Call, endpoint: &str, failure: Failure) -> KafkaError {
        match failure {
            Failure::NotSent(cause) => KafkaError::Unreachable { endpoint: endpoint.to_owned(), cause },
            Failure::Closed(cause) => call.unanswered(endpoint, cause),
            Failure::Malformed(cause) => call.malformed(endpoint, cause),
            Failure::TlsAlert => call.malformed(endpoint, "a TLS alert in place of an answer".into()),
        }
    }

    fn kept<T>(&self, endpoint: &str, connection: Connection, answer: T) -> T {
        let mut idle = self.idle();
        let kept = idle.entry(endpoint.to_owned()).or_default();
        if kept.len() < IDLE_PER_ENDPOINT_MAX {
            kept.push(connection);
        }
        answer
    }

    fn take(&self, endpoint: &str) -> Option<Connection> {
        let mut idle = self.idle();
        let kept = idle.get_mut(endpoint)?;
        while let Some(connection) = kept.pop() {
            if connection.is_usable() {
                return Some(connection);
            }
        }
        None
    }

    /// A panic while holding this lock cannot leave it half changed.
    fn idle(&self) -> MutexGuard<'_, HashMap<String, Vec<Connection>>> {
        self.idle.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
