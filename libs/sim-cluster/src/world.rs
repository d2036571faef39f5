//! The whole state of a simulated cluster and its one motion: a fixed tick. Pure and deterministic: the same state and the same
//! calls at the same instants give the same state. Must not know clocks, locks or the port.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    configs::{Configs, ThrottleTable},
    dice::Dice,
    faults::{Faults, Write},
    limiter::Limiter,
    version::KafkaVersion,
};

/// The grain of simulated time. Calls between two ticks see the state of the earlier one.
pub const TICK_MILLISECONDS: i64 = 100;
/// Records are all of this size, so that offsets are bytes divided by it.
pub const RECORD_BYTES: u64 = 1_000;

#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct World {
    pub version: KafkaVersion,
    pub cluster_id: String,
    pub timing: Timing,
    /// What one broker's network carries in each direction.
    pub network_bytes_per_second: u64,
    pub reaches_dead_brokers_configs: bool,
    pub now: i64,
    pub brokers: BTreeMap<i32, Broker>,
    pub topics: BTreeMap<String, Topic>,
    /// Deleted topics that brokers still show until the instant beside them.
    pub fading: BTreeMap<String, (i64, Topic)>,
    pub configs: Configs,
    /// What brokers answer until `configs_seen_at`.
    pub seen_configs: Configs,
    pub configs_seen_at: Option<i64>,
    pub groups: Vec<Group>,
    pub graves: Vec<Grave>,
    pub faults: Faults,
    pub delayed: Vec<(i64, Write)>,
    pub controller_down: bool,
    pub dice: Dice,
    #[serde(skip)]
    pub throttled: ThrottleTable,
}

/// All in milliseconds.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct Timing {
    pub session_timeout: i64,
    pub heartbeat: i64,
    /// From start to unfenced.
    pub restart: i64,
    /// How far brokers' answers lag behind the controller.
    pub view_lag: i64,
    /// `replica.lag.time.max.ms`.
    pub lag_time_max: i64,
    /// `file.delete.delay.ms`.
    pub file_delete_delay: i64,
}

#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct Broker {
    pub rack: Option<String>,
    pub host: String,
    pub port: u16,
    /// The process lives.
    pub running: bool,
    pub fenced: bool,
    /// When the controller gives up on a dead broker.
    pub fenced_at: Option<i64>,
    /// When a starting broker will serve.
    pub returns_at: Option<i64>,
    /// Share of its network and disk speed that it still has.
    pub speed_per_mille: u64,
    pub log_dirs: Vec<LogDir>,
    pub leader_limiter: Limiter,
    pub follower_limiter: Limiter,
    /// Per source broker: until when the fetcher thread sleeps.
    pub back_off: BTreeMap<i32, i64>,
}

impl Broker {
    /// Answers requests and takes part in replication.
    pub fn serves(&self) -> bool {
        self.running && !self.fenced
    }
}

#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct LogDir {
    pub path: String,
    pub capacity_bytes: u64,
    pub failed: bool,
    /// Left by replicas that were reassigned away or deleted while the broker was down. Kafka never deletes nor shows it.
    pub stray_bytes: u64,
}

/// A deleted replica whose files still take space.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct Grave {
    pub until: i64,
    pub broker: i32,
    pub log_dir: usize,
    pub bytes: u64,
}

#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct Topic {
    pub id: String,
    /// When brokers begin to show it.
    pub seen_from: i64,
    pub partitions: Vec<Partition>,
}

#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct Partition {
    pub state: Registration,
    /// What brokers answer until `seen_at`.
    pub seen: Registration,
    pub seen_at: Option<i64>,
    /// The data that brokers hold, by broker.
    pub copies: BTreeMap<i32, Copy>,
    pub produce_bytes_per_second: u64,
    /// Data beyond this is deleted from the front; 0 keeps all.
    pub retention_bytes: u64,
}

/// A partition as the controller has it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Debug)]
pub struct Registration {
    /// While a reassignment is pending: the target followed by the replicas being removed.
    pub replicas: Vec<i32>,
    pub adding: Vec<i32>,
    pub removing: Vec<i32>,
    /// Never empty: without leader it names the last one, the only safe one to lead again.
    pub in_sync: Vec<i32>,
    pub leader: Option<i32>,
    pub leader_epoch: i32,
}

/// One replica's log, as positions in bytes.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct Copy {
    pub start: u64,
    pub end: u64,
    pub log_dir: usize,
    pub caught_up_at: i64,
    /// Its log directory has failed.
    pub lost: bool,
    /// Another directory of the same broker that it is being copied to, and when it will be there.
    #[serde(default)]
    pub future: Option<(usize, i64)>,
}

impl Copy {
    pub fn size_bytes(&self) -> u64 {
        self.end - self.start
    }
}

/// One consumer group on one topic.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct Group {
    pub name: String,
    pub topic: String,
    /// Per partition; `None` where nothing was committed.
    pub committed: Vec<Option<i64>>,
    /// Reads all that is produced and commits it; otherwise only what a test commits.
    pub consumes: bool,
}

impl World {
    /// Lets time pass in whole ticks up to `to`.
    pub fn advance(&mut self, to: i64) {
        while self.now + TICK_MILLISECONDS <= to {
            self.now += TICK_MILLISECONDS;
            self.tick();
        }
    }

    fn tick(&mut self) {
        if !self.controller_down {
            for write in self.due_writes() {
                self.carry_out(&write);
            }
            self.update_sessions();
        }
        self.replicate();
        if !self.controller_down {
            self.update_in_sync_sets();
        }
        self.commit_groups();
        self.show_changes();
        self.bury();
        self.finish_directory_moves();
    }

    fn due_writes(&mut self) -> Vec<Write> {
        let now = self.now;
        self.delayed.extract_if(.., |(due, _)| *due <= now).map(|(_, write)| write).collect()
    }

    /// Brokers come to know what the controller decided a while ago.
    fn show_changes(&mut self) {
        let now = self.now;
        for partition in self.topics.values_mut().flat_map(|topic| &mut topic.partitions) {
            if partition.seen_at.is_some_and(|due| due <= now) {
                partition.seen = partition.state.clone();
                partition.seen_at = None;
            }
        }
        self.fading.retain(|_, (until, _)| *until > now);
        if self.configs_seen_at.is_some_and(|due| due <= now) {
            self.seen_configs = self.configs.clone();
            self.configs_seen_at = None;
        }
    }

    pub fn partition(&self, topic: &str, partition: u32) -> Option<&Partition> {
        self.topics.get(topic)?.partitions.get(partition as usize)
    }

    pub fn partition_mut(&mut self, topic: &str, partition: u32) -> Option<&mut Partition> {
        self.topics.get_mut(topic)?.partitions.get_mut(partition as usize)
    }

    /// Whether `broker` can lead or follow this partition: it serves and its copy, if any, has not been lost.
    pub fn is_usable(&self, partition: &Partition, broker: i32) -> bool {
        self.brokers.get(&broker).is_some_and(Broker::serves) && partition.copies.get(&broker).is_none_or(|copy| !copy.lost)
    }
}
