//! Every metric of Ballast by name, unit and meaning, in one place. Must not know who records them. Labels stay few: cluster,
//! broker, direction, kind, state, goal, resource; ids of tasks belong in the log and in traces.

use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter};

/// Bounds for durations of disk writes: from a cached write to a stuck disk.
const APPEND_SECONDS: [f64; 12] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Bounds for durations of tasks: from a second to two days.
const TASK_SECONDS: [f64; 11] = [1.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 10_800.0, 21_600.0, 86_400.0, 172_800.0];

/// Bounds for durations of planning: from a small cluster to the longest budget that makes sense.
const PLAN_SECONDS: [f64; 10] = [0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 120.0];

/// The instruments, made from the process-wide meter provider.
#[derive(Clone, Debug)]
pub struct Instruments {
    /// `ballast_build_info{version}`: always 1.
    pub build_info: Gauge<u64>,
    /// `ballast_event_log_append_duration_seconds`: from the call to durable.
    pub append_duration_seconds: Histogram<f64>,
    /// `ballast_event_log_head_sequence`.
    pub head_sequence: Gauge<u64>,
    /// `ballast_event_log_size_bytes`: of the data directory.
    pub log_size: Gauge<u64>,
    /// `ballast_projection_lag_events{projection}`: recorded, and not folded yet.
    pub projection_lag: Gauge<u64>,
    /// `ballast_brokers{cluster,state}`.
    pub brokers: Gauge<u64>,
    /// `ballast_partitions{cluster,state}`.
    pub partitions: Gauge<u64>,
    /// `ballast_tasks{kind,state}`: tasks in each state.
    pub tasks: Gauge<u64>,
    /// `ballast_task_transitions_total{state}`: by the state that was entered.
    pub task_transitions: Counter<u64>,
    /// `ballast_task_duration_seconds{kind,outcome}`.
    pub task_duration_seconds: Histogram<f64>,
    /// `ballast_task_no_progress_seconds{cluster}`: of the open task that waits longest for its next step.
    pub task_no_progress_seconds: Gauge<f64>,
    /// `ballast_moves_in_flight{cluster,broker,direction}`.
    pub moves_in_flight: Gauge<u64>,
    /// `ballast_move_transferred_bytes_total{cluster}`: by finished steps.
    pub move_transferred: Counter<u64>,
    /// `ballast_move_remaining_bytes{cluster}`: of open tasks.
    pub move_remaining: Gauge<u64>,
    /// `ballast_throttle_limit_bytes_per_second{cluster,broker,direction}`.
    pub throttle_limit: Gauge<u64>,
    /// `ballast_throttle_utilization_ratio{cluster,broker,direction}`: what users take and the limit leaves to copies, as a share of
    /// the broker's capacity.
    pub throttle_utilization: Gauge<f64>,
    /// `ballast_throttle_decisions_total{type}`: by the event that was recorded.
    pub throttle_decisions: Counter<u64>,
    /// `ballast_stale_throttles{cluster}`: entries of ours that no open step needs.
    pub stale_throttles: Gauge<u64>,
    /// `ballast_balance_max_to_mean_ratio{cluster,resource}`.
    pub balance_max_to_mean: Gauge<f64>,
    /// `ballast_unmet_goals{cluster,goal}`: in the first alternative of the last plan.
    pub unmet_goals: Gauge<u64>,
    /// `ballast_plan_duration_seconds{kind}`: of the planning alone, by goal.
    pub plan_duration_seconds: Histogram<f64>,
    /// `ballast_model_age_seconds{cluster}`: since the last complete look at the cluster.
    pub model_age_seconds: Gauge<f64>,
    /// `ballast_model_valid_ratio{cluster}`: share of partitions with a measured load.
    pub model_valid: Gauge<f64>,
}

impl Instruments {
    pub fn new() -> Self {
        let meter = opentelemetry::global::meter("ballast");
        let count = |name: &'static str| meter.u64_gauge(name).build();
        let ratio = |name: &'static str| meter.f64_gauge(name).with_unit("1").build();
        Self {
            build_info: count("ballast.build_info"),
            append_duration_seconds: seconds(&meter, "ballast.event_log.append.duration", &APPEND_SECONDS),
            head_sequence: count("ballast.event_log.head_sequence"),
            log_size: bytes(&meter, "ballast.event_log.size"),
            projection_lag: count("ballast.projection.lag_events"),
            brokers: count("ballast.brokers"),
            partitions: count("ballast.partitions"),
            tasks: count("ballast.tasks"),
            task_transitions: meter.u64_counter("ballast.task.transitions").with_unit("{transition}").build(),
            task_duration_seconds: seconds(&meter, "ballast.task.duration", &TASK_SECONDS),
            task_no_progress_seconds: meter.f64_gauge("ballast.task.no_progress").with_unit("s").build(),
            moves_in_flight: count("ballast.moves_in_flight"),
            move_transferred: meter.u64_counter("ballast.move.transferred").with_unit("By").build(),
            move_remaining: bytes(&meter, "ballast.move.remaining"),
            throttle_limit: meter.u64_gauge("ballast.throttle.limit").with_unit("By/s").build(),
            throttle_utilization: ratio("ballast.throttle.utilization"),
            throttle_decisions: meter.u64_counter("ballast.throttle.decisions").with_unit("{decision}").build(),
            stale_throttles: count("ballast.stale_throttles"),
            balance_max_to_mean: ratio("ballast.balance.max_to_mean"),
            unmet_goals: count("ballast.unmet_goals"),
            plan_duration_seconds: seconds(&meter, "ballast.plan.duration", &PLAN_SECONDS),
            model_age_seconds: meter.f64_gauge("ballast.model.age").with_unit("s").build(),
            model_valid: ratio("ballast.model.valid"),
        }
    }
}

impl Default for Instruments {
    fn default() -> Self {
        Self::new()
    }
}

fn bytes(meter: &Meter, name: &'static str) -> Gauge<u64> {
    meter.u64_gauge(name).with_unit("By").build()
}

fn seconds(meter: &Meter, name: &'static str, bounds: &[f64]) -> Histogram<f64> {
    meter.f64_histogram(name).with_unit("s").with_boundaries(bounds.to_vec()).build()
}
