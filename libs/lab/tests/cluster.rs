//! What a generated cluster promises: the figures asked for, the hard rules, and the same bits from the same seed.

use std::collections::BTreeSet;

use ballast_cluster::{BrokerId, BrokerState, Partition, Snapshot};
use ballast_lab::{Shape, cluster, kill, shift};

fn replicas(snapshot: &Snapshot) -> usize {
    snapshot.partitions().map(|(_, partition)| partition.replicas.len()).sum()
}

/// disk, network in, network out, cpu of one replica.
fn load(partition: &Partition, leads: bool) -> [u64; 4] {
    let load = &partition.load;
    let (produce, copies) = (load.produce_bytes_per_second, partition.replicas.len() as u64 - 1);
    let out = load.consume_bytes_per_second.expect("measured") + produce * copies;
    let cpu = if leads { load.leader_cpu_millicores } else { load.follower_cpu_millicores };
    [load.size_bytes, produce, if leads { out } else { 0 }, cpu.expect("measured")]
}

/// Racks, groups, duplicates, leaders; gives the brokers above a capacity limit.
#[track_caller]
fn check_rules(snapshot: &Snapshot) -> usize {
    let mut loads = vec![[0_u64; 4]; snapshot.brokers.len()];
    for (topic, partition) in snapshot.partitions() {
        let list: BTreeSet<BrokerId> = partition.replicas.iter().copied().collect();
        let racks: BTreeSet<String> = list.iter().map(|&id| snapshot.rack(id)).collect();
        assert_eq!((list.len(), racks.len()), (partition.replicas.len(), list.len()), "{} {partition:?}", topic.name);
        assert!(partition.leader.is_some_and(|leader| list.contains(&leader)));
        for &id in &partition.replicas {
            assert_eq!(snapshot.broker(id).expect("known").group, topic.group);
            let sums = &mut loads[id.0 as usize - 1];
            sums.iter_mut().zip(load(partition, partition.leader == Some(id))).for_each(|(sum, more)| *sum += more);
        }
    }
    let above = snapshot.brokers.iter().zip(&loads).filter(|(broker, load)| {
        let capacity = &broker.capacity;
        load[0] * 10 > capacity.disk_bytes * 8
            || load[1] * 10 > capacity.network_in_bytes_per_second * 8
            || load[2] * 10 > capacity.network_out_bytes_per_second * 8
            || load[3] * 10 > capacity.cpu_millicores * 7
    });
    above.count()
}

#[test]
fn a_cluster_has_the_figures_that_were_asked_for_and_keeps_the_rules() {
    let mut above = 0;
    for seed in 0..20 {
        let mut shape = Shape::new(30, 60, 900);
        (shape.seed, shape.groups, shape.replicas) = (seed, 2, 2_500);
        let snapshot = cluster(&shape);
        assert_eq!((snapshot.brokers.len(), snapshot.topics.len(), snapshot.partitions().count()), (30, 60, 900));
        assert!((2_400..=2_500).contains(&replicas(&snapshot)), "{}", replicas(&snapshot));
        above += check_rules(&snapshot);
        let mut sorted = snapshot.clone();
        sorted.sort();
        assert_eq!(sorted, snapshot);
    }
    assert!(above <= 3, "{above} of 600 brokers are above a limit");
}

#[test]
fn named_shapes_are_what_their_names_say() {
    let snapshot = cluster(&Shape::preset("evacuate-200").expect("a preset"));
    let on_first = snapshot.partitions().filter(|(_, partition)| partition.replicas.contains(&BrokerId(1))).count();
    assert_eq!((snapshot.brokers.len(), on_first), (200, 10_000));
    assert_eq!(check_rules(&snapshot), 0);
    let snapshot = cluster(&Shape::preset("groups-300").expect("a preset"));
    assert_eq!((snapshot.topics.len(), snapshot.partitions().count(), replicas(&snapshot)), (7_000, 130_000, 270_000));
    assert_eq!(snapshot.brokers.iter().map(|broker| broker.group.as_str()).collect::<BTreeSet<_>>().len(), 6);
    for (name, _) in Shape::presets() {
        assert_eq!(Shape::preset(name).expect("listed").check(), Ok(()), "{name}");
    }
    assert_eq!(Shape::preset("fleet-7"), None);
}

#[test]
fn dead_new_and_draining_brokers_are_as_they_would_be() {
    let mut shape = Shape::new(12, 20, 200);
    (shape.dead, shape.new, shape.draining, shape.groups) = (2, 2, 1, 2);
    let snapshot = cluster(&shape);
    let of = |state: BrokerState| -> Vec<BrokerId> {
        snapshot.brokers.iter().filter(|broker| broker.state == state).map(|broker| broker.id).collect()
    };
    let (dead, new) = (of(BrokerState::Dead), of(BrokerState::New));
    assert_eq!((dead.len(), new.len(), of(BrokerState::Draining).len()), (2, 2, 1));
    assert!(snapshot.partitions().any(|(_, partition)| partition.replicas.contains(&dead[0])));
    for (_, partition) in snapshot.partitions() {
        assert!(!new.iter().any(|id| partition.replicas.contains(id)));
        assert!(!dead.iter().any(|id| partition.in_sync.contains(id) || partition.leader == Some(*id)));
        assert_eq!(partition.leader.is_none(), partition.in_sync.is_empty());
    }
}

#[test]
fn careless_placement_breaks_racks_and_hot_partitions_are_hot() {
    let mut shape = Shape::new(12, 20, 400);
    (shape.careless_per_mille, shape.hot_per_mille) = (500, 20);
    let snapshot = cluster(&shape);
    let broken = snapshot.partitions().filter(|(_, partition)| {
        partition.replicas.iter().map(|&id| snapshot.rack(id)).collect::<BTreeSet<_>>().len() < partition.replicas.len()
    });
    assert!((50..350).contains(&broken.count()));
}

#[test]
fn a_shift_changes_one_topic_in_a_hundred_and_a_killed_broker_is_out() {
    let before = cluster(&Shape::new(12, 150, 600));
    let mut after = before.clone();
    shift(&mut after, 3);
    let changed: Vec<_> = before.topics.iter().zip(&after.topics).filter(|(a, b)| a != b).collect();
    assert_eq!(changed.len(), 2);
    let size = |topic: &ballast_cluster::Topic| topic.partitions.iter().map(|partition| partition.load.size_bytes).sum::<u64>();
    assert!(changed.iter().all(|(a, b)| size(a) == size(b)));
    kill(&mut after, BrokerId(4));
    assert_eq!(after.broker(BrokerId(4)).expect("still listed").state, BrokerState::Dead);
    for (_, partition) in after.partitions() {
        assert!(partition.leader.is_some_and(|leader| leader != BrokerId(4) && partition.in_sync.contains(&leader)));
    }
}

#[test]
fn a_shape_that_contradicts_itself_is_refused_with_the_reason() {
    let check = |change: fn(&mut Shape), words: &str| {
        let mut shape = Shape::new(12, 20, 200);
        change(&mut shape);
        let error = shape.check().expect_err("must be refused").to_string();
        assert!(error.contains(words), "{error} should say {words}");
    };
    check(|shape| shape.topics = 0, "needs a topic");
    check(|shape| shape.partitions = 19, "fewer partitions than topics");
    check(|shape| shape.replicas = 199, "fewer replicas than partitions");
    check(|shape| shape.groups = 0, "at least one group");
    check(|shape| shape.replicas = 200 * 13, "12 brokers that are not new");
    check(|shape| shape.new = 10, "2 brokers that are not new");
    check(|shape| (shape.new, shape.racks) = (8, 5), "new brokers only");
    check(|shape| (shape.dead, shape.draining) = (10, 3), "more than all");
    check(|shape| shape.small_percent = 90, "more than all");
    check(|shape| shape.crowd = 201, "broker 1");
}

/// FNV-1a over everything that was drawn: these figures are the same on every machine, for good.
#[test]
fn the_same_seed_gives_the_same_bits_on_every_machine() {
    let fingerprint = |seed: u64| {
        let mut shape = Shape::new(20, 40, 500);
        (shape.seed, shape.hot_per_mille, shape.careless_per_mille, shape.dead) = (seed, 10, 10, 1);
        let text = format!("{:?}", cluster(&shape));
        text.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
    };
    assert_eq!([fingerprint(0), fingerprint(1)], [12_889_106_799_382_437_251, 7_538_588_199_495_314_758]);
}
