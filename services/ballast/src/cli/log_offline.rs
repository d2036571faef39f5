//! `log verify DIR` and `log info DIR`, on the data directory of a stopped server. Must not know how records are stored.

use std::path::PathBuf;

use ballast_event_log::Head;
use ballast_event_log_sled::{OpenError, Report, info_directory, verify_directory};
use ballast_rpc::Reason;
use clap::Subcommand;
use serde::Serialize;

use super::ClientOptions;
use super::exit::{CliError, Exit};
use super::output::facts;
use crate::quantity::bytes;

#[derive(Subcommand, Debug)]
pub enum LogCommand {
    /// Check every record: place, checksum, chain, head. Changes nothing.
    Verify { dir: PathBuf },
    /// What the directory says of itself.
    Info { dir: PathBuf },
}

/// A verified log in JSON.
#[derive(Serialize)]
struct Verified {
    directory: String,
    ok: bool,
    events: u64,
    streams: u64,
    requests: u64,
    sequence: u64,
    hash: String,
    first_recorded_at: Option<String>,
    last_recorded_at: Option<String>,
}

#[derive(Serialize)]
struct Described {
    directory: String,
    format: u32,
    disk_bytes: u64,
    head_sequence: u64,
    head_hash: String,
    log: Option<Verified>,
    problem: Option<String>,
    reason: Option<String>,
}

pub async fn run(options: &ClientOptions, command: LogCommand) -> Result<(), CliError> {
    match command {
        LogCommand::Verify { dir } => {
            let folder = dir.clone();
            let report = blocking(move || verify_directory(&folder)).await?.map_err(refused)?;
            let verified = Verified::of(&dir, &report);
            options.output().one(&verified, &verified.directory, |_| format!("sound\n{}", verified.view()))
        }
        LogCommand::Info { dir } => {
            let folder = dir.clone();
            let info = blocking(move || info_directory(&folder)).await?.map_err(refused)?;
            let described = Described {
                directory: dir.display().to_string(),
                format: info.format,
                disk_bytes: info.disk_bytes,
                head_sequence: info.head_file.sequence,
                head_hash: hex(&info.head_file),
                log: info.report.as_ref().ok().map(|report| Verified::of(&dir, report)),
                problem: info.report.as_ref().err().map(ToString::to_string),
                reason: info.report.as_ref().err().map(|error| error.reason_code().to_owned()),
            };
            options.output().one(&described, &described.directory, |_| described.view())?;
            // What can be told of a damaged log was told; that it is damaged is what the command ends with.
            info.report.map(drop).map_err(refused)
        }
    }
}

/// Verification reads the whole log: not on a thread that serves anything else.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, CliError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| CliError::new(Exit::Error, Reason::Internal, error.to_string()))
}

pub fn refused(error: OpenError) -> CliError {
    CliError::coded(error.reason_code(), error.to_string())
}

fn hex(head: &Head) -> String {
    head.hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Verified {
    fn of(dir: &std::path::Path, report: &Report) -> Self {
        let time = |at: ballast_cluster::Timestamp| ballast_proto::Timestamp::from_milliseconds(at.milliseconds).to_string();
        Self {
            directory: dir.display().to_string(),
            ok: true,
            events: report.events,
            streams: report.streams,
            requests: report.requests,
            sequence: report.head.sequence,
            hash: hex(&report.head),
            first_recorded_at: report.first_recorded_at.map(time),
            last_recorded_at: report.last_recorded_at.map(time),
        }
    }

    fn view(&self) -> String {
        let recorded = match (&self.first_recorded_at, &self.last_recorded_at) {
            (Some(first), Some(last)) => format!("{first} to {last}"),
            _ => "nothing yet".into(),
        };
        facts(&[
            ("events", format!("{} in {} streams", self.events, self.streams)),
            ("requests", self.requests.to_string()),
            ("recorded", recorded),
            ("head", format!("{} {}", self.sequence, self.hash)),
        ])
    }
}

impl Described {
    fn view(&self) -> String {
        let mut text = facts(&[
            ("directory", self.directory.clone()),
            ("format", self.format.to_string()),
            ("on disk", bytes(self.disk_bytes)),
            ("head file", format!("{} {}", self.head_sequence, self.head_hash)),
        ]);
        if let Some(log) = &self.log {
            text.push_str(&format!("\n{}", log.view()));
        }
        text
    }
}
