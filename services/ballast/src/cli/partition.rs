//! `partition list`. Must not know how partitions are watched.

use ballast_proto::monitor::v1::{ListPartitionsRequest, Partition};
use clap::Subcommand;

use super::ClientOptions;
use super::client::unary;
use super::cluster::monitor;
use super::exit::CliError;
use super::output::{Output, ids, maybe, plain};
use crate::quantity::{bytes, rate};

#[derive(Subcommand, Debug)]
pub enum PartitionCommand {
    /// Partitions that meet every given filter.
    List {
        /// With replicas that are not in sync.
        #[arg(long)]
        under_replicated: bool,
        /// Without a leader.
        #[arg(long)]
        offline: bool,
        /// With a reassignment under way.
        #[arg(long)]
        reassigning: bool,
        /// With a replica on this broker.
        #[arg(long, value_name = "ID")]
        broker: Option<i32>,
        /// Of this topic.
        #[arg(long, value_name = "T")]
        topic: Option<String>,
    },
}

pub async fn run(options: &ClientOptions, command: PartitionCommand) -> Result<(), CliError> {
    let PartitionCommand::List { under_replicated, offline, reassigning, broker, topic } = command;
    let mut client = monitor(options).await?;
    let mut request = ListPartitionsRequest {
        cluster: options.cluster(),
        under_replicated,
        offline,
        reassigning,
        broker,
        topic: topic.unwrap_or_default(),
        page_size: 1_000,
        page_token: String::new(),
    };
    let mut partitions = Vec::new();
    loop {
        let page = client.list_partitions(unary(request.clone())).await?.into_inner();
        partitions.extend(page.partitions);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    options.output().many(&partitions, |partition| partition.name.clone(), |output| table(output, &partitions))
}

fn table(output: &Output, partitions: &[Partition]) -> String {
    let mut table = output.table(["partition", "replicas", "leader", "in sync", "change", "size", "produced", "state"]);
    for partition in partitions {
        let state = match partition {
            Partition { offline: true, .. } => "offline",
            Partition { reassigning: true, .. } => "reassigning",
            Partition { under_replicated: true, .. } => "under-replicated",
            _ => "",
        };
        table.add_row([
            output.bold(&partition.name),
            plain(ids(&partition.replicas)),
            output.number(maybe(partition.leader)),
            plain(ids(&partition.in_sync)),
            plain(change(partition)),
            output.number(bytes(partition.size_bytes)),
            output.number(rate(partition.produce_bytes_per_second)),
            output.state(state),
        ]);
    }
    format!("{table}\n{} partitions", partitions.len())
}

fn change(partition: &Partition) -> String {
    let signed = |sign: char, brokers: &[i32]| brokers.iter().map(|broker| format!("{sign}{broker}")).collect::<Vec<_>>();
    let mut parts = signed('+', &partition.adding_replicas);
    parts.extend(signed('-', &partition.removing_replicas));
    parts.join(" ")
}
