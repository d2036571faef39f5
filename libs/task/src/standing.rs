//! Where a partition stands on the way of one step. Must not know what follows from it.

use ballast_cluster::{BrokerId, Partition, Snapshot};

use crate::{StepKind, StepPlan};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// As the step wants it: list and order, nothing pending, live members in sync; the leader, for an election.
    Done,
    /// Kafka has the list; a live member is not in sync.
    Reached,
    /// Kafka is on the way to the list.
    Pending,
    /// As before the step.
    Before,
    /// Somebody else's reassignment is pending.
    Foreign,
    /// Another list than before or after.
    Elsewhere,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing<'a> {
    TopicGone,
    TopicRecreated,
    At(&'a Partition, Place),
}

pub(crate) fn standing<'a>(step: &StepPlan, seen: &'a Snapshot) -> Standing<'a> {
    let Some((topic, partition)) =
        seen.topic(&step.at.topic).and_then(|topic| Some((topic, topic.partition(step.at.partition)?)))
    else {
        return Standing::TopicGone;
    };
    if step.topic_id.is_some() && topic.id.is_some() && step.topic_id != topic.id {
        return Standing::TopicRecreated;
    }
    let place = match &step.kind {
        StepKind::Move { from, to } => place_of_move(from, to, partition, seen),
        StepKind::Elect { leader } => place_of_election(*leader, partition),
    };
    Standing::At(partition, place)
}

fn place_of_move(from: &[BrokerId], to: &[BrokerId], partition: &Partition, seen: &Snapshot) -> Place {
    let in_sync = |broker: &BrokerId| partition.in_sync.contains(broker) || !seen.is_alive(*broker);
    match (partition.is_reassigning(), partition.replicas == to) {
        (true, true) => Place::Pending,
        (true, false) => Place::Foreign,
        (false, true) if partition.leader.is_some() && to.iter().all(in_sync) => Place::Done,
        (false, true) => Place::Reached,
        (false, false) if partition.replicas == from => Place::Before,
        // The controller lists nothing (yet, or any more) and a broker still shows the members of both lists.
        (false, false) if is_union(&partition.replicas, from, to) => Place::Pending,
        (false, false) => Place::Elsewhere,
    }
}

fn is_union(replicas: &[BrokerId], from: &[BrokerId], to: &[BrokerId]) -> bool {
    let joining = to.iter().filter(|broker| !from.contains(broker)).count();
    // Without a joining broker it would be somebody else's order of the same replicas.
    joining > 0 && replicas.len() == from.len() + joining && from.iter().chain(to).all(|broker| replicas.contains(broker))
}

fn place_of_election(leader: BrokerId, partition: &Partition) -> Place {
    if partition.leader == Some(leader) {
        Place::Done
    } else if partition.is_reassigning() {
        Place::Foreign
    } else if partition.replicas.first() == Some(&leader) {
        Place::Before
    } else {
        Place::Elsewhere
    }
}
