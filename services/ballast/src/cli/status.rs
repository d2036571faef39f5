//! `status`: the fleet and what runs in it, at one glance. Must not know how any of it is found out.

use ballast_proto::monitor::v1::{Cluster, ClusterCounts, GetStatusRequest};
use ballast_proto::task::v1::{ListTasksRequest, Task};
use serde::Serialize;

use super::client::unary;
use super::cluster::{monitor, table};
use super::exit::CliError;
use super::output::Output;
use super::task::task_manager;
use super::{ClientOptions, task_view};

/// Open tasks shown; `task list` shows all.
const TASKS_MAX: u32 = 100;

#[derive(Serialize)]
struct Status {
    clusters: Vec<Cluster>,
    totals: Option<ClusterCounts>,
    open_tasks: Vec<Task>,
}

pub async fn run(options: &ClientOptions) -> Result<(), CliError> {
    let fleet = monitor(options).await?.get_status(unary(GetStatusRequest {})).await?.into_inner();
    let open = ListTasksRequest { cluster: options.cluster(), open_only: true, page_size: TASKS_MAX, page_token: String::new() };
    let open_tasks = task_manager(options).await?.list_tasks(unary(open)).await?.into_inner().tasks;
    let status = Status { clusters: fleet.clusters, totals: fleet.totals, open_tasks };
    let names: Vec<&str> = status.clusters.iter().map(|cluster| cluster.name.as_str()).collect();
    options.output().one(&status, &names.join("\n"), |output| view(output, &status))
}

fn view(output: &Output, status: &Status) -> String {
    let mut text = table(output, &status.clusters);
    for cluster in status.clusters.iter().filter(|cluster| !cluster.reachable) {
        let reason = cluster.failure_reason.as_deref().unwrap_or("not reached yet");
        text.push_str(&format!(
            "\n{}: {} ({reason})",
            cluster.name,
            cluster.failure_message.as_deref().unwrap_or("no answer yet")
        ));
    }
    if !status.open_tasks.is_empty() {
        text.push_str(&format!("\n\n{}", task_view::list(output, &status.open_tasks)));
    }
    text
}
