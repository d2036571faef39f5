//! gRPC health per service, and readiness for plain HTTP, moved together. Must not know what makes the process ready.

use ballast_rpc::Readiness;
use tokio::sync::watch;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

/// Services that clients ask the health of; the empty name is the whole server.
const SERVICES: [&str; 6] = [
    "",
    "ballast.monitor.v1.MonitorService",
    "ballast.analyzer.v1.AnalyzerService",
    "ballast.task.v1.TaskManagerService",
    "ballast.flow.v1.FlowControlService",
    "ballast.event.v1.EventLogService",
];

pub struct Health {
    reporter: HealthReporter,
    readiness: watch::Sender<Readiness>,
}

impl Health {
    /// Replaying: alive, and not yet ready.
    pub async fn new() -> Self {
        let health = Self { reporter: HealthReporter::new(), readiness: watch::Sender::new(Readiness::Replaying) };
        health.set(Readiness::Replaying).await;
        health
    }

    pub async fn set(&self, readiness: Readiness) {
        let status = if readiness == Readiness::Ready { ServingStatus::Serving } else { ServingStatus::NotServing };
        for service in SERVICES {
            self.reporter.set_service_status(service, status).await;
        }
        self.readiness.send_replace(readiness);
    }

    pub fn readiness(&self) -> watch::Receiver<Readiness> {
        self.readiness.subscribe()
    }

    pub fn service(&self) -> HealthServer<HealthService> {
        HealthServer::new(HealthService::from_health_reporter(self.reporter.clone()))
    }
}
