//! Whether each entry of a plan may be asked for at all: known, current, in the goal's scope, onto brokers that may take it.
//! Must not know loads.

use std::collections::HashSet;

use crate::cluster::Cluster;
use crate::plan::{Alternative, Move};
use crate::state::State;
use crate::{CheckOptions, Findings, Rule};

/// An entry in the checker's own numbers.
pub(crate) struct Resolved {
    pub partition: usize,
    pub to: Vec<usize>,
    /// Brokers of `to` that had no replica.
    pub added: Vec<usize>,
}

/// Every entry, judged; `None` when some entry cannot even be carried out on paper.
pub(crate) fn resolve(
    cluster: &Cluster,
    before: &State,
    alternative: &Alternative,
    options: &CheckOptions,
    findings: &mut Findings,
) -> Option<Vec<Resolved>> {
    let place = findings.place.clone();
    let mut seen = HashSet::new();
    let mut resolved = Vec::with_capacity(alternative.moves.len());
    let mut whole = true;
    for entry in &alternative.moves {
        findings.place = format!("{place}, {}:{}", entry.topic, entry.partition);
        match known(cluster, entry, findings) {
            Some(entry) if seen.insert(entry.partition) => resolved.push(entry),
            Some(_) => {
                findings.add(Rule::Entry, "is listed twice");
                whole = false;
            }
            None => whole = false,
        }
        if let Some(entry) = resolved.last().filter(|_| whole) {
            partition_may_move(cluster, before, entry, options, findings);
            brokers_may_take(cluster, entry, options, findings);
            leader_may_lead(cluster, before, entry, findings);
            racks_hold(cluster, entry, findings);
            is_in_scope(cluster, entry, options, findings);
        }
    }
    findings.place = place;
    whole.then_some(resolved)
}

fn known(cluster: &Cluster, entry: &Move, findings: &mut Findings) -> Option<Resolved> {
    let Some(partition) = cluster.partition_at(&entry.topic, entry.partition) else {
        findings.add(Rule::Entry, "is not in the snapshot");
        return None;
    };
    let present = &cluster.partitions[partition].replicas;
    let present_ids: Vec<i64> = present.iter().map(|&broker| cluster.brokers[broker].id).collect();
    findings.unless(entry.from == present_ids, Rule::Entry, || format!("from is {:?}, the list is {present_ids:?}", entry.from));
    let mut to = Vec::with_capacity(entry.to.len());
    for &id in &entry.to {
        match cluster.broker_at(id) {
            Some(broker) => to.push(broker),
            None => findings.add(Rule::Entry, format!("broker {id} is not in the snapshot")),
        }
    }
    let repeated = to.iter().enumerate().any(|(at, broker)| to[..at].contains(broker));
    findings.unless(!repeated, Rule::Entry, || format!("{:?} names a broker twice", entry.to));
    findings.unless(to.len() == present.len(), Rule::Entry, || format!("{} replicas become {}", present.len(), entry.to.len()));
    if repeated || to.is_empty() || to.len() != entry.to.len() {
        return None;
    }
    let added: Vec<usize> = to.iter().copied().filter(|broker| !present.contains(broker)).collect();
    let bytes = u128::from(cluster.partitions[partition].size) * added.len() as u128;
    findings.unless(u128::from(entry.bytes) == bytes, Rule::Cost, || format!("bytes are {bytes}, not {}", entry.bytes));
    Some(Resolved { partition, to, added })
}

fn partition_may_move(cluster: &Cluster, before: &State, entry: &Resolved, options: &CheckOptions, findings: &mut Findings) {
    let facts = &cluster.partitions[entry.partition];
    let changes = entry.to != facts.replicas || facts.leader != Some(entry.to[0]);
    findings.unless(changes, Rule::Entry, || "changes nothing".to_owned());
    findings.unless(!facts.reassigning, Rule::Entry, || "is being reassigned: it is left alone".to_owned());
    let topic = cluster.topic(entry.partition);
    findings.unless(!topic.excluded, Rule::Entry, || "its topic is excluded".to_owned());
    let only_some = !(options.only_topics.is_empty() && options.only_partitions.is_empty());
    let among = options.only_topics.contains(&topic.name)
        || options.only_partitions.iter().any(|(name, index)| *name == topic.name && *index == facts.index);
    findings.unless(!only_some || among, Rule::Entry, || "is not among what may change".to_owned());
    let online = before.is_online(cluster, entry.partition);
    findings.unless(online, Rule::Liveness, || "has no live in-sync replica and is not moved".to_owned());
}

fn brokers_may_take(cluster: &Cluster, entry: &Resolved, options: &CheckOptions, findings: &mut Findings) {
    let across = options.across_groups && cluster.goal.kind == "topic";
    for &broker in &entry.added {
        let facts = &cluster.brokers[broker];
        findings.unless(cluster.is_open(broker), Rule::Liveness, || format!("a new replica on broker {}", facts.id));
        let group = cluster.topic(entry.partition).group;
        findings
            .unless(facts.group == group || across, Rule::Group, || format!("broker {} is outside the topic's group", facts.id));
        findings.unless(!facts.excluded, Rule::Entry, || format!("broker {} is excluded and gets a replica", facts.id));
    }
    let keeps_dead = entry.to.iter().find(|&&broker| cluster.is_dead(broker));
    if let Some(&dead) = keeps_dead.filter(|_| !entry.added.is_empty()) {
        let id = cluster.brokers[dead].id;
        findings.add(Rule::Liveness, format!("copies data and keeps the dead replica on broker {id}"));
    }
}

fn leader_may_lead(cluster: &Cluster, before: &State, entry: &Resolved, findings: &mut Findings) {
    let facts = &cluster.partitions[entry.partition];
    let (leader, id) = (entry.to[0], cluster.brokers[entry.to[0]].id);
    findings.unless(!cluster.is_dead(leader), Rule::Liveness, || format!("is to be led by broker {id}, which is dead"));
    // Once a copy is complete the whole list is in sync.
    let able = before.leaders[entry.partition] == Some(leader) || facts.in_sync.contains(&leader) || !entry.added.is_empty();
    findings.unless(able, Rule::Liveness, || format!("broker {id} is not in sync and cannot be elected"));
    let anew = before.leaders[entry.partition] != Some(leader);
    findings.unless(!anew || !cluster.brokers[leader].excluded, Rule::Entry, || format!("excluded broker {id} gets to lead"));
}

fn racks_hold(cluster: &Cluster, entry: &Resolved, findings: &mut Findings) {
    let before = &cluster.partitions[entry.partition].replicas;
    let room = cluster.rack_room(cluster.topic(entry.partition).group, entry.to.len());
    for &broker in &entry.to {
        let rack = cluster.brokers[broker].rack;
        let (was, is) = (cluster.in_rack(before, rack), cluster.in_rack(&entry.to, rack));
        let id = cluster.brokers[broker].id;
        findings.unless(is <= room.max(was), Rule::Rack, || format!("the rack of broker {id} holds {is} of it, it may {room}"));
    }
}

fn is_in_scope(cluster: &Cluster, entry: &Resolved, options: &CheckOptions, findings: &mut Findings) {
    let facts = &cluster.partitions[entry.partition];
    let named = |broker: &usize| cluster.brokers[*broker].named;
    let touches = facts.replicas.iter().any(named);
    let mut scope = |holds: bool, problem: &str| findings.unless(holds, Rule::Scope, || problem.to_owned());
    match cluster.goal.kind.as_str() {
        "evacuate" | "drain" => scope(touches, "has no replica on a named broker"),
        "demote" => {
            scope(touches, "has no replica on a named broker");
            scope(entry.added.is_empty(), "demote copies nothing");
            let first_named = entry.to.iter().position(named).unwrap_or(entry.to.len());
            let last = named(&entry.to[0]) || entry.to[first_named..].iter().all(named);
            scope(last, "the named brokers are not last in the list");
        }
        "expand" => {
            scope(entry.added.iter().all(named), "is copied to a broker that is not named");
            let stays = named(&entry.to[0]) || facts.leader == Some(entry.to[0]);
            scope(stays, "leadership moves between brokers that are not named");
        }
        "topic" => {
            let topic = &cluster.topic(entry.partition).name;
            let ids: Vec<i64> = entry.to.iter().map(|&broker| cluster.brokers[broker].id).collect();
            let asked = options.targets.iter().any(|(name, index, list)| name == topic && *index == facts.index && *list == ids);
            scope(asked, "is not a list that was asked for");
        }
        _ => {}
    }
}
