//! Seeds, each a world of its own. Must not know what happens in them.

use ballast_simulation::{Told, tell};

const SEEDS: u64 = 40;

fn live(seed: u64) -> Told {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(tell(seed))
}

/// Seeds `first`, `first + 4` and so on, all of them even where promises are broken.
#[track_caller]
fn check(first: u64) {
    let mut broken = Vec::new();
    for seed in (first..SEEDS).step_by(4) {
        match std::panic::catch_unwind(|| live(seed)) {
            Ok(Told { ends, deaths, seconds, event_types }) => {
                println!("seed {seed}: {ends:?} after {deaths} deaths, {seconds} s, {} events", event_types.len());
            }
            Err(_) => broken.push(seed),
        }
    }
    assert!(broken.is_empty(), "promises are broken in the worlds {broken:?}");
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
    for seed in [4, 10, 16, 21, 35] {
        let (first, second) = (live(seed), live(seed));
        let parts = first.event_types.iter().zip(&second.event_types).position(|(one, other)| one != other);
        assert_eq!(parts, None, "seed {seed}: {:#?}", parts.map(|at| (&first.event_types[at..], &second.event_types[at..])));
        assert_eq!(first, second, "seed {seed}");
    }
}
