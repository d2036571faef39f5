//! Reads a snapshot file and says how long that took; `/usr/bin/time -v` says how much memory. Must not know what is in it.
//!
//! `cargo run --release -p ballast-snapshot-file --example read -- FILE`

use std::path::Path;
use std::time::Instant;

#[expect(clippy::disallowed_methods, reason = "measures, decides nothing")]
fn main() {
    for file in std::env::args().skip(1) {
        let started = Instant::now();
        match ballast_snapshot_file::read_path(Path::new(&file)) {
            Ok(snapshot) => {
                let replicas: usize = snapshot.partitions().map(|(_, partition)| partition.replicas.len()).sum();
                println!("{file}: {replicas} replicas on {} brokers in {:?}", snapshot.brokers.len(), started.elapsed());
            }
            Err(error) => println!("{file}: {error}"),
        }
    }
}
