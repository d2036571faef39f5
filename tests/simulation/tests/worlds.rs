//! Seeds, each a world of its own. Must not know what happens in them.

use ballast_simulation::{Told, tell};

fn live(seed: u64) -> Told {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(tell(seed))
}

/// Seeds `first`, `first + 4` and so on.
#[track_caller]
fn check(first: u64) {
    let seeds = std::env::var("SIMULATION_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(40);
    for seed in (first..seeds).step_by(4) {
        let told = live(seed);
        println!("seed {seed}: {:?} after {} deaths, {} s, {} events", told.ends, told.deaths, told.seconds, told.event_types.len());
    }
}

#[test]
fn promises_hold_in_the_first_quarter_of_worlds() {
    check(0);
}

#[test]
fn promises_hold_in_the_second_quarter_of_worlds() {
    check(1);
}

#[test]
fn promises_hold_in_the_third_quarter_of_worlds() {
    check(2);
}

#[test]
fn promises_hold_in_the_fourth_quarter_of_worlds() {
    check(3);
}

#[test]
fn the_same_seed_lives_the_same_life() {
    for seed in [4, 10, 16] {
        assert_eq!(live(seed), live(seed), "seed {seed}");
    }
}
