//! Log directories of one broker: what the volumes hold in sum, and the size of each replica. Pure: must not know how a broker
//! is asked.

use std::collections::HashMap;

use ballast_cluster::{LogDir, LogDirState, Timestamp, TopicPartition};
use ballast_kafka::LogDirDescription;

/// Directories on one volume report the same total and free bytes, read a moment apart: free bytes closer than this are the same
/// volume.
const SAME_VOLUME_BYTES: u64 = 64 << 20;

/// One broker's disks as it last described them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Disks {
    pub seen_at: Timestamp,
    pub log_dirs: Vec<LogDir>,
    /// Sum over the volumes; 0 when the broker does not tell.
    pub volumes_bytes: u64,
    /// Size of each replica and the index of its directory.
    pub replicas: HashMap<TopicPartition, (u64, usize)>,
}

impl Disks {
    pub fn of(mut described: Vec<LogDirDescription>, seen_at: Timestamp) -> Self {
        described.sort_by(|a, b| a.path.cmp(&b.path));
        let volumes_bytes = volumes_bytes(&described);
        let mut disks = Disks { seen_at, log_dirs: Vec::new(), volumes_bytes, replicas: HashMap::new() };
        for (index, dir) in described.into_iter().enumerate() {
            let state = if dir.failed { LogDirState::Offline } else { LogDirState::Online };
            disks.log_dirs.push(LogDir { path: dir.path, capacity_bytes: dir.volume_total_bytes.unwrap_or(0), state });
            let settled = dir.replicas.into_iter().filter(|replica| !replica.is_future);
            disks.replicas.extend(settled.map(|replica| (replica.at, (replica.size_bytes, index))));
        }
        disks
    }

    /// What stays true of a directory that failed: its size, which it no longer tells.
    pub fn keeping_sizes_of(mut self, before: &Disks) -> Self {
        for dir in self.log_dirs.iter_mut().filter(|dir| dir.state == LogDirState::Offline && dir.capacity_bytes == 0) {
            let known = before.log_dirs.iter().find(|known| known.path == dir.path);
            dir.capacity_bytes = known.map_or(0, |known| known.capacity_bytes);
        }
        self
    }
}

fn volumes_bytes(dirs: &[LogDirDescription]) -> u64 {
    let mut volumes: Vec<(u64, u64)> = Vec::new();
    for dir in dirs.iter().filter(|dir| !dir.failed) {
        let (Some(total), Some(usable)) = (dir.volume_total_bytes, dir.volume_usable_bytes) else { continue };
        let is_same =
            |(known_total, known_usable): &(u64, u64)| *known_total == total && known_usable.abs_diff(usable) < SAME_VOLUME_BYTES;
        if !volumes.iter().any(is_same) {
            volumes.push((total, usable));
        }
    }
    volumes.iter().map(|(total, _)| total).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dir(path: &str, volume: Option<(u64, u64)>) -> LogDirDescription {
        LogDirDescription {
            path: path.into(),
            failed: false,
            volume_total_bytes: volume.map(|(total, _)| total),
            volume_usable_bytes: volume.map(|(_, usable)| usable),
            replicas: Vec::new(),
        }
    }

    #[test]
    fn directories_on_one_volume_count_once() {
        let check = |dirs: &[LogDirDescription], wanted: u64| {
            assert_eq!(Disks::of(dirs.to_vec(), Timestamp::default()).volumes_bytes, wanted, "{dirs:?}");
        };
        let tera = 1_000_000_000_000;
        check(&[dir("/a", Some((tera, 500)))], tera);
        check(&[dir("/a", Some((tera, 500))), dir("/b", Some((tera, 4_596)))], tera);
        check(&[dir("/a", Some((tera, 500))), dir("/b", Some((tera, 1 << 30)))], 2 * tera);
        check(&[dir("/a", Some((tera, 500))), dir("/b", Some((2 * tera, 500)))], 3 * tera);
        check(&[dir("/a", None)], 0);
    }
}
