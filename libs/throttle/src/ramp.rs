//! How a rate gets from one value to another without burst or stop. Must not know brokers.
//!
//! Kafka's limiter is the mean over its window, so a step in the rate is a burst at line speed or a stop of up to a window. A
//! straight line over exactly one window, in steps of a second, moves the flow straight from the old rate to the new one.

use crate::Rate;

const STEP_MILLISECONDS: u64 = 1_000;

/// The rate to show `elapsed_milliseconds` after the ramp began: `from` in the first second, `to` from the end of the window on.
/// A window shorter than one step is one step.
pub fn ramp(from: Rate, to: Rate, window_milliseconds: u64, elapsed_milliseconds: u64) -> Rate {
    let steps = (window_milliseconds / STEP_MILLISECONDS).max(1);
    let done = (elapsed_milliseconds / STEP_MILLISECONDS).min(steps);
    let (start, end) = (i128::from(from.bytes_per_second), i128::from(to.bytes_per_second));
    let value = start + (end - start) * i128::from(done) / i128::from(steps);
    // The value lies between two u64s.
    Rate::new(u64::try_from(value).unwrap_or(to.bytes_per_second))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(from: u64, to: u64, seconds: u64) -> Vec<u64> {
        (0..=seconds + 1)
            .map(|second| ramp(Rate::new(from), Rate::new(to), seconds * 1_000, second * 1_000).bytes_per_second)
            .collect()
    }

    #[test]
    fn a_ramp_is_a_straight_line_over_exactly_the_window() {
        assert_eq!(values(0, 1_100, 11), [0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1_000, 1_100, 1_100]);
        assert_eq!(values(9_000, 3_000, 3), [9_000, 7_000, 5_000, 3_000, 3_000]);
    }

    #[test]
    fn a_ramp_moves_in_whole_seconds_and_never_overshoots() {
        let (from, to) = (Rate::new(300_000), Rate::new(u64::MAX));
        for elapsed in 0..12_500 {
            let rate = ramp(from, to, 11_000, elapsed);
            assert!(rate >= from && rate <= to);
            assert_eq!(rate, ramp(from, to, 11_000, elapsed / 1_000 * 1_000));
        }
    }

    #[test]
    fn a_ramp_without_a_window_ends_after_one_step() {
        assert_eq!(values(10, 20, 0)[..2], [10, 20]);
    }
}
