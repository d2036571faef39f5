//! Capacity limits and the replica cap after each entry, earlier ones complete and later ones untouched. Must not know costs.

use std::collections::{BTreeSet, HashMap};

use crate::cluster::{Cluster, DISK, RESOURCES};
use crate::moves::Resolved;
use crate::plan::{Alternative, Goal};
use crate::state::State;
use crate::{CheckOptions, Findings, Rule};

/// Whether a broker is above its capacity limit in a resource, exactly. Where it has no capacity nothing may come.
pub(crate) fn is_over(cluster: &Cluster, options: &CheckOptions, broker: usize, r: usize, load: u128) -> bool {
    load * 1_000_000 > cluster.brokers[broker].capacity[r] * u128::from(options.limits[r])
}

/// Carries the moves out one by one in `state`; gives the brokers and resources that were put above a limit on the way.
pub(crate) fn check(
    cluster: &Cluster,
    state: &mut State,
    moves: &[Resolved],
    alternative: &Alternative,
    goal: &Goal,
    options: &CheckOptions,
    findings: &mut Findings,
) -> BTreeSet<(usize, usize)> {
    let place = findings.place.clone();
    // When nothing else fits, disk apart, these two may exceed a limit, and must say so.
    let may_exceed = matches!(goal.kind.as_str(), "evacuate" | "drain");
    let named: BTreeSet<(i64, usize)> = alternative
        .unmet
        .iter()
        .filter(|unmet| unmet.goal == "capacity")
        .filter_map(|unmet| unmet.broker.zip(unmet.resource))
        .collect();
    let mut exceeded = BTreeSet::new();
    let mut spread = options.spread_topics.then(|| Spread::of(cluster));
    let present = state.count.clone();
    for entry in moves {
        if let Some(spread) = &mut spread {
            findings.place = format!("{place}, {}", cluster.place(entry.partition));
            spread.check(cluster, &state.lists[entry.partition], entry, findings);
        }
        let was: Vec<[u128; 4]> = entry.to.iter().map(|&broker| state.load[broker]).collect();
        state.apply(cluster, entry.partition, &entry.to);
        for (&broker, was) in entry.to.iter().zip(was).filter(|(broker, _)| !cluster.is_dead(**broker)) {
            let id = cluster.brokers[broker].id;
            for r in (0..4).filter(|&r| cluster.measured[r]) {
                let is = state.load[broker][r];
                if is <= was[r] || !is_over(cluster, options, broker, r, is) {
                    continue;
                }
                exceeded.insert((broker, r));
                if !(may_exceed && r != DISK && named.contains(&(id, r))) {
                    findings.place = format!("{place}, {}", cluster.place(entry.partition));
                    findings.add(Rule::Capacity, format!("puts broker {id} above its limit on {}", RESOURCES[r]));
                }
            }
            // Where the cap was broken already, it is not broken further.
            let count = state.count[broker];
            if entry.added.contains(&broker) && count > options.replicas_per_broker_max.max(present[broker]) {
                findings.place = format!("{place}, {}", cluster.place(entry.partition));
                findings.add(Rule::ReplicaCap, format!("puts {count} replicas on broker {id}"));
            }
        }
    }
    findings.place = place;
    exceeded
}

/// Replicas of each topic on each broker, and the even share.
struct Spread {
    on: HashMap<(usize, usize), usize>,
    share: Vec<usize>,
}

impl Spread {
    fn of(cluster: &Cluster) -> Spread {
        let mut on: HashMap<(usize, usize), usize> = HashMap::new();
        let mut replicas = vec![0; cluster.topics.len()];
        for partition in &cluster.partitions {
            replicas[partition.topic] += partition.replicas.len();
            partition.replicas.iter().for_each(|&broker| *on.entry((partition.topic, broker)).or_default() += 1);
        }
        let mut open = vec![0_usize; cluster.groups];
        let all = (0..cluster.brokers.len()).filter(|&broker| cluster.is_open(broker));
        all.for_each(|broker| open[cluster.brokers[broker].group] += 1);
        let share = cluster.topics.iter().zip(replicas).map(|(topic, replicas)| replicas.div_ceil(open[topic.group].max(1)));
        Spread { share: share.collect(), on }
    }

    fn check(&mut self, cluster: &Cluster, from: &[usize], entry: &Resolved, findings: &mut Findings) {
        let topic = cluster.partitions[entry.partition].topic;
        from.iter().for_each(|&broker| *self.on.entry((topic, broker)).or_default() -= 1);
        entry.to.iter().for_each(|&broker| *self.on.entry((topic, broker)).or_default() += 1);
        for &broker in &entry.added {
            let (count, share, id) = (self.on[&(topic, broker)], self.share[topic], cluster.brokers[broker].id);
            findings
                .unless(count <= share, Rule::TopicSpread, || format!("broker {id} gets {count} of the topic, {share} are even"));
        }
    }
}
