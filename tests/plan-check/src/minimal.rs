//! Which entries of a plan could be left out without anything getting worse. Must not know why they were put in.
//!
//! An entry is idle when, with it alone taken back and every other one carried out, its partition breaks no hard rule, and no
//! broker is further outside the band on any resource, or further above a capacity limit, than with all carried out.

use crate::CheckOptions;
use crate::balance::Means;
use crate::cluster::{Cluster, Standing};
use crate::moves::Resolved;
use crate::prefixes::is_over;
use crate::state::State;

/// Further outside than this is measurably worse, in shares of the mean.
const MEASURABLE: f64 = 1e-9;

pub(crate) fn idle(cluster: &Cluster, after: &State, moves: &[Resolved], options: &CheckOptions) -> Vec<String> {
    let means = Means::of(cluster, after);
    let mut without = after.clone();
    let mut found = Vec::new();
    for entry in moves {
        without.take_back(cluster, entry.partition);
        if !is_broken(cluster, &without, entry.partition) && !is_worse(cluster, after, &means, &without, entry, options) {
            found.push(cluster.place(entry.partition));
        }
        without.apply(cluster, entry.partition, &entry.to);
    }
    found
}

fn is_broken(cluster: &Cluster, state: &State, partition: usize) -> bool {
    let list = &state.lists[partition];
    let asked_for = cluster.goal.kind == "topic";
    let leaves = |&broker: &usize| match cluster.brokers[broker].standing {
        Standing::Dead => true,
        Standing::Draining => cluster.goal.kind == "rebalance" || cluster.brokers[broker].named,
        Standing::Open => cluster.brokers[broker].group != cluster.topic(partition).group,
    };
    let led_by_named = cluster.goal.kind == "demote" && list.iter().any(|&broker| cluster.brokers[broker].named);
    asked_for
        || led_by_named
        || state.leaders[partition].is_none()
        || list.iter().any(leaves)
        || cluster.is_crowded(partition, list)
}

fn is_worse(cluster: &Cluster, after: &State, means: &Means, without: &State, entry: &Resolved, options: &CheckOptions) -> bool {
    let mut touched: Vec<usize> = cluster.partitions[entry.partition].replicas.iter().chain(&entry.to).copied().collect();
    // Loads that pass between open brokers of a group leave its means as they are: only the brokers of both lists differ.
    let group = cluster.topic(entry.partition).group;
    let ordinary = |&broker: &usize| {
        let facts = &cluster.brokers[broker];
        cluster.is_open(broker) && facts.group == group && facts.capacity.iter().all(|capacity| *capacity > 0)
    };
    let others;
    let means_without = if touched.iter().all(ordinary) {
        means
    } else {
        touched = (0..cluster.brokers.len()).collect();
        others = Means::of(cluster, without);
        &others
    };
    touched.into_iter().any(|broker| {
        (0..4).any(|r| {
            let (load, was) = (without.load[broker][r], after.load[broker][r]);
            let above = load > was && cluster.measured[r] && is_over(cluster, options, broker, r, load);
            let further = means_without.distance(cluster, without, broker, r) - means.distance(cluster, after, broker, r);
            above || further > MEASURABLE
        })
    })
}
