//! The connection of the client commands: one channel, who is calling, how long an answer may take. Must not know the commands.

use std::time::Duration;

use ballast_rpc::{ACTOR_HEADER, Reason};
use tonic::metadata::MetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use super::exit::{CliError, Exit};

/// A unary call may plan for its whole time budget; what takes longer is a stream or a wait.
const ANSWER_DEADLINE: Duration = Duration::from_secs(120);
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// A plan with many moves is paged, but a snapshot chunk or a full page may pass tonic's 4 MiB.
pub const ANSWER_BYTES_MAX: usize = 64 << 20;

pub type Transport = InterceptedService<Channel, Identity>;

/// Adds the caller's own name for itself to every call.
#[derive(Clone, Debug)]
pub struct Identity {
    user: MetadataValue<tonic::metadata::Ascii>,
}

impl Interceptor for Identity {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert(ACTOR_HEADER, self.user.clone());
        Ok(request)
    }
}

/// Connects to `server`, e.g. `http://127.0.0.1:7420`.
pub async fn connect(server: &str) -> Result<Transport, CliError> {
    let endpoint = Endpoint::from_shared(server.to_owned())
        .ok()
        .filter(|endpoint| endpoint.uri().scheme_str() == Some("http") && endpoint.uri().host().is_some())
        .ok_or_else(|| CliError::usage(format!("--server {server:?} is no address: write e.g. http://127.0.0.1:7420")))?;
    let channel = endpoint.connect_timeout(CONNECT_DEADLINE).http2_keep_alive_interval(Duration::from_secs(20)).connect().await;
    let channel = channel.map_err(|error| {
        let mut cause: &dyn std::error::Error = &error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        let message =
            format!("no Ballast answers at {server} ({cause}): start it with `ballast serve`, or name it with --server");
        CliError::new(Exit::Unreachable, Reason::ServerUnreachable, message)
    })?;
    Ok(InterceptedService::new(channel, Identity { user: user() }))
}

/// A request with a deadline.
pub fn unary<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(ANSWER_DEADLINE);
    request
}

/// The login name, as far as it can be a header.
#[expect(clippy::disallowed_methods, reason = "the name of the caller is the environment's to tell")]
fn user() -> MetadataValue<tonic::metadata::Ascii> {
    let name = std::env::var("USER").ok().filter(|name| !name.is_empty()).or_else(who_am_i);
    let unknown = MetadataValue::from_static("unknown");
    name.and_then(|name| name.parse().ok()).unwrap_or(unknown)
}

fn who_am_i() -> Option<String> {
    let answer = std::process::Command::new("whoami").output().ok()?;
    let name = String::from_utf8(answer.stdout).ok()?.trim().to_owned();
    (answer.status.success() && !name.is_empty()).then_some(name)
}
