//! Which of the steps that are due may start now, and why the others may not. Must not know grants, lists or time-outs.

use std::collections::BTreeMap;

use ballast_cluster::{BrokerId, StepKey, Timestamp};

use crate::{Flow, GoalClass, Law, Rate, Sample, floor_of};

/// A step that is due. One that copies nothing has a flow without targets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    pub step: StepKey,
    pub flow: Flow,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    Admit,
    /// Not now. `reason_code` is of the catalogue.
    Withhold {
        reason_code: &'static str,
        detail: String,
    },
}

fn withhold(reason_code: &'static str, detail: String) -> Verdict {
    Verdict::Withhold { reason_code, detail }
}

/// Judges the candidates in their order; one that is admitted takes its floor from those after it. `foreign` are limits that
/// somebody else set on brokers.
pub fn admit(
    law: &Law,
    sample: &Sample,
    foreign: &BTreeMap<BrokerId, Rate>,
    candidates: &[Candidate],
    now: Timestamp,
) -> Vec<(StepKey, Verdict)> {
    let mut sample = sample.clone();
    let mut verdicts = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let verdict = judge(law, &sample, foreign, &candidate.flow, now);
        if verdict == Verdict::Admit && !candidate.flow.targets.is_empty() {
            sample.flows.push(candidate.flow.clone());
        }
        verdicts.push((candidate.step.clone(), verdict));
    }
    verdicts
}

fn judge(law: &Law, sample: &Sample, foreign: &BTreeMap<BrokerId, Rate>, flow: &Flow, now: Timestamp) -> Verdict {
    if sample.frozen {
        return withhold("FROZEN", "the cluster is frozen: ballast throttle unfreeze".to_owned());
    }
    if flow.targets.is_empty() {
        return Verdict::Admit;
    }
    match sample.age_milliseconds(now) {
        None => return withhold("MODEL_NOT_READY", "loads were not measured yet".to_owned()),
        Some(age) if age > law.sample_age_milliseconds_max => {
            return withhold("MODEL_NOT_READY", format!("loads were last measured {} s ago", age / 1_000));
        }
        Some(_) => {}
    }
    with_flow(sample, flow, |sample| foreign_below_floor(law, sample, foreign, flow))
        .or_else(|| no_headroom(law, sample, flow))
        .unwrap_or(Verdict::Admit)
}

fn with_flow<T>(sample: &Sample, flow: &Flow, look: impl FnOnce(&Sample) -> T) -> T {
    let mut sample = sample.clone();
    sample.flows.push(flow.clone());
    look(&sample)
}

/// A limit of somebody else is used as it is: if the copy could starve under it, the step waits.
fn foreign_below_floor(law: &Law, sample: &Sample, foreign: &BTreeMap<BrokerId, Rate>, flow: &Flow) -> Option<Verdict> {
    flow.may_lead.iter().filter(|broker| !flow.targets.contains(broker)).find_map(|broker| {
        let limit = foreign.get(broker)?;
        let (counted, floor) = floor_of(law, sample, *broker);
        let needed = counted.saturating_add(floor);
        (limit.bytes_per_second < needed).then(|| {
            let limit = limit.bytes_per_second;
            withhold(
                "FOREIGN_THROTTLE",
                format!("broker {broker} has a limit of {limit} B/s that Ballast did not set; {needed} are needed"),
            )
        })
    })
}

fn no_headroom(law: &Law, sample: &Sample, flow: &Flow) -> Option<Verdict> {
    let floor = law.partition_floor(flow.produce_bytes_per_second);
    if let Some(leader) = flow.leader {
        let giving: Vec<&Flow> = sample.flows.iter().filter(|other| other.leader == Some(leader)).collect();
        let floors = floors(law, giving.iter().map(|other| (other, other.targets.len() as u64)));
        let (_, headroom) = sample.headroom(law, leader, flow.class);
        let side = Side { broker: leader, direction: "from", flows: giving.len(), floors, headroom };
        if let Some(verdict) = side.refuse(law, flow, floor * flow.targets.len() as u64) {
            return Some(verdict);
        }
    }
    flow.targets.iter().find_map(|target| {
        let taking: Vec<&Flow> = sample.flows.iter().filter(|other| other.targets.contains(target)).collect();
        let floors = floors(law, taking.iter().map(|other| (other, 1)));
        let (headroom, _) = sample.headroom(law, *target, flow.class);
        Side { broker: *target, direction: "to", flows: taking.len(), floors, headroom }.refuse(law, flow, floor)
    })
}

fn floors<'a>(law: &Law, flows: impl Iterator<Item = (&'a &'a Flow, u64)>) -> u64 {
    flows.map(|(flow, times)| law.partition_floor(flow.produce_bytes_per_second) * times).sum()
}

/// One end of a copy.
struct Side {
    broker: BrokerId,
    direction: &'static str,
    /// Copies in flight at this end, and the sum of their floors.
    flows: usize,
    floors: u64,
    headroom: u64,
}

impl Side {
    /// A repair always gets one copy at a time through, however busy the users are: missing replicas are worse.
    fn refuse(&self, law: &Law, flow: &Flow, floor: u64) -> Option<Verdict> {
        let Side { broker, direction, flows, floors, headroom } = self;
        if *flows >= law.flows_per_broker_max {
            return Some(withhold("NO_HEADROOM", format!("{flows} partitions are being copied {direction} broker {broker}")));
        }
        let lone_repair = flow.class == GoalClass::Repair && *flows == 0;
        let room = headroom.saturating_sub(*floors);
        (room < floor && !lone_repair).then(|| {
            let detail = format!("copying {direction} broker {broker} needs {floor} B/s; users and other copies leave {room}");
            withhold("NO_HEADROOM", detail)
        })
    }
}

#[cfg(test)]
mod tests;
