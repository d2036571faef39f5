//! Starts logs, metrics and traces of the process: tracing to standard error, OpenTelemetry metrics in the Prometheus text format,
//! traces over OTLP where an endpoint is given. Must not know what is measured beyond the names in [`Instruments`].

mod instruments;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

pub use instruments::Instruments;

/// How the process logs and where its traces go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TelemetryConfig {
    /// Directives of tracing's filter, e.g. "info,ballast_monitor=debug".
    pub filter: String,
    pub format: LogFormat,
    /// OTLP over gRPC, e.g. `http://127.0.0.1:4317`; `None`: no traces leave the process.
    pub otlp_endpoint: Option<String>,
    pub version: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("the log filter {filter:?} cannot be read: {cause}")]
    Filter { filter: String, cause: String },
    #[error("traces cannot be exported to {endpoint:?}: {cause}")]
    Exporter { endpoint: String, cause: String },
    #[error("metrics cannot be set up: {0}")]
    Metrics(String),
    #[error("telemetry was started twice in one process")]
    StartedTwice,
}

/// What runs: keep it until the process ends, then shut it down.
#[derive(Debug)]
pub struct Telemetry {
    registry: prometheus::Registry,
    meters: SdkMeterProvider,
    tracer: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Starts logs to standard error, metrics and, with an endpoint, traces; sets the process-wide defaults of all three. With an
    /// endpoint it must be called inside a tokio runtime.
    pub fn start(config: &TelemetryConfig) -> Result<Self, TelemetryError> {
        let telemetry = Self::metrics_only(config.version)?;
        let tracer = config.otlp_endpoint.as_deref().map(|endpoint| trace_exporter(endpoint, config.version)).transpose()?;
        let filter = EnvFilter::try_new(&config.filter)
            .map_err(|error| TelemetryError::Filter { filter: config.filter.clone(), cause: error.to_string() })?;
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        let lines = match config.format {
            LogFormat::Text => lines.with_ansi(false).boxed(),
            LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
        };
        let spans = tracer.as_ref().map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer("ballast")));
        let subscriber = tracing_subscriber::registry().with(filter).with(lines).with(spans);
        subscriber.try_init().map_err(|_| TelemetryError::StartedTwice)?;
        Ok(Self { tracer, ..telemetry })
    }

    /// Metrics without logs and traces, for a process that prints something else.
    pub fn metrics_only(version: &'static str) -> Result<Self, TelemetryError> {
        let registry = prometheus::Registry::new();
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            // Scope labels on every point would only repeat "ballast".
            .scope_info_enabled(false)
            .build()
            .map_err(|error| TelemetryError::Metrics(error.to_string()))?;
        let meters = SdkMeterProvider::builder().with_reader(exporter).with_resource(resource(version)).build();
        opentelemetry::global::set_meter_provider(meters.clone());
        Ok(Self { registry, meters, tracer: None })
    }

    /// Everything measured so far in the Prometheus text format.
    pub fn metrics_text(&self) -> String {
        // Encoding fails only for families without a metric, which the registry does not give.
        prometheus::TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }

    /// Sends what is left and stops.
    pub fn shut_down(&self) {
        if let Some(Err(error)) = self.tracer.as_ref().map(SdkTracerProvider::shutdown) {
            tracing::debug!(%error, "the last traces were not sent");
        }
        if let Err(error) = self.meters.shutdown() {
            tracing::debug!(%error, "metrics did not shut down");
        }
    }
}

fn resource(version: &'static str) -> Resource {
    Resource::builder()
        .with_service_name("ballast")
        .with_attribute(opentelemetry::KeyValue::new("service.version", version))
        .build()
}

fn trace_exporter(endpoint: &str, version: &'static str) -> Result<SdkTracerProvider, TelemetryError> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()
        .map_err(|error| TelemetryError::Exporter { endpoint: endpoint.to_owned(), cause: error.to_string() })?;
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource(version)).build();
    opentelemetry::global::set_tracer_provider(provider.clone());
    // A caller's `traceparent` makes its trace go on here.
    opentelemetry::global::set_text_map_propagator(opentelemetry_sdk::propagation::TraceContextPropagator::new());
    Ok(provider)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_print_under_their_contracted_names_without_scope_labels() {
        let telemetry = Telemetry::metrics_only("1.2.3").expect("metrics start");
        let instruments = Instruments::new();
        instruments.build_info.record(1, &[opentelemetry::KeyValue::new("version", "1.2.3")]);
        instruments.append_duration_seconds.record(0.01, &[]);
        instruments.task_transitions.add(2, &[opentelemetry::KeyValue::new("state", "RUNNING")]);
        instruments.throttle_limit.record(1_000, &[]);
        instruments.model_valid.record(0.5, &[]);
        instruments.move_transferred.add(7, &[]);
        instruments.model_age_seconds.record(3.0, &[]);
        instruments.throttle_utilization.record(0.25, &[]);
        instruments.plan_duration_seconds.record(0.02, &[]);
        instruments.projection_lag.record(4, &[]);
        let text = telemetry.metrics_text();
        let check = |line: &str| assert!(text.lines().any(|given| given.starts_with(line)), "{line} is missing in\n{text}");
        check("ballast_build_info{version=\"1.2.3\"} 1");
        check("ballast_event_log_append_duration_seconds_count 1");
        check("ballast_task_transitions_total{state=\"RUNNING\"} 2");
        check("ballast_throttle_limit_bytes_per_second 1000");
        check("ballast_model_valid_ratio 0.5");
        check("ballast_move_transferred_bytes_total 7");
        check("ballast_model_age_seconds 3");
        check("ballast_throttle_utilization_ratio 0.25");
        check("ballast_plan_duration_seconds_count 1");
        check("ballast_projection_lag_events 4");
        assert!(!text.contains("otel_scope"), "{text}");
        telemetry.shut_down();
    }
}
