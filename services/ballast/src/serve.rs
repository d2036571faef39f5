//! `ballast serve`: configuration, log, clusters, services, one port, until a signal. Must not know what the services do.

pub mod clusters;
pub mod control_center;
pub mod front;
mod health;
pub mod metering;
mod settings;
mod simulated;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ballast_event_log::EventLog;
use ballast_event_log_sled::SledLog;
use ballast_rpc::Reason;
use ballast_telemetry::{Instruments, LogFormat, Telemetry, TelemetryConfig};

use crate::cli::ServeArgs;
use crate::cli::exit::{CliError, Exit};
use crate::cli::log_offline::refused;
use crate::config::{self, Config, Flags, LoggingFormat};
use control_center::ControlCenter;
use front::Front;
use metering::{MeteredLog, Sources};

/// A log that opens within this time is open before the port is: a directory in use is told without one.
const QUICK_OPEN: Duration = Duration::from_millis(500);
const ROLES: [&str; 5] = ["monitor", "analyzer", "task-manager", "flow-control", "event-log"];

pub async fn run(args: ServeArgs) -> Result<(), CliError> {
    let flags = Flags { data_dir: args.data_dir.clone(), listen: args.listen.clone() };
    let config = config::load(Some(&args.config), &flags)?.config;
    check_roles(&args.roles)?;
    let listen = config.listen_address().map_err(CliError::config)?;
    check_loopback(listen, args.insecure)?;
    let telemetry = start_telemetry(&config)?;
    let served = serve(&config, listen, &telemetry).await;
    telemetry.shut_down();
    served
}

fn check_roles(roles: &[String]) -> Result<(), CliError> {
    if let Some(unknown) = roles.iter().find(|role| !ROLES.contains(&role.as_str())) {
        return Err(CliError::usage(format!("--roles: there is no role {unknown:?}; there are {}", ROLES.join(", "))));
    }
    let all = roles.is_empty() || ROLES.iter().all(|role| roles.iter().any(|given| given == role));
    if all { Ok(()) } else { Err(CliError::usage("--roles: one process runs all roles for now; leave the flag out")) }
}

fn check_loopback(listen: SocketAddr, insecure: bool) -> Result<(), CliError> {
    if listen.ip().is_loopback() || insecure {
        return Ok(());
    }
    let message = format!(
        "{listen} can be reached from other machines and nobody is authenticated yet: listen on 127.0.0.1, or give --insecure"
    );
    Err(CliError::new(Exit::Usage, Reason::InsecureListener, message))
}

fn start_telemetry(config: &Config) -> Result<Arc<Telemetry>, CliError> {
    let endpoint = config.telemetry.otlp_endpoint.clone();
    let telemetry = TelemetryConfig {
        filter: config.logging.filter.clone(),
        format: if config.logging.format == LoggingFormat::Json { LogFormat::Json } else { LogFormat::Text },
        otlp_endpoint: (!endpoint.is_empty()).then_some(endpoint),
        version: env!("CARGO_PKG_VERSION"),
    };
    Telemetry::start(&telemetry).map(Arc::new).map_err(|error| CliError::config(error.to_string()))
}

async fn serve(config: &Config, listen: SocketAddr, telemetry: &Arc<Telemetry>) -> Result<(), CliError> {
    let mut signals = Signals::new()?;
    let clock = simulated::clock(&config.data_dir, config.cluster[0].speed());
    let rendering = telemetry.clone();
    let render_metrics = Arc::new(move || rendering.metrics_text());
    let data_dir = config.data_dir.clone();
    let options = settings::log_options(config);
    let mut opening = tokio::spawn(async move { SledLog::open(&data_dir, clock, options).await });
    let quick = tokio::time::timeout(QUICK_OPEN, &mut opening).await;
    let quick = quick.ok().map(opened).transpose()?;
    let front = Front::open(listen, render_metrics).await?;
    tracing::info!(address = %front.address, "listening");
    let log = match quick {
        Some(log) => log,
        None => tokio::select! {
            log = &mut opening => opened(log)?,
            () = signals.received() => {
                front.drain().await;
                return Ok(());
            }
        },
    };
    let instruments = Instruments::new();
    let log: Arc<dyn EventLog> = Arc::new(MeteredLog::new(Arc::new(log), instruments.clone()));
    let (clusters, simulated) = clusters::open(config, clock)?;
    let parts = settings::parts(config, log.clone(), clock, clusters);
    let (mut center, routes) = ControlCenter::start(parts).await?;
    let sources = Sources {
        log,
        data_dir: config.data_dir.clone(),
        monitor: center.monitor.clone(),
        analyzer: center.analyzer.clone(),
        tasks: center.tasks.clone(),
        flow: center.flow.clone(),
        clock,
    };
    let observing = tokio::spawn(metering::observe(sources, instruments));
    let keeping = tokio::spawn(simulated::keep(simulated.clone(), config.data_dir.clone(), clock));
    front.admit(routes).await;
    tracing::info!(address = %front.address, version = env!("CARGO_PKG_VERSION"), "ready");

    let failure = tokio::select! {
        () = signals.received() => None,
        failure = center.failed() => Some(failure),
    };
    tracing::info!("draining");
    // Together: streams end when the log closes, and the listener waits for them.
    tokio::join!(front.drain(), center.drain());
    observing.abort();
    keeping.abort();
    if !simulated.is_empty() {
        simulated::save_all(simulated, config.data_dir.clone(), clock).await;
    }
    tracing::info!("stopped");
    failure.map_or(Ok(()), |failure| Err(CliError { exit: Exit::Error, ..failure.into() }))
}

fn opened(log: Result<Result<SledLog, ballast_event_log_sled::OpenError>, tokio::task::JoinError>) -> Result<SledLog, CliError> {
    log.map_err(|error| CliError::new(Exit::Error, Reason::Internal, error.to_string()))?.map_err(refused)
}

/// SIGTERM and SIGINT, heard from the first moment on.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> Result<Self, CliError> {
        use tokio::signal::unix::{SignalKind, signal};
        let deaf =
            |error: std::io::Error| CliError::new(Exit::Error, Reason::Internal, format!("cannot listen for signals: {error}"));
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(deaf)?,
            interrupt: signal(SignalKind::interrupt()).map_err(deaf)?,
        })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
