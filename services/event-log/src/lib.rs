//! The event log over the wire: reading, watching, explaining, verifying, and how things stood at a sequence. Must not write, and
//! must not decide anything: what the events mean is in the crates that own them.

mod explain;
mod filter;
mod rpc;
mod state_at;
mod verify;

pub use rpc::Rpc;

use std::sync::Arc;

use ballast_clock::Clock;
use ballast_event_log::EventLog;
use ballast_proto::event::v1::event_log_service_server::EventLogServiceServer;

/// The gRPC service over `log`. It runs no loop of its own; watches end when the log is closed.
pub fn service(log: Arc<dyn EventLog>, clock: Clock) -> EventLogServiceServer<Rpc> {
    EventLogServiceServer::new(rpc(log, clock))
}

/// The same without its wire: for calls within the process.
pub fn rpc(log: Arc<dyn EventLog>, clock: Clock) -> Rpc {
    Rpc::new(log, clock)
}
