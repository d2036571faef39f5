//! Follows a task to a state: `task wait` and `task watch`. Must not know how tasks go on. Connections that break are made anew: a
//! restart of the server is no reason to stop waiting.

use std::io::IsTerminal as _;
use std::time::Duration;

use ballast_proto::task::v1::watch_task_response::Kind;
use ballast_proto::task::v1::{GetTaskRequest, Task, TaskState, WatchTaskRequest, WatchTaskResponse};
use ballast_rpc::Reason;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::sleep;

use super::ClientOptions;
use super::client::unary;
use super::exit::{CliError, Exit};
use super::task::task_manager;
use super::task_view::{is_end, name_of, state};
use crate::quantity::{bytes, duration_seconds, rate};

/// A server that restarts replays its log: longer than this it is gone.
const RECONNECTS_MAX: u32 = 30;
const RECONNECT_INTERVAL: Duration = Duration::from_secs(1);

/// How a wait ended, with the last state seen.
pub struct Waited {
    pub task: Option<Task>,
    pub result: Result<(), CliError>,
}

/// Waits until `name` is in `wanted`, or cannot get there any more.
pub async fn wait(options: &ClientOptions, name: &str, wanted: TaskState, timeout: Option<Duration>) -> Waited {
    let mut last = None;
    let bar = options.output().is_for_people().then(|| Bar::new(name));
    let result = tokio::select! {
        result = follow_to(options, name, wanted, &mut last, bar.as_ref()) => result,
        () = deadline(timeout) => Err(CliError::new(Exit::WaitTimedOut, Reason::DeadlineExceeded, format!("{name} did not become {} in time; it goes on", name_of(wanted)))),
        _ = tokio::signal::ctrl_c() => Err(CliError::ended(Exit::Interrupted, "INTERRUPTED", format!("stopped waiting; {name} goes on"))),
    };
    if let Some(bar) = bar {
        bar.close();
    }
    Waited { task: last, result }
}

async fn deadline(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => sleep(timeout).await,
        None => std::future::pending().await,
    }
}

async fn follow_to(
    options: &ClientOptions,
    name: &str,
    wanted: TaskState,
    last: &mut Option<Task>,
    bar: Option<&Bar>,
) -> Result<(), CliError> {
    // Only how the task is now matters: what happened before is not asked for.
    let request = GetTaskRequest { task: name.to_owned() };
    let now = task_manager(options).await?.get_task(unary(request)).await?.into_inner().task;
    let after_sequence = now.as_ref().map_or(0, |task| task.sequence);
    if let Some(task) = now {
        let verdict = judge(&task, wanted);
        *last = Some(task);
        if verdict? {
            return Ok(());
        }
    }
    let mut stream = Stream { name: name.to_owned(), after_sequence, failures: 0 };
    stream
        .follow(options, |seen| {
            let Some(Kind::Task(task)) = seen.kind else { return Ok(false) };
            if let Some(bar) = bar {
                bar.show(&task);
            }
            let verdict = judge(&task, wanted);
            *last = Some(task);
            verdict
        })
        .await
}

/// `Ok(true)`: there. `Ok(false)`: not yet. An error: it will not get there by itself.
fn judge(task: &Task, wanted: TaskState) -> Result<bool, CliError> {
    let now = task.state();
    let code = |other: &str| if task.reason_code.is_empty() { other.to_owned() } else { task.reason_code.clone() };
    let why = if task.detail.is_empty() { String::new() } else { format!(": {}", task.detail) };
    match now {
        now if now == wanted => Ok(true),
        TaskState::NeedsOperator => {
            let message = format!("{} is NEEDS_OPERATOR{why}; see `ballast task steps {}`", task.name, task.name);
            Err(CliError::ended(Exit::NeedsOperator, &code("NEEDS_OPERATOR"), message))
        }
        now if is_end(now) => {
            let message = format!("{} ended {}, not {}{why}", task.name, state(task), name_of(wanted));
            Err(CliError::ended(Exit::OtherEnd, &code(name_of(now)), message))
        }
        _ => Ok(false),
    }
}

/// A watch that survives the server.
pub struct Stream {
    pub name: String,
    /// Of the last event seen.
    pub after_sequence: u64,
    pub failures: u32,
}

impl Stream {
    /// Hands on what comes until `take` has enough or fails, or the task's end was told.
    pub async fn follow(
        &mut self,
        options: &ClientOptions,
        mut take: impl FnMut(WatchTaskResponse) -> Result<bool, CliError>,
    ) -> Result<(), CliError> {
        loop {
            let request = WatchTaskRequest { task: self.name.clone(), after_sequence: self.after_sequence };
            match self.once(options, request, &mut take).await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) if error.exit == Exit::Unreachable && self.failures < RECONNECTS_MAX => self.failures += 1,
                Err(error) => return Err(error),
            }
            sleep(RECONNECT_INTERVAL).await;
        }
    }

    /// `Ok(false)`: the server closed the stream although the task is open.
    async fn once(
        &mut self,
        options: &ClientOptions,
        request: WatchTaskRequest,
        take: &mut impl FnMut(WatchTaskResponse) -> Result<bool, CliError>,
    ) -> Result<bool, CliError> {
        let mut stream = task_manager(options).await?.watch_task(request).await?.into_inner();
        let mut ended = false;
        while let Some(seen) = stream.message().await? {
            self.failures = 0;
            match &seen.kind {
                Some(Kind::Event(event)) => self.after_sequence = event.sequence,
                Some(Kind::Task(task)) => ended = is_end(task.state()),
                Some(Kind::Bookmark(_)) | None => {}
            }
            if take(seen)? {
                return Ok(true);
            }
        }
        Ok(ended)
    }
}

/// A bar on a terminal; a line per change of state elsewhere. Both on standard error.
struct Bar {
    bar: Option<ProgressBar>,
    name: String,
    said: std::cell::RefCell<String>,
}

impl Bar {
    fn new(name: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(1);
            bar.set_style(style());
            bar.set_prefix(name.to_owned());
            bar
        });
        Self { bar, name: name.to_owned(), said: std::cell::RefCell::default() }
    }

    fn show(&self, task: &Task) {
        let Some(bar) = &self.bar else {
            if *self.said.borrow() != state(task) {
                eprintln!("{} {}", self.name, state(task));
                *self.said.borrow_mut() = state(task).to_owned();
            }
            return;
        };
        let left = task.remaining_seconds.map_or_else(|| "?".to_owned(), duration_seconds);
        // Bytes where there are any; a task of elections counts its steps.
        let (done, total) =
            if task.bytes_total > 0 { (task.bytes_done, task.bytes_total) } else { (task.steps_done, task.steps_total) };
        bar.set_length(total.max(1));
        bar.set_position(done);
        bar.set_message(format!(
            "{} {}/{} steps, {}/{} at {}, {left} left",
            state(task),
            task.steps_done,
            task.steps_total,
            bytes(task.bytes_done),
            bytes(task.bytes_total),
            rate(task.bytes_per_second),
        ));
    }

    fn close(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{prefix} {bar:30.cyan/blue} {percent:>3}% {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_by_the_states_that_the_contract_names() {
        let task = |state: TaskState| Task { name: "task-1".into(), state: state.into(), ..Task::default() };
        let check = |now: TaskState, wanted: TaskState, verdict: Result<bool, Exit>| {
            assert_eq!(judge(&task(now), wanted).map_err(|error| error.exit), verdict, "{now:?} while waiting for {wanted:?}");
        };
        check(TaskState::Running, TaskState::Succeeded, Ok(false));
        check(TaskState::Succeeded, TaskState::Succeeded, Ok(true));
        check(TaskState::Cancelled, TaskState::Succeeded, Err(Exit::OtherEnd));
        check(TaskState::PartiallyApplied, TaskState::Succeeded, Err(Exit::OtherEnd));
        check(TaskState::NeedsOperator, TaskState::Succeeded, Err(Exit::NeedsOperator));
        check(TaskState::NeedsOperator, TaskState::NeedsOperator, Ok(true));
        check(TaskState::Succeeded, TaskState::Running, Err(Exit::OtherEnd));
        check(TaskState::Paused, TaskState::Paused, Ok(true));
    }
}
