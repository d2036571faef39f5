//! A span and a duration for every call. Must not know what the calls do.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::http::{HeaderMap, Request, Response};
use opentelemetry::KeyValue;
use opentelemetry::propagation::Extractor;
use tower::{Layer, Service};
use tracing::Instrument as _;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

#[derive(Clone, Copy, Debug)]
pub struct RpcTelemetryLayer;

impl<S> Layer<S> for RpcTelemetryLayer {
    type Service = RpcTelemetry<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let meter = opentelemetry::global::meter("ballast");
        let duration = meter.f64_histogram("rpc.server.call.duration").with_unit("s").build();
        RpcTelemetry { inner, duration }
    }
}

/// Where a caller's trace is read from.
struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}

#[derive(Clone)]
pub struct RpcTelemetry<S> {
    inner: S,
    duration: opentelemetry::metrics::Histogram<f64>,
}

impl<S, B, R> Service<Request<B>> for RpcTelemetry<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Send + 'static,
    R: 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // tonic reads the peer from its own extension; behind axum only axum's is there.
        if let Some(axum::extract::ConnectInfo(peer)) =
            request.extensions().get::<axum::extract::ConnectInfo<std::net::SocketAddr>>()
        {
            let info = tonic::transport::server::TcpConnectInfo { local_addr: None, remote_addr: Some(*peer) };
            request.extensions_mut().insert(info);
        }
        let method = request.uri().path().trim_start_matches('/').to_owned();
        let traceparent = request.headers().get("traceparent").and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
        let span = tracing::info_span!("rpc", rpc.method = %method, traceparent);
        let caller = opentelemetry::global::get_text_map_propagator(|propagator| propagator.extract(&Headers(request.headers())));
        if let Err(error) = span.set_parent(caller) {
            tracing::trace!(%error, "the span of a call is a root");
        }
        let duration = self.duration.clone();
        let call = self.inner.call(request);
        #[expect(clippy::disallowed_methods, reason = "measures real elapsed time of a call, decides nothing")]
        let started = std::time::Instant::now();
        Box::pin(
            async move {
                let answer = call.await;
                let status = match &answer {
                    Ok(response) => {
                        response.headers().get("grpc-status").and_then(|value| value.to_str().ok()).unwrap_or("0").to_owned()
                    }
                    Err(_) => "unknown".to_owned(),
                };
                let labels = [KeyValue::new("rpc.method", method), KeyValue::new("rpc.response.status_code", status)];
                duration.record(started.elapsed().as_secs_f64(), &labels);
                answer
            }
            .instrument(span),
        )
    }
}
