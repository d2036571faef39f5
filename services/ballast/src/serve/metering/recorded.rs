//! Figures of tasks and plans, folded from the log. Must not know how tasks are carried out. Ended tasks are only counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ballast_clock::Clock;
use ballast_cluster::Timestamp;
use ballast_event_codec::Decoder;
use ballast_event_log::{EventLog, Follower};
use ballast_events::{Envelope, Event, PlanEvent};
use ballast_task::{Event as TaskOrStep, Task, TaskState, apply};
use ballast_telemetry::Instruments;
use opentelemetry::KeyValue;

const INTERVAL: Duration = Duration::from_secs(2);

/// What the log tells so far.
pub struct Recorded {
    instruments: Instruments,
    clock: Clock,
    decoder: Decoder,
    open: BTreeMap<String, Open>,
    /// By kind and state; open ones too.
    counts: BTreeMap<(String, TaskState), u64>,
    /// By cluster, broker and goal. A gauge has no way to end, so what was ever told is told again, as 0.
    clusters: BTreeMap<String, ClusterFigures>,
    in_flight: BTreeMap<(String, i32), u64>,
    unmet: BTreeMap<(String, &'static str), u64>,
    /// Events up to here happened before this process: they are folded, not counted again.
    old_until: u64,
}

#[derive(Default)]
struct ClusterFigures {
    remaining_bytes: u64,
    idle_milliseconds: i64,
}

struct Open {
    task: Task,
    accepted_at: Timestamp,
    updated_at: Timestamp,
}

impl Recorded {
    /// Follows the log until it ends.
    pub async fn follow(log: Arc<dyn EventLog>, clock: Clock, instruments: Instruments) {
        let old_until = log.head().borrow().sequence;
        let mut events = Follower::new(log, 1);
        let mut recorded = Self {
            instruments,
            clock,
            decoder: Decoder::new(),
            open: BTreeMap::new(),
            counts: BTreeMap::new(),
            clusters: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            unmet: BTreeMap::new(),
            old_until,
        };
        let mut ticks = tokio::time::interval(INTERVAL);
        loop {
            tokio::select! {
                next = events.next() => match next {
                    Ok(envelope) => recorded.take(&envelope),
                    Err(_) => return,
                },
                _ = ticks.tick(), if events.has_caught_up() => recorded.sample(),
            }
        }
    }

    fn take(&mut self, envelope: &Envelope) {
        let is_new = envelope.sequence > self.old_until;
        let family = envelope.stream.family();
        if is_new && matches!(family, "throttle" | "admission") {
            let label = [KeyValue::new("type", envelope.header.event_type.clone())];
            self.instruments.throttle_decisions.add(1, &label);
        }
        // The streams whose events are read; those of others need no decoding.
        if !matches!(family, "task" | "plan") {
            return;
        }
        let at = envelope.header.recorded_at;
        match self.decoder.decode(envelope) {
            Ok(Some(Event::Task(event))) => self.apply(envelope, &TaskOrStep::Task(event), at, is_new),
            Ok(Some(Event::Step(event))) => self.apply(envelope, &TaskOrStep::Step(event), at, is_new),
            Ok(Some(Event::Plan(PlanEvent::PlanDrafted { outcome, .. }))) => {
                let cluster = envelope.header.cluster.clone().unwrap_or_default();
                self.unmet.iter_mut().filter(|((of, _), _)| *of == cluster).for_each(|(_, count)| *count = 0);
                for goal in outcome.alternatives.first().iter().flat_map(|first| &first.unmet) {
                    *self.unmet.entry((cluster.clone(), goal.goal.as_str())).or_default() += 1;
                }
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "an event is left out of the metrics"),
        }
    }

    fn apply(&mut self, envelope: &Envelope, event: &TaskOrStep, at: Timestamp, is_new: bool) {
        let Some(id) = envelope.stream.segments().next() else { return };
        let before = self.open.remove(id);
        let (old, accepted_at) = before.map_or((None, at), |open| (Some(open.task), open.accepted_at));
        let was = old.as_ref().map(|task| (task.state(), task.totals().bytes_done));
        let task = match apply(old, event, at) {
            Ok(task) => task,
            Err(error) => return tracing::warn!(%error, task = id, "a task is left out of the metrics"),
        };
        let (state, bytes_done) = (task.state(), task.totals().bytes_done);
        if was.is_none_or(|(old_state, _)| old_state != state) {
            if let Some((old_state, _)) = was {
                let count = self.counts.entry((task.goal.clone(), old_state)).or_default();
                *count = count.saturating_sub(1);
            }
            *self.counts.entry((task.goal.clone(), state)).or_default() += 1;
            if is_new {
                self.instruments.task_transitions.add(1, &[KeyValue::new("state", state.name())]);
            }
        }
        if is_new {
            let copied = bytes_done.saturating_sub(was.map_or(0, |(_, bytes)| bytes));
            self.instruments.move_transferred.add(copied, &[KeyValue::new("cluster", task.cluster.clone())]);
        }
        if !task.is_over() {
            self.open.insert(id.to_owned(), Open { task, accepted_at, updated_at: at });
        } else if is_new {
            let seconds = at.milliseconds_since(accepted_at) as f64 / 1_000.0;
            let labels = [KeyValue::new("kind", task.goal.clone()), KeyValue::new("outcome", state.name())];
            self.instruments.task_duration_seconds.record(seconds, &labels);
        }
    }

    /// The gauges as of now.
    fn sample(&mut self) {
        self.fold_open();
        let text = |key: &'static str, value: &str| KeyValue::new(key, value.to_owned());
        for ((kind, state), count) in &self.counts {
            self.instruments.tasks.record(*count, &[text("kind", kind), text("state", state.name())]);
        }
        for (cluster, figures) in &self.clusters {
            let label = [text("cluster", cluster)];
            self.instruments.move_remaining.record(figures.remaining_bytes, &label);
            self.instruments.task_no_progress_seconds.record(figures.idle_milliseconds as f64 / 1_000.0, &label);
        }
        for ((cluster, broker), moves) in &self.in_flight {
            let labels = [text("cluster", cluster), KeyValue::new("broker", i64::from(*broker)), text("direction", "in")];
            self.instruments.moves_in_flight.record(*moves, &labels);
        }
        for ((cluster, goal), count) in &self.unmet {
            self.instruments.unmet_goals.record(*count, &[text("cluster", cluster), text("goal", goal)]);
        }
    }

    fn fold_open(&mut self) {
        self.clusters.values_mut().for_each(|figures| *figures = ClusterFigures::default());
        self.in_flight.values_mut().for_each(|moves| *moves = 0);
        let now = self.clock.now();
        for Open { task, updated_at, .. } in self.open.values() {
            let totals = task.totals();
            let figures = self.clusters.entry(task.cluster.clone()).or_default();
            figures.remaining_bytes += totals.bytes.saturating_sub(totals.bytes_done);
            figures.idle_milliseconds = figures.idle_milliseconds.max(now.milliseconds_since(*updated_at));
            for step in task.steps.iter().filter(|step| step.state.is_in_flight()) {
                for broker in step.plan.adding() {
                    *self.in_flight.entry((task.cluster.clone(), broker.0)).or_default() += 1;
                }
            }
        }
    }
}
