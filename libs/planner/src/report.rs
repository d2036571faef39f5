//! What a scheduled plan is worth: its costs, balance and moves in the words of the contract. Must not choose anything.

use ballast_cluster::{BrokerId, Reassignment, TopicPartition};

use crate::band::{Edges, group_sums};
use crate::model::{Loads, Model, Standing};
use crate::placement::Placement;
use crate::schedule::{Schedule, added, added_bytes};
use crate::{Alternative, Balance, Cost, Label, PerResource, ResourceBalance, reasons, unmet};

pub(crate) fn alternative(model: &Model<'_>, label: Label, why: String, schedule: &Schedule) -> Alternative {
    let before = Edges::of(model, &model.present_load);
    Alternative {
        label,
        why,
        cost: cost(model, schedule),
        balance: Balance { before: balance(model, &model.present_load), after: balance(model, &schedule.placement.load) },
        unmet: unmet::unmet(model, schedule, label != Label::LeadershipOnly),
        moves: moves(model, &before, schedule),
    }
}

fn cost(model: &Model<'_>, schedule: &Schedule) -> Cost {
    let tally = schedule.placement.tally;
    let mut received = vec![0u64; model.brokers.len()];
    for &partition in &schedule.order {
        for broker in added(model, &schedule.placement, partition) {
            let sum = &mut received[broker as usize];
            *sum = sum.saturating_add(model.partitions[partition].bytes());
        }
    }
    Cost {
        moved_bytes: tally.bytes,
        replica_moves: tally.replica_moves,
        leader_moves: tally.leader_moves,
        estimated_seconds: schedule.estimated_seconds,
        peak_broker_in_bytes: received.into_iter().max().unwrap_or(0),
    }
}

fn moves(model: &Model<'_>, edges: &Edges, schedule: &Schedule) -> Vec<Reassignment> {
    let ids = |list: &[u32]| -> Vec<BrokerId> { list.iter().map(|&broker| model.broker(broker).id).collect() };
    let entry = |&partition: &usize| {
        let facts = &model.partitions[partition];
        let topic = &model.topics[facts.topic as usize];
        Reassignment {
            at: TopicPartition::new(topic.name, facts.index),
            topic_id: topic.id.map(str::to_owned),
            from: ids(model.list(partition)),
            to: ids(&schedule.placement.target(model, partition)),
            bytes: added_bytes(model, &schedule.placement, partition),
            reason: reasons::reason(model, &model.present_load, edges, &schedule.placement, partition),
        }
    };
    schedule.order.iter().map(entry).collect()
}

/// Extremes over the mean and the brokers outside the band, per resource, with these loads.
pub(crate) fn balance(model: &Model<'_>, loads: &[Loads]) -> PerResource<ResourceBalance> {
    let edges = Edges::of(model, loads);
    let sums = group_sums(model, loads);
    let of = |r: usize| {
        let mut balance = ResourceBalance::default();
        for (broker, facts) in model.brokers.iter().enumerate().filter(|(_, facts)| facts.standing == Standing::Open) {
            let sum = sums[facts.group as usize][r];
            if facts.capacity[r] == 0 || sum.load == 0 {
                continue;
            }
            let load = loads[broker][r];
            let ratio = load as f64 / facts.capacity[r] as f64 / (sum.load as f64 / sum.capacity as f64);
            let is_outside = u32::from(load < edges.low[broker][r] || load > edges.high[broker][r]);
            balance.max_over_mean = Some(balance.max_over_mean.map_or(ratio, |most| most.max(ratio)));
            balance.min_over_mean = Some(balance.min_over_mean.map_or(ratio, |least| least.min(ratio)));
            balance.outside = Some(balance.outside.unwrap_or(0) + is_outside);
        }
        balance
    };
    PerResource::from_array([of(0), of(1), of(2), of(3)])
}

/// Brokers outside the band on any resource, and the same summed over resources.
pub(crate) fn brokers_outside(model: &Model<'_>, placement: &Placement) -> (u64, u64) {
    let edges = Edges::of(model, &placement.load);
    let outside = |(broker, load): (usize, &Loads)| u64::from(edges.outside(broker as u32, load));
    let per_broker: Vec<u64> = placement.load.iter().enumerate().map(outside).collect();
    (per_broker.iter().filter(|&&outside| outside > 0).count() as u64, per_broker.iter().sum())
}
