//! Makes a cluster to start from: brokers in racks, topics of realistic and uneven size and load, placed unevenly on purpose, so
//! that there is something to rebalance. Must not know time passing.

use std::collections::BTreeMap;

use crate::{
    configs::{Alteration, Configs, Operation, Resource},
    dice::Dice,
    faults::Faults,
    limiter::Limiter,
    version::KafkaVersion,
    world::{Broker, Copy, Group, LogDir, Partition, RECORD_BYTES, Registration, Timing, Topic, World},
};

const TOPIC_NAMES: [&str; 14] = [
    "orders",
    "payments",
    "clicks",
    "inventory",
    "shipments",
    "sessions",
    "audit-trail",
    "searches",
    "prices",
    "metrics",
    "emails",
    "refunds",
    "profiles",
    "alerts",
];
/// Size and load of a partition as percentages of the mean; their own mean is 100.
const SKEW_PERCENT: [u64; 8] = [30, 50, 70, 80, 100, 120, 150, 200];
/// How much likelier a replica lands on the first broker of a rack than on the second and so on.
const PLACEMENT_WEIGHTS: [u64; 4] = [5, 3, 2, 2];

/// What cluster to make. The default is the cluster of `driver = "simulated"` and of the demo.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SimOptions {
    pub seed: u64,
    pub version: KafkaVersion,
    /// Broker ids are 1 to this; racks "a", "b", ... in turn.
    pub brokers: u32,
    pub racks: u32,
    pub topics: u32,
    pub partitions_per_topic: u32,
    pub replication_factor: u32,
    pub min_insync_replicas: u32,
    pub mean_partition_bytes: u64,
    /// Mean per partition.
    pub produce_bytes_per_second: u64,
    /// One broker's network in each direction.
    pub network_bytes_per_second: u64,
    pub log_dirs: u32,
    pub log_dir_capacity_bytes: u64,
    pub session_timeout_milliseconds: u32,
    /// From the start of a broker until it serves.
    pub restart_milliseconds: u32,
    /// How far brokers' answers lag behind the controller.
    pub view_lag_milliseconds: u32,
    /// Whether a controller endpoint is configured.
    pub reaches_dead_brokers_configs: bool,
    /// The brokers' own config files, over Kafka's defaults.
    pub broker_file: BTreeMap<String, String>,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            version: KafkaVersion::new(4, 3),
            brokers: 12,
            racks: 3,
            topics: 14,
            partitions_per_topic: 12,
            replication_factor: 3,
            min_insync_replicas: 2,
            mean_partition_bytes: 200_000_000,
            produce_bytes_per_second: 150_000,
            network_bytes_per_second: 125_000_000,
            log_dirs: 2,
            log_dir_capacity_bytes: 100_000_000_000,
            session_timeout_milliseconds: 9_000,
            restart_milliseconds: 3_000,
            view_lag_milliseconds: 200,
            reaches_dead_brokers_configs: true,
            // The simulated controller never elects preferred leaders on its own.
            broker_file: BTreeMap::from([("auto.leader.rebalance.enable".to_owned(), "false".to_owned())]),
        }
    }
}

/// Makes the cluster, with `now` in milliseconds as its first instant.
pub fn build(options: &SimOptions, now: i64) -> World {
    let mut dice = Dice::seeded(options.seed);
    let configs = Configs::with_file(options.broker_file.clone());
    let mut world = World {
        version: options.version,
        cluster_id: identifier(&mut dice),
        timing: Timing {
            session_timeout: i64::from(options.session_timeout_milliseconds),
            heartbeat: 2_000,
            restart: i64::from(options.restart_milliseconds),
            view_lag: i64::from(options.view_lag_milliseconds),
            lag_time_max: 30_000,
            file_delete_delay: 60_000,
        },
        network_bytes_per_second: options.network_bytes_per_second,
        reaches_dead_brokers_configs: options.reaches_dead_brokers_configs,
        now,
        brokers: (1..=options.brokers).map(|number| (number as i32, broker(options, number))).collect(),
        topics: BTreeMap::new(),
        fading: BTreeMap::new(),
        seen_configs: configs.clone(),
        configs,
        configs_seen_at: None,
        groups: Vec::new(),
        graves: Vec::new(),
        faults: Faults::seeded(options.seed),
        delayed: Vec::new(),
        controller_down: false,
        dice,
        throttled: Default::default(),
    };
    for number in 0..options.topics {
        fill_topic(&mut world, options, number);
    }
    world.topics.values_mut().for_each(|topic| topic.seen_from = now);
    world.seen_configs = world.configs.clone();
    world.configs_seen_at = None;
    world
}

fn broker(options: &SimOptions, number: u32) -> Broker {
    let rack = char::from_digit(10 + (number - 1) % options.racks.max(1), 36).map(String::from);
    let log_dir = |index: u32| LogDir {
        path: format!("/var/lib/kafka/d{index}"),
        capacity_bytes: options.log_dir_capacity_bytes,
        failed: false,
        stray_bytes: 0,
    };
    Broker {
        rack: rack.filter(|_| options.racks > 0),
        host: format!("broker-{number}.sim"),
        port: 9_092,
        running: true,
        fenced: false,
        fenced_at: None,
        returns_at: None,
        speed_per_mille: 1_000,
        log_dirs: (0..options.log_dirs).map(log_dir).collect(),
        leader_limiter: Limiter::default(),
        follower_limiter: Limiter::default(),
        back_off: BTreeMap::new(),
    }
}

/// One topic with data, load and readers, its replicas on distinct racks but crowding the first brokers of each.
fn fill_topic(world: &mut World, options: &SimOptions, number: u32) {
    let name = match TOPIC_NAMES.get(number as usize) {
        Some(name) => (*name).to_owned(),
        None => format!("topic-{number}"),
    };
    let weight = SKEW_PERCENT[world.dice.below(8) as usize];
    let lists: Vec<Vec<i32>> = (0..options.partitions_per_topic).map(|_| skewed_list(world, options)).collect();
    world.create_topic(&name, &lists);
    let sizes = (0..lists.len()).map(|_| {
        let mut skewed = |mean: u64| mean * weight / 100 * SKEW_PERCENT[world.dice.below(8) as usize] / 100;
        let bytes = skewed(options.mean_partition_bytes) / RECORD_BYTES * RECORD_BYTES;
        (bytes, skewed(options.produce_bytes_per_second))
    });
    let sizes: Vec<(u64, u64)> = sizes.collect();
    for (index, (bytes, rate)) in (0_u32..).zip(sizes) {
        world.produce(&name, index, bytes);
        if let Some(partition) = world.partition_mut(&name, index) {
            partition.produce_bytes_per_second = rate;
            partition.retention_bytes = bytes;
        }
    }
    let min_insync = Operation::Set(options.min_insync_replicas.to_string());
    let key = "min.insync.replicas".to_owned();
    // The value is a number made here, which the topic just created takes.
    let _ = world.configs.alter(&Alteration { resource: Resource::Topic(name.clone()), key, operation: min_insync });
    for reader in 0..1 + world.dice.below(2) {
        let committed = vec![None; lists.len()];
        world.groups.push(Group { name: format!("{name}-reader-{reader}"), topic: name.clone(), committed, consumes: true });
    }
}

fn skewed_list(world: &mut World, options: &SimOptions) -> Vec<i32> {
    let racks = options.racks.max(1);
    let mut list: Vec<i32> = Vec::new();
    let first_rack = world.dice.below(u64::from(racks)) as u32;
    for step in 0..options.replication_factor.min(options.brokers) {
        let in_rack = |number: &u32| (number - 1) % racks == (first_rack + step) % racks;
        let mut candidates: Vec<u32> =
            (1..=options.brokers).filter(in_rack).filter(|number| !list.contains(&(*number as i32))).collect();
        if candidates.is_empty() {
            candidates = (1..=options.brokers).filter(|number| !list.contains(&(*number as i32))).collect();
        }
        let weights: Vec<u64> = (0..candidates.len()).map(|at| PLACEMENT_WEIGHTS.get(at).copied().unwrap_or(1)).collect();
        list.push(candidates[world.dice.weighted(&weights)] as i32);
    }
    list
}

/// Sixteen random bytes the way Kafka prints ids: base64url without padding.
fn identifier(dice: &mut Dice) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits = u128::from(dice.roll()) << 64 | u128::from(dice.roll());
    (0..22_u32).map(|place| char::from(ALPHABET[(bits >> (place * 6).min(122) & 63) as usize])).collect()
}

impl World {
    /// Creates a topic with one empty partition per list. `false` when the name is taken or a list is empty.
    pub fn create_topic(&mut self, name: &str, lists: &[Vec<i32>]) -> bool {
        if self.topics.contains_key(name) || lists.iter().any(Vec::is_empty) {
            return false;
        }
        let id = identifier(&mut self.dice);
        let seen_from = self.now + self.timing.view_lag;
        self.topics.insert(name.to_owned(), Topic { id, seen_from, partitions: Vec::new() });
        for list in lists {
            let serves = |id: i32| self.brokers.get(&id).is_some_and(Broker::serves);
            let state = Registration::new(list.clone(), serves);
            let placed: Vec<(i32, Copy)> =
                list.iter().filter(|id| serves(**id)).filter_map(|&id| Some((id, self.place_copy(id, 0)?))).collect();
            let partition = Partition {
                seen: state.clone(),
                state,
                seen_at: None,
                copies: placed.into_iter().collect(),
                produce_bytes_per_second: 0,
                retention_bytes: 0,
            };
            if let Some(topic) = self.topics.get_mut(name) {
                topic.partitions.push(partition);
            }
        }
        true
    }
}
