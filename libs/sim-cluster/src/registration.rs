//! The controller's rules for one partition: what a target, an override, a cancel, a change of the in-sync set and an election
//! make of it, and when a reassignment is complete, by version. Must not know brokers beyond whether they are usable.

use crate::{version::KafkaVersion, world::Registration};

impl Registration {
    pub fn new(replicas: Vec<i32>, is_usable: impl Fn(i32) -> bool) -> Self {
        let mut in_sync: Vec<i32> = replicas.iter().copied().filter(|&broker| is_usable(broker)).collect();
        let leader = in_sync.first().copied();
        if in_sync.is_empty() {
            in_sync = replicas[..1].to_vec();
        }
        Self { replicas, adding: Vec::new(), removing: Vec::new(), in_sync, leader, leader_epoch: 0 }
    }

    pub fn is_reassigning(&self) -> bool {
        !self.adding.is_empty() || !self.removing.is_empty()
    }

    /// The list without the replicas being removed: how many replicas the partition is meant to have.
    pub fn target_length(&self) -> usize {
        self.replicas.iter().filter(|broker| !self.removing.contains(broker)).count()
    }

    /// The in-sync set as Kafka shows it.
    pub fn shown_in_sync(&self, version: KafkaVersion) -> &[i32] {
        if self.leader.is_none() && version.empties_in_sync_set() { &[] } else { &self.in_sync }
    }

    /// Asks for a target list. What is added or removed counts against the present union list; where nothing is, Kafka keeps the
    /// former set. From 4.3 on that makes the original list, asked for while copying, hang for ever.
    pub fn reassign(&mut self, target: &[i32], version: KafkaVersion, is_usable: impl Fn(i32) -> bool) {
        let mut next = self.clone();
        let mut added: Vec<i32> = target.iter().copied().filter(|broker| !self.replicas.contains(broker)).collect();
        let mut removed: Vec<i32> = self.replicas.iter().copied().filter(|broker| !target.contains(broker)).collect();
        added.sort_unstable();
        removed.sort_unstable();
        next.replicas = target.iter().chain(&removed).copied().collect();
        if !added.is_empty() {
            next.adding = added;
        }
        if !removed.is_empty() {
            next.removing = removed;
        }
        self.become_next(next, version, is_usable);
    }

    /// Takes the replicas being added out again, which leaves the order that the reassignment gave to the others. `false`: it
    /// would leave nobody in sync, and nothing is changed.
    pub fn revert(&mut self, version: KafkaVersion, is_usable: impl Fn(i32) -> bool) -> bool {
        if self.shown_in_sync(version).iter().all(|broker| self.adding.contains(broker)) {
            return false;
        }
        let mut next = self.clone();
        next.replicas.retain(|broker| !self.adding.contains(broker));
        next.in_sync.retain(|broker| !self.adding.contains(broker));
        next.adding.clear();
        next.removing.clear();
        self.become_next(next, version, is_usable);
        true
    }

    /// A replica has caught up.
    pub fn join_in_sync(&mut self, broker: i32, version: KafkaVersion, is_usable: impl Fn(i32) -> bool) {
        let mut next = self.clone();
        next.in_sync.push(broker);
        self.become_next(next, version, is_usable);
    }

    /// A replica fell behind or its broker is gone; the last in-sync one stays named.
    pub fn leave_in_sync(&mut self, broker: i32, version: KafkaVersion, is_usable: impl Fn(i32) -> bool) {
        let mut next = self.clone();
        if next.in_sync.len() > 1 {
            next.in_sync.retain(|&member| member != broker);
        }
        self.become_next(next, version, is_usable);
    }

    /// A broker came or went: elects where that is needed and possible.
    pub fn look_again(&mut self, version: KafkaVersion, is_usable: impl Fn(i32) -> bool) {
        self.become_next(self.clone(), version, is_usable);
    }

    pub fn lead(&mut self, broker: i32) {
        self.leader = Some(broker);
        self.leader_epoch += 1;
    }

    fn become_next(&mut self, mut next: Registration, version: KafkaVersion, is_usable: impl Fn(i32) -> bool) {
        // A leader comes first: without one nothing counts as in sync and nothing completes.
        next.choose_leader(&is_usable);
        if next.leader.is_some() && next.is_complete(version) {
            next.replicas.retain(|broker| !next.removing.contains(broker));
            next.in_sync.retain(|broker| !next.removing.contains(broker));
            next.adding.clear();
            next.removing.clear();
            next.choose_leader(&is_usable);
        }
        let lost_a_replica = self.replicas.iter().any(|broker| !next.replicas.contains(broker));
        if next.leader != self.leader || lost_a_replica {
            next.leader_epoch = self.leader_epoch + 1;
        }
        *self = next;
    }

    /// Keeps a leader that is in sync, else takes the first replica of the list that is.
    fn choose_leader(&mut self, is_usable: impl Fn(i32) -> bool) {
        let can_lead = |broker: &i32| self.in_sync.contains(broker) && self.replicas.contains(broker) && is_usable(*broker);
        if self.leader.as_ref().is_none_or(|leader| !can_lead(leader)) {
            self.leader = self.replicas.iter().copied().find(can_lead);
        }
    }

    fn is_complete(&self, version: KafkaVersion) -> bool {
        if !self.is_reassigning() {
            return false;
        }
        let staying: Vec<i32> = self.in_sync.iter().copied().filter(|broker| !self.removing.contains(broker)).collect();
        let whole_target =
            || self.replicas.iter().filter(|broker| !self.removing.contains(broker)).all(|broker| staying.contains(broker));
        if staying.is_empty() {
            return false;
        }
        if version.completes_when_added_are_in_sync() {
            self.adding.iter().all(|broker| staying.contains(broker))
                && (self.adding.len() >= self.removing.len() || whole_target())
        } else {
            whole_target()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: KafkaVersion = KafkaVersion::new(4, 2);
    const NEW: KafkaVersion = KafkaVersion::new(4, 3);

    #[track_caller]
    fn check(registration: &Registration, replicas: &[i32], adding: &[i32], removing: &[i32]) {
        let seen = (registration.replicas.as_slice(), registration.adding.as_slice(), registration.removing.as_slice());
        assert_eq!(seen, (replicas, adding, removing));
    }

    fn all(_: i32) -> bool {
        true
    }

    #[test]
    fn a_cancel_restores_members_and_loses_order() {
        for (from, to, after) in [([3, 1, 2], [4, 5, 6], [1, 2, 3]), ([1, 2, 3], [4, 2, 1], [2, 1, 3])] {
            let mut partition = Registration::new(from.to_vec(), all);
            partition.reassign(&to, NEW, all);
            assert!(partition.revert(NEW, all));
            check(&partition, &after, &[], &[]);
            assert_eq!((partition.leader, partition.leader_epoch), (Some(from[0]), 1));
        }
    }

    #[test]
    fn a_cancel_after_an_override_grows_the_list() {
        let mut partition = Registration::new(vec![1, 2], all);
        partition.reassign(&[3, 4], NEW, all);
        partition.reassign(&[4, 5], NEW, all);
        assert!(partition.revert(NEW, all));
        check(&partition, &[4, 1, 2, 3], &[], &[]);
    }

    #[test]
    fn the_original_list_asked_for_while_copying_is_instant_before_4_3_and_hangs_after() {
        let mut old = Registration::new(vec![3, 1, 2], all);
        old.reassign(&[4, 1, 2], OLD, all);
        let mut new = old.clone();
        old.reassign(&[3, 1, 2], OLD, all);
        check(&old, &[3, 1, 2], &[], &[]);
        new.reassign(&[3, 1, 2], NEW, all);
        check(&new, &[3, 1, 2, 4], &[4], &[4]);
        new.join_in_sync(4, NEW, all);
        check(&new, &[3, 1, 2, 4], &[4], &[4]);
        assert!(new.revert(NEW, all));
        check(&new, &[3, 1, 2], &[], &[]);
    }

    #[test]
    fn a_dead_replica_kept_in_the_target_blocks_only_before_4_3() {
        let alive = |broker: i32| broker != 4;
        for (version, done) in [(OLD, false), (NEW, true)] {
            let mut partition = Registration::new(vec![4, 1, 2], alive);
            partition.reassign(&[4, 1, 3], version, alive);
            partition.join_in_sync(3, version, alive);
            assert_eq!(!partition.is_reassigning(), done, "{version:?}");
        }
    }

    #[test]
    fn a_shrinking_target_needs_all_its_members_on_every_version() {
        let alive = |broker: i32| broker != 4;
        let mut partition = Registration::new(vec![4, 1, 2], alive);
        partition.reassign(&[4, 3], NEW, alive);
        partition.join_in_sync(3, NEW, alive);
        check(&partition, &[4, 3, 1, 2], &[3], &[1, 2]);
    }

    #[test]
    fn a_shrink_that_drops_the_leader_elects_and_a_reorder_does_not() {
        let mut partition = Registration::new(vec![1, 2, 3], all);
        partition.reassign(&[3, 2, 1], NEW, all);
        assert_eq!((partition.leader, partition.leader_epoch), (Some(1), 0));
        partition.reassign(&[3, 2], NEW, all);
        check(&partition, &[3, 2], &[], &[]);
        assert_eq!((partition.leader, partition.leader_epoch), (Some(3), 1));
    }

    #[test]
    fn a_leaderless_partition_is_neither_moved_nor_reverted() {
        let nobody = |_: i32| false;
        let mut partition = Registration::new(vec![1], all);
        partition.leave_in_sync(1, NEW, nobody);
        assert_eq!((partition.leader, partition.shown_in_sync(NEW)), (None, &[][..]));
        assert_eq!(partition.shown_in_sync(KafkaVersion::new(3, 9)), [1]);
        partition.reassign(&[2], NEW, |broker| broker == 2);
        assert!(!partition.revert(NEW, |broker| broker == 2));
        partition.look_again(NEW, all);
        assert_eq!(partition.leader, Some(1));
        partition.join_in_sync(2, NEW, all);
        check(&partition, &[2], &[], &[]);
        assert_eq!(partition.leader, Some(2));
    }
}
