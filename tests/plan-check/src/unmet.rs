//! Whether a plan says what it leaves undone: all of it, and nothing else. Must not know how it was made.

use std::collections::BTreeSet;

use crate::balance::outside;
use crate::cluster::{Cluster, RESOURCES, Standing};
use crate::plan::{Alternative, HARD};
use crate::prefixes::is_over;
use crate::state::State;
use crate::{CheckOptions, Findings, Rule};

/// A hard rule that is broken: its name, the partition, the broker, the resource.
pub(crate) type Broken = (&'static str, Option<usize>, Option<usize>, Option<usize>);

/// Gives whether the goal is reached.
pub(crate) fn check(
    cluster: &Cluster,
    before: &State,
    after: &State,
    exceeded: &BTreeSet<(usize, usize)>,
    alternative: &Alternative,
    options: &CheckOptions,
    findings: &mut Findings,
) -> bool {
    for unmet in &alternative.unmet {
        let hard = HARD.contains(&unmet.goal.as_str());
        findings.unless(unmet.hard == hard, Rule::Unmet, || format!("{} has hard {}", unmet.goal, unmet.hard));
        let known = unmet.broker.is_none_or(|id| cluster.broker_at(id).is_some())
            && unmet.partition.as_ref().is_none_or(|(topic, index)| cluster.partition_at(topic, *index).is_some());
        findings.unless(known, Rule::Unmet, || format!("{} names what is not there", unmet.goal));
    }
    let outside = outside(cluster, after);
    check_band(cluster, &outside, alternative, findings);
    check_measured(cluster, after, alternative, findings);
    let broken = broken(cluster, before, after, options);
    let named: BTreeSet<Named<'_>> = alternative.unmet.iter().filter_map(|unmet| Named::of(cluster, unmet)).collect();
    for one in &broken {
        findings.unless(is_named(one, &named), Rule::Unmet, || format!("{} is not named", told(cluster, one)));
    }
    check_claims(cluster, &broken, exceeded, alternative, findings);
    let short = short(cluster, after, options);
    for &partition in &short {
        let said = named.iter().any(|named| HARD.contains(&named.goal) && named.partition == Some(partition));
        findings.unless(said, Rule::Unmet, || format!("{} does not get what was asked for", cluster.place(partition)));
    }
    let capacity_apart = broken.iter().all(|one| matches!(one.0, "capacity" | "replica-cap"));
    match cluster.goal.kind.as_str() {
        "rebalance" => outside.is_empty() && capacity_apart,
        // Who is named shall come inside; others were not to be touched.
        "expand" => !outside.iter().any(|(broker, _)| cluster.brokers[*broker].named),
        _ => capacity_apart && short.is_empty(),
    }
}

/// Demote: partitions that a named broker still leads. Topic: partitions without the list that was asked for.
fn short(cluster: &Cluster, after: &State, options: &CheckOptions) -> Vec<usize> {
    let all = 0..cluster.partitions.len();
    match cluster.goal.kind.as_str() {
        "demote" => all.filter(|&p| after.leaders[p].is_some_and(|leader| cluster.brokers[leader].named)).collect(),
        "topic" => {
            let ids = |list: &[usize]| list.iter().map(|&broker| cluster.brokers[broker].id).collect::<Vec<i64>>();
            let missed = |(topic, index, list): &(String, u64, Vec<i64>)| {
                let partition = cluster.partition_at(topic, *index)?;
                let led = after.leaders[partition].map(|leader| cluster.brokers[leader].id) == list.first().copied();
                (ids(&after.lists[partition]) != *list || !led).then_some(partition)
            };
            options.targets.iter().filter_map(missed).collect()
        }
        _ => Vec::new(),
    }
}

/// What an entry of `unmet` is about, in the checker's numbers.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Named<'a> {
    goal: &'a str,
    partition: Option<usize>,
    broker: Option<usize>,
    resource: Option<usize>,
}

impl<'a> Named<'a> {
    fn of(cluster: &Cluster, unmet: &'a crate::plan::Unmet) -> Option<Self> {
        let partition = match &unmet.partition {
            Some((topic, index)) => Some(cluster.partition_at(topic, *index)?),
            None => None,
        };
        let broker = unmet.broker.and_then(|id| cluster.broker_at(id));
        Some(Named { goal: &unmet.goal, partition, broker, resource: unmet.resource })
    }
}

/// A partition's rule is named by rule and partition; a broker's by rule, broker and resource.
fn is_named(one: &Broken, named: &BTreeSet<Named<'_>>) -> bool {
    let &(goal, partition, broker, resource) = one;
    match partition {
        // Any broker of the partition may be the one that the sentence speaks of.
        Some(_) => {
            let range = Named { goal, partition, broker: None, resource: None }..;
            named.range(range).next().is_some_and(|first| first.goal == goal && first.partition == partition)
        }
        None => named.contains(&Named { goal, partition, broker, resource }),
    }
}

fn told(cluster: &Cluster, one: &Broken) -> String {
    let &(goal, partition, broker, resource) = one;
    let partition = partition.map(|partition| format!(" of {}", cluster.place(partition))).unwrap_or_default();
    let broker = broker.map(|broker| format!(" on broker {}", cluster.brokers[broker].id)).unwrap_or_default();
    let resource = resource.map(|r| format!(" in {}", RESOURCES[r])).unwrap_or_default();
    format!("{goal}{partition}{broker}{resource}")
}

fn check_band(cluster: &Cluster, outside: &BTreeSet<(usize, usize)>, alternative: &Alternative, findings: &mut Findings) {
    let band = alternative.unmet.iter().filter(|unmet| unmet.goal == "band");
    let named: BTreeSet<(usize, usize)> =
        band.filter_map(|unmet| unmet.broker.and_then(|id| cluster.broker_at(id)).zip(unmet.resource)).collect();
    for (broker, r) in outside.symmetric_difference(&named) {
        let (id, resource) = (cluster.brokers[*broker].id, RESOURCES[*r]);
        let what = if named.contains(&(*broker, *r)) { "is inside and named" } else { "is outside and not named" };
        findings.add(Rule::Unmet, format!("broker {id} {what} on {resource}"));
    }
}

/// A resource without measured load is left out, and named.
fn check_measured(cluster: &Cluster, after: &State, alternative: &Alternative, findings: &mut Findings) {
    for (r, resource) in RESOURCES.iter().enumerate() {
        let named = alternative.unmet.iter().any(|unmet| unmet.goal == "not-measured" && unmet.resource == Some(r));
        let carried = (0..cluster.brokers.len()).any(|broker| cluster.is_open(broker) && after.load[broker][r] > 0);
        let left_out = !cluster.measured[r] || !carried;
        findings.unless(named == left_out, Rule::Unmet, || format!("{resource} left out: {left_out}, named: {named}"));
    }
}

/// Every hard rule that is broken, as far as the goal is about it.
pub(crate) fn broken(cluster: &Cluster, before: &State, after: &State, options: &CheckOptions) -> Vec<Broken> {
    let mut broken = Vec::new();
    for partition in 0..cluster.partitions.len() {
        broken_partition(cluster, before, after, partition, options, &mut broken);
    }
    for broker in (0..cluster.brokers.len()).filter(|&broker| cluster.is_open(broker)) {
        for r in (0..4).filter(|&r| cluster.measured[r] && cluster.brokers[broker].capacity[r] > 0) {
            if is_over(cluster, options, broker, r, after.load[broker][r]) {
                broken.push(("capacity", None, Some(broker), Some(r)));
            }
        }
        if after.count[broker] > options.replicas_per_broker_max {
            broken.push(("replica-cap", None, Some(broker), None));
        }
    }
    broken
}

/// Hard rules of one partition, as far as the goal is about it.
fn broken_partition(
    cluster: &Cluster,
    before: &State,
    after: &State,
    partition: usize,
    options: &CheckOptions,
    broken: &mut Vec<Broken>,
) {
    let (facts, kind) = (&cluster.partitions[partition], cluster.goal.kind.as_str());
    let list = &after.lists[partition];
    let named = |broker: &usize| cluster.brokers[*broker].named;
    let touches = before.lists[partition].iter().any(named);
    let changed = *list != before.lists[partition] || after.leaders[partition] != before.leaders[partition];
    let concerned = match kind {
        "rebalance" => true,
        "evacuate" | "drain" | "demote" => touches,
        "topic" => options.targets.iter().any(|(topic, index, _)| cluster.partition_at(topic, *index) == Some(partition)),
        _ => false,
    };
    if concerned && kind != "topic" && (!after.is_online(cluster, partition) || after.leaders[partition].is_none()) {
        broken.push(("offline", Some(partition), None, None));
    }
    if (kind == "rebalance" || changed) && after.is_online(cluster, partition) && cluster.is_crowded(partition, list) {
        broken.push(("rack", Some(partition), None, None));
    }
    if !concerned || !after.is_online(cluster, partition) || !matches!(kind, "rebalance" | "evacuate" | "drain") {
        return;
    }
    for &broker in list {
        let leaves = match cluster.brokers[broker].standing {
            Standing::Dead => true,
            Standing::Draining => kind == "rebalance" || named(&broker),
            Standing::Open => false,
        };
        if leaves {
            broken.push(("liveness", Some(partition), Some(broker), None));
        } else if kind == "rebalance" && cluster.brokers[broker].group != cluster.topics[facts.topic].group {
            broken.push(("group", Some(partition), Some(broker), None));
        }
    }
}

/// A hard rule is named only where it is broken, or a capacity limit where it was exceeded on the way.
fn check_claims(
    cluster: &Cluster,
    broken: &[Broken],
    exceeded: &BTreeSet<(usize, usize)>,
    alternative: &Alternative,
    findings: &mut Findings,
) {
    if !matches!(cluster.goal.kind.as_str(), "rebalance" | "evacuate" | "drain") {
        return;
    }
    let broken: BTreeSet<(&str, Option<usize>)> =
        broken.iter().map(|(goal, partition, broker, _)| (*goal, partition.or(*broker))).collect();
    for unmet in alternative.unmet.iter().filter(|unmet| unmet.hard) {
        let Some(named) = Named::of(cluster, unmet) else { continue };
        let on_the_way = named.broker.zip(named.resource).is_some_and(|at| unmet.goal == "capacity" && exceeded.contains(&at));
        let is_broken = broken.contains(&(named.goal, named.partition.or(named.broker)));
        findings.unless(is_broken || on_the_way, Rule::Unmet, || {
            format!("{} of {:?}, broker {:?} is named and not broken", unmet.goal, unmet.partition, unmet.broker)
        });
    }
}
