//! A cluster once a plan is carried out. Must not know how plans are made.

use ballast_cluster::{BrokerId, Snapshot};
use serde_json::Value;

/// The snapshot once every move of the alternative is complete.
#[track_caller]
pub fn carried_out(snapshot: &Snapshot, alternative: &Value) -> Snapshot {
    let mut after = snapshot.clone();
    for entry in alternative["moves"].as_array().expect("a list") {
        let (topic, index) = (entry["topic"].as_str().expect("a name"), entry["partition"].as_u64().expect("a number"));
        let ids = |key: &str| -> Vec<BrokerId> {
            let list = entry[key].as_array().expect("a list");
            list.iter().map(|id| BrokerId(id.as_i64().expect("an id") as i32)).collect()
        };
        let at = after.topics.iter().position(|other| other.name == topic).expect("known");
        let partitions = &mut after.topics[at].partitions;
        let partition = partitions.iter_mut().find(|partition| u64::from(partition.index) == index).expect("known");
        let (from, to) = (ids("from"), ids("to"));
        if to.iter().any(|id| !from.contains(id)) {
            partition.in_sync.clone_from(&to);
        }
        partition.leader = to.first().copied();
        partition.replicas = to;
    }
    after
}
