//! The controller quorum as an endpoint of its own (KIP-919): finds the active controller and follows it. Must not know brokers.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use ballast_kafka::KafkaError;
use kafka_protocol::messages::DescribeClusterRequest;
use kafka_protocol::protocol::Request;
use tokio::time::sleep;

use super::{Answer, NOT_CONTROLLER_PAUSE, NOT_CONTROLLER_RETRIES, Pool};
use crate::call::{Call, Kind};
use crate::refusal::{check, is_not_controller};
use crate::wire;

/// What `endpoint_type` calls controllers.
const CONTROLLERS: i8 = 2;
/// For one controller to say who is active.
const DESCRIBE_DEADLINE: Duration = Duration::from_secs(2);

pub(super) struct Controllers {
    bootstrap: Vec<String>,
    /// The last known active controller, and every controller it listed.
    known: Mutex<Known>,
}

#[derive(Clone, Default)]
struct Known {
    active: Option<String>,
    all: Vec<String>,
}

impl Controllers {
    pub fn new(bootstrap: Vec<String>) -> Self {
        Self { bootstrap, known: Mutex::default() }
    }

    /// Sends to the active controller; looks for another one while that is away or no longer active and nothing was applied.
    pub async fn ask<R: Request>(
        &self,
        pool: &Pool,
        call: &Call,
        request: &R,
        lowest: i16,
        code: impl Fn(&R::Response) -> i16,
    ) -> Result<Answer<R::Response>, KafkaError> {
        let mut attempt = 0;
        loop {
            let result = self.ask_once(pool, call, request, lowest).await;
            let again = match &result {
                Ok(answer) => is_not_controller(code(&answer.response)),
                Err(error) => matches!(error, KafkaError::Unreachable { .. }),
            };
            if !again || attempt == NOT_CONTROLLER_RETRIES {
                return result;
            }
            attempt += 1;
            self.known().active = None;
            sleep(NOT_CONTROLLER_PAUSE).await;
        }
    }

    async fn ask_once<R: Request>(
        &self,
        pool: &Pool,
        call: &Call,
        request: &R,
        lowest: i16,
    ) -> Result<Answer<R::Response>, KafkaError> {
        let known = self.known().active.clone();
        let endpoint = match known {
            Some(endpoint) => endpoint,
            None => self.find_active(pool).await?,
        };
        let response = pool.exchange(call, &endpoint, request, lowest).await?;
        Ok(Answer { endpoint, response })
    }

    /// Asks one controller after the other who is active.
    async fn find_active(&self, pool: &Pool) -> Result<String, KafkaError> {
        let mut candidates = self.known().all.clone();
        candidates.extend(self.bootstrap.iter().cloned());
        let mut last =
            KafkaError::Unreachable { endpoint: "the controllers".into(), cause: "none of them knows the active one".into() };
        for candidate in candidates {
            let call = Call::new("DescribeCluster", Kind::Read, DESCRIBE_DEADLINE);
            match call.run(describe(pool, &call, &candidate)).await {
                Ok(Known { active: Some(active), all }) => {
                    *self.known() = Known { active: Some(active.clone()), all };
                    return Ok(active);
                }
                Ok(_) => {}
                Err(error @ KafkaError::TimedOut { .. }) => {
                    // The caller's own request did not leave: that is what counts for it.
                    last = KafkaError::Unreachable { endpoint: candidate, cause: error.to_string() };
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// A panic while holding this lock cannot leave it half changed.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// What one controller says about the quorum.
async fn describe(pool: &Pool, call: &Call, endpoint: &str) -> Result<Known, KafkaError> {
    let request = DescribeClusterRequest::default().with_endpoint_type(CONTROLLERS);
    let response = pool.exchange(call, endpoint, &request, 1).await?;
    check(call.operation, response.error_code, response.error_message.as_ref())?;
    let address = |port: i32, host: &str| Some(wire::endpoint(host, u16::try_from(port).ok()?));
    let listed = response.brokers.iter().filter_map(|node| Some((node.broker_id, address(node.port, &node.host)?)));
    let listed: Vec<_> = listed.collect();
    let active = listed.iter().find(|(id, _)| *id == response.controller_id).map(|(_, endpoint)| endpoint.clone());
    Ok(Known { active, all: listed.into_iter().map(|(_, endpoint)| endpoint).collect() })
}
