//! Leadership away from the named brokers, which go last in their lists. Must not copy anything.

use crate::goals::repair;
use crate::model::{Model, NOBODY};
use crate::placement::Placement;

pub(crate) fn demote(model: &Model<'_>, placement: &mut Placement) {
    repair::lead_elsewhere(model, placement);
    for partition in 0..model.partitions.len() {
        let list = placement.list(model, partition);
        let leader = placement.leader[partition];
        let is_named = |broker: u32| model.broker(broker).named;
        // Where only a named broker can lead it stays first, as the leader must.
        if model.partitions[partition].is_fixed() || leader == NOBODY || is_named(leader) || !list.iter().any(|&b| is_named(b)) {
            continue;
        }
        let (last, first): (Vec<u32>, Vec<u32>) = list.iter().partition(|&&broker| is_named(broker));
        let ordered = [first, last].concat();
        if ordered != list && within(model, placement, partition, &ordered, leader) {
            placement.put(model, partition, &ordered, leader);
        }
    }
}

fn within(model: &Model<'_>, placement: &Placement, partition: usize, list: &[u32], leader: u32) -> bool {
    crate::rules::within_caps(model, placement.tally_with(model, partition, list, leader))
}
