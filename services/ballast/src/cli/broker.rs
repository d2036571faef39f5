//! `broker list | get | restore`. Must not know why a broker is in its state.

use ballast_proto::monitor::v1::{Broker, BrokerState, GetBrokerRequest, ListBrokersRequest, RestoreBrokerRequest};
use clap::Subcommand;

use super::ClientOptions;
use super::client::unary;
use super::cluster::monitor;
use super::confirm::confirm;
use super::exit::CliError;
use super::output::{Output, facts, maybe, plain};
use crate::quantity::{bytes, rate};

#[derive(Subcommand, Debug)]
pub enum BrokerCommand {
    /// All brokers with what they carry.
    List,
    /// One broker in full.
    Get { id: i32 },
    /// Let a drained broker be filled again.
    Restore { id: i32 },
}

pub async fn run(options: &ClientOptions, command: BrokerCommand) -> Result<(), CliError> {
    let output = options.output();
    match command {
        BrokerCommand::List => {
            let brokers = list(options).await?;
            output.many(&brokers, |broker| broker.name.clone(), |output| table(output, &brokers))
        }
        BrokerCommand::Get { id } => {
            let request = GetBrokerRequest { cluster: options.cluster(), broker: id };
            let answer = monitor(options).await?.get_broker(unary(request)).await?.into_inner();
            let broker = answer.broker.ok_or_else(|| CliError::incomplete("broker"))?;
            output.one(&broker, &broker.name, |output| view(output, &broker))
        }
        BrokerCommand::Restore { id } => {
            confirm(
                options,
                &format!("Broker {id} of {} may get replicas again from the next plan on.", options.cluster_named()),
            )?;
            let request = RestoreBrokerRequest {
                cluster: options.cluster(),
                broker: id,
                request_id: options.request_id(),
                validate_only: options.dry_run,
                reason: options.reason(),
            };
            let answer = monitor(options).await?.restore_broker(unary(request)).await?.into_inner();
            let broker = answer.broker.ok_or_else(|| CliError::incomplete("broker"))?;
            output.one(&broker, &broker.name, |output| view(output, &broker))
        }
    }
}

async fn list(options: &ClientOptions) -> Result<Vec<Broker>, CliError> {
    let mut client = monitor(options).await?;
    let mut brokers = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListBrokersRequest { cluster: options.cluster(), page_size: 0, page_token };
        let page = client.list_brokers(unary(request)).await?.into_inner();
        brokers.extend(page.brokers);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(brokers);
        }
    }
}

/// For people: what JSON tells beside the state is folded into it.
fn state(broker: &Broker) -> &'static str {
    match broker.state() {
        BrokerState::Alive if broker.suspected_since.is_some() => "suspected",
        BrokerState::Alive if broker.cordoned => "cordoned",
        BrokerState::Alive => "alive",
        BrokerState::New => "new",
        BrokerState::Draining => "draining",
        BrokerState::Dead => "dead",
        BrokerState::Unspecified => "unknown",
    }
}

fn table(output: &Output, brokers: &[Broker]) -> String {
    let mut table =
        output.table(["broker", "rack", "state", "replicas", "leaders", "not in sync", "disk", "used", "in", "out", "host"]);
    for broker in brokers {
        let capacity = broker.capacity.unwrap_or_default();
        table.add_row([
            output.number(broker.id),
            plain(maybe(broker.rack.clone())),
            output.state(state(broker)),
            output.number(broker.replicas),
            output.number(broker.leaders),
            output.number(broker.out_of_sync),
            output.number(bytes(broker.disk_bytes)),
            output.number(share(broker.disk_bytes, capacity.disk_bytes)),
            output.number(rate(broker.network_in_bytes_per_second)),
            output.number(broker.network_out_bytes_per_second.map_or_else(|| "-".to_owned(), rate)),
            plain(maybe(broker.host.clone())),
        ]);
    }
    table.to_string()
}

fn share(used: u64, capacity: u64) -> String {
    if capacity == 0 { "-".into() } else { format!("{:.0} %", used as f64 / capacity as f64 * 100.0) }
}

fn view(output: &Output, broker: &Broker) -> String {
    let capacity = broker.capacity.unwrap_or_default();
    let of = |used: String, capacity: u64, whole: String| if capacity == 0 { used } else { format!("{used} of {whole}") };
    let out = broker.network_out_bytes_per_second;
    let mut lines = vec![
        ("broker", output.heading(&broker.name)),
        ("cluster", broker.cluster.clone()),
        ("state", state(broker).to_owned()),
        ("rack", maybe(broker.rack.clone())),
        ("host", maybe(broker.host.clone())),
        ("group", broker.group.clone()),
        ("replicas", format!("{} ({} leaders, {} not in sync)", broker.replicas, broker.leaders, broker.out_of_sync)),
        ("disk", of(bytes(broker.disk_bytes), capacity.disk_bytes, bytes(capacity.disk_bytes))),
        (
            "network in",
            of(
                rate(broker.network_in_bytes_per_second),
                capacity.network_in_bytes_per_second,
                rate(capacity.network_in_bytes_per_second),
            ),
        ),
        (
            "network out",
            of(
                out.map_or_else(|| "not measured".to_owned(), rate),
                capacity.network_out_bytes_per_second,
                rate(capacity.network_out_bytes_per_second),
            ),
        ),
    ];
    for (label, since) in [("suspected since", broker.suspected_since), ("dead since", broker.dead_since)] {
        lines.extend(since.map(|since| (label, since.to_string())));
    }
    lines.extend(broker.draining_task.clone().map(|task| ("drained by", task)));
    if broker.stray_replicas > 0 {
        let strays = format!(
            "up to {} left on its disks, which Kafka neither lists nor deletes: remove *-stray there",
            broker.stray_replicas
        );
        lines.push(("stray replicas", strays));
    }
    facts(&lines)
}
