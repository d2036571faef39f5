//! Cuts one target list into the lists that Kafka is asked for, one after the other. Must not know tasks or plans.
//!
//! Rules (design.md 7): all dead replicas are replaced first and together, because before 4.3 Kafka never finishes a target
//! that keeps a dead one; then one replica at a time, so that a partition never copies to several brokers at once; racks are
//! at each list no more crowded than in the list before or the final one.

use std::collections::BTreeMap;

use crate::BrokerId;

/// The lists to ask for, in order; the last is `to` itself. Empty when `from == to`.
///
/// `is_dead` says which brokers of `from` cannot be copied from or waited for; `rack_of` names a broker's rack.
pub fn waypoints(
    from: &[BrokerId],
    to: &[BrokerId],
    is_dead: impl Fn(BrokerId) -> bool,
    rack_of: impl Fn(BrokerId) -> String,
) -> Vec<Vec<BrokerId>> {
    if from == to {
        return Vec::new();
    }
    let mut lists = Vec::new();
    let mut present = from.to_vec();
    let dead_leaving: Vec<usize> = (0..present.len()).filter(|&at| is_dead(present[at]) && !to.contains(&present[at])).collect();
    if !dead_leaving.is_empty() {
        replace_together(&mut present, to, &dead_leaving, &rack_of);
        lists.push(present.clone());
    }
    while let Some((leaving, joining)) = next_swap(&present, to, &rack_of) {
        match leaving {
            Some(at) => present[at] = joining,
            None => present.push(joining),
        }
        lists.push(present.clone());
    }
    // What is left differs in order only, or still holds replicas that `to` drops: one more list, which copies nothing.
    if lists.last().map(Vec::as_slice) != Some(to) {
        match lists.last() {
            Some(last) if same_members(last, to) => {
                lists.pop();
                lists.push(to.to_vec());
            }
            _ => lists.push(to.to_vec()),
        }
    }
    lists
}

/// Puts a joining broker into each dead place, preferring one of the same rack so that no rack gets fuller.
fn replace_together(present: &mut Vec<BrokerId>, to: &[BrokerId], dead: &[usize], rack_of: &impl Fn(BrokerId) -> String) {
    let mut joining: Vec<BrokerId> = to.iter().filter(|broker| !present.contains(broker)).copied().collect();
    let mut vacated = Vec::new();
    for &at in dead {
        let others: Vec<BrokerId> = present.iter().copied().filter(|broker| *broker != present[at]).collect();
        let crowding = |candidate: &BrokerId| others.iter().filter(|other| rack_of(**other) == rack_of(*candidate)).count();
        match (0..joining.len()).min_by_key(|&index| (crowding(&joining[index]), index)) {
            Some(index) => present[at] = joining.remove(index),
            None => vacated.push(present[at]),
        }
    }
    present.retain(|broker| !vacated.contains(broker));
}

/// The next replica to bring in and the place it takes: the pair that leaves the fullest rack least full.
fn next_swap(present: &[BrokerId], to: &[BrokerId], rack_of: &impl Fn(BrokerId) -> String) -> Option<(Option<usize>, BrokerId)> {
    let joining: Vec<BrokerId> = to.iter().filter(|broker| !present.contains(broker)).copied().collect();
    let leaving: Vec<usize> = (0..present.len()).filter(|&at| !to.contains(&present[at])).collect();
    if leaving.is_empty() {
        return joining.first().map(|&broker| (None, broker));
    }
    let mut best: Option<(usize, usize, BrokerId)> = None;
    for &broker in &joining {
        for &at in &leaving {
            let mut after = present.to_vec();
            after[at] = broker;
            let crowd = fullest_rack(&after, rack_of);
            if best.is_none_or(|(least, _, _)| crowd < least) {
                best = Some((crowd, at, broker));
            }
        }
    }
    best.map(|(_, at, broker)| (Some(at), broker))
}

fn fullest_rack(list: &[BrokerId], rack_of: &impl Fn(BrokerId) -> String) -> usize {
    let mut racks: BTreeMap<String, usize> = BTreeMap::new();
    for &broker in list {
        *racks.entry(rack_of(broker)).or_default() += 1;
    }
    racks.values().copied().max().unwrap_or(0)
}

fn same_members(a: &[BrokerId], b: &[BrokerId]) -> bool {
    a.len() == b.len() && a.iter().all(|broker| b.contains(broker))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(list: &[i32]) -> Vec<BrokerId> {
        list.iter().copied().map(BrokerId).collect()
    }

    /// Racks: odd brokers in "odd", even ones in "even".
    fn parity(broker: BrokerId) -> String {
        if broker.0 % 2 == 0 { "even".into() } else { "odd".into() }
    }

    #[track_caller]
    fn check(from: &[i32], to: &[i32], dead: &[i32], expected: &[&[i32]]) {
        let lists = waypoints(&ids(from), &ids(to), |broker| dead.contains(&broker.0), parity);
        assert_eq!(lists, expected.iter().map(|list| ids(list)).collect::<Vec<_>>());
    }

    #[test]
    fn nothing_to_do_is_no_list() {
        check(&[1, 2], &[1, 2], &[], &[]);
    }

    #[test]
    fn a_reorder_is_one_list() {
        check(&[1, 2, 3], &[3, 1, 2], &[], &[&[3, 1, 2]]);
    }

    #[test]
    fn replicas_change_one_at_a_time_and_the_last_list_is_the_target_in_its_order() {
        check(&[1, 2], &[3, 4], &[], &[&[3, 2], &[3, 4]]);
        check(&[1, 2], &[4, 3], &[], &[&[1, 4], &[4, 3]]);
    }

    #[test]
    fn dead_replicas_are_replaced_first_and_together() {
        check(&[1, 2, 3, 4], &[5, 6, 3, 8], &[1, 2], &[&[5, 6, 3, 4], &[5, 6, 3, 8]]);
    }

    #[test]
    fn the_same_rack_is_preferred_for_each_swap() {
        check(&[1, 2], &[4, 3], &[1, 2], &[&[4, 3]]);
        check(&[1, 2, 3], &[5, 4, 7], &[], &[&[5, 2, 3], &[5, 4, 3], &[5, 4, 7]]);
    }

    #[test]
    fn growth_and_shrink_end_at_the_target() {
        check(&[1], &[1, 2, 3], &[], &[&[1, 2], &[1, 2, 3]]);
        check(&[1, 2, 3], &[3], &[], &[&[3]]);
    }
}
