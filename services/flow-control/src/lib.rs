//! Flow Control: how fast each broker may give and take migration traffic right now, and which steps may start. Builds the service
//! from config and ports, runs its governors, and answers clients. Must not know why a step exists.

mod actuator;
mod commands;
mod config;
mod governor;
mod projection;
mod recorder;
mod rpc;
mod status;
mod view;

pub use config::Config;
pub use projection::FollowError;
pub use rpc::Rpc;
pub use status::{BrokerStatus, Status};

use std::collections::BTreeMap;
use std::sync::Arc;

use ballast_clock::Clock;
use ballast_cluster::Snapshot;
use ballast_event_log::EventLog;
use ballast_kafka::KafkaAdmin;
use ballast_proto::flow::v1::flow_control_service_server::FlowControlServiceServer;
use ballast_throttle::Law;
use futures::future::try_join_all;
use tokio::sync::{mpsc, watch};

use commands::{Cluster, Clusters};
use governor::Governor;
use projection::Projection;
use recorder::Recorder;

/// What Flow Control needs of one cluster.
pub struct ClusterPorts {
    pub kafka: Arc<dyn KafkaAdmin>,
    /// The Monitor's latest, with loads.
    pub snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    pub clock: Clock,
    pub law: Law,
    pub config: Config,
}

/// The answering side. Cheap to clone.
#[derive(Clone)]
pub struct FlowControl {
    clusters: Arc<Clusters>,
}

/// The acting side: one loop per cluster.
pub struct Governors(Vec<Governor>);

/// Builds both sides. `epoch` is the sequence of this process's lease event, without which the log takes nothing once there was one.
/// Clients may be answered before the governors run, and after they stopped.
pub fn build(log: &Arc<dyn EventLog>, epoch: Option<u64>, clusters: BTreeMap<String, ClusterPorts>) -> (FlowControl, Governors) {
    let (mut answering, mut governors) = (BTreeMap::new(), Vec::new());
    for (name, ports) in clusters {
        let ClusterPorts { kafka, snapshots, clock, law, config } = ports;
        let recorder = Recorder { log: log.clone(), clock, epoch, cluster: name.clone() };
        let (status, latest) = watch::channel(Status::default());
        let (order, orders) = mpsc::channel(4);
        let view = Projection::new(log.clone(), &name).into();
        answering.insert(name.clone(), Cluster { recorder: recorder.clone(), view, status: latest, order });
        governors.push(Governor {
            config,
            law,
            actuator: actuator::Actuator { kafka },
            recorder,
            projection: Projection::new(log.clone(), &name),
            snapshots,
            orders,
            status,
            hands: governor::Hands::default(),
        });
    }
    (FlowControl { clusters: Arc::new(Clusters(answering)) }, Governors(governors))
}

impl FlowControl {
    /// The gRPC service.
    pub fn service(&self) -> FlowControlServiceServer<Rpc> {
        FlowControlServiceServer::new(Rpc::new(self.clusters.clone()))
    }

    /// What each cluster's governor knows, for metrics.
    pub fn statuses(&self) -> BTreeMap<String, watch::Receiver<Status>> {
        self.clusters.0.iter().map(|(name, cluster)| (name.clone(), cluster.status.clone())).collect()
    }
}

impl Governors {
    /// Governs until `stop` turns true. Nothing has to be drained: whatever is under way is recorded and goes on after the next
    /// start. Ends early, with the reason, when the log does.
    pub async fn run(self, stop: watch::Receiver<bool>) -> Result<(), FollowError> {
        try_join_all(self.0.into_iter().map(|governor| governor.run(stop.clone()))).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests;
