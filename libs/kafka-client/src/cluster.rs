//! Which node a request goes to: any broker, a named one, or the active controller. Must not know what requests mean.

mod controllers;
mod pool;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use ballast_cluster::BrokerId;
use ballast_kafka::KafkaError;
use kafka_protocol::messages::MetadataRequest;
use kafka_protocol::protocol::Request;
use tokio::time::{sleep, timeout};

use crate::KafkaClientConfig;
use crate::call::{Call, Kind};
use crate::refusal::is_not_controller;
use crate::wire;
use controllers::Controllers;
use pool::Pool;

/// While controllers elect a leader every node answers NOT_CONTROLLER; elections take up to 3 s.
const NOT_CONTROLLER_RETRIES: usize = 40;
const NOT_CONTROLLER_PAUSE: Duration = Duration::from_millis(100);

pub(crate) struct Cluster {
    config: KafkaClientConfig,
    pool: Pool,
    /// Addresses of brokers, as they were last told.
    learnt: Mutex<BTreeMap<BrokerId, String>>,
    /// Which broker is asked first when any will do. Moves on when one fails.
    turn: AtomicUsize,
    controllers: Controllers,
}

/// An answer and the endpoint it came from.
pub(crate) struct Answer<T> {
    pub endpoint: String,
    pub response: T,
}

impl Cluster {
    pub fn new(config: KafkaClientConfig) -> Self {
        let pool = Pool::new(config.client_id.clone(), config.connect_deadline);
        let controllers = Controllers::new(config.controller_bootstrap_servers.clone());
        Self { config, pool, learnt: Mutex::new(BTreeMap::new()), turn: AtomicUsize::new(0), controllers }
    }

    pub fn read(&self, operation: &'static str) -> Call {
        Call::new(operation, Kind::Read, self.config.read_deadline)
    }

    pub fn write(&self, operation: &'static str) -> Call {
        Call::new(operation, Kind::Write, self.config.write_deadline)
    }

    pub fn has_controllers(&self) -> bool {
        !self.config.controller_bootstrap_servers.is_empty()
    }

    /// Remembers where brokers are. Those not named keep their last address.
    pub fn learn(&self, brokers: impl IntoIterator<Item = (BrokerId, String)>) {
        self.learnt().extend(brokers);
    }

    /// Asks the named broker, or any.
    pub async fn ask<R: Request>(
        &self,
        call: &Call,
        via: Option<BrokerId>,
        request: &R,
        lowest: i16,
    ) -> Result<Answer<R::Response>, KafkaError> {
        match via {
            Some(broker) => self.ask_broker(call, broker, request, lowest).await,
            None => self.ask_any(call, request, lowest).await,
        }
    }

    /// Asks brokers in turn until one answers. A write moves on only when it was not sent.
    pub async fn ask_any<R: Request>(&self, call: &Call, request: &R, lowest: i16) -> Result<Answer<R::Response>, KafkaError> {
        let candidates = self.candidates();
        let mut last = KafkaError::Unreachable { endpoint: "the cluster".into(), cause: "no bootstrap servers".into() };
        for (index, endpoint) in candidates.iter().enumerate() {
            // Counts as failed until it has answered: a call that runs out of time never comes back here.
            self.turn.fetch_add(1, Ordering::Relaxed);
            let exchange = self.ask_at(call, endpoint, request, lowest);
            let result = if call.kind == Kind::Read && index + 1 < candidates.len() {
                timeout(call.half_of_the_rest(), exchange).await.unwrap_or_else(|_| Err(call.expired()))
            } else {
                exchange.await
            };
            match result {
                Err(error @ (KafkaError::Unreachable { .. } | KafkaError::TimedOut { .. })) => last = error,
                answered => {
                    self.turn.fetch_sub(1, Ordering::Relaxed);
                    return answered;
                }
            }
        }
        Err(last)
    }

    /// Asks one broker, wherever it is now.
    pub async fn ask_broker<R: Request>(
        &self,
        call: &Call,
        broker: BrokerId,
        request: &R,
        lowest: i16,
    ) -> Result<Answer<R::Response>, KafkaError> {
        let known = self.address(broker);
        let error = match &known {
            Some(endpoint) => match self.ask_at(call, endpoint, request, lowest).await {
                Err(error @ KafkaError::Unreachable { .. }) => error,
                result => return result,
            },
            None => {
                KafkaError::Unreachable { endpoint: format!("broker {broker}"), cause: "the cluster does not list it".into() }
            }
        };
        self.refresh().await;
        match self.address(broker) {
            Some(moved) if Some(&moved) != known.as_ref() => self.ask_at(call, &moved, request, lowest).await,
            _ => Err(error),
        }
    }

    async fn ask_at<R: Request>(
        &self,
        call: &Call,
        endpoint: &str,
        request: &R,
        lowest: i16,
    ) -> Result<Answer<R::Response>, KafkaError> {
        let response = self.pool.exchange(call, endpoint, request, lowest).await.map_err(|error| self.named(endpoint, error))?;
        Ok(Answer { endpoint: endpoint.to_owned(), response })
    }

    /// Asks any broker for something that the controller does, as long as none knows who that is. `code` is the answer's error.
    pub async fn ask_for_controller<R: Request>(
        &self,
        call: &Call,
        request: &R,
        lowest: i16,
        code: impl Fn(&R::Response) -> i16,
    ) -> Result<Answer<R::Response>, KafkaError> {
        for _ in 0..NOT_CONTROLLER_RETRIES {
            let answer = self.ask_any(call, request, lowest).await?;
            if !is_not_controller(code(&answer.response)) {
                return Ok(answer);
            }
            self.turn.fetch_add(1, Ordering::Relaxed);
            sleep(NOT_CONTROLLER_PAUSE).await;
        }
        self.ask_any(call, request, lowest).await
    }

    /// Asks the active controller itself. Only for a cluster that [has controllers](Self::has_controllers) configured.
    pub async fn ask_controller<R: Request>(
        &self,
        call: &Call,
        request: &R,
        lowest: i16,
        code: impl Fn(&R::Response) -> i16,
    ) -> Result<Answer<R::Response>, KafkaError> {
        self.controllers.ask(&self.pool, call, request, lowest, code).await
    }

    /// Asks for addresses again; when nobody answers the old ones stay.
    async fn refresh(&self) {
        let call = Call::new("Metadata", Kind::Read, self.config.connect_deadline);
        let request = MetadataRequest::default().with_topics(Some(Vec::new())).with_allow_auto_topic_creation(false);
        if let Ok(answer) = call.run(self.ask_any(&call, &request, 4)).await {
            let address = |host: &str, port: i32| Some(wire::endpoint(host, u16::try_from(port).ok()?));
            let brokers = answer.response.brokers.iter();
            self.learn(brokers.filter_map(|broker| Some((BrokerId(broker.node_id.0), address(&broker.host, broker.port)?))));
        }
    }

    /// Known brokers from the one whose turn it is, then the bootstrap servers.
    fn candidates(&self) -> Vec<String> {
        let mut candidates: Vec<String> = self.learnt().values().cloned().collect();
        if !candidates.is_empty() {
            let first = self.turn.load(Ordering::Relaxed) % candidates.len();
            candidates.rotate_left(first);
        }
        for server in &self.config.bootstrap_servers {
            if !candidates.contains(server) {
                candidates.push(server.clone());
            }
        }
        candidates
    }

    fn address(&self, broker: BrokerId) -> Option<String> {
        self.learnt().get(&broker).cloned()
    }

    /// The error with the id of the broker at `endpoint` where only the endpoint was known.
    fn named(&self, endpoint: &str, error: KafkaError) -> KafkaError {
        match error {
            KafkaError::Unsupported { operation, broker, needs } => {
                let id = self.learnt().iter().find(|(_, known)| known.as_str() == endpoint).map_or(broker, |(id, _)| *id);
                KafkaError::Unsupported { operation, broker: id, needs }
            }
            other => other,
        }
    }

    /// A panic while holding this lock cannot leave it half changed.
    fn learnt(&self) -> MutexGuard<'_, BTreeMap<BrokerId, String>> {
        self.learnt.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
