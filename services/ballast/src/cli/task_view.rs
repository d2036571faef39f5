//! Tasks, steps and their events as people read them. Must not know how tasks go on.

use ballast_proto::task::v1::{Step, StepKind, StepState, Task, TaskEvent, TaskState};

use super::output::{Output, facts, ids, plain};
use crate::quantity::{bytes, duration_seconds, rate};

/// As JSON prints it.
pub fn state(task: &Task) -> &'static str {
    name_of(task.state())
}

pub fn name_of(state: TaskState) -> &'static str {
    let name = state.as_str_name();
    name.strip_prefix("TASK_STATE_").unwrap_or(name)
}

/// The state that the contract spells so.
pub fn state_named(name: &str) -> Option<TaskState> {
    TaskState::from_str_name(&format!("TASK_STATE_{name}")).filter(|state| *state != TaskState::Unspecified)
}

/// Nothing happens to it any more.
pub fn is_end(state: TaskState) -> bool {
    use TaskState as S;
    match state {
        S::Succeeded
        | S::PartiallyApplied
        | S::Cancelled
        | S::RolledBack
        | S::Failed
        | S::Rejected
        | S::Expired
        | S::Superseded => true,
        S::Unspecified | S::Proposed | S::Queued | S::Running | S::Pausing | S::Paused | S::Revalidating => false,
        S::Cancelling | S::RollingBack | S::NeedsOperator | S::Verifying => false,
    }
}

pub fn list(output: &Output, tasks: &[Task]) -> String {
    let mut table = output.table(["task", "cluster", "state", "what", "steps", "copied", "rate", "left", "created"]);
    for task in tasks {
        table.add_row([
            output.bold(&task.name),
            plain(&task.cluster),
            output.state(state(task)),
            plain(goal(task)),
            output.number(format!("{}/{}", task.steps_done, task.steps_total)),
            output.number(format!("{}/{}", bytes(task.bytes_done), bytes(task.bytes_total))),
            output.number(if is_end(task.state()) { String::new() } else { rate(task.bytes_per_second) }),
            output.number(task.remaining_seconds.filter(|_| !is_end(task.state())).map(duration_seconds).unwrap_or_default()),
            plain(task.create_time.map(|at| to_the_second(&at.to_string())).unwrap_or_default()),
        ]);
    }
    table.to_string()
}

fn goal(task: &Task) -> String {
    match (&task.rolls_back, task.brokers.is_empty()) {
        (Some(undone), _) => format!("rollback of {undone}"),
        (None, true) => task.goal.clone(),
        (None, false) => format!("{} {}", task.goal, ids(&task.brokers)),
    }
}

pub fn get(output: &Output, task: &Task) -> String {
    let actor = task.creator.as_ref().map(|creator| creator.principal.clone()).unwrap_or_default();
    let created = task.create_time.map(|at| at.to_string()).unwrap_or_default();
    let mut lines = vec![
        ("task", output.heading(&task.name)),
        ("state", state_line(task)),
        ("what", format!("{} on cluster {}", goal(task), task.cluster)),
        ("plan", format!("{}, alternative {}", task.plan, task.alternative)),
        ("created", format!("{created} by {actor}")),
    ];
    lines.extend((!task.reason.is_empty()).then(|| ("because", task.reason.clone())));
    lines.extend(task.end_time.map(|at| ("ended", at.to_string())));
    lines.push(("steps", steps_line(task)));
    lines.push((
        "copied",
        format!("{}  {} of {}", gauge(task.bytes_done, task.bytes_total), bytes(task.bytes_done), bytes(task.bytes_total)),
    ));
    if !is_end(task.state()) {
        let left = task.remaining_seconds.map_or_else(|| "unknown".to_owned(), duration_seconds);
        lines.push((
            "now",
            format!("{} moves in flight at {}, time left {left}", task.moves_in_flight, rate(task.bytes_per_second)),
        ));
    }
    if !task.executor_trouble.is_empty() {
        lines.push(("held up by", task.executor_trouble.clone()));
    }
    facts(&lines)
}

fn state_line(task: &Task) -> String {
    match (task.reason_code.is_empty(), task.detail.is_empty()) {
        (true, true) => state(task).to_owned(),
        (true, false) => format!("{}: {}", state(task), task.detail),
        (false, _) => format!("{}: {} ({})", state(task), task.detail, task.reason_code),
    }
}

fn steps_line(task: &Task) -> String {
    let mut line = format!("{} of {} done in {} partitions", task.steps_done, task.steps_total, task.partitions);
    for (count, what) in [(task.steps_skipped, "skipped"), (task.steps_reverted, "put back"), (task.steps_failed, "failed")] {
        if count > 0 {
            line.push_str(&format!(", {count} {what}"));
        }
    }
    line
}

/// `█████░░░░░  50 %`.
pub fn gauge(done: u64, total: u64) -> String {
    const WIDTH: u64 = 20;
    let per_mille = if total == 0 { 1_000 } else { (u128::from(done.min(total)) * 1_000 / u128::from(total)) as u64 };
    let full = per_mille * WIDTH / 1_000;
    let drawn: String = (0..WIDTH).map(|place| if place < full { '█' } else { '░' }).collect();
    format!("{drawn} {:>3} %", per_mille / 10)
}

pub fn steps(output: &Output, steps: &[Step]) -> String {
    let mut table = output.table(["step", "partition", "what", "state", "copied", "try", "started", "ended", "note"]);
    for step in steps {
        let what = match (step.kind(), step.is_undo) {
            (StepKind::Move, false) => format!("{} → {}", ids(&step.from), ids(&step.to)),
            (StepKind::Move, true) => format!("back: {} → {}", ids(&step.from), ids(&step.to)),
            (_, false) => format!("elect {}", ids(&step.to)),
            (_, true) => format!("back: elect {}", ids(&step.to)),
        };
        let note =
            if step.reason_code.is_empty() { step.detail.clone() } else { format!("{} {}", step.reason_code, step.detail) };
        let copied = if step.bytes == 0 { String::new() } else { format!("{}/{}", bytes(step.bytes_done), bytes(step.bytes)) };
        table.add_row([
            output.number(step.index),
            output.bold(format!("{}:{}", step.topic, step.partition)),
            plain(what),
            output.state(step_state(step.state())),
            output.number(copied),
            output.number(step.attempt),
            plain(step.start_time.map(|at| time_of_day(&at.to_string())).unwrap_or_default()),
            plain(step.end_time.map(|at| time_of_day(&at.to_string())).unwrap_or_default()),
            plain(note),
        ]);
    }
    table.to_string()
}

/// A list has no room for milliseconds.
fn to_the_second(at: &str) -> String {
    at.split_once('.').map_or_else(|| at.to_owned(), |(second, _)| format!("{second}Z"))
}

/// `10:00:00Z` of `2026-11-21T10:00:00.000Z`.
fn time_of_day(instant: &str) -> String {
    instant.split_once('T').map_or(instant, |(_, time)| time).split('.').next().unwrap_or_default().to_owned()
}

pub fn step_state(state: StepState) -> &'static str {
    let name = state.as_str_name();
    name.strip_prefix("STEP_STATE_").unwrap_or(name)
}

/// One line per event.
pub fn event(event: &TaskEvent) -> String {
    let at = event.time.map(|at| at.to_string()).unwrap_or_default();
    let step = event.step.map_or_else(String::new, |step| format!(" step {step}"));
    let partition = event.partition.map_or_else(String::new, |partition| format!(" {}:{partition}", event.topic));
    let actor = event.actor.as_ref().map(|actor| actor.principal.as_str()).filter(|principal| *principal != "ballast");
    let by = actor.map_or_else(String::new, |actor| format!(" by {actor}"));
    let why = if event.reason.is_empty() { String::new() } else { format!(" because {:?}", event.reason) };
    let code = if event.reason_code.is_empty() { String::new() } else { format!(" ({})", event.reason_code) };
    format!("{:>8}  {at}  {:<22}{step}{partition}{by}{why}  {}{code}", event.sequence, event.r#type, event.detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_is_full_when_all_is_done_or_there_was_nothing_to_do() {
        let check =
            |done: u64, total: u64, percent: &str| assert!(gauge(done, total).ends_with(percent), "{}", gauge(done, total));
        check(0, 10, "  0 %");
        check(5, 10, " 50 %");
        check(10, 10, "100 %");
        check(0, 0, "100 %");
        check(u64::MAX, 10, "100 %");
    }

    #[test]
    fn states_are_named_as_the_contract_spells_them() {
        assert_eq!(state_named("ROLLED_BACK"), Some(TaskState::RolledBack));
        assert_eq!(state_named("rolled_back"), None);
        assert_eq!(state_named("UNSPECIFIED"), None);
        assert_eq!(name_of(TaskState::NeedsOperator), "NEEDS_OPERATOR");
    }
}
