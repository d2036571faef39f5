//! Small clusters that one can plan in one's head, one per goal.

use ballast_cluster::{Broker, BrokerId, BrokerState, Capacity, Load, Partition, Snapshot, Topic, TopicPartition};
use ballast_planner::{Alternative, Band, Goal, GoalError, GoalKind, Label, Limits, Outcome, UnmetGoal, plan, validate};

fn ids(list: &[i32]) -> Vec<BrokerId> {
    list.iter().copied().map(BrokerId).collect()
}

/// Brokers 1.. in racks a, b, c in turn; one topic `t` with these lists, each of 100 bytes and led by its first replica.
fn cluster(brokers: i32, lists: &[&[i32]]) -> Snapshot {
    let capacity = Capacity {
        cpu_millicores: 1000,
        disk_bytes: 10_000,
        network_in_bytes_per_second: 10_000,
        network_out_bytes_per_second: 10_000,
    };
    let broker = |id: i32| Broker {
        id: BrokerId(id),
        rack: Some(["a", "b", "c"][(id as usize - 1) % 3].to_owned()),
        host: None,
        group: "default".into(),
        state: BrokerState::Alive,
        capacity,
        log_dirs: Vec::new(),
    };
    let partition = |(index, list): (usize, &&[i32])| Partition {
        index: index as u32,
        replicas: ids(list),
        leader: Some(BrokerId(list[0])),
        in_sync: ids(list),
        load: Load { size_bytes: 100, produce_bytes_per_second: 10, consume_bytes_per_second: Some(10), ..Load::default() },
        ..Partition::default()
    };
    let partitions = lists.iter().enumerate().map(partition).collect();
    let topic = Topic { name: "t".into(), id: None, group: "default".into(), min_insync_replicas: 1, partitions };
    Snapshot { cluster: "c".into(), brokers: (1..=brokers).map(broker).collect(), topics: vec![topic], ..Snapshot::default() }
}

fn planned(snapshot: &Snapshot, kind: GoalKind, brokers: &[i32]) -> Outcome {
    let goal = Goal::new(kind, ids(brokers));
    validate(snapshot, &goal, &Limits::default()).expect("a goal that makes sense");
    plan(snapshot, &goal, &Limits::default(), 0)
}

fn lists(alternative: &Alternative) -> Vec<(u32, Vec<i32>)> {
    let mut lists: Vec<(u32, Vec<i32>)> =
        alternative.moves.iter().map(|entry| (entry.at.partition, entry.to.iter().map(|id| id.0).collect())).collect();
    lists.sort();
    lists
}

fn has(alternative: &Alternative, goal: UnmetGoal) -> bool {
    alternative.unmet.iter().any(|unmet| unmet.goal == goal)
}

#[test]
fn an_evacuation_restores_every_replica_and_spreads_the_lost_leaderships() {
    // Broker 1 led six partitions; 2 and 3 follow, 4 to 6 are the same racks over again.
    let snapshot = cluster(6, &[&[1, 2, 3][..]; 6]);
    let outcome = planned(&snapshot, GoalKind::Evacuate, &[1]);
    let first = &outcome.alternatives[0];
    assert_eq!((first.cost.moved_bytes, outcome.bounds.moved_bytes, first.cost.replica_moves), (600, 600, 6));
    assert_eq!(first.hard_unmet(), 0);
    for (_, list) in lists(first) {
        assert!(list.contains(&4), "only broker 4 is in rack a: {list:?}");
    }
    for leader in [2, 3, 4] {
        assert_eq!(lists(first).iter().filter(|(_, list)| list[0] == leader).count(), 2, "leaders of {leader}");
    }
    let quick =
        outcome.alternatives.iter().find(|alternative| alternative.label == Label::LeadershipOnly).expect("a second choice");
    assert!(quick.cost.moved_bytes == 0 && has(quick, UnmetGoal::Liveness));
}

#[test]
fn an_evacuation_with_nowhere_to_go_elects_and_says_so() {
    let outcome = planned(&cluster(3, &[&[1, 2, 3]]), GoalKind::Evacuate, &[1]);
    let only = &outcome.alternatives[0];
    assert_eq!((outcome.alternatives.len(), only.label, only.cost.moved_bytes), (1, Label::Only, 0));
    assert_eq!(lists(only), [(0, vec![2, 1, 3])]);
    assert!(has(only, UnmetGoal::Liveness));
}

#[test]
fn a_partition_without_a_live_in_sync_replica_is_named_and_left() {
    let mut snapshot = cluster(4, &[&[1, 2]]);
    snapshot.topics[0].partitions[0].in_sync = ids(&[1]);
    let outcome = planned(&snapshot, GoalKind::Evacuate, &[1]);
    assert_eq!(outcome.alternatives[0].moves, []);
    assert!(has(&outcome.alternatives[0], UnmetGoal::Offline));
}

#[test]
fn a_drain_empties_the_broker_and_only_it() {
    let outcome = planned(&cluster(6, &[&[1, 2, 3], &[2, 3, 4], &[5, 6, 1]]), GoalKind::Drain, &[1]);
    assert_eq!(lists(&outcome.alternatives[0]).iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 2]);
    assert!(lists(&outcome.alternatives[0]).iter().all(|(_, list)| list.contains(&4) && !list.contains(&1)));
}

#[test]
fn a_demotion_copies_nothing_and_puts_the_broker_last() {
    let outcome = planned(&cluster(3, &[&[1, 2, 3], &[2, 1, 3], &[3, 2, 1]]), GoalKind::Demote, &[1]);
    let [only] = outcome.alternatives.as_slice() else { panic!("one way to do it") };
    assert_eq!((only.cost.moved_bytes, only.cost.leader_moves), (0, 1));
    assert_eq!(lists(only).iter().map(|(at, list)| (*at, list[2])).collect::<Vec<_>>(), [(0, 1), (1, 1)]);
}

#[test]
fn an_expansion_fills_the_new_broker_from_the_old_ones() {
    let pairs: Vec<&[i32]> = (0..12).flat_map(|_| [&[1, 2][..], &[2, 3], &[3, 1]]).collect();
    let mut snapshot = cluster(4, &pairs);
    snapshot.brokers[3].rack = Some("d".into());
    let outcome = planned(&snapshot, GoalKind::Expand, &[4]);
    let first = &outcome.alternatives[0];
    assert!(lists(first).iter().all(|(_, list)| list.contains(&4)));
    // 72 replicas on 4 brokers: the band of ten percent around 18 begins at 17.
    assert!((17..=19).contains(&first.cost.replica_moves), "{:?}", first.cost);
    assert!(outcome.bounds.moved_bytes <= first.cost.moved_bytes && outcome.bounds.moved_bytes >= 1600);
}

#[test]
fn an_explicit_list_that_breaks_a_rule_is_not_planned() {
    let snapshot = cluster(6, &[&[1, 2, 3], &[1, 2, 3]]);
    let mut goal = Goal::new(GoalKind::Topic, Vec::new());
    goal.targets = vec![(TopicPartition::new("t", 0), ids(&[4, 5, 6])), (TopicPartition::new("t", 1), ids(&[1, 4, 3]))];
    let outcome = plan(&snapshot, &goal, &Limits::default(), 0);
    assert_eq!(lists(&outcome.alternatives[0]), [(0, vec![4, 5, 6])]);
    assert!(has(&outcome.alternatives[0], UnmetGoal::Rack));
}

#[test]
fn a_rebalance_moves_leaders_before_it_copies() {
    // Lists are spread evenly, but broker 1 leads everything.
    let outcome = planned(&cluster(3, &[&[1, 2, 3][..]; 9]), GoalKind::Rebalance, &[]);
    let first = &outcome.alternatives[0];
    assert_eq!((first.cost.moved_bytes, first.cost.leader_moves), (0, 6));
    assert_eq!(first.balance.after.network_out.outside, Some(0));
}

#[test]
fn a_balanced_cluster_is_left_alone() {
    let outcome = planned(&cluster(3, &[&[1, 2, 3], &[2, 3, 1], &[3, 1, 2]]), GoalKind::Rebalance, &[]);
    let [only] = outcome.alternatives.as_slice() else { panic!("nothing to choose from") };
    assert_eq!((only.label, only.moves.len(), outcome.bounds.seconds), (Label::Only, 0, Some(0)));
    // Nobody measured cpu.
    assert!(has(only, UnmetGoal::NotMeasured) && only.balance.after.cpu.outside.is_none());
}

#[test]
fn goals_that_make_no_sense_are_refused() {
    let snapshot = cluster(3, &[&[1, 2, 3]]);
    let check = |goal: Goal, error: GoalError| assert_eq!(validate(&snapshot, &goal, &Limits::default()), Err(error));
    check(Goal::new(GoalKind::Drain, ids(&[9])), GoalError::UnknownBroker(BrokerId(9)));
    check(Goal::new(GoalKind::Drain, ids(&[1, 1])), GoalError::DuplicateBroker(BrokerId(1)));
    check(
        Goal { band: Band::from_parts_per_million(0), ..Goal::new(GoalKind::Rebalance, Vec::new()) },
        GoalError::BandOutOfRange,
    );
    let at = TopicPartition::new("t", 0);
    let topic = |list: &[i32]| Goal { targets: vec![(at.clone(), ids(list))], ..Goal::new(GoalKind::Topic, Vec::new()) };
    check(topic(&[1, 1, 2]), GoalError::DuplicateReplica { at: at.clone(), broker: BrokerId(1) });
    check(topic(&[1, 2]), GoalError::ChangedLength { at: at.clone(), from: 3, to: 2 });
    check(topic(&[1, 2, 7]), GoalError::UnknownBroker(BrokerId(7)));
}

#[test]
fn a_broker_without_capacity_gets_no_load() {
    let mut snapshot = cluster(3, &[&[1, 2][..]; 6]);
    snapshot.brokers[2].capacity.network_in_bytes_per_second = 0;
    snapshot.brokers[0].state = BrokerState::Draining;
    let outcome = planned(&snapshot, GoalKind::Rebalance, &[]);
    for alternative in &outcome.alternatives {
        assert!(lists(alternative).iter().all(|(_, list)| !list.contains(&3)), "{:?}", lists(alternative));
    }
    assert!(has(&outcome.alternatives[0], UnmetGoal::Liveness));
}

#[test]
fn a_demotion_uses_the_room_that_its_own_handing_out_makes() {
    // The second fits on broker 2 only once the first, given to it while it was empty, has gone on to broker 3.
    let mut snapshot = cluster(3, &[&[1, 2, 3], &[1, 2], &[1, 2]]);
    for (partition, consumed) in snapshot.topics[0].partitions.iter_mut().zip([3000, 6000, 1500]) {
        partition.load.consume_bytes_per_second = Some(consumed);
    }
    let outcome = planned(&snapshot, GoalKind::Demote, &[1]);
    assert_eq!(lists(&outcome.alternatives[0]), [(0, vec![3, 2, 1]), (1, vec![2, 1]), (2, vec![2, 1])]);
}

#[test]
fn a_partition_led_by_a_replica_that_is_leaving_is_not_offline() {
    let mut snapshot = cluster(3, &[&[2, 3]]);
    let partition = &mut snapshot.topics[0].partitions[0];
    (partition.leader, partition.in_sync) = (Some(BrokerId(1)), ids(&[1]));
    (partition.adding_replicas, partition.removing_replicas) = (ids(&[2, 3]), ids(&[1]));
    assert!(!has(&planned(&snapshot, GoalKind::Rebalance, &[]).alternatives[0], UnmetGoal::Offline));
    assert!(has(&planned(&snapshot, GoalKind::Evacuate, &[1, 2, 3]).alternatives[0], UnmetGoal::Offline));
}

#[test]
fn what_a_drained_broker_must_lead_beyond_its_limit_is_named() {
    // Nobody else is in sync, so the broker to be emptied is elected, with more than it may send.
    let mut snapshot = cluster(2, &[&[1]]);
    snapshot.brokers[1].group = "other".into();
    let partition = &mut snapshot.topics[0].partitions[0];
    (partition.leader, partition.load.consume_bytes_per_second) = (None, Some(9_000));
    let outcome = planned(&snapshot, GoalKind::Drain, &[1]);
    assert_eq!(lists(&outcome.alternatives[0]), [(0, vec![1])]);
    assert!(has(&outcome.alternatives[0], UnmetGoal::Capacity));
}

#[test]
fn the_utilization_bound_holds_for_plans_that_copy_nothing_too() {
    let outcome = planned(&cluster(2, &[&[1], &[1]]), GoalKind::Drain, &[1]);
    assert_eq!(outcome.bounds.max_utilization.disk, Some(0.0));
}

#[test]
fn a_drain_may_exceed_the_cpu_of_a_broker_that_has_next_to_none() {
    // 0.7 of one millicore is less than any load, but it is a capacity, which a drain may exceed.
    let mut snapshot = cluster(2, &[&[1]]);
    snapshot.brokers[1].capacity.cpu_millicores = 1;
    let load = &mut snapshot.topics[0].partitions[0].load;
    (load.leader_cpu_millicores, load.follower_cpu_millicores) = (Some(5), Some(1));
    let outcome = planned(&snapshot, GoalKind::Drain, &[1]);
    assert_eq!(lists(&outcome.alternatives[0]), [(0, vec![2])]);
    assert!(has(&outcome.alternatives[0], UnmetGoal::Capacity));
}

#[test]
fn an_expansion_fills_the_new_broker_from_its_own_group_alone() {
    // Brokers 1 and 2 of the first group are uneven, 3 and 4 of the second are full, and 5 is new in it.
    let pairs: Vec<&[i32]> =
        (0..20).map(|_| &[1][..]).chain((0..20).map(|at| if at % 2 == 0 { &[3][..] } else { &[4][..] })).collect();
    let mut snapshot = cluster(5, &pairs);
    let of_b = snapshot.topics[0].partitions.split_off(20);
    let other = Topic { name: "u".into(), group: "z".into(), partitions: of_b, ..snapshot.topics[0].clone() };
    snapshot.topics.push(other);
    snapshot.brokers[2..].iter_mut().for_each(|broker| broker.group = "z".into());
    let outcome = planned(&snapshot, GoalKind::Expand, &[5]);
    let first = &outcome.alternatives[0];
    assert!(first.moves.iter().all(|entry| entry.at.topic == "u"), "{:?}", first.moves);
    assert!((6..=7).contains(&first.cost.replica_moves), "20 replicas on 3 brokers: {:?}", first.cost);
}

#[test]
fn every_copy_counts_in_the_estimate_also_behind_others_that_must_wait() {
    // Every partition loses two replicas, copied one after the other; the second ones all go to the one broker left in rack c.
    let both: Vec<[i32; 3]> = (0..4).map(|leader| [leader + 1, 9, 10]).collect();
    let lists: Vec<&[i32]> = (0..400).map(|at| &both[at % 4][..]).collect();
    let mut snapshot = cluster(10, &lists);
    for broker in &mut snapshot.brokers {
        broker.rack = Some(["a", "b", "c"][[0, 0, 0, 0, 1, 1, 1, 2, 1, 2][broker.id.0 as usize - 1]].to_owned());
        broker.capacity.disk_bytes = 10_000_000;
        broker.capacity.network_in_bytes_per_second = 100_000;
        broker.capacity.network_out_bytes_per_second = 100_000;
    }
    let outcome = planned(&snapshot, GoalKind::Evacuate, &[9, 10]);
    let first = &outcome.alternatives[0];
    assert_eq!(first.cost.replica_moves, 800);
    let bound = outcome.bounds.seconds.expect("everybody has headroom");
    assert!(first.cost.estimated_seconds >= bound, "{} seconds are less than {bound}", first.cost.estimated_seconds);
}
