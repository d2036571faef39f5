//! Plans every cluster of the Analyzer's table and prints seconds, CPU seconds, peak memory and bytes beside their lower bound:
//! `cargo run --release -p ballast-planner --example fleets [PRESET ...]`. Each case runs in a process of its own, so that its
//! memory is its own. Must not know how a plan is found.

use std::process::Command;
use std::time::Instant;

use ballast_cluster::{BrokerId, Snapshot};
use ballast_lab::{Shape, cluster};
use ballast_planner::{
    Alternative, Goal, GoalKind, Label, Limits, Outcome, PerResource, Resource, ResourceBalance, plan, plan_observed,
};

const CASES: [&str; 11] = [
    "fleet-200",
    "fleet-1000",
    "groups-300",
    "fleet-450",
    "cc-270",
    "cc-215",
    "fleet-10000",
    "mixed-60",
    "evacuate-200",
    "fleet-10000+shift",
    "fleet-10000+kill",
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, case] = arguments.as_slice()
        && flag == "--one"
    {
        return one(case);
    }
    let cases: Vec<&str> = if arguments.is_empty() { CASES.to_vec() } else { arguments.iter().map(String::as_str).collect() };
    println!(
        "{:18} {:>8} {:>8} {:>8} {:>8} {:>9} {:>8} {:>8} {:>9} {:>7}",
        "case", "replicas", "first s", "total s", "cpu s", "peak MiB", "best/LB", "outside", "gap %data", "time/LB"
    );
    let program = std::env::current_exe().expect("a running program has a path");
    for case in cases {
        let status = Command::new(&program).args(["--one", case]).status().expect("the program that runs can run again");
        if !status.success() {
            println!("{case:18} failed: {status}");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn one(case: &str) {
    let (preset, change) = case.split_once('+').unwrap_or((case, ""));
    let Some(shape) = Shape::preset(preset) else { return println!("{case:18} is no preset") };
    let mut snapshot = cluster(&shape);
    // The contract's cap of replicas is below the mean of this one.
    let most = if preset == "cc-215" { 20_000 } else { Limits::default().replicas_per_broker_max };
    let limits = Limits { replicas_per_broker_max: most, ..Limits::default() };
    let rebalance = Goal::new(GoalKind::Rebalance, Vec::new());
    if !change.is_empty() {
        let settled = plan(&snapshot, &rebalance, &limits, 0);
        let best = settled.alternatives.iter().find(|alternative| alternative.label == Label::BestBalance);
        carry_out(&mut snapshot, best.unwrap_or(&settled.alternatives[0]));
    }
    let goal = match change {
        _ if preset == "evacuate-200" => Goal::new(GoalKind::Evacuate, vec![fullest(&snapshot)]),
        "kill" => {
            let broker = snapshot.brokers[snapshot.brokers.len() / 2].id;
            ballast_lab::kill(&mut snapshot, broker);
            Goal::new(GoalKind::Evacuate, vec![broker])
        }
        "shift" => {
            ballast_lab::shift(&mut snapshot, 1);
            rebalance
        }
        _ => rebalance,
    };
    let cpu_before = cpu_seconds();
    let started = Instant::now();
    let mut first = None;
    let outcome = plan_observed(&snapshot, &goal, &limits, 0, &mut || first = Some(started.elapsed().as_secs_f64()));
    let total = started.elapsed().as_secs_f64();
    let (best, outside) = ratio(&outcome);
    let replicas: usize = snapshot.partitions().map(|(_, partition)| partition.replicas.len()).sum();
    let data: u128 = snapshot.partitions().map(|(_, p)| u128::from(p.load.size_bytes) * p.replicas.len() as u128).sum();
    println!(
        "{case:18} {replicas:>8} {:>8.3} {total:>8.3} {:>8.2} {:>9} {best:>8.4} {outside:>8} {:>9.4} {:>7}",
        first.unwrap_or(total),
        cpu_seconds() - cpu_before,
        peak_mebibytes(),
        gap_percent(&outcome, data),
        time_over_bound(&outcome),
    );
    for alternative in &outcome.alternatives {
        let outside = |balance: &PerResource<ResourceBalance>| Resource::ALL.map(|r| balance.get(r).outside.unwrap_or(0));
        println!(
            "    {:20} {:.4} of the bound, {} replicas, {} leaders, outside {:?} -> {:?}",
            alternative.label.as_str(),
            alternative.cost.moved_bytes as f64 / outcome.bounds.moved_bytes.max(1) as f64,
            alternative.cost.replica_moves,
            alternative.cost.leader_moves,
            outside(&alternative.balance.before),
            outside(&alternative.balance.after),
        );
    }
}

fn carry_out(snapshot: &mut Snapshot, alternative: &Alternative) {
    for entry in &alternative.moves {
        let topic = snapshot.topics.iter_mut().find(|topic| topic.name == entry.at.topic).expect("planned topics exist");
        let partition = &mut topic.partitions[entry.at.partition as usize];
        (partition.replicas, partition.in_sync) = (entry.to.clone(), entry.to.clone());
        partition.leader = entry.to.first().copied();
    }
}

/// What the best plan copies beyond the bound, in percent of all data.
fn gap_percent(outcome: &Outcome, data: u128) -> f64 {
    let beyond = best(outcome).cost.moved_bytes.saturating_sub(outcome.bounds.moved_bytes);
    100.0 * beyond as f64 / data.max(1) as f64
}

fn time_over_bound(outcome: &Outcome) -> String {
    match outcome.bounds.seconds {
        Some(bound @ 1..) => format!("{:.3}", outcome.alternatives[0].cost.estimated_seconds as f64 / bound as f64),
        _ => "-".to_owned(),
    }
}

fn best(outcome: &Outcome) -> &Alternative {
    let is_best = |alternative: &&Alternative| matches!(alternative.label, Label::BestBalance | Label::Only);
    outcome.alternatives.iter().find(is_best).unwrap_or(&outcome.alternatives[0])
}

/// Bytes of the best plan over the bound, and the most brokers that it leaves outside on one resource.
fn ratio(outcome: &Outcome) -> (f64, u32) {
    let best = best(outcome);
    let outside = Resource::ALL.iter().map(|&r| best.balance.after.get(r).outside.unwrap_or(0)).max().unwrap_or(0);
    (best.cost.moved_bytes as f64 / outcome.bounds.moved_bytes.max(1) as f64, outside)
}

fn fullest(snapshot: &Snapshot) -> BrokerId {
    let mut counts = std::collections::BTreeMap::new();
    for (_, partition) in snapshot.partitions() {
        partition.replicas.iter().for_each(|id| *counts.entry(*id).or_insert(0usize) += 1);
    }
    counts.into_iter().max_by_key(|&(_, count)| count).map_or(BrokerId(0), |(id, _)| id)
}

/// Of this process; 0 where the system does not say.
fn peak_mebibytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// User and system time of this process; 0 where the system does not say. The unit is a hundredth of a second on Linux.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    [11, 12].iter().filter_map(|&at| fields.get(at)?.parse::<f64>().ok()).sum::<f64>() / 100.0
}
