//! What the controller does: carries out writes, gives up on silent brokers and takes returning ones back, keeps in-sync sets.
//! Must not know how data moves.

use std::collections::BTreeMap;

use ballast_kafka::{ErrorCode, KafkaError};

use crate::{
    configs::{Alteration, Resource},
    faults::Write,
    world::{Broker, Copy, Partition, Registration, World},
};

fn refuse(operation: &'static str, code: ErrorCode, message: &str) -> KafkaError {
    KafkaError::Refused { operation, code, message: Some(message.to_owned()) }
}

impl World {
    /// Carries out one write; items fail one by one, and of the alterations of one resource all are applied or none.
    pub fn carry_out(&mut self, write: &Write) -> Vec<Result<(), KafkaError>> {
        match write {
            Write::Reassign(targets) => targets
                .iter()
                .map(|(topic, partition, target)| match target {
                    Some(target) => self.reassign(topic, *partition, target),
                    None => self.cancel(topic, *partition),
                })
                .collect(),
            Write::Elect(partitions) => {
                partitions.iter().map(|(topic, partition)| self.elect_preferred(topic, *partition)).collect()
            }
            Write::Configure(alterations) => self.configure(alterations),
        }
    }

    fn reassign(&mut self, topic: &str, partition: u32, target: &[i32]) -> Result<(), KafkaError> {
        const OPERATION: &str = "AlterPartitionReassignments";
        let Some(present) = self.partition(topic, partition) else {
            return Err(refuse(OPERATION, ErrorCode::UnknownTopicOrPartition, "no such partition"));
        };
        let has_duplicate = (1..target.len()).any(|at| target[..at].contains(&target[at]));
        let unregistered = target.iter().any(|broker| !self.brokers.contains_key(broker));
        if target.is_empty() || has_duplicate || unregistered {
            let message = "the replica list is empty, names a broker twice or names an unregistered one";
            return Err(refuse(OPERATION, ErrorCode::InvalidReplicaAssignment, message));
        }
        if target.len() != present.state.target_length() {
            let first = target.first().copied().unwrap_or_default();
            return Err(match self.version.guards_replication_factor() {
                true => refuse(OPERATION, ErrorCode::InvalidReplicationFactor, "the replication factor would change"),
                false => KafkaError::Unsupported {
                    operation: OPERATION,
                    broker: ballast_cluster::BrokerId(first),
                    needs: "version 1, which forbids a change of the replication factor".to_owned(),
                },
            });
        }
        self.update(topic, partition, |state, version, is_usable| state.reassign(target, version, is_usable));
        Ok(())
    }

    fn cancel(&mut self, topic: &str, partition: u32) -> Result<(), KafkaError> {
        const OPERATION: &str = "AlterPartitionReassignments";
        let Some(present) = self.partition(topic, partition) else {
            return Err(refuse(OPERATION, ErrorCode::UnknownTopicOrPartition, "no such partition"));
        };
        if !present.state.is_reassigning() {
            return Err(refuse(OPERATION, ErrorCode::NoReassignmentInProgress, "no reassignment is in progress"));
        }
        let mut reverted = true;
        self.update(topic, partition, |state, version, is_usable| reverted = state.revert(version, is_usable));
        match reverted {
            true => Ok(()),
            false => {
                Err(refuse(OPERATION, ErrorCode::InvalidReplicaAssignment, "reverting would require an unclean leader election"))
            }
        }
    }

    fn elect_preferred(&mut self, topic: &str, partition: u32) -> Result<(), KafkaError> {
        const OPERATION: &str = "ElectLeaders";
        let Some(present) = self.partition(topic, partition) else {
            return Err(refuse(OPERATION, ErrorCode::UnknownTopicOrPartition, "no such partition"));
        };
        let preferred = present.state.replicas[0];
        if present.state.leader == Some(preferred) {
            return Err(refuse(OPERATION, ErrorCode::ElectionNotNeeded, "the preferred replica leads already"));
        }
        if !present.state.in_sync.contains(&preferred) || !self.is_usable(present, preferred) {
            return Err(refuse(OPERATION, ErrorCode::PreferredLeaderNotAvailable, "the preferred replica is not in sync"));
        }
        self.update(topic, partition, |state, _, _| state.lead(preferred));
        Ok(())
    }

    /// The result of each alteration is that of its whole resource.
    fn configure(&mut self, alterations: &[Alteration]) -> Vec<Result<(), KafkaError>> {
        let mut outcomes: BTreeMap<&Resource, Result<(), KafkaError>> = BTreeMap::new();
        for alteration in alterations {
            let resource = &alteration.resource;
            if !outcomes.contains_key(resource) {
                let keys = alterations.iter().filter(|other| other.resource == *resource);
                outcomes.insert(resource, self.configure_one(resource, keys));
            }
        }
        self.throttled = self.configs.throttle_table();
        self.configs_seen_at.get_or_insert(self.now + self.timing.view_lag);
        alterations.iter().map(|alteration| outcomes[&alteration.resource].clone()).collect()
    }

    fn configure_one<'a>(&mut self, resource: &Resource, keys: impl Iterator<Item = &'a Alteration>) -> Result<(), KafkaError> {
        const OPERATION: &str = "IncrementalAlterConfigs";
        match resource {
            Resource::Topic(name) if !self.topics.contains_key(name) => {
                return Err(refuse(OPERATION, ErrorCode::UnknownTopicOrPartition, "no such topic"));
            }
            Resource::Broker(id) if !self.reaches_dead_brokers_configs && !self.brokers.get(id).is_some_and(Broker::serves) => {
                return Err(refuse(
                    OPERATION,
                    ErrorCode::InvalidRequest,
                    "unexpected broker id: the broker is not there to take it",
                ));
            }
            _ => {}
        }
        let mut next = self.configs.clone();
        for alteration in keys {
            next.alter(alteration).map_err(|message| refuse(OPERATION, ErrorCode::InvalidRequest, &message))?;
        }
        self.configs = next;
        Ok(())
    }

    /// Changes one partition by a rule and does what follows: replicas that are no longer listed lose their data, brokers learn
    /// of it a little later.
    pub fn update(
        &mut self,
        topic: &str,
        partition: u32,
        rule: impl FnOnce(&mut Registration, crate::KafkaVersion, &dyn Fn(i32) -> bool),
    ) {
        let Some(present) = self.partition(topic, partition) else { return };
        let mut state = present.state.clone();
        rule(&mut state, self.version, &|broker| self.is_usable(present, broker));
        if state == present.state {
            return;
        }
        let due = self.now + self.timing.view_lag;
        if let Some(present) = self.partition_mut(topic, partition) {
            present.state = state;
            present.seen_at.get_or_insert(due);
        }
        self.drop_unlisted_copies(topic, partition);
    }

    /// Names of all partitions for which `wanted` holds.
    pub fn partitions_where(&self, wanted: impl Fn(&Partition) -> bool) -> Vec<(String, u32)> {
        let mut found = Vec::new();
        for (name, topic) in &self.topics {
            let matching = (0_u32..).zip(&topic.partitions).filter(|(_, partition)| wanted(partition));
            found.extend(matching.map(|(index, _)| (name.clone(), index)));
        }
        found
    }

    /// Fences brokers whose session ran out and takes back those that have started.
    pub fn update_sessions(&mut self) {
        let now = self.now;
        let due = |at: Option<i64>| at.is_some_and(|at| at <= now);
        let silent: Vec<i32> = self.brokers.iter().filter(|(_, broker)| due(broker.fenced_at)).map(|(&id, _)| id).collect();
        for id in silent {
            self.fence(id);
        }
        let returning: Vec<i32> = self.brokers.iter().filter(|(_, broker)| due(broker.returns_at)).map(|(&id, _)| id).collect();
        for id in returning {
            if self.brokers.get(&id).is_some_and(|broker| !broker.fenced) {
                self.fence(id);
            }
            self.unfence(id);
        }
    }

    fn fence(&mut self, id: i32) {
        if let Some(broker) = self.brokers.get_mut(&id) {
            broker.fenced = true;
            broker.fenced_at = None;
        }
        self.withdraw(id, |_| true);
    }

    /// Takes a broker out of the in-sync sets of those partitions of which it has lost the copy.
    pub fn withdraw(&mut self, id: i32, concerned: impl Fn(&Partition) -> bool) {
        for (topic, partition) in self.partitions_where(|partition| partition.state.in_sync.contains(&id) && concerned(partition))
        {
            self.update(&topic, partition, |state, version, is_usable| state.leave_in_sync(id, version, is_usable));
        }
    }

    fn unfence(&mut self, id: i32) {
        self.turn_unlisted_copies_stray(id);
        let Some(broker) = self.brokers.get_mut(&id) else { return };
        broker.running = true;
        broker.fenced = false;
        broker.returns_at = None;
        for (topic, partition) in
            self.partitions_where(|partition| partition.state.leader.is_none() && partition.state.replicas.contains(&id))
        {
            self.update(&topic, partition, |state, version, is_usable| state.look_again(version, is_usable));
        }
    }

    /// Caught-up replicas join, those that stay behind too long leave. Only the leader's broker can report either.
    pub fn update_in_sync_sets(&mut self) {
        let mut changes = Vec::new();
        for (name, topic) in &self.topics {
            for (index, partition) in (0_u32..).zip(&topic.partitions) {
                let state = &partition.state;
                let Some(leader) = state.leader.filter(|leader| self.brokers.get(leader).is_some_and(Broker::serves)) else {
                    continue;
                };
                let Some(end) = partition.copies.get(&leader).map(|copy| copy.end) else { continue };
                for &broker in state.replicas.iter().filter(|&&broker| broker != leader) {
                    let copy = partition.copies.get(&broker);
                    let is_member = state.in_sync.contains(&broker);
                    let caught_up = |copy: &Copy| copy.end >= end && self.is_usable(partition, broker);
                    let behind = |copy: &Copy| self.now - copy.caught_up_at > self.timing.lag_time_max;
                    if !is_member && copy.is_some_and(caught_up) || is_member && copy.is_some_and(behind) {
                        changes.push((name.clone(), index, broker, !is_member));
                    }
                }
            }
        }
        for (topic, partition, broker, joins) in changes {
            self.update(&topic, partition, |state, version, is_usable| match joins {
                true => state.join_in_sync(broker, version, is_usable),
                false => state.leave_in_sync(broker, version, is_usable),
            });
        }
    }
}
