//! `cluster list | get | snapshot`. Must not know how clusters are watched.

use ballast_proto::monitor::v1::monitor_service_client::MonitorServiceClient;
use ballast_proto::monitor::v1::{Cluster, GetClusterRequest, GetSnapshotRequest, ListClustersRequest};
use clap::Subcommand;

use super::ClientOptions;
use super::client::{ANSWER_BYTES_MAX, Transport, connect, unary};
use super::exit::CliError;
use super::output::{Output, facts, maybe, raw};

#[derive(Subcommand, Debug)]
pub enum ClusterCommand {
    /// All watched clusters.
    List,
    /// One cluster in full.
    Get {
        /// Instead of --cluster.
        name: Option<String>,
    },
    /// What the planner sees, as JSON of format ballast.snapshot.v1.
    Snapshot {
        /// Instead of --cluster.
        name: Option<String>,
    },
}

pub async fn monitor(options: &ClientOptions) -> Result<MonitorServiceClient<Transport>, CliError> {
    Ok(MonitorServiceClient::new(connect(&options.server).await?).max_decoding_message_size(ANSWER_BYTES_MAX))
}

pub async fn run(options: &ClientOptions, command: ClusterCommand) -> Result<(), CliError> {
    let mut client = monitor(options).await?;
    let output = options.output();
    match command {
        ClusterCommand::List => {
            let clusters = list(&mut client).await?;
            output.many(&clusters, |cluster| cluster.name.clone(), |output| table(output, &clusters))
        }
        ClusterCommand::Get { name } => {
            let request = GetClusterRequest { cluster: name.unwrap_or_else(|| options.cluster()) };
            let answer = client.get_cluster(unary(request)).await?.into_inner();
            let cluster = answer.cluster.ok_or_else(|| CliError::incomplete("cluster"))?;
            output.one(&cluster, &cluster.name, |output| view(output, &cluster))
        }
        ClusterCommand::Snapshot { name } => {
            let request = GetSnapshotRequest { cluster: name.unwrap_or_else(|| options.cluster()) };
            let mut pieces = client.get_snapshot(request).await?.into_inner();
            while let Some(piece) = pieces.message().await? {
                raw(&piece.chunk)?;
            }
            Ok(())
        }
    }
}

async fn list(client: &mut MonitorServiceClient<Transport>) -> Result<Vec<Cluster>, CliError> {
    let mut clusters = Vec::new();
    let mut page_token = String::new();
    loop {
        let page = client.list_clusters(unary(ListClustersRequest { page_size: 0, page_token })).await?.into_inner();
        clusters.extend(page.clusters);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(clusters);
        }
    }
}

/// One line per cluster; also the heart of `status`.
pub fn table(output: &Output, clusters: &[Cluster]) -> String {
    let mut table = output.table([
        "cluster",
        "state",
        "brokers",
        "dead",
        "topics",
        "partitions",
        "under-replicated",
        "offline",
        "reassigning",
    ]);
    for cluster in clusters {
        let counts = cluster.counts.unwrap_or_default();
        table.add_row([
            output.bold(&cluster.name),
            output.state(state(cluster)),
            output.number(format!("{} of {}", counts.brokers_alive, counts.brokers)),
            output.number(counts.brokers_dead),
            output.number(counts.topics),
            output.number(counts.partitions),
            output.number(counts.under_replicated),
            output.number(counts.offline),
            output.number(counts.reassigning),
        ]);
    }
    table.to_string()
}

fn state(cluster: &Cluster) -> &'static str {
    match (cluster.reachable, cluster.model_ready) {
        (false, _) => "UNREACHABLE",
        (true, false) => "LEARNING",
        (true, true) => "READY",
    }
}

fn view(output: &Output, cluster: &Cluster) -> String {
    let counts = cluster.counts.unwrap_or_default();
    let mut lines = vec![
        ("cluster", output.heading(&cluster.name)),
        ("kafka id", maybe(cluster.cluster_id.clone())),
        ("state", state(cluster).to_owned()),
    ];
    if let Some(message) = &cluster.failure_message {
        lines.push(("problem", format!("{message} ({})", maybe(cluster.failure_reason.clone()))));
    }
    lines.extend([
        ("model age", cluster.model_age_seconds.map_or_else(|| "-".to_owned(), crate::quantity::duration_seconds)),
        ("sequence", cluster.sequence.to_string()),
        (
            "brokers",
            format!(
                "{}: {} alive ({} draining), {} suspected, {} dead",
                counts.brokers, counts.brokers_alive, counts.brokers_draining, counts.brokers_suspected, counts.brokers_dead
            ),
        ),
        ("topics", format!("{} with {} partitions and {} replicas", counts.topics, counts.partitions, counts.replicas)),
        ("leaders", format!("{}, {} of them preferred", counts.leaders, counts.preferred_leaders)),
        ("problems", format!("{} under-replicated, {} offline", counts.under_replicated, counts.offline)),
        ("reassigning", counts.reassigning.to_string()),
    ]);
    facts(&lines)
}
