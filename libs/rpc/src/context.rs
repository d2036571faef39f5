//! Who is asking, why and under which request id. Must not know commands.

use ballast_event_log::Context;
use ballast_events::{Actor, RequestRef};
use ballast_proto::common::v1::Reason;
use prost::Message;
use sha2::{Digest as _, Sha256};

use crate::Failure;

/// Header with the caller's own name for itself; believed only as far as "unverified:" says.
pub const ACTOR_HEADER: &str = "x-ballast-actor";
/// Header with the reason of a command, for clients that cannot set the field.
pub const REASON_HEADER: &str = "x-ballast-reason";

/// What is known of a caller from the transport.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RequestContext {
    pub actor: Actor,
    pub reason: String,
    pub traceparent: Option<String>,
}

impl RequestContext {
    pub fn of<T>(request: &tonic::Request<T>) -> Self {
        let header = |name: &str| request.metadata().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let name = header(ACTOR_HEADER).filter(|name| !name.is_empty() && name.len() <= 128);
        let actor = Actor {
            principal: format!("unverified:{}", name.as_deref().unwrap_or("unknown")),
            method: "none".into(),
            role: "operator".into(),
            source: request.remote_addr().map(|peer| peer.to_string()).unwrap_or_default(),
        };
        Self { actor, reason: header(REASON_HEADER).unwrap_or_default(), traceparent: header("traceparent") }
    }

    /// The context of an append for a command with this request id and, when the field is set, this reason.
    pub fn for_command(self, request: RequestRef, reason: &str) -> Context {
        let reason = if reason.is_empty() { self.reason } else { reason.to_owned() };
        Context { actor: self.actor, reason, request: Some(request), traceparent: self.traceparent }
    }
}

/// Checks the request id of a mutation and hashes what it asks for. `body` is the request with its `request_id` cleared, and
/// `method` keeps two kinds of command with equal fields apart.
pub fn mutation(method: &str, request_id: &str, body: &impl Message) -> Result<RequestRef, Failure> {
    if uuid::Uuid::try_parse(request_id).is_err() {
        let message = format!("{method} needs a request_id that is a UUID, not {request_id:?}: repeat it to get the same answer");
        return Err(Failure::new(Reason::RequestIdRequired, message));
    }
    let mut hash = Sha256::new();
    hash.update(method.as_bytes());
    hash.update([0]);
    hash.update(body.encode_to_vec());
    Ok(RequestRef { id: request_id.to_ascii_lowercase(), body_hash: hash.finalize().into() })
}
