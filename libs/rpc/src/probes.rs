//! Plain HTTP beside gRPC on the same port: liveness, readiness, metrics. Must not know what makes the process ready.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::sync::watch;

/// How far the process is. Alive from the first moment; ready only while it serves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Readiness {
    Replaying,
    Ready,
    Draining,
}

/// `/livez`, `/readyz` and `/metrics`. `render_metrics` gives the Prometheus text format.
pub fn http_routes(readiness: watch::Receiver<Readiness>, render_metrics: Arc<dyn Fn() -> String + Send + Sync>) -> Router {
    let ready = move || {
        let now = *readiness.borrow();
        async move {
            match now {
                Readiness::Ready => (StatusCode::OK, "ready\n"),
                Readiness::Replaying => (StatusCode::SERVICE_UNAVAILABLE, "replaying the event log\n"),
                Readiness::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
            }
        }
    };
    let metrics = move || {
        let text = render_metrics();
        async move { ([("content-type", "text/plain; version=0.0.4")], text) }
    };
    Router::new().route("/livez", get(|| async { "alive\n" })).route("/readyz", get(ready)).route("/metrics", get(metrics))
}
