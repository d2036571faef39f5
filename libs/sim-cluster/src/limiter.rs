//! Kafka's replication quota: the mean over a sliding window of samples, not a token bucket. Changing the rate does not reset the
//! window, so that a raise is spent as a burst and a cut is paid as a stall. Must not know what is counted.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

const SAMPLE_MILLISECONDS: i64 = 1_000;

/// Counts the bytes of one broker in one role.
#[derive(Clone, Serialize, Deserialize, Debug, Default)]
pub struct Limiter {
    /// Start of each sample and the bytes in it, oldest first.
    samples: VecDeque<(i64, u64)>,
}

impl Limiter {
    pub fn record(&mut self, now: i64, bytes: u64, window_samples: i64) {
        self.forget(now, window_samples);
        match self.samples.back_mut() {
            Some((start, counted)) if now - *start < SAMPLE_MILLISECONDS => *counted += bytes,
            _ => self.samples.push_back((now, bytes)),
        }
    }

    /// Mean over the window, which is as long as its oldest sample is old, but at least one sample's length.
    pub fn mean_bytes_per_second(&mut self, now: i64, window_samples: i64) -> u64 {
        self.forget(now, window_samples);
        let total: u64 = self.samples.iter().map(|(_, bytes)| bytes).sum();
        let age = self.samples.front().map_or(0, |(start, _)| now - start).max(SAMPLE_MILLISECONDS);
        total.saturating_mul(1_000) / age.unsigned_abs()
    }

    fn forget(&mut self, now: i64, window_samples: i64) {
        while self.samples.front().is_some_and(|(start, _)| now - start >= window_samples * SAMPLE_MILLISECONDS) {
            self.samples.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds 1 to `rates.len()`: what a demand without bounds gets through in each, under that second's rate.
    fn passed(rates: &[u64], trickle: u64) -> Vec<u64> {
        let mut limiter = Limiter::default();
        let mut now = 0;
        for _ in 0..150 {
            now += 100;
            if trickle > 0 {
                limiter.record(now, trickle / 10, 11);
            }
        }
        let mut seconds = Vec::new();
        for rate in rates {
            let mut second = 0;
            for _ in 0..10 {
                now += 100;
                // The line carries 100 per tick in pieces of 10.
                for _ in 0..10 {
                    if limiter.mean_bytes_per_second(now, 11) <= *rate {
                        limiter.record(now, 10, 11);
                        second += 10;
                    }
                }
            }
            seconds.push(second);
        }
        seconds
    }

    #[test]
    fn a_fresh_window_does_not_start_with_a_burst() {
        let seconds = passed(&[100; 20], 0);
        assert!(seconds[0] <= 130, "{seconds:?}");
        assert!((1_800..=2_200).contains(&seconds.iter().sum::<u64>()), "{seconds:?}");
    }

    #[test]
    fn a_trickle_before_makes_the_start_a_burst() {
        assert!(passed(&[100; 3], 10)[0] >= 700);
    }

    #[test]
    fn a_raise_is_spent_at_line_speed() {
        let mut rates = [20; 24];
        rates[12..].fill(80);
        let seconds = passed(&rates, 0);
        assert!(seconds[12] >= 500, "{seconds:?}");
    }

    #[test]
    fn a_cut_is_a_stop() {
        let mut rates = [80; 24];
        rates[12..].fill(20);
        let seconds = passed(&rates, 0);
        assert!(seconds[13..18].iter().all(|&bytes| bytes == 0), "{seconds:?}");
    }

    #[test]
    fn a_linear_ramp_over_one_window_neither_bursts_nor_stalls() {
        let rates: Vec<u64> = (0..40).map(|second: u64| 20 + 60 * second.saturating_sub(12).min(11) / 11).collect();
        let seconds = passed(&rates, 0);
        assert!(seconds[13..].iter().all(|&bytes| (40..=160).contains(&bytes)), "{seconds:?}");
    }
}
