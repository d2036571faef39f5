//! Starts the one listener with everything on it, and drains it. Must not know which services it carries.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::service::Routes;
use tower::ServiceBuilder;

use crate::{Failure, Reason, RpcTelemetryLayer};

/// Streams and calls get this long to end once a drain has begun.
const DRAIN_SECONDS: u64 = 5;

/// A server that accepts connections.
pub struct Listening {
    pub address: SocketAddr,
    pub task: JoinHandle<std::io::Result<()>>,
}

/// Binds `listen` and serves gRPC (`services`, with reflection) and plain HTTP (`http`) on it until `shutdown` resolves; then
/// stops accepting and gives what runs a few seconds.
pub async fn serve(
    listen: SocketAddr,
    services: Routes,
    http: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<Listening, Failure> {
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        Failure::new(Reason::ConfigInvalid, format!("cannot listen on {listen}: {error}; choose another address with --listen"))
    })?;
    let address = listener.local_addr().map_err(|error| Failure::new(Reason::Internal, error.to_string()))?;
    let layers = ServiceBuilder::new()
        // Outermost: every call is measured and has a span, also those that a layer below ends.
        .layer(RpcTelemetryLayer);
    let app = http.merge(services.prepare().into_axum_router().layer(layers));
    let (draining, mut drained) = tokio::sync::oneshot::channel::<()>();
    let graceful =
        axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).with_graceful_shutdown(async move {
            shutdown.await;
            // The receiver lives as long as the server task below.
            let _ = draining.send(());
        });
    let task = tokio::spawn(async move {
        let server = tokio::spawn(async move { graceful.await });
        let _ = (&mut drained).await;
        match tokio::time::timeout(Duration::from_secs(DRAIN_SECONDS), server).await {
            Ok(Ok(result)) => result,
            Ok(Err(panicked)) => Err(std::io::Error::other(panicked)),
            Err(_) => Ok(()),
        }
    });
    Ok(Listening { address, task })
}
