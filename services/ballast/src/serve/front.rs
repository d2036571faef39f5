//! The one port: health, reflection, probes and metrics from the first moment, the services once they stand. Must not know the
//! services.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use ballast_rpc::{Failure, Listening, Readiness, Reason, http_routes};
use tokio::sync::watch;
use tonic::Status;
use tonic::service::Routes;
use tower::ServiceExt as _;

use super::health::Health;

/// A listener that says "replaying" to every call until it is given services.
pub struct Front {
    pub address: SocketAddr,
    pub health: Health,
    services: Arc<OnceLock<Router>>,
    stop: watch::Sender<bool>,
    listening: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Front {
    pub async fn open(listen: SocketAddr, render_metrics: Arc<dyn Fn() -> String + Send + Sync>) -> Result<Self, Failure> {
        let health = Health::new().await;
        let services = Arc::new(OnceLock::<Router>::new());
        let mut always = Routes::builder();
        always.add_service(health.service());
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(ballast_proto::DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let refused = |error| Failure::new(Reason::Internal, format!("reflection cannot be set up: {error}"));
        // Many clients still speak the older version only.
        always.add_service(reflection().build_v1().map_err(refused)?);
        always.add_service(reflection().build_v1alpha().map_err(refused)?);
        let standing = services.clone();
        let router = always.routes().into_axum_router().fallback(move |request: Request| answer(standing.clone(), request));
        let (stop, mut stopped) = watch::channel(false);
        let until = async move {
            // An error means that the sender is gone: that is a stop too.
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        let http = http_routes(health.readiness(), render_metrics);
        let Listening { address, task } = ballast_rpc::serve(listen, Routes::from(router), http, until).await?;
        Ok(Self { address, health, services, stop, listening: task })
    }

    /// From now on calls are answered by these.
    pub async fn admit(&self, services: Routes) {
        // Set once, by the one start of the services.
        let _ = self.services.set(services.prepare().into_axum_router());
        self.health.set(Readiness::Ready).await;
    }

    /// Says that it is going, stops accepting, gives what runs a few seconds.
    pub async fn drain(self) {
        self.health.set(Readiness::Draining).await;
        self.stop.send_replace(true);
        match self.listening.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the listener ended badly"),
            Err(error) => tracing::warn!(%error, "the listener broke down"),
        }
    }
}

async fn answer(services: Arc<OnceLock<Router>>, request: Request) -> Response {
    match services.get() {
        Some(router) => match router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        },
        None => {
            let failure = Failure::new(Reason::Replaying, "the event log is being replayed: try again in a moment");
            Status::from(failure).into_http::<axum::body::Body>().into_response()
        }
    }
}
