//! The bench of the end-to-end tests: the real `ballast` binary as a process, real brokers, and looks at the cluster that do not go
//! through Ballast. Must not know any scenario.

mod control_center;
mod observer;
mod settings;

pub use control_center::{Answer, Caller, ControlCenter};
pub use observer::{Lists, Observer};
pub use settings::Settings;

use std::future::Future;
use std::time::Duration;

use ballast_clock::Clock;

/// Looks every 200 ms until `look` gives something, and panics with what `describe` says when `deadline` is over.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, deadline: Duration, mut look: impl FnMut() -> F) -> T {
    let clock = Clock::system();
    let give_up = clock.now().plus_milliseconds(i64::try_from(deadline.as_millis()).unwrap_or(i64::MAX));
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(clock.now() < give_up, "not within {} s: {what}", deadline.as_secs());
        clock.sleep(Duration::from_millis(200)).await;
    }
}
