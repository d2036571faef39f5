//! Plain data to answers. Must not read the log.

use ballast_cluster::{Broker, BrokerId, BrokerState, Partition, Snapshot, Topic};
use ballast_event_codec::payload_json;
use ballast_events::{Actor, Envelope};
use ballast_proto::Timestamp as WireTime;
use ballast_proto::common::v1 as common;
use ballast_proto::event::v1 as proto;
use ballast_task::Task;

use crate::state_at::{ClusterAt, PlanAt, StateAt};
use crate::verify::Verified;

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn event(envelope: &Envelope) -> proto::Event {
    let header = envelope.header.clone();
    let (payload_json, unreadable) = match payload_json(envelope) {
        Ok(payload) => (payload.to_string(), None),
        Err(error) => ("{}".to_owned(), Some(error.to_string())),
    };
    let Actor { principal, method, role, source } = header.actor;
    proto::Event {
        sequence: envelope.sequence,
        r#type: header.event_type,
        schema_version: header.schema_version,
        stream: envelope.stream.as_str().to_owned(),
        version: envelope.version,
        event_id: uuid::Uuid::from_bytes(header.event_id).to_string(),
        recorded_time: Some(WireTime::from_milliseconds(header.recorded_at.milliseconds)),
        occurred_time: Some(WireTime::from_milliseconds(header.occurred_at.milliseconds)),
        actor: Some(common::Actor { principal, method, role, source }),
        reason: header.reason,
        request_id: header.request.map(|request| request.id),
        correlation_id: header.correlation_id,
        causation_sequence: header.causation,
        cluster: header.cluster,
        epoch: header.fencing.map(|fencing| fencing.epoch),
        basis: header.basis.map(|basis| proto::EventBasis {
            snapshot_sequence: basis.snapshot_sequence,
            snapshot_hash: hex(&basis.snapshot_hash),
            config_hash: hex(&basis.config_hash),
            binary_version: basis.binary_version,
        }),
        traceparent: header.traceparent,
        hash: hex(&envelope.hash),
        previous_hash: hex(&envelope.previous_hash),
        payload_json,
        unreadable,
    }
}

pub(super) fn verified(verified: Verified) -> proto::VerifyLogResponse {
    proto::VerifyLogResponse {
        ok: verified.damage.is_none(),
        events: verified.head.sequence,
        verified_sequence: verified.head.sequence,
        hash: hex(&verified.head.hash),
        open_chunk_sets: verified.open_chunk_sets,
        damage: verified.damage.map(|damage| proto::LogDamage {
            sequence: damage.sequence,
            reason_code: damage.reason_code.to_owned(),
            message: damage.message,
        }),
    }
}

pub(super) fn state_at(state: &StateAt) -> proto::GetStateAtResponse {
    proto::GetStateAtResponse {
        sequence: state.sequence,
        recorded_time: Some(WireTime::from_milliseconds(state.recorded_at.milliseconds)),
        clusters: state.clusters.iter().map(|(name, cluster)| cluster_state(name, cluster)).collect(),
        plans: state.plans.iter().map(plan_state).collect(),
        tasks: state.tasks.values().map(task_state).collect(),
    }
}

fn plan_state(plan: &PlanAt) -> proto::PlanState {
    let (name, cluster, goal) = (plan.name.clone(), plan.cluster.clone(), plan.goal.clone());
    proto::PlanState { name, cluster, goal, sequence: plan.sequence }
}

fn task_state(task: &Task) -> proto::TaskStateAt {
    let totals = task.totals();
    proto::TaskStateAt {
        name: task.id.clone(),
        cluster: task.cluster.clone(),
        plan: task.plan.clone(),
        state: task.state().name().to_owned(),
        steps: totals.steps as u32,
        steps_succeeded: totals.succeeded as u32,
    }
}

fn cluster_state(name: &str, cluster: &ClusterAt) -> proto::ClusterState {
    let topology = &cluster.topology;
    let count =
        |wanted: &dyn Fn(&Partition) -> bool| topology.partitions().filter(|(_, partition)| wanted(partition)).count() as u32;
    let throttles = cluster.throttles.iter().map(|(broker, &(intended, confirmed))| proto::ThrottleStateAt {
        broker: broker.0,
        rate_bytes_per_second: intended,
        confirmed_bytes_per_second: confirmed,
    });
    proto::ClusterState {
        cluster: name.to_owned(),
        observed_sequence: cluster.observed_sequence,
        brokers: topology.brokers.iter().map(|broker| broker_state(topology, broker)).collect(),
        topics: topology.topics.len() as u32,
        partitions: count(&|_| true),
        under_replicated_partitions: count(&|partition| partition.in_sync.len() < partition.replicas.len()),
        offline_partitions: count(&|partition| partition.leader.is_none()),
        reassigning_partitions: count(&Partition::is_reassigning),
        frozen: cluster.frozen,
        throttles: throttles.collect(),
        partition_states: topology.partitions().map(partition_state).collect(),
    }
}

fn broker_state(topology: &Snapshot, broker: &Broker) -> proto::BrokerStateAt {
    let state = match broker.state {
        BrokerState::Alive => "alive",
        BrokerState::New => "new",
        BrokerState::Draining => "draining",
        BrokerState::Dead => "dead",
    };
    let holds = |(_, partition): &(&Topic, &Partition)| partition.replicas.contains(&broker.id);
    let leads = |(_, partition): &(&Topic, &Partition)| partition.leader == Some(broker.id);
    proto::BrokerStateAt {
        id: broker.id.0,
        rack: broker.rack.clone(),
        state: state.to_owned(),
        replicas: topology.partitions().filter(holds).count() as u32,
        leaders: topology.partitions().filter(leads).count() as u32,
    }
}

fn partition_state((topic, partition): (&Topic, &Partition)) -> proto::PartitionStateAt {
    let ids = |brokers: &[BrokerId]| brokers.iter().map(|broker| broker.0).collect();
    proto::PartitionStateAt {
        topic: topic.name.clone(),
        partition: partition.index,
        replicas: ids(&partition.replicas),
        leader: partition.leader.map(|leader| leader.0),
        in_sync: ids(&partition.in_sync),
        adding_replicas: ids(&partition.adding_replicas),
        removing_replicas: ids(&partition.removing_replicas),
    }
}
