//! Small clusters of every shape, 3 to 40 brokers, and every goal that can be asked of them. Must not know how plans are made.

use ballast_cluster::{BrokerId, BrokerState, Snapshot, TopicPartition};
use ballast_lab::Shape;
use ballast_planner::{Goal, GoalKind, Limits};

use crate::dice::Dice;

/// A shape with anything in it, as far as it does not contradict itself.
pub fn shape(dice: &mut Dice) -> Shape {
    loop {
        let brokers = 3 + dice.below(38) as u32;
        let topics = 1 + dice.below(20) as u32;
        let mut shape = Shape::new(brokers, topics, topics + dice.below(300) as u32);
        shape.replicas = shape.partitions * dice.of(&[1, 2, 2, 3, 3, 3, 4]) + dice.of(&[0, 0, 7]);
        shape.racks = dice.of(&[0, 1, 2, 3, 3, 4, 6]);
        shape.groups = dice.of(&[1, 1, 1, 2, 3]);
        (shape.small_percent, shape.large_percent) = (dice.of(&[0, 20, 40]), dice.of(&[0, 20, 40]));
        (shape.placement_skew, shape.leader_skew) = (dice.of(&[0, 40, 100]), dice.of(&[0, 30, 100]));
        (shape.hot_per_mille, shape.careless_per_mille) = (dice.of(&[0, 0, 10]), dice.of(&[0, 0, 0, 50, 500]));
        (shape.dead, shape.new, shape.draining) = (dice.of(&[0, 0, 1, 2]), dice.of(&[0, 0, 1, 3]), dice.of(&[0, 0, 0, 1]));
        shape.seed = dice.below(1 << 30);
        if shape.check().is_ok() {
            return shape;
        }
    }
}

/// A cluster, now and then with what the lab does not make: unmeasured loads, pending moves, lost leaders, partitions offline.
pub fn cluster(dice: &mut Dice) -> Snapshot {
    let mut snapshot = ballast_lab::cluster(&shape(dice));
    snapshot.sequence = dice.below(100);
    let (unmeasured, troubled) = (dice.below(6), dice.below(3) == 0);
    for partition in snapshot.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        match unmeasured {
            0 => partition.load.consume_bytes_per_second = None,
            1 => (partition.load.leader_cpu_millicores, partition.load.follower_cpu_millicores) = (None, None),
            _ => {}
        }
        match if troubled { dice.below(40) } else { 99 } {
            0 => partition.in_sync.truncate(1),
            1 => (partition.in_sync, partition.leader) = (Vec::new(), None),
            2 => partition.leader = None,
            3 => partition.adding_replicas = vec![partition.replicas[0]],
            _ => {}
        }
        if partition.leader.is_some_and(|leader| !partition.in_sync.contains(&leader)) {
            partition.leader = partition.in_sync.first().copied();
        }
    }
    snapshot
}

/// A goal of that kind, if the cluster has what it takes.
pub fn goal(kind: GoalKind, snapshot: &Snapshot, dice: &mut Dice) -> Option<Goal> {
    let mut goal = Goal::new(kind, Vec::new());
    match kind {
        GoalKind::Rebalance => {}
        GoalKind::Topic => {
            for (topic, partition) in snapshot.partitions().filter(|_| dice.below(4) == 0) {
                let group = snapshot.brokers.iter().filter(|broker| broker.group == topic.group);
                let mut list: Vec<BrokerId> = group.map(|broker| broker.id).collect();
                let turn = partition.index as usize % list.len();
                list.rotate_left(turn);
                list.truncate(partition.replicas.len());
                goal.targets.push((TopicPartition::new(topic.name.clone(), partition.index), list));
            }
            return (!goal.targets.is_empty()).then_some(goal);
        }
        _ => {
            let dead_only = kind == GoalKind::Evacuate && dice.below(2) == 0;
            let fits = |state: BrokerState| match kind {
                GoalKind::Evacuate => !dead_only || state == BrokerState::Dead,
                _ => state != BrokerState::Dead,
            };
            let mut able: Vec<BrokerId> =
                snapshot.brokers.iter().filter(|broker| fits(broker.state)).map(|broker| broker.id).collect();
            dice.shuffle(&mut able);
            able.truncate(1 + usize::from(dice.below(4) == 0));
            goal.brokers = able;
            if goal.brokers.is_empty() {
                return None;
            }
        }
    }
    Some(goal)
}

/// Caps and exclusions, one kind at a time.
pub fn limits(snapshot: &Snapshot, goal: &Goal, dice: &mut Dice) -> Limits {
    let mut limits = Limits::default();
    match dice.below(16) {
        0 => limits.bytes_max = Some(dice.below(20_000_000_000_000)),
        1 => limits.moves_max = Some(dice.below(12)),
        2 => limits.leader_moves_max = Some(dice.below(8)),
        3 => limits.replicas_per_broker_max = 20 + dice.below(30) as u32,
        4 if goal.targets.is_empty() => limits.excluded_topics = vec![snapshot.topics[0].name.clone()],
        5 => {
            let spare = snapshot.brokers.iter().map(|broker| broker.id).find(|id| !goal.brokers.contains(id));
            limits.excluded_brokers = spare.into_iter().collect();
        }
        _ => {}
    }
    limits
}

/// What may change at all, where to, and how topics are spread.
#[allow(dead_code, reason = "not every test narrows plans down")]
pub fn narrow(snapshot: &Snapshot, dice: &mut Dice) -> Limits {
    let mut limits = Limits::default();
    let topic = &snapshot.topics[dice.below(snapshot.topics.len() as u64) as usize];
    let (partitions, topic) = (topic.partitions.iter().take(3).map(|partition| partition.index), &topic.name);
    match dice.below(4) {
        0 => limits.only_topics = vec![topic.clone()],
        1 => limits.only_partitions = partitions.map(|index| TopicPartition::new(topic.clone(), index)).collect(),
        2 => limits.only_to_brokers = snapshot.brokers.iter().map(|broker| broker.id).step_by(2).collect(),
        _ => limits.spread_topics = true,
    }
    limits
}
