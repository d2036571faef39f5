//! The one command that the Monitor takes: a drained broker may be filled again. Must not know wire types.

use ballast_cluster::BrokerId;
use ballast_event_log::Context;
use ballast_events::ClusterEvent;
use ballast_rpc::{Failure, Reason};

use crate::Monitor;
use crate::journal::Journal;

/// Where the command stands in the log.
pub(crate) struct Restored {
    /// 0 when only validated.
    pub sequence: u64,
    pub replayed: bool,
}

impl Monitor {
    /// Takes the drain mark from a broker. `context` carries the request id.
    pub(crate) async fn restore_broker(
        &self,
        cluster: &str,
        broker: BrokerId,
        context: Context,
        validate_only: bool,
    ) -> Result<Restored, Failure> {
        let watched = self.watched(cluster)?;
        let mut journal = self.journal.lock().await;
        journal.catch_up().await?;
        if let Some(request) = &context.request
            && let Some(place) = journal.answered(request).await?
        {
            return Ok(Restored { sequence: place.last_sequence, replayed: true });
        }
        if let Err(failure) = check_draining(&journal, watched.name(), broker) {
            if !validate_only {
                journal.reject(watched.name(), &context, "RestoreBroker", &format!("broker {broker}"), &failure).await?;
            }
            return Err(failure);
        }
        if validate_only {
            return Ok(Restored { sequence: 0, replayed: false });
        }
        let appended = journal.record(watched.name(), context, vec![ClusterEvent::BrokerRestored { broker }]).await?;
        watched.publish(journal.view(watched.name()), self.clock.now());
        Ok(Restored { sequence: appended.last_sequence, replayed: appended.replayed })
    }
}

fn check_draining(journal: &Journal, cluster: &str, broker: BrokerId) -> Result<(), Failure> {
    let view = journal.view(cluster);
    if view.topology.broker(broker).is_none() {
        return Err(unknown_broker(cluster, broker));
    }
    if !view.draining.contains_key(&broker) {
        let message = format!("broker {broker} of {cluster} is not draining: there is nothing to restore");
        return Err(Failure::new(Reason::BrokerNotDraining, message).with("broker", broker));
    }
    Ok(())
}

pub(crate) fn unknown_broker(cluster: &str, broker: BrokerId) -> Failure {
    Failure::new(Reason::BrokerNotFound, format!("{cluster} has no broker {broker}"))
        .with("cluster", cluster)
        .with("broker", broker)
}
