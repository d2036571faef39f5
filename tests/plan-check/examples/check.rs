//! Checks plan files against the snapshot they were made from, prints what is wrong, or how near the byte bound each alternative
//! is. Must not know how a plan is made.
//!
//! `cargo run -p ballast-plan-check --example check -- SNAPSHOT PLAN ..`

use ballast_plan_check::{CheckOptions, check};
use serde_json::Value;

fn read(file: &str) -> Result<Value, String> {
    let opened = std::fs::File::open(file).map_err(|error| format!("{file}: {error}"))?;
    serde_json::from_reader(std::io::BufReader::new(opened)).map_err(|error| format!("{file}: {error}"))
}

fn main() -> Result<(), String> {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let [snapshot, plans @ ..] = files.as_slice() else {
        return Err("which snapshot, and which plans?".to_owned());
    };
    let snapshot = read(snapshot)?;
    let mut wrong = 0;
    for file in plans {
        match check(&snapshot, &read(file)?, &CheckOptions::default()) {
            Err(findings) => {
                wrong += findings.len();
                findings.iter().for_each(|finding| println!("{file}: {finding}"));
            }
            Ok(report) => {
                println!("{file}: sound; at least {} bytes, {:?} seconds", report.bound_bytes, report.bound_seconds);
                for plan in &report.alternatives {
                    let ratio = plan.bytes_over_bound.map_or("-".to_owned(), |ratio| format!("{ratio:.3}"));
                    let above = plan.moved_bytes.abs_diff(report.bound_bytes) as f64 / report.data_bytes.max(1) as f64 * 100.0;
                    println!(
                        "  {:<20} {ratio:>8} of the bound ({above:.3} % of all data apart), {} replicas, {} leaders, {} outside, {} hard, {} idle",
                        plan.label,
                        plan.replica_moves,
                        plan.leader_moves,
                        plan.outside,
                        plan.hard_unmet,
                        plan.idle.len()
                    );
                }
            }
        }
    }
    if wrong == 0 { Ok(()) } else { Err(format!("{wrong} findings")) }
}
