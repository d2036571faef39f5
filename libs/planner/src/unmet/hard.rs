//! Hard rules that a plan leaves broken in what its goal is about. Must not know the band.

use std::collections::BTreeSet;

use super::{entry, on};
use crate::goals::{Needs, must_leave, refused_target, targets};
use crate::model::{DISK, Model, NOBODY, Standing};
use crate::placement::Placement;
use crate::rules::{Rule, in_rack, over_capacity, rack_excess, rack_room};
use crate::schedule::Schedule;
use crate::{GoalKind, Resource, Unmet, UnmetGoal};

pub(super) fn unmet(model: &Model<'_>, schedule: &Schedule, copies: bool) -> Vec<Unmet> {
    let after = &schedule.placement;
    let mut found = Vec::new();
    match model.goal.kind {
        GoalKind::Rebalance | GoalKind::Evacuate | GoalKind::Drain => unrepaired(model, after, copies, &mut found),
        GoalKind::Demote => still_leading(model, after, &mut found),
        GoalKind::Topic => unreached(model, after, &mut found),
        GoalKind::Expand => {}
    }
    if model.goal.kind != GoalKind::Rebalance {
        for partition in after.changed(model) {
            crowded(model, after, partition, copies, &mut found);
        }
    }
    let over: BTreeSet<(u32, usize)> = over_capacity(model, after).into_iter().collect();
    for &(broker, r) in over.union(&schedule.exceeded) {
        let (id, resource) = (model.broker(broker).id, Resource::ALL[r]);
        let when = if over.contains(&(broker, r)) { "" } else { ", at least on the way," };
        let reason = format!("Broker {id} carries{when} more {} than its capacity limit allows.", resource.as_str());
        found.push(on(resource, entry(model, UnmetGoal::Capacity, Some(broker), None, reason)));
    }
    for broker in 0..model.brokers.len() as u32 {
        let count = after.count[broker as usize];
        if count > model.limits.replicas_per_broker_max && model.broker(broker).standing == Standing::Open {
            let reason = format!("Broker {} holds {count} replicas, more than it may.", model.broker(broker).id);
            found.push(entry(model, UnmetGoal::ReplicaCap, Some(broker), None, reason));
        }
    }
    found.sort_by_key(|unmet| unmet.goal);
    found
}

/// Rebalance, evacuate, drain: replicas that should have left and partitions without leader.
fn unrepaired(model: &Model<'_>, after: &Placement, copies: bool, found: &mut Vec<Unmet>) {
    let needs = Needs::of(model);
    for partition in 0..model.partitions.len() {
        if !needs.concerns(model, model.list(partition)) {
            continue;
        }
        if is_offline(model, after, partition, found) {
            continue;
        }
        let list = after.list(model, partition);
        for &broker in list.iter().filter(|&&broker| must_leave(model, &needs, partition, broker)) {
            let facts = model.broker(broker);
            let (goal, what) = match facts.standing {
                Standing::Dead => (UnmetGoal::Liveness, "is dead"),
                Standing::Draining => (UnmetGoal::Liveness, "is to be emptied"),
                Standing::Open => (UnmetGoal::Group, "is outside the topic's group"),
            };
            let cause = obstacle(model, after, partition, broker, copies);
            let reason = format!("Broker {} {what} but keeps its replica of {}: {cause}.", facts.id, model.name(partition));
            found.push(entry(model, goal, Some(broker), Some(partition), reason));
        }
        if model.goal.kind == GoalKind::Rebalance {
            crowded(model, after, partition, copies, found);
        }
    }
}

/// Names a partition that cannot be moved, or has nobody to lead it.
fn is_offline(model: &Model<'_>, after: &Placement, partition: usize, found: &mut Vec<Unmet>) -> bool {
    let facts = &model.partitions[partition];
    if facts.len > 0 && (facts.offline || (after.leader[partition] == NOBODY && !facts.led_outside)) {
        let cause = if facts.offline {
            "has no live in-sync replica, so it is not moved"
        } else {
            "has no leader, and none may be elected"
        };
        found.push(entry(
            model,
            UnmetGoal::Offline,
            None,
            Some(partition),
            format!("Partition {} {cause}.", model.name(partition)),
        ));
    }
    facts.offline
}

fn crowded(model: &Model<'_>, after: &Placement, partition: usize, copies: bool, found: &mut Vec<Unmet>) {
    let group = model.group_of(partition);
    let list = after.list(model, partition);
    if rack_excess(model, group, list) == 0 {
        return;
    }
    let room = rack_room(model, group, list.len());
    let broker = list.iter().copied().find(|&broker| in_rack(model, list, model.broker(broker).rack) > room);
    let cause = broker.map_or(String::new(), |broker| obstacle(model, after, partition, broker, copies));
    let reason = format!("A rack holds more than {room} replicas of {}: {cause}.", model.name(partition));
    found.push(entry(model, UnmetGoal::Rack, broker, Some(partition), reason));
}

/// Why the replica on `leaving` has nowhere to go, in half a sentence.
fn obstacle(model: &Model<'_>, after: &Placement, partition: usize, leaving: u32, copies: bool) -> String {
    if !copies {
        return "this alternative copies nothing".to_owned();
    }
    let facts = &model.partitions[partition];
    if facts.excluded {
        return "its topic is excluded".to_owned();
    }
    if facts.reassigning {
        return "it is being reassigned already".to_owned();
    }
    let group = model.group_of(partition);
    let list = after.list(model, partition);
    let room = rack_room(model, group, list.len());
    let mut causes = [0usize; 4];
    for broker in model.open_brokers(group).filter(|broker| !list.contains(broker)) {
        let candidate = model.broker(broker);
        let rest = in_rack(model, list, candidate.rack) - usize::from(candidate.rack == model.broker(leaving).rack);
        let disk = after.load[broker as usize][DISK].saturating_add(facts.bytes());
        let cause = match () {
            () if !model.is_welcome(broker) => 0,
            () if rest + 1 > room => 1,
            () if model.measured[DISK] && disk > candidate.limit[DISK] => 2,
            () => 3,
        };
        causes[cause] += 1;
    }
    let name = model.group_names.get(group as usize).map_or("", String::as_str);
    let [_, racks, disk, other] = causes.map(|count| count > 0);
    match () {
        () if causes == [0; 4] => format!("every live broker of group {name} holds it already, or there is none"),
        () if other => "a capacity limit or a cap of this plan forbids every place, or nothing else of it may move".to_owned(),
        () if disk => "no other broker has the disk space".to_owned(),
        () if racks => "its rack rule forbids every other broker".to_owned(),
        () => "every other broker is excluded".to_owned(),
    }
}

fn still_leading(model: &Model<'_>, after: &Placement, found: &mut Vec<Unmet>) {
    for partition in 0..model.partitions.len() {
        let leader = after.leader[partition];
        let is_named = |&broker: &u32| model.broker(broker).named;
        if !model.list(partition).iter().any(is_named) || is_offline(model, after, partition, found) {
            continue;
        }
        if leader != NOBODY && is_named(&leader) {
            let facts = &model.partitions[partition];
            let cause = match () {
                () if facts.excluded => "its topic is excluded",
                () if facts.reassigning => "it is being reassigned",
                () => "no other live in-sync replica may lead it",
            };
            let reason = format!("Broker {} keeps leading {}: {cause}.", model.broker(leader).id, model.name(partition));
            found.push(entry(model, UnmetGoal::Liveness, Some(leader), Some(partition), reason));
        }
    }
}

fn unreached(model: &Model<'_>, after: &Placement, found: &mut Vec<Unmet>) {
    for (partition, list) in targets(model) {
        if after.target(model, partition) == list && Some(&after.leader[partition]) == list.first()
            || is_offline(model, after, partition, found)
        {
            continue;
        }
        let (goal, broker, resource, cause) = if model.partitions[partition].reassigning {
            (UnmetGoal::Liveness, None, None, "it is being reassigned already")
        } else {
            match refused_target(model, after, partition, &list) {
                Some(Rule::Liveness(broker)) => {
                    (UnmetGoal::Liveness, Some(broker), None, "the list needs a broker that is not there for it")
                }
                Some(Rule::Group(broker)) => (UnmetGoal::Group, Some(broker), None, "a broker is outside the topic's group"),
                Some(Rule::Rack(broker)) => (UnmetGoal::Rack, Some(broker), None, "a rack would hold too many of its replicas"),
                Some(Rule::Capacity(broker, r)) => {
                    (UnmetGoal::Capacity, Some(broker), Some(Resource::ALL[r]), "a capacity limit would break")
                }
                Some(Rule::ReplicaCap(broker)) => {
                    (UnmetGoal::ReplicaCap, Some(broker), None, "a broker would hold too many replicas")
                }
                Some(Rule::Excluded(broker)) => (UnmetGoal::Liveness, Some(broker), None, "a broker of the list is excluded"),
                Some(Rule::Spread(broker)) => {
                    (UnmetGoal::TopicSpread, Some(broker), None, "a broker has its share of the topic already")
                }
                Some(Rule::Cap) => (UnmetGoal::Capacity, None, None, "a cap of this plan is reached"),
                Some(Rule::Duplicate) | None => (UnmetGoal::Liveness, None, None, "the list cannot be had"),
            }
        };
        let reason = format!("Partition {} does not get the list asked for: {cause}.", model.name(partition));
        found.push(crate::Unmet { resource, ..entry(model, goal, broker, Some(partition), reason) });
    }
}
