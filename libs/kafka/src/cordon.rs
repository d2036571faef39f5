//! Whether a broker is cordoned: Kafka 4.3 and later place no new replica on it, but take any explicit target. Must not know what
//! follows from it.

use ballast_cluster::BrokerId;

use crate::{ConfigResource, KafkaAdmin, KafkaError, LogDirDescription};

/// Directories that get no new replica, or `*`. Brokers before 4.3 do not know it.
const CORDONED_LOG_DIRS: &str = "cordoned.log.dirs";

/// Asks a live broker, whose directories are `dirs`. It is cordoned when all of them are: while one is open Kafka places replicas.
pub async fn is_cordoned(kafka: &dyn KafkaAdmin, broker: BrokerId, dirs: &[LogDirDescription]) -> Result<bool, KafkaError> {
    let mut closed: Vec<String> = Vec::new();
    for (_, entries) in kafka.describe_configs(&[ConfigResource::Broker(broker)], &[CORDONED_LOG_DIRS]).await? {
        let values = entries?.into_iter().filter_map(|entry| entry.value);
        closed.extend(values.flat_map(|value| value.split(',').map(|path| path.trim().to_owned()).collect::<Vec<_>>()));
    }
    let is_closed = |path: &str| closed.iter().any(|closed| closed == "*" || closed == path);
    Ok(!dirs.is_empty() && dirs.iter().all(|dir| is_closed(&dir.path)))
}
