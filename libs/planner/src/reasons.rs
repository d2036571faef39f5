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
            if let Some(resource) = off_band(present, edges, broker, above) {
                let (id, side) = (model.broker(broker).id, if above { "above" } else { "below" });
                let resource = resource.as_str();
                return format!("Broker {id} is {side} the band on {resource}: a replica goes from {from} to {to}{with_leader}.");
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
        if let Some(resource) = off_band(present, edges, broker, above) {
            let (id, side) = (model.broker(broker).id, if above { "above" } else { "below" });
            let resource = resource.as_str();
            return format!(
                "Broker {id} is {side} the band on {resource}: leadership goes from {from} to {to}, nothing is copied."
            );
        }
    }
    format!("Evens out what the other moves leave: leadership goes from broker {from} to broker {to}, nothing is copied.")
}

/// The resource on which a broker is outside the band on that side.
fn off_band(present: &[Loads], edges: &Edges, broker: u32, above: bool) -> Option<Resource> {
    let at = broker as usize;
    Resource::ALL.into_iter().find(|&resource| {
        let r = resource as usize;
        if above { present[at][r] > edges.high[at][r] } else { present[at][r] < edges.low[at][r] }
    })
}

pub(crate) fn ids(model: &Model<'_>, brokers: &[u32]) -> String {
    brokers.iter().map(|&broker| model.broker(broker).id.to_string()).collect::<Vec<_>>().join(", ")
}
