//! DescribeLogDirs: what one broker stores where. Must not know what the sizes are used for.

use ballast_cluster::BrokerId;
use ballast_kafka::{ErrorCode, KafkaError, LogDirDescription, ReplicaSize};
use kafka_protocol::messages::DescribeLogDirsRequest;
use kafka_protocol::messages::describe_log_dirs_response::DescribeLogDirsResult;

use crate::cluster::Cluster;
use crate::refusal::check;
use crate::wire;

pub(crate) async fn describe(cluster: &Cluster, broker: BrokerId) -> Result<Vec<LogDirDescription>, KafkaError> {
    let call = cluster.read("DescribeLogDirs");
    let request = DescribeLogDirsRequest::default().with_topics(None);
    let response = call.run(cluster.ask_broker(&call, broker, &request, 1)).await?.response;
    check(call.operation, response.error_code, None)?;
    let mut dirs = response.results.iter().map(|dir| log_dir(call.operation, dir)).collect::<Result<Vec<_>, _>>()?;
    dirs.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(dirs)
}

fn log_dir(operation: &'static str, wire: &DescribeLogDirsResult) -> Result<LogDirDescription, KafkaError> {
    let failed = ErrorCode::from_number(wire.error_code) == Some(ErrorCode::KafkaStorageError);
    if !failed {
        check(operation, wire.error_code, None)?;
    }
    let mut replicas: Vec<ReplicaSize> = Vec::new();
    for topic in &wire.topics {
        replicas.extend(topic.partitions.iter().map(|partition| ReplicaSize {
            at: wire::at(&topic.name, partition.partition_index),
            size_bytes: u64::try_from(partition.partition_size).unwrap_or(0),
            is_future: partition.is_future_key,
        }));
    }
    replicas.sort_by(|a, b| a.at.cmp(&b.at));
    // Kafka says -1 for "unknown", also in versions before 4, which have no such field.
    let volume = |bytes: i64| u64::try_from(bytes).ok();
    Ok(LogDirDescription {
        path: wire.log_dir.to_string(),
        failed,
        volume_total_bytes: volume(wire.total_bytes),
        volume_usable_bytes: volume(wire.usable_bytes),
        replicas,
    })
}
