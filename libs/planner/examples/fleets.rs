//! Plans every cluster of the Analyzer's table and prints seconds, CPU seconds, peak memory and bytes beside their lower bound:
//! `cargo run --release -p ballast-planner --example fleets [PRESET ...]`. Each case runs in a process of its own, so that its
//! memory is its own. Must not know how a plan is found.

use std::process::Command;
use std::time::Instant;

use ballast_cluster::{BrokerId, Snapshot};
use ballast_lab::{Shape, cluster};
use ballast_planner::{Goal, GoalKind, Label, Limits, Outcome, Resource, plan};

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
        "{:18} {:>8} {:>8} {:>8} {:>9} {:>9} {:>8}  alternatives",
        "case", "first s", "total s", "cpu s", "peak MiB", "best/LB", "outside"
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
    let goal = match change {
        _ if preset == "evacuate-200" => Goal::new(GoalKind::Evacuate, vec![fullest(&snapshot)]),
        "kill" => {
            let broker = snapshot.brokers[snapshot.brokers.len() / 2].id;
            ballast_lab::kill(&mut snapshot, broker);
            Goal::new(GoalKind::Evacuate, vec![broker])
        }
        _ => Goal::new(GoalKind::Rebalance, Vec::new()),
    };
    let (memory_before, cpu_before) = (peak_mebibytes(), cpu_seconds());
    let started = Instant::now();
    let outcome = plan(&snapshot, &goal, &Limits::default(), 0);
    let total = started.elapsed().as_secs_f64();
    let _ = memory_before;
    let (best, outside) = ratio(&outcome);
    let replicas: usize = snapshot.partitions().map(|(_, partition)| partition.replicas.len()).sum();
    let labels: Vec<String> = outcome
        .alternatives
        .iter()
        .map(|alternative| {
            let ratio = alternative.cost.moved_bytes as f64 / outcome.bounds.moved_bytes.max(1) as f64;
            let counts = Resource::ALL.map(|r| alternative.balance.after.get(r).outside.unwrap_or(0));
            format!(
                "{} {ratio:.3} {:?} {}m {}l",
                alternative.label.as_str(),
                counts,
                alternative.cost.replica_moves,
                alternative.cost.leader_moves
            )
        })
        .collect();
    println!(
        "{case:18} {:>8.3} {total:>8.3} {:>8.3} {:>9} {best:>9.4} {outside:>8}  {}",
        total,
        cpu_seconds() - cpu_before,
        peak_mebibytes(),
        labels.join("; ")
    );
    let before = Resource::ALL.map(|r| outcome.alternatives[0].balance.before.get(r).outside.unwrap_or(0));
    let first = &outcome.alternatives[0];
    let over = first.cost.estimated_seconds as f64 / outcome.bounds.seconds.unwrap_or(0).max(1) as f64;
    println!("{:18} {replicas} replicas, outside before {before:?}, time over its bound {over:.3}", "");
}

fn ratio(outcome: &Outcome) -> (f64, u32) {
    let best = outcome.alternatives.iter().find(|alternative| matches!(alternative.label, Label::BestBalance | Label::Only));
    let best = best.unwrap_or(&outcome.alternatives[0]);
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
