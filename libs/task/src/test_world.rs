//! A small cluster for tests: brokers 1 to 6 in racks a, b, c, a, b, c; topic `t` with partitions of 100 bytes. Must not hold
//! anything that only one test needs.

use ballast_cluster::{Broker, BrokerId, BrokerState, Capacity, Load, Partition, Snapshot, Topic};

use crate::{StepKind, StepPlan};

pub(crate) fn ids(list: &[i32]) -> Vec<BrokerId> {
    list.iter().copied().map(BrokerId).collect()
}

/// Partitions with these lists, everything in sync, the first led by `leader` and the others by the first of their lists.
pub(crate) fn snapshot(lists: &[&[i32]], leader: i32) -> Snapshot {
    let broker = |id: i32| Broker {
        id: BrokerId(id),
        rack: Some(["c", "a", "b"][id as usize % 3].into()),
        host: None,
        group: "default".into(),
        state: BrokerState::Alive,
        capacity: Capacity::default(),
        log_dirs: Vec::new(),
    };
    let partition = |(index, list): (usize, &&[i32])| Partition {
        index: index as u32,
        replicas: ids(list),
        leader: Some(BrokerId(if index == 0 { leader } else { list[0] })),
        in_sync: ids(list),
        load: Load { size_bytes: 100, ..Load::default() },
        ..Partition::default()
    };
    let topic = Topic {
        name: "t".into(),
        id: Some("id-1".into()),
        group: "default".into(),
        min_insync_replicas: 2,
        partitions: lists.iter().enumerate().map(partition).collect(),
    };
    Snapshot { cluster: "c".into(), brokers: (1..=6).map(broker).collect(), topics: vec![topic], ..Snapshot::default() }
}

/// Steps in one line: `1,2,3>4,2,3 elect 4`.
pub(crate) fn words(steps: &[StepPlan]) -> String {
    let list = |list: &[BrokerId]| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let word = |step: &StepPlan| match &step.kind {
        StepKind::Move { from, to } => format!("{}>{}", list(from), list(to)),
        StepKind::Elect { leader } => format!("elect {leader}"),
    };
    steps.iter().map(word).collect::<Vec<_>>().join(" ")
}

mod world;

pub(crate) use world::World;
