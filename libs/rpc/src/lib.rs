//! What every service's wire side shares: failures with catalogued reasons, who is asking, the server that carries all services
//! on one port, and its drain. Must not know any particular service.

mod context;
mod failure;
mod paging;
mod probes;
mod resource_id;
mod server;
mod telemetry_layer;

pub use ballast_proto::common::v1::Reason;
pub use context::{ACTOR_HEADER, REASON_HEADER, RequestContext, mutation};
pub use failure::{ERROR_DOMAIN, Failure, reason_name};
pub use paging::{PAGE_SIZE_MAX, page, page_size, page_token};
pub use probes::{Readiness, http_routes};
pub use resource_id::resource_id;
pub use server::{Listening, serve};
pub use telemetry_layer::RpcTelemetryLayer;
