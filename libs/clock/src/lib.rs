//! The one source of the present above floor 0. Built on tokio's clock, so a paused runtime makes it a virtual clock: tests
//! that pause time run hours in milliseconds and always alike. Must not know what anybody does with the time.

use std::time::Duration;

use ballast_cluster::Timestamp;
use tokio::time::Instant;

/// A clock that may run faster than the wall's. Clones agree with each other.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: Timestamp,
    origin: Instant,
    speed: f64,
}

impl Clock {
    /// The present by the machine's clock, moving on with tokio's monotonic clock: it never jumps back.
    #[expect(clippy::disallowed_methods, reason = "this is the one place where the present enters")]
    pub fn system() -> Self {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self::starting_at(Timestamp::from_milliseconds(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)))
    }

    /// A clock that shows `epoch` now. Must be called inside a tokio runtime when time is to be paused.
    pub fn starting_at(epoch: Timestamp) -> Self {
        Self { epoch, origin: Instant::now(), speed: 1.0 }
    }

    /// The same clock running `speed` times as fast as tokio's. `speed` must be above 0.
    #[must_use]
    pub fn at_speed(self, speed: f64) -> Self {
        Self { epoch: self.now(), speed, ..Self::starting_at(self.now()) }
    }

    pub fn now(&self) -> Timestamp {
        let elapsed = Instant::now().saturating_duration_since(self.origin).mul_f64(self.speed);
        self.epoch.plus_milliseconds(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
    }

    /// Sleeps `duration` of this clock's time.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration.div_f64(self.speed)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_paused_runtime_makes_time_virtual() {
        let clock = Clock::starting_at(Timestamp::from_milliseconds(1_000));
        clock.sleep(Duration::from_secs(3_600)).await;
        assert_eq!(clock.now().milliseconds, 3_601_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_faster_clock_sleeps_shorter_and_agrees_with_itself() {
        let real = Clock::starting_at(Timestamp::from_milliseconds(0));
        let fast = real.at_speed(10.0);
        fast.sleep(Duration::from_secs(10)).await;
        assert_eq!(real.now().milliseconds, 1_000);
        assert_eq!(fast.now().milliseconds, 10_000);
    }
}
