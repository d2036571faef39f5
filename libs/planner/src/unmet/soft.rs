//! Soft goals that a plan leaves open: the band, counts, spread, room for a failure, and what nobody measured.

use std::cmp::Reverse;

use super::{entry, on};
use crate::band::{Edges, failure_room, group_sums};
use crate::model::{Model, NOBODY, Standing};
use crate::placement::Placement;
use crate::{Resource, Unmet, UnmetGoal};

pub(super) fn unmet(model: &Model<'_>, after: &Placement) -> Vec<Unmet> {
    let edges = Edges::of(model, &after.load);
    let mut found = Vec::new();
    outside_band(model, after, &edges, &mut found);
    uneven_counts(model, after, &mut found);
    crowded_topics(model, after, &mut found);
    too_few_leaders(model, after, &mut found);
    no_failure_room(model, after, &mut found);
    for resource in Resource::ALL {
        let r = resource as usize;
        if !edges.active[r] {
            let cause = if model.measured[r] { "carries no load" } else { "is not measured" };
            let reason = format!("Resource {} {cause}, so its goals are left out.", resource.as_str());
            found.push(on(resource, entry(model, UnmetGoal::NotMeasured, None, None, reason)));
        }
    }
    found
}

fn outside_band(model: &Model<'_>, after: &Placement, edges: &Edges, found: &mut Vec<Unmet>) {
    for broker in 0..model.brokers.len() {
        for resource in Resource::ALL {
            let r = resource as usize;
            let load = after.load[broker][r];
            let side = match () {
                () if load > edges.high[broker][r] => "above",
                () if load < edges.low[broker][r] => "below",
                () => continue,
            };
            let at = edges.over_mean(broker as u32, r, load);
            let (id, name) = (model.brokers[broker].id, resource.as_str());
            let reason = format!(
                "Broker {id} stays {side} the band on {name}, at {at:.3} of the mean: no allowed change brings it inside."
            );
            found.push(on(resource, entry(model, UnmetGoal::Band, Some(broker as u32), None, reason)));
        }
    }
}

/// At most one entry per group and kind: the broker furthest from its share.
fn uneven_counts(model: &Model<'_>, after: &Placement, found: &mut Vec<Unmet>) {
    let width = model.goal.band.as_fraction();
    for group in 0..model.group_names.len() as u32 {
        let members: Vec<u32> = model.open_brokers(group).collect();
        for (what, counts) in [("replicas", &after.count), ("leaders", &after.leaders)] {
            let total: u64 = members.iter().map(|&broker| u64::from(counts[broker as usize])).sum();
            let mean = total as f64 / members.len().max(1) as f64;
            let (low, high) = ((mean * (1.0 - width)).floor(), (mean * (1.0 + width)).ceil());
            let distance = |broker: u32| {
                let count = f64::from(counts[broker as usize]);
                (count - high).max(low - count)
            };
            let worst = members.iter().copied().max_by(|&a, &b| distance(a).total_cmp(&distance(b)).then(b.cmp(&a)));
            if let Some(worst) = worst.filter(|&broker| distance(broker) > 0.0) {
                let (id, count) = (model.broker(worst).id, counts[worst as usize]);
                let reason = format!("Broker {id} has {count} {what}, the mean is {mean:.1}; loads come before counts.");
                found.push(entry(model, UnmetGoal::Counts, Some(worst), None, reason));
            }
        }
    }
}

/// One entry: how many topics sit on one broker with more than their even share and one more, and the worst of them.
fn crowded_topics(model: &Model<'_>, after: &Placement, found: &mut Vec<Unmet>) {
    let sizes: Vec<usize> = (0..model.group_names.len() as u32).map(|group| model.open_brokers(group).count()).collect();
    // Partitions lie topic after topic: one count per broker is enough, cleared after each topic.
    let mut counts = vec![0usize; model.brokers.len()];
    let mut worst: Option<(usize, u32, u32)> = None;
    let mut crowded = 0usize;
    let mut start = 0;
    while start < model.partitions.len() {
        let topic = model.partitions[start].topic;
        let end = start + model.partitions[start..].iter().take_while(|facts| facts.topic == topic).count();
        let mut holders: Vec<u32> = (start..end).flat_map(|partition| after.list(model, partition)).copied().collect();
        holders.retain(|&broker| model.broker(broker).standing == Standing::Open);
        let brokers = sizes.get(model.topics[topic as usize].group as usize).copied().unwrap_or(0).max(1);
        let share = holders.len().div_ceil(brokers) + usize::from(!model.limits.spread_topics);
        holders.iter().for_each(|&broker| counts[broker as usize] += 1);
        let beyond = holders.iter().map(|&broker| (counts[broker as usize].saturating_sub(share), Reverse(broker))).max();
        if let Some((beyond, Reverse(broker))) = beyond.filter(|&(beyond, _)| beyond > 0) {
            crowded += 1;
            if worst.is_none_or(|(most, _, _)| beyond > most) {
                worst = Some((beyond, topic, broker));
            }
        }
        holders.iter().for_each(|&broker| counts[broker as usize] = 0);
        start = end;
    }
    if let Some((_, topic, broker)) = worst {
        let (name, id, number) = (model.topics[topic as usize].name, model.broker(broker).id, crowded);
        let reason = format!("{number} topics crowd one broker beyond an even share; the worst is {name} on broker {id}.");
        let unmet = entry(model, UnmetGoal::TopicSpread, Some(broker), None, reason);
        found.push(Unmet { topic: Some(name.to_owned()), ..unmet });
    }
}

/// The first broker that leads less of a topic than it must, per topic.
fn too_few_leaders(model: &Model<'_>, after: &Placement, found: &mut Vec<Unmet>) {
    for (name, least) in &model.limits.leaders_min {
        let Some(topic) = model.topics.iter().position(|topic| topic.name == name) else { continue };
        let mut leaders = vec![0u32; model.brokers.len()];
        for (partition, facts) in model.partitions.iter().enumerate().filter(|(_, facts)| facts.topic as usize == topic) {
            let leader = after.leader[partition];
            if leader != NOBODY && facts.len > 0 {
                leaders[leader as usize] += 1;
            }
        }
        let lacking: Vec<u32> =
            model.open_brokers(model.topics[topic].group).filter(|&broker| leaders[broker as usize] < *least).collect();
        if let Some(&first) = lacking.first() {
            let (id, count, has) = (model.broker(first).id, lacking.len(), leaders[first as usize]);
            let reason = format!("{count} brokers lead fewer than {least} partitions of {name}: broker {id} leads {has}.");
            let unmet = entry(model, UnmetGoal::TopicSpread, Some(first), None, reason);
            found.push(Unmet { topic: Some(name.clone()), ..unmet });
        }
    }
}

/// Whether a group could carry its load within the limits without its largest broker.
fn no_failure_room(model: &Model<'_>, after: &Placement, found: &mut Vec<Unmet>) {
    let sums = group_sums(model, &after.load);
    if let Some(room) = failure_room(model, model.limits.failure_room) {
        for (broker, facts) in model.brokers.iter().enumerate().filter(|(_, facts)| facts.standing == Standing::Open) {
            for resource in Resource::ALL.into_iter().filter(|&r| model.measured[r as usize] && facts.capacity[r as usize] > 0) {
                let (load, most) = (after.load[broker][resource as usize], room[broker][resource as usize]);
                if load > most {
                    let (id, name) = (facts.id, resource.as_str());
                    let reason = format!("Broker {id} carries {load} of {name}, {most} would leave room for a failure.");
                    found.push(on(resource, entry(model, UnmetGoal::FailureRoom, Some(broker as u32), None, reason)));
                }
            }
        }
    }
    for group in 0..model.group_names.len() as u32 {
        for resource in Resource::ALL {
            let r = resource as usize;
            let members: Vec<u32> = model.open_brokers(group).filter(|&broker| model.broker(broker).capacity[r] > 0).collect();
            let limit = |broker: u32| u128::from(model.broker(broker).limit[r]);
            let Some(largest) = members.iter().copied().max_by_key(|&broker| (limit(broker), std::cmp::Reverse(broker))) else {
                continue;
            };
            let room: u128 = members.iter().map(|&broker| limit(broker)).sum::<u128>() - limit(largest);
            if sums[group as usize][r].load > room {
                let (id, name) = (model.broker(largest).id, resource.as_str());
                let reason = format!("Without broker {id} the others could not carry the {name} load within their limits.");
                found.push(on(resource, entry(model, UnmetGoal::FailureRoom, Some(largest), None, reason)));
            }
        }
    }
}
