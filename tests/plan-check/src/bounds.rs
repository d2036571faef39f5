//! Whether the bounds are bounds: of bytes, of seconds, of the highest utilisation. Must not know how they were found.

use crate::cluster::{Cluster, NETWORK_IN, NETWORK_OUT, RESOURCES};
use crate::moves::Resolved;
use crate::plan::Plan;
use crate::state::State;
use crate::{Findings, Rule};

/// Where an alternative leads.
pub(crate) struct End {
    pub after: State,
    pub moves: Vec<Resolved>,
    pub reaches_goal: bool,
}

pub(crate) fn check(cluster: &Cluster, before: &State, plan: &Plan, ends: &[End], findings: &mut Findings) {
    let bound = plan.bounds.moved_bytes;
    for (alternative, _) in plan.alternatives.iter().zip(ends).filter(|(_, end)| end.reaches_goal) {
        let (label, bytes) = (&alternative.label, alternative.cost.moved_bytes);
        findings.unless(bound <= bytes, Rule::Bounds, || format!("{label} reaches the goal with {bytes} bytes, below {bound}"));
    }
    // `check` reads a plan with at least one alternative.
    let (first, end) = (&plan.alternatives[0], &ends[0]);
    check_seconds(cluster, before, &end.moves, plan.bounds.seconds, findings);
    if let Some(seconds) = plan.bounds.seconds {
        let estimated = first.cost.estimated_seconds;
        findings.unless(estimated >= seconds, Rule::Bounds, || format!("{estimated} s are estimated, at least {seconds} needed"));
    }
    for (r, bound) in plan.bounds.max_utilization.iter().enumerate() {
        for (alternative, end) in plan.alternatives.iter().zip(ends) {
            check_utilization(cluster, &alternative.label, &end.after, r, *bound, findings);
        }
    }
}

fn check_utilization(cluster: &Cluster, label: &str, after: &State, r: usize, bound: Option<f64>, findings: &mut Findings) {
    let Some(bound) = bound else { return };
    let open = (0..cluster.brokers.len()).filter(|&broker| cluster.is_open(broker) && cluster.brokers[broker].capacity[r] > 0);
    let most = open.map(|broker| after.load[broker][r] as f64 / cluster.brokers[broker].capacity[r] as f64).fold(0.0, f64::max);
    let resource = RESOURCES[r];
    findings.unless(bound <= most * (1.0 + 1e-9), Rule::Bounds, || {
        format!("{label} reaches {most} on {resource}, below the bound {bound}")
    });
    findings.unless(cluster.measured[r], Rule::Bounds, || format!("{resource} is not measured and has a bound"));
}

/// The busiest broker's bytes in, or out as present leader, over 0.8 of its capacity less its load.
fn check_seconds(cluster: &Cluster, before: &State, moves: &[Resolved], given: Option<u64>, findings: &mut Findings) {
    let mut copied = vec![[0_u128; 2]; cluster.brokers.len()];
    for entry in moves {
        let size = u128::from(cluster.partitions[entry.partition].size);
        for &broker in &entry.added {
            copied[broker][0] += size;
            if let Some(leader) = before.leaders[entry.partition] {
                copied[leader][1] += size;
            }
        }
    }
    // Seconds as a fraction: the least whole number not below it, and whether some broker has no headroom at all.
    let (mut floor, mut ceiling, mut stuck) = (0_u128, 0_u128, false);
    for (broker, copied) in copied.iter().enumerate() {
        for (bytes, r) in [(copied[0], NETWORK_IN), (copied[1], NETWORK_OUT)].into_iter().filter(|(bytes, _)| *bytes > 0) {
            let tenfold = (cluster.brokers[broker].capacity[r] * 8).saturating_sub(before.load[broker][r] * 10);
            match (bytes * 10).checked_div(tenfold) {
                None => stuck = true,
                Some(seconds) => {
                    floor = floor.max(seconds);
                    ceiling = ceiling.max((bytes * 10).div_ceil(tenfold));
                }
            }
        }
    }
    let fits = match given {
        None => stuck,
        Some(given) => !stuck && (floor..=ceiling).contains(&u128::from(given)),
    };
    findings.unless(fits, Rule::Bounds, || format!("seconds are {floor} to {ceiling} (no headroom: {stuck}), not {given:?}"));
}
