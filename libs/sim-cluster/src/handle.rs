//! The cluster as a handle that many may hold, and what happens to it from outside: deaths, returns, topics, records, mishaps. Must
//! not know the port.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ballast_clock::Clock;
use ballast_cluster::{BrokerId, TopicPartition};

use crate::{
    KafkaVersion, RestoreError, SimOptions, builder,
    configs::{Alteration, Operation, Resource},
    faults::Fault,
    state,
    world::{Group, World},
};

/// How long a call waits for an answer that does not come.
pub(crate) const CALL_DEADLINE: Duration = Duration::from_secs(5);

/// A simulated cluster. Clones are the same cluster.
#[derive(Clone)]
pub struct SimCluster {
    world: Arc<Mutex<World>>,
    pub(crate) clock: Clock,
    /// What the cluster's time is ahead of the clock's: a restored cluster goes on where it stopped.
    ahead_milliseconds: i64,
}

impl SimCluster {
    pub fn new(options: &SimOptions, clock: Clock) -> Self {
        let world = builder::build(options, clock.now().milliseconds);
        Self { world: Arc::new(Mutex::new(world)), clock, ahead_milliseconds: 0 }
    }

    /// A cluster that goes on where [`SimCluster::save`] left it; no time has passed for it in between.
    pub fn restore(bytes: &[u8], clock: Clock) -> Result<Self, RestoreError> {
        let world = state::restore(bytes)?;
        let ahead_milliseconds = world.now - clock.now().milliseconds;
        Ok(Self { world: Arc::new(Mutex::new(world)), clock, ahead_milliseconds })
    }

    /// The whole state as JSON.
    pub fn save(&self) -> Vec<u8> {
        state::save(&self.world())
    }

    /// The world as it is now.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.advance(self.clock.now().milliseconds + self.ahead_milliseconds);
        world
    }

    /// Waits for an answer that is this late; `false` when the deadline comes first.
    pub(crate) async fn wait_for_answer(&self, late: Duration) -> bool {
        self.clock.sleep(late.min(CALL_DEADLINE)).await;
        late < CALL_DEADLINE
    }

    pub fn version(&self) -> KafkaVersion {
        self.world().version
    }

    /// Stops a broker without warning. The controller notices when its session has run out.
    pub fn kill(&self, broker: BrokerId) {
        let mut world = self.world();
        let (now, timing) = (world.now, world.timing.clone());
        if let Some(broker_state) = world.brokers.get_mut(&broker.0).filter(|state| state.running || state.returns_at.is_some()) {
            // Brokers beat at different moments: the session began with the last beat before death.
            let since_beat = (now + i64::from(broker.0) * 700).rem_euclid(timing.heartbeat);
            broker_state.running = false;
            broker_state.returns_at = None;
            if !broker_state.fenced {
                broker_state.fenced_at.get_or_insert(now - since_beat + timing.session_timeout);
            }
        }
    }

    /// Starts a dead broker with the data it had; it serves when its start is over.
    pub fn revive(&self, broker: BrokerId) {
        let mut world = self.world();
        let due = world.now + world.timing.restart;
        if let Some(state) = world.brokers.get_mut(&broker.0).filter(|state| !state.running) {
            state.returns_at.get_or_insert(due);
        }
    }

    /// Leaves a broker `per_mille` of its network speed; 1000 is sound.
    pub fn set_speed(&self, broker: BrokerId, per_mille: u64) {
        if let Some(state) = self.world().brokers.get_mut(&broker.0) {
            state.speed_per_mille = per_mille;
        }
    }

    /// Makes one log directory fail, by its place in the broker's list.
    pub fn fail_log_dir(&self, broker: BrokerId, log_dir: usize) {
        self.world().fail_log_dir(broker.0, log_dir);
    }

    /// Begins to move one replica to another directory of its broker, as AlterReplicaLogDirs does; it takes so long. `false` when
    /// the broker has no such replica.
    pub fn move_between_log_dirs(&self, at: &TopicPartition, broker: BrokerId, lasting: Duration) -> bool {
        let milliseconds = i64::try_from(lasting.as_millis()).unwrap_or(i64::MAX);
        self.world().move_between_log_dirs(&at.topic, at.partition, broker.0, milliseconds)
    }

    /// While it is down, writes and what only the controller answers hang until the caller's deadline, and nothing is fenced,
    /// elected or completed; data goes on flowing.
    pub fn set_controller_down(&self, down: bool) {
        self.world().controller_down = down;
    }

    /// `false` when the name is taken, a list is empty or a config is refused.
    pub fn create_topic(&self, name: &str, assignment: &[Vec<BrokerId>], configs: &[(&str, &str)]) -> bool {
        let lists: Vec<Vec<i32>> = assignment.iter().map(|list| list.iter().map(|broker| broker.0).collect()).collect();
        let mut world = self.world();
        if !world.create_topic(name, &lists) {
            return false;
        }
        let alteration = |(key, value): &(&str, &str)| Alteration {
            resource: Resource::Topic(name.to_owned()),
            key: (*key).to_owned(),
            operation: Operation::Set((*value).to_owned()),
        };
        let alterations: Vec<Alteration> = configs.iter().map(alteration).collect();
        world.carry_out(&crate::faults::Write::Configure(alterations)).iter().all(Result::is_ok)
    }

    /// `false` when there is none.
    pub fn delete_topic(&self, name: &str) -> bool {
        self.world().delete_topic(name)
    }

    /// Appends `bytes` (rounded up to whole records) to all in-sync replicas at once. `false`: the partition has no leader.
    pub fn produce(&self, at: &TopicPartition, bytes: u64) -> bool {
        self.world().produce(&at.topic, at.partition, bytes)
    }

    /// Changes the load that producers put on a partition. `false` when there is none.
    pub fn set_produce_rate(&self, at: &TopicPartition, bytes_per_second: u64) -> bool {
        let mut world = self.world();
        world
            .partition_mut(&at.topic, at.partition)
            .map(|partition| partition.produce_bytes_per_second = bytes_per_second)
            .is_some()
    }

    /// Commits one offset of a group that does not consume on its own.
    pub fn commit_group_offset(&self, group: &str, at: &TopicPartition, offset: i64) {
        let mut world = self.world();
        let Some(partitions) = world.topics.get(&at.topic).map(|topic| topic.partitions.len()) else { return };
        let known = world.groups.iter().position(|known| known.name == group && known.topic == at.topic);
        let index = known.unwrap_or_else(|| {
            let committed = vec![None; partitions];
            world.groups.push(Group { name: group.to_owned(), topic: at.topic.clone(), committed, consumes: false });
            world.groups.len() - 1
        });
        if let Some(slot) = world.groups[index].committed.get_mut(at.partition as usize) {
            *slot = Some(offset);
        }
    }

    /// The next calls of a kind go wrong.
    pub fn inject(&self, fault: Fault) {
        self.world().faults.inject(fault);
    }

    /// Of a thousand calls this many go wrong in some way, by the seed.
    pub fn set_mishap_chance(&self, per_mille: u64) {
        self.world().faults.set_chance(per_mille);
    }

    /// Bytes that reassigned replicas left on a broker that was dead then. No answer of Kafka's shows them.
    pub fn stray_bytes(&self, broker: BrokerId) -> u64 {
        self.world().brokers.get(&broker.0).map_or(0, |state| state.log_dirs.iter().map(|dir| dir.stray_bytes).sum())
    }
}
