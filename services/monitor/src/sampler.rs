//! Looks at one cluster again and again: who serves and what the topology is, and records the differences. Must not know goals,
//! plans or throttles. What is measured beside it stands in `gauges.rs`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ballast_clock::Clock;
use ballast_cluster::{BrokerId, Change, Snapshot, TopicPartition, diff};
use ballast_events::ClusterEvent;
use ballast_kafka::{ClusterDescription, KafkaError, Metadata, OngoingReassignment};
use ballast_rpc::{Failure, Reason};
use tokio::sync::Mutex;

use crate::config::{Config, PARTITIONS_AT_FULL_PACE};
use crate::journal::{Journal, is_final};
use crate::liveness::{Hearing, Verdict, judge, sign};
use crate::topology::Seen;
use crate::view::ClusterView;
use crate::watched::{Watched, failure_of};
use crate::witnesses::{Candidates, look};

/// Topology is looked at this often at least, however large the cluster.
const TOPOLOGY_INTERVAL_MAX: Duration = Duration::from_secs(30);

pub(crate) struct Sampler {
    pub watched: Arc<Watched>,
    pub journal: Arc<Mutex<Journal>>,
    pub config: Config,
    pub clock: Clock,
}

/// Why a look came to nothing.
pub(crate) enum Trouble {
    /// Shown until the next look succeeds.
    Cluster(Failure),
    Log(Failure),
}

impl From<KafkaError> for Trouble {
    fn from(error: KafkaError) -> Self {
        Trouble::Cluster(failure_of(&error))
    }
}

/// What one look found.
struct Found {
    registered: ClusterDescription,
    metadata: Metadata,
    ongoing: Option<Vec<OngoingReassignment>>,
}

impl Sampler {
    /// Watches the topology for ever; ends only when the log cannot be used any more.
    pub async fn watch_topology(&self) -> Result<(), Failure> {
        let mut deferred = BTreeSet::new();
        for round in 0.. {
            match self.look_once(round, &mut deferred).await {
                Ok(()) => {
                    self.watched.contact.send_replace(true);
                }
                Err(Trouble::Cluster(failure)) => {
                    let mut state = self.watched.state();
                    if state.failure.as_ref().map(|known| known.reason) != Some(failure.reason) {
                        tracing::warn!(cluster = self.watched.name(), %failure, "the cluster cannot be observed");
                    }
                    state.failure = Some(failure);
                }
                Err(Trouble::Log(failure)) if is_final(&failure) => return Err(failure),
                Err(Trouble::Log(failure)) => {
                    tracing::error!(cluster = self.watched.name(), %failure, "what was observed is not recorded")
                }
            }
            self.clock.sleep(self.pace().await).await;
        }
        Ok(())
    }

    /// Megabytes of metadata every two seconds would be a load of their own.
    async fn pace(&self) -> Duration {
        let partitions = self.journal.lock().await.view(self.watched.name()).topology.partitions().count();
        let stretch = u32::try_from(partitions.div_ceil(PARTITIONS_AT_FULL_PACE)).unwrap_or(u32::MAX).max(1);
        self.config.topology.saturating_mul(stretch).min(TOPOLOGY_INTERVAL_MAX.max(self.config.topology))
    }

    async fn look_once(&self, round: usize, deferred: &mut BTreeSet<TopicPartition>) -> Result<(), Trouble> {
        let admin = self.watched.config.admin.as_ref();
        let look = look(admin, &self.brokers_to_ask().await?, round).await?;
        self.watched.state().silent = look.hearing.unreachable.clone();
        self.check_identity(&look.description).await?;
        self.judge_brokers(&look.hearing, &look.description).await?;
        let metadata = match look.spokesman() {
            Some(broker) => match admin.metadata(Some(broker), None).await {
                Ok(metadata) => metadata,
                Err(_) => admin.metadata(None, None).await?,
            },
            None => admin.metadata(None, None).await?,
        };
        // Asked after the metadata: what completed in between shows as a change of length and is looked at once more.
        let ongoing = match admin.list_partition_reassignments().await {
            Ok(ongoing) => Some(ongoing),
            Err(error) => {
                tracing::debug!(cluster = self.watched.name(), %error, "pending reassignments are not known");
                None
            }
        };
        {
            let mut state = self.watched.state();
            state.lists_fenced |= look.description.brokers.iter().any(|broker| broker.fenced);
            state.serving = metadata.brokers.iter().map(|broker| broker.id).collect();
        }
        self.read_new_topic_configs(&metadata).await;
        if !self.journal.lock().await.view(self.watched.name()).is_known() {
            // The first topology to be recorded already shows what the disks hold.
            self.read_disks(self.serving()).await;
        }
        self.record_topology(Found { registered: look.description, metadata, ongoing }, deferred).await
    }

    pub(crate) fn serving(&self) -> Vec<BrokerId> {
        self.watched.state().serving.clone()
    }

    /// Brokers that are not lost.
    async fn brokers_to_ask(&self) -> Result<Candidates, Trouble> {
        let mut journal = self.journal.lock().await;
        journal.catch_up().await.map_err(Trouble::Log)?;
        let view = journal.view(self.watched.name());
        let state = self.watched.state();
        let brokers = view.topology.brokers.iter().map(|broker| broker.id).filter(|broker| !view.lost.contains_key(broker));
        let (doubtful, likely) = brokers.partition(|broker| view.suspected.contains_key(broker) || state.silent.contains(broker));
        Ok(Candidates { likely, doubtful })
    }

    /// A cluster is recorded under one id for ever: bootstrap servers that lead elsewhere must not rewrite it.
    async fn check_identity(&self, seen: &ClusterDescription) -> Result<(), Trouble> {
        let journal = self.journal.lock().await;
        match &journal.view(self.watched.name()).cluster_id {
            Some(known) if !known.is_empty() && !seen.cluster_id.is_empty() && *known != seen.cluster_id => {
                let name = self.watched.name();
                let message = format!(
                    "the bootstrap servers of {name} lead to cluster {}, but {name} is recorded as {known}: configure the other one \
                     under a name of its own",
                    seen.cluster_id
                );
                Err(Trouble::Cluster(Failure::new(Reason::ConfigInvalid, message)))
            }
            _ => Ok(()),
        }
    }

    /// Records who is suspected, lost, back or cordoned.
    async fn judge_brokers(&self, hearing: &Hearing, registered: &ClusterDescription) -> Result<(), Trouble> {
        let (now, name) = (self.clock.now(), self.watched.name());
        let grace_milliseconds = i64::try_from(self.watched.config.grace.as_millis()).unwrap_or(i64::MAX);
        let mut journal = self.journal.lock().await;
        journal.catch_up().await.map_err(Trouble::Log)?;
        let view = journal.view(name);
        if !view.is_known() {
            return Ok(());
        }
        let recorded = view.topology.brokers.iter().map(|broker| broker.id);
        let brokers: BTreeSet<BrokerId> =
            recorded.chain(view.lost.keys().copied()).chain(registered.brokers.iter().map(|broker| broker.id)).collect();
        let mut events = Vec::new();
        for broker in brokers {
            let verdict = judge(view.standing(broker), sign(broker, hearing), now, grace_milliseconds);
            events.extend(verdict.map(|verdict| match verdict {
                Verdict::Suspected { witnesses, since } => ClusterEvent::BrokerSuspected { broker, witnesses, since },
                Verdict::Cleared => ClusterEvent::SuspicionCleared { broker },
                Verdict::Lost { witnesses, since } => {
                    ClusterEvent::BrokerLost { broker, witnesses, since, replicas: view.replicas(broker) }
                }
                Verdict::Returned => ClusterEvent::BrokerReturned { broker, moved_away: view.moved_away(broker) },
            }));
        }
        events.extend(self.cordons(view));
        for event in &events {
            tracing::info!(cluster = name, ?event, "liveness");
        }
        journal.observe(name, events).await.map_err(Trouble::Log)
    }

    /// Cordons that are not recorded yet, and those that are gone.
    fn cordons(&self, view: &ClusterView) -> Vec<ClusterEvent> {
        let state = self.watched.state();
        let changed = state.cordoned.iter().filter(|(broker, cordoned)| view.cordoned.contains(broker) != **cordoned);
        changed
            .filter(|(broker, _)| view.topology.broker(**broker).is_some())
            .map(|(&broker, cordoned)| match cordoned {
                true => ClusterEvent::BrokerCordoned { broker },
                false => ClusterEvent::BrokerUncordoned { broker },
            })
            .collect()
    }

    /// Records what differs from the records, then hands out the new snapshot.
    async fn record_topology(&self, found: Found, deferred: &mut BTreeSet<TopicPartition>) -> Result<(), Trouble> {
        let (now, name) = (self.clock.now(), self.watched.name());
        let mut journal = self.journal.lock().await;
        journal.catch_up().await.map_err(Trouble::Log)?;
        let topology = self.assemble(&found, journal.view(name), deferred);
        let view = journal.view(name);
        let mut events = Vec::new();
        if view.is_known() {
            let changes = diff(&view.topology, &topology);
            self.forget_changed_topics(&changes);
            // A cordon goes with its broker: another one may come under the same id.
            let gone =
                changes.iter().filter_map(|change| if let Change::BrokerGone(broker) = change { Some(*broker) } else { None });
            events.extend(
                gone.filter(|broker| view.cordoned.contains(broker)).map(|broker| ClusterEvent::BrokerUncordoned { broker }),
            );
            if !changes.is_empty() {
                events.push(ClusterEvent::TopologyChanged { changes });
            }
        } else {
            events.push(ClusterEvent::TopologyObserved { cluster_id: found.registered.cluster_id, topology: Arc::new(topology) });
        }
        journal.observe(name, events).await.map_err(Trouble::Log)?;
        {
            let mut state = self.watched.state();
            let registered = &journal.view(name).topology;
            state.cordoned.retain(|broker, _| registered.broker(*broker).is_some());
            if state.failure.take().is_some() {
                tracing::info!(cluster = name, "the cluster is observed again");
            }
            state.seen_at = Some(now);
        }
        self.watched.publish(journal.view(name), now);
        Ok(())
    }

    fn assemble(&self, found: &Found, before: &ClusterView, deferred: &mut BTreeSet<TopicPartition>) -> Snapshot {
        let state = self.watched.state();
        let forget_milliseconds = i64::try_from(self.config.forget_after.as_millis()).unwrap_or(i64::MAX);
        let seen = Seen {
            config: &self.watched.config,
            registered: &found.registered,
            metadata: &found.metadata,
            ongoing: found.ongoing.as_deref(),
            min_insync_replicas: &state.min_insync_replicas,
            measured: &state.measured,
            before,
            forget_before: self.clock.now().plus_milliseconds(forget_milliseconds.saturating_neg()),
            lists_fenced: state.lists_fenced,
        };
        seen.assemble(deferred)
    }

    fn forget_changed_topics(&self, changes: &[Change]) {
        let mut state = self.watched.state();
        for change in changes {
            match change {
                Change::TopicSeen(topic) => {
                    state.measured.forget_topic(&topic.name);
                    state.min_insync_replicas.remove(&topic.name);
                }
                Change::TopicGone(topic) => {
                    state.measured.forget_topic(topic);
                    state.min_insync_replicas.remove(topic);
                }
                _ => {}
            }
        }
    }
}
