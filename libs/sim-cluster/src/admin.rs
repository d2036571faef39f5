//! The port: every call lets the world catch up with the clock, meets the mishap drawn for it, and gives what brokers answer. Must
//! not know the rules of the cluster.

use std::time::Duration;

use ballast_cluster::{BrokerId, TopicPartition};
use ballast_kafka::{
    Batch, ClusterDescription, ConfigAlteration, ConfigEntry, ConfigOperation, ConfigResource, GroupOffset, KafkaAdmin,
    KafkaError, LogDirDescription, Metadata, OffsetQuery, OngoingReassignment, QuorumDescription,
};

use crate::{
    SimCluster,
    configs::{Alteration, Operation, Resource},
    faults::{Call, Mishap, Write},
    handle::CALL_DEADLINE,
    world::World,
};

impl SimCluster {
    async fn read<T>(
        &self,
        call: Call,
        operation: &'static str,
        answer: impl FnOnce(&World) -> Result<T, KafkaError> + Send,
    ) -> Result<T, KafkaError> {
        let (result, mishap) = {
            let mut world = self.world();
            let needs_controller = matches!(call, Call::ListReassignments | Call::DescribeQuorum);
            let mishap =
                if needs_controller && world.controller_down { Some(Mishap::LoseRequest) } else { world.faults.draw(call) };
            (answer(&world), mishap)
        };
        let endpoint = "the simulated cluster".to_owned();
        let late = match mishap {
            None | Some(Mishap::Duplicate) => return result,
            Some(Mishap::Unreachable) => {
                return Err(KafkaError::Unreachable { endpoint, cause: "connection refused".to_owned() });
            }
            Some(Mishap::LateAnswer { milliseconds } | Mishap::LateRequest { milliseconds }) => {
                Duration::from_millis(milliseconds)
            }
            Some(Mishap::LoseRequest | Mishap::LoseAnswer) => CALL_DEADLINE,
        };
        match self.wait_for_answer(late).await {
            true => result,
            false => Err(KafkaError::TimedOut { operation, endpoint, deadline_milliseconds: CALL_DEADLINE.as_millis() as u64 }),
        }
    }

    /// The result of each item of the write, in its order.
    async fn write(&self, call: Call, operation: &'static str, write: Write) -> Result<Vec<Result<(), KafkaError>>, KafkaError> {
        let (results, mishap) = {
            let mut world = self.world();
            world.answering(None)?;
            let mishap = if world.controller_down { Some(Mishap::LoseRequest) } else { world.faults.draw(call) };
            let results = match mishap {
                Some(Mishap::Unreachable | Mishap::LoseRequest) => Vec::new(),
                Some(Mishap::LateRequest { milliseconds }) => {
                    let due = world.now.saturating_add_unsigned(milliseconds);
                    world.delayed.push((due, write));
                    Vec::new()
                }
                Some(Mishap::Duplicate) => {
                    world.carry_out(&write);
                    world.carry_out(&write)
                }
                None | Some(Mishap::LoseAnswer | Mishap::LateAnswer { .. }) => world.carry_out(&write),
            };
            (results, mishap)
        };
        let endpoint = "the simulated cluster".to_owned();
        let late = match mishap {
            None | Some(Mishap::Duplicate) => return Ok(results),
            Some(Mishap::Unreachable) => {
                return Err(KafkaError::Unreachable { endpoint, cause: "connection refused".to_owned() });
            }
            Some(Mishap::LateAnswer { milliseconds }) => Duration::from_millis(milliseconds),
            // Whether it is carried out within the deadline or not: the answer does not come.
            Some(Mishap::LoseRequest | Mishap::LoseAnswer | Mishap::LateRequest { .. }) => CALL_DEADLINE,
        };
        if self.wait_for_answer(late).await {
            return Ok(results);
        }
        Err(KafkaError::Unknown { operation, endpoint, cause: "no answer within the deadline".to_owned() })
    }
}

#[async_trait::async_trait]
impl KafkaAdmin for SimCluster {
    async fn describe_cluster(&self, via: Option<BrokerId>) -> Result<ClusterDescription, KafkaError> {
        self.read(Call::DescribeCluster, "DescribeCluster", |world| world.describe_cluster(via)).await
    }

    async fn metadata(&self, via: Option<BrokerId>, topics: Option<&[String]>) -> Result<Metadata, KafkaError> {
        self.read(Call::Metadata, "Metadata", |world| world.metadata(via, topics)).await
    }

    async fn describe_log_dirs(&self, broker: BrokerId) -> Result<Vec<LogDirDescription>, KafkaError> {
        self.read(Call::DescribeLogDirs, "DescribeLogDirs", |world| world.describe_log_dirs(broker)).await
    }

    async fn list_offsets(
        &self,
        broker: BrokerId,
        query: OffsetQuery,
        partitions: &[TopicPartition],
    ) -> Result<Batch<TopicPartition, i64>, KafkaError> {
        self.read(Call::ListOffsets, "ListOffsets", |world| {
            let id = world.answering(Some(broker))?;
            Ok(partitions.iter().map(|at| (at.clone(), world.offset(id, query, at))).collect())
        })
        .await
    }

    async fn list_partition_reassignments(&self) -> Result<Vec<OngoingReassignment>, KafkaError> {
        self.read(Call::ListReassignments, "ListPartitionReassignments", |world| {
            world.answering(None)?;
            Ok(world.ongoing_reassignments())
        })
        .await
    }

    async fn alter_partition_reassignments(
        &self,
        targets: &[(TopicPartition, Option<Vec<BrokerId>>)],
    ) -> Result<Batch<TopicPartition>, KafkaError> {
        let plain = |target: &Option<Vec<BrokerId>>| Some(target.as_ref()?.iter().map(|broker| broker.0).collect());
        let write = Write::Reassign(targets.iter().map(|(at, target)| (at.topic.clone(), at.partition, plain(target))).collect());
        let results = self.write(Call::AlterReassignments, "AlterPartitionReassignments", write).await?;
        Ok(targets.iter().map(|(at, _)| at.clone()).zip(results).collect())
    }

    async fn elect_preferred_leaders(&self, partitions: &[TopicPartition]) -> Result<Batch<TopicPartition>, KafkaError> {
        let write = Write::Elect(partitions.iter().map(|at| (at.topic.clone(), at.partition)).collect());
        let results = self.write(Call::ElectLeaders, "ElectLeaders", write).await?;
        Ok(partitions.iter().cloned().zip(results).collect())
    }

    async fn incremental_alter_configs(&self, alterations: &[ConfigAlteration]) -> Result<Batch<ConfigResource>, KafkaError> {
        let write = Write::Configure(alterations.iter().map(plain_alteration).collect());
        let results = self.write(Call::AlterConfigs, "IncrementalAlterConfigs", write).await?;
        // One result per resource, as Kafka answers: the first refusal of any of its keys.
        let mut batch: Batch<ConfigResource> = Vec::new();
        for (alteration, result) in alterations.iter().zip(results) {
            match batch.iter_mut().find(|(resource, _)| *resource == alteration.resource) {
                Some((_, known)) if known.is_ok() => *known = result,
                Some(_) => {}
                None => batch.push((alteration.resource.clone(), result)),
            }
        }
        Ok(batch)
    }

    async fn describe_configs(
        &self,
        resources: &[ConfigResource],
        keys: &[&str],
    ) -> Result<Batch<ConfigResource, Vec<ConfigEntry>>, KafkaError> {
        self.read(Call::DescribeConfigs, "DescribeConfigs", |world| {
            world.answering(None)?;
            Ok(resources.iter().map(|resource| (resource.clone(), world.describe_configs(resource, keys))).collect())
        })
        .await
    }

    async fn describe_quorum(&self) -> Result<QuorumDescription, KafkaError> {
        self.read(Call::DescribeQuorum, "DescribeQuorum", |world| world.answering(None).map(|_| world.quorum())).await
    }

    async fn group_offsets(&self) -> Result<Vec<GroupOffset>, KafkaError> {
        self.read(Call::GroupOffsets, "OffsetFetch", |world| world.answering(None).map(|_| world.group_offsets())).await
    }

    fn reaches_dead_brokers_configs(&self) -> bool {
        self.world().reaches_dead_brokers_configs
    }
}

fn plain_alteration(alteration: &ConfigAlteration) -> Alteration {
    Alteration {
        resource: match &alteration.resource {
            ConfigResource::Topic(name) => Resource::Topic(name.clone()),
            ConfigResource::Broker(id) => Resource::Broker(id.0),
            ConfigResource::BrokerDefault => Resource::BrokerDefault,
        },
        key: alteration.key.clone(),
        operation: match &alteration.operation {
            ConfigOperation::Set(value) => Operation::Set(value.clone()),
            ConfigOperation::Delete => Operation::Delete,
            ConfigOperation::Append(value) => Operation::Append(value.clone()),
            ConfigOperation::Subtract(value) => Operation::Subtract(value.clone()),
        },
    }
}
