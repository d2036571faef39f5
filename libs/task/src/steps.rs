//! Cuts the reassignments of a plan into the steps of a task. Must not know how steps are carried out.

use ballast_cluster::{BrokerId, Reassignment, Snapshot, waypoints};

use crate::{RecordedPartition, StepKind, StepPlan, TaskBody};

/// The body of a task that makes `reassignments` in their order: for each partition one move per list to ask for, and an election
/// where the first of the target list does not lead all along. Records lists and leaders as they are in `snapshot`.
pub fn steps(reassignments: &[Reassignment], snapshot: &Snapshot) -> TaskBody {
    let mut body = TaskBody::default();
    for wanted in reassignments {
        let partition = snapshot.partition(&wanted.at);
        let recorded = RecordedPartition {
            at: wanted.at.clone(),
            topic_id: wanted.topic_id.clone().or_else(|| snapshot.topic(&wanted.at.topic).and_then(|topic| topic.id.clone())),
            replicas: wanted.from.clone(),
            leader: partition.and_then(|partition| partition.leader),
            target: wanted.to.clone(),
        };
        let size_bytes = partition.map_or(0, |partition| partition.load.size_bytes);
        let lists = waypoints(&wanted.from, &wanted.to, |broker| !snapshot.is_alive(broker), |broker| snapshot.rack(broker));
        let mut writer = StepWriter { steps: &mut body.steps, recorded: &recorded, size_bytes, is_undo: false };
        writer.moves(&wanted.from, &lists);
        if let Some(&first) = wanted.to.first()
            && !(recorded.leader == Some(first) && lists.iter().all(|list| list.contains(&first)))
        {
            writer.elect(first);
        }
        body.partitions.push(recorded);
    }
    body
}

/// Appends the steps of one partition, counting on.
pub(crate) struct StepWriter<'a> {
    pub steps: &'a mut Vec<StepPlan>,
    pub recorded: &'a RecordedPartition,
    pub size_bytes: u64,
    pub is_undo: bool,
}

impl StepWriter<'_> {
    /// One move per list, the first from `from`.
    pub fn moves(&mut self, from: &[BrokerId], lists: &[Vec<BrokerId>]) {
        let mut present = from.to_vec();
        for to in lists {
            let copies = to.iter().filter(|broker| !present.contains(broker)).count() as u64;
            let bytes = self.size_bytes.saturating_mul(copies);
            self.push(StepKind::Move { from: present, to: to.clone() }, bytes);
            present = to.clone();
        }
    }

    pub fn elect(&mut self, leader: BrokerId) {
        self.push(StepKind::Elect { leader }, 0);
    }

    fn push(&mut self, kind: StepKind, bytes: u64) {
        self.steps.push(StepPlan {
            // A task of more steps than u32 holds cannot be stored, let alone planned.
            index: u32::try_from(self.steps.len()).unwrap_or(u32::MAX),
            at: self.recorded.at.clone(),
            topic_id: self.recorded.topic_id.clone(),
            kind,
            bytes,
            is_undo: self.is_undo,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_world::{snapshot, words};

    /// Brokers 1 to 6 in racks a, b, c, a, b, c; those of `dead` dead. Steps print as `1,2,3>4,2,3` and `elect 4`.
    #[track_caller]
    fn check(dead: &[i32], leader: i32, from: &[i32], to: &[i32], expected: &str) {
        let mut snapshot = snapshot(&[from], leader);
        for broker in &mut snapshot.brokers {
            if dead.contains(&broker.id.0) {
                broker.state = ballast_cluster::BrokerState::Dead;
            }
        }
        let ids = |list: &[i32]| list.iter().copied().map(BrokerId).collect::<Vec<_>>();
        let at = ballast_cluster::TopicPartition::new("t", 0);
        let wanted = Reassignment { at, topic_id: None, from: ids(from), to: ids(to), bytes: 0, reason: String::new() };
        assert_eq!(words(&steps(&[wanted], &snapshot).steps), expected);
    }

    #[test]
    fn a_follower_that_moves_needs_no_election() {
        check(&[], 1, &[1, 2, 3], &[1, 2, 6], "1,2,3>1,2,6");
    }

    #[test]
    fn a_leader_that_moves_is_followed_by_an_election() {
        check(&[], 1, &[1, 2, 3], &[4, 2, 3], "1,2,3>4,2,3 elect 4");
    }

    #[test]
    fn replicas_move_one_at_a_time() {
        check(&[], 1, &[1, 2, 3], &[1, 5, 6], "1,2,3>1,5,3 1,5,3>1,5,6");
    }

    #[test]
    fn dead_replicas_go_first_and_together() {
        check(&[2, 3], 1, &[1, 2, 3], &[4, 5, 6], "1,2,3>1,5,6 1,5,6>4,5,6 elect 4");
    }

    #[test]
    fn a_demotion_is_a_reorder_and_an_election() {
        check(&[], 1, &[1, 2, 3], &[2, 3, 1], "1,2,3>2,3,1 elect 2");
    }

    #[test]
    fn an_unchanged_list_asks_only_for_the_election() {
        check(&[], 2, &[1, 2, 3], &[1, 2, 3], "elect 1");
        check(&[], 1, &[1, 2, 3], &[1, 2, 3], "");
    }
}
