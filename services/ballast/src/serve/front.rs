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

#[cfg(test)]
mod tests {
    use ballast_proto::monitor::v1::GetStatusRequest;
    use ballast_proto::monitor::v1::monitor_service_client::MonitorServiceClient;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tonic_types::StatusExt as _;

    use super::*;

    async fn status(address: SocketAddr, path: &str) -> (u16, String) {
        let mut connection = tokio::net::TcpStream::connect(address).await.expect("the port is open");
        let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).await.expect("it takes the request");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.expect("it answers in text");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, answer.lines().last().unwrap_or_default().to_owned())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_is_alive_before_it_is_ready_and_says_why_it_is_not() {
        let listen = "127.0.0.1:0".parse().expect("an address");
        let front = Front::open(listen, Arc::new(|| "figures 1\n".to_owned())).await.expect("a free port");
        let (address, health) = (front.address, front.health.readiness());
        assert_eq!(status(address, "/livez").await, (200, "alive".into()));
        assert_eq!(status(address, "/readyz").await, (503, "replaying the event log".into()));
        assert_eq!(status(address, "/metrics").await, (200, "figures 1".into()));
        let mut client = MonitorServiceClient::connect(format!("http://{address}")).await.expect("it listens");
        let refused = client.get_status(GetStatusRequest {}).await.expect_err("there are no services yet");
        assert_eq!(refused.get_error_details().error_info().map(|info| info.reason.as_str()), Some("REPLAYING"));
        front.admit(Routes::default()).await;
        assert_eq!(status(address, "/readyz").await, (200, "ready".into()));
        drop(client);
        front.drain().await;
        assert_eq!(*health.borrow(), Readiness::Draining);
        assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody is let in any more");
    }
}
