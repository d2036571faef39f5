//! One sentence for each move: which broker it helps, or which rule it repairs. Must not decide anything.

use crate::band::Edges;
use crate::model::{Loads, Model, NOBODY, Standing};
use crate::placement::Placement;
use crate::rules::rack_excess;
use crate::schedule::added;
use crate::{GoalKind, Resource};

pub(crate) fn reason(model: &Model<'_>, present: &[Loads], edges: &Edges, after: &Placement, partition: usize) -> String {
    let list = after.list(model, partition);
    let gone: Vec<u32> = model.list(partition).iter().copied().filter(|broker| !list.contains(broker)).collect();
    let joined = added(model, after, partition);
    let (from, to) = (ids(model, &gone), ids(model, &joined));
    let leader = model.partitions[partition].leader;
    if model.goal.kind == GoalKind::Topic {
        return "The list that was asked for.".to_owned();
    }
    if joined.is_empty() {
        return leadership(model, present, edges, after, partition);
    }
    let with_leader = if gone.contains(&leader) { ", leadership with it" } else { "" };
    if gone.iter().any(|&broker| model.is_dead(broker)) {
        return format!("Broker {from} holds a dead or misplaced replica: it is restored on broker {to}.");
    }
    if gone.iter().any(|&broker| model.broker(broker).standing == Standing::Draining) {
        return format!("Broker {from} is to be emptied: its replica goes to broker {to}{with_leader}.");
    }
    let group = model.group_of(partition);
    if gone.iter().any(|&broker| model.broker(broker).group != group) {
        return format!("Broker {from} is outside the topic's group: its replica goes to broker {to}{with_leader}.");
    }
    if rack_excess(model, group, model.list(partition)) > rack_excess(model, group, list) {
        return format!("The rack of broker {from} holds too many replicas: one goes to broker {to}{with_leader}.");
    }
    for (brokers, above) in [(&gone, true), (&joined, false)] {
        for &broker in brokers {
            if let Some(resource) = off_band(present, edges, broker, above, &Resource::ALL) {
                let what = sides(model, present, edges, after, broker, resource, above);
                let other = joined.first().filter(|_| above).or(gone.first());
                let other = other.map_or(String::new(), |&other| ends(model, present, edges, after, other, resource));
                return format!("{what}: a replica goes from {from} to {to}{with_leader}{other}.");
            }
        }
    }
    format!("Evens out what the other moves leave: a replica goes from broker {from} to broker {to}{with_leader}.")
}

fn leadership(model: &Model<'_>, present: &[Loads], edges: &Edges, after: &Placement, partition: usize) -> String {
    let (was, is) = (model.partitions[partition].leader, after.leader[partition]);
    let to = model.broker(is).id;
    if was == NOBODY {
        return format!("The partition has no leader: broker {to} is elected, nothing is copied.");
    }
    let from = model.broker(was).id;
    if was == is {
        return "The named brokers become the last choice for leadership; the leader stays.".to_owned();
    }
    if model.broker(was).named && model.goal.kind != GoalKind::Expand {
        return format!("Leadership leaves broker {from} for broker {to}; nothing is copied.");
    }
    for (broker, above) in [(was, true), (is, false)] {
        // Leading moves neither disk nor network in.
        if let Some(resource) = off_band(present, edges, broker, above, &[Resource::NetworkOut, Resource::Cpu]) {
            let what = sides(model, present, edges, after, broker, resource, above);
            let other = ends(model, present, edges, after, if above { is } else { was }, resource);
            return format!("{what}: leadership goes from {from} to {to}, nothing is copied{other}.");
        }
    }
    format!("Evens out what the other moves leave: leadership goes from broker {from} to broker {to}, nothing is copied.")
}

/// "Broker 3 is above the band on disk, at 1.84 of the mean and 1.10 after the plan".
fn sides(
    model: &Model<'_>,
    present: &[Loads],
    edges: &Edges,
    after: &Placement,
    broker: u32,
    resource: Resource,
    above: bool,
) -> String {
    let (id, side) = (model.broker(broker).id, if above { "above" } else { "below" });
    let [was, is] = over_mean(present, edges, after, broker, resource);
    format!("Broker {id} is {side} the band on {}, at {was:.2} of the mean and {is:.2} after the plan", resource.as_str())
}

/// "; broker 7 goes from 0.61 to 0.97", of the other end.
fn ends(model: &Model<'_>, present: &[Loads], edges: &Edges, after: &Placement, broker: u32, resource: Resource) -> String {
    let [was, is] = over_mean(present, edges, after, broker, resource);
    format!("; broker {} goes from {was:.2} to {is:.2}", model.broker(broker).id)
}

/// Before and after, as shares of the mean before.
fn over_mean(present: &[Loads], edges: &Edges, after: &Placement, broker: u32, resource: Resource) -> [f64; 2] {
    let r = resource as usize;
    [present[broker as usize][r], after.load[broker as usize][r]].map(|load| edges.over_mean(broker, r, load))
}

/// The first of these resources on which a broker is outside the band on that side.
fn off_band(present: &[Loads], edges: &Edges, broker: u32, above: bool, of: &[Resource]) -> Option<Resource> {
    let at = broker as usize;
    of.iter().copied().find(|&resource| {
        let r = resource as usize;
        if above { present[at][r] > edges.high[at][r] } else { present[at][r] < edges.low[at][r] }
    })
}

pub(crate) fn ids(model: &Model<'_>, brokers: &[u32]) -> String {
    brokers.iter().map(|&broker| model.broker(broker).id.to_string()).collect::<Vec<_>>().join(", ")
}
