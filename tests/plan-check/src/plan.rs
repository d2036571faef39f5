//! The plan of the contract's section 3, read field by field: everything must be there and of its kind. Must not know the cluster.

use serde_json::Value;

use crate::cluster::RESOURCES;
use crate::json::Place;
use crate::{Finding, Rule};

const KINDS: [&str; 6] = ["rebalance", "evacuate", "drain", "demote", "expand", "topic"];
const LABELS: [&str; 8] =
    ["cheapest", "knee", "best-balance", "leadership-only", "byte-cap", "tight-band", "survive-one-failure", "only"];
pub(crate) const HARD: [&str; 6] = ["liveness", "offline", "rack", "group", "capacity", "replica-cap"];
const SOFT: [&str; 5] = ["band", "counts", "topic-spread", "failure-room", "not-measured"];

#[derive(Clone)]
pub(crate) struct Goal {
    pub kind: String,
    pub brokers: Vec<i64>,
    pub band_millionths: u64,
}

pub(crate) struct Plan {
    pub cluster: String,
    pub base_sequence: u64,
    pub goal: Goal,
    pub bounds: Bounds,
    pub alternatives: Vec<Alternative>,
}

pub(crate) struct Bounds {
    pub moved_bytes: u64,
    pub seconds: Option<u64>,
    pub max_utilization: [Option<f64>; 4],
}

pub(crate) struct Alternative {
    pub rank: u64,
    pub label: String,
    pub cost: Cost,
    pub before: [Spread; 4],
    pub after: [Spread; 4],
    pub unmet: Vec<Unmet>,
    pub moves: Vec<Move>,
}

pub(crate) struct Cost {
    pub moved_bytes: u64,
    pub replica_moves: u64,
    pub leader_moves: u64,
    pub estimated_seconds: u64,
    pub peak_broker_in_bytes: u64,
}

/// One resource before or after.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Spread {
    pub max_over_mean: Option<f64>,
    pub min_over_mean: Option<f64>,
    pub outside: Option<u64>,
}

pub(crate) struct Unmet {
    pub goal: String,
    pub hard: bool,
    pub resource: Option<usize>,
    pub broker: Option<i64>,
    pub partition: Option<(String, u64)>,
}

pub(crate) struct Move {
    pub topic: String,
    pub partition: u64,
    pub from: Vec<i64>,
    pub to: Vec<i64>,
    pub bytes: u64,
}

type Found<T> = Result<T, Finding>;

impl Plan {
    pub fn read(plan: &Value) -> Found<Plan> {
        let top = Place::top(plan, "plan");
        top.at("format")?.one_of(&["ballast.plan.v1"])?;
        top.at("seed")?.u64()?;
        let timings = top.at("timings")?;
        for key in ["read_milliseconds", "first_valid_milliseconds", "total_milliseconds", "threads"] {
            timings.at(key)?.u64()?;
        }
        let alternatives = top.at("alternatives")?.list(alternative)?;
        if alternatives.is_empty() {
            let (place, problem) = ("plan.alternatives".to_owned(), "there is none".to_owned());
            return Err(Finding { rule: Rule::Frontier, place, problem });
        }
        let goal = top.at("goal")?;
        let bounds = top.at("bounds")?;
        Ok(Plan {
            cluster: top.at("cluster")?.text()?.to_owned(),
            base_sequence: top.at("base_sequence")?.u64()?,
            goal: Goal {
                kind: goal.at("kind")?.one_of(&KINDS)?.to_owned(),
                brokers: goal.at("brokers")?.ids()?,
                band_millionths: goal.at("band")?.millionths()?,
            },
            bounds: Bounds {
                moved_bytes: bounds.at("moved_bytes")?.u64()?,
                seconds: bounds.at("seconds")?.optional(|place| place.u64())?,
                max_utilization: per_resource(&bounds.at("max_utilization")?, |place| place.optional(|place| place.number()))?,
            },
            alternatives,
        })
    }
}

fn per_resource<'a, T>(place: &Place<'a>, read: impl Fn(Place<'a>) -> Found<T>) -> Found<[T; 4]> {
    let [disk, network_in, network_out, cpu] = RESOURCES;
    Ok([read(place.at(disk)?)?, read(place.at(network_in)?)?, read(place.at(network_out)?)?, read(place.at(cpu)?)?])
}

fn alternative(place: Place<'_>) -> Found<Alternative> {
    let (cost, balance) = (place.at("cost")?, place.at("balance")?);
    place.at("why")?.sentence()?;
    Ok(Alternative {
        rank: place.at("rank")?.u64()?,
        label: place.at("label")?.one_of(&LABELS)?.to_owned(),
        cost: Cost {
            moved_bytes: cost.at("moved_bytes")?.u64()?,
            replica_moves: cost.at("replica_moves")?.u64()?,
            leader_moves: cost.at("leader_moves")?.u64()?,
            estimated_seconds: cost.at("estimated_seconds")?.u64()?,
            peak_broker_in_bytes: cost.at("peak_broker_in_bytes")?.u64()?,
        },
        before: per_resource(&balance.at("before")?, spread)?,
        after: per_resource(&balance.at("after")?, spread)?,
        unmet: place.at("unmet")?.list(unmet)?,
        moves: place.at("moves")?.list(entry)?,
    })
}

fn spread(place: Place<'_>) -> Found<Spread> {
    Ok(Spread {
        max_over_mean: place.at("max_over_mean")?.optional(|place| place.number())?,
        min_over_mean: place.at("min_over_mean")?.optional(|place| place.number())?,
        outside: place.at("outside")?.optional(|place| place.u64())?,
    })
}

fn unmet(place: Place<'_>) -> Found<Unmet> {
    place.at("reason")?.sentence()?;
    let goals: Vec<&str> = HARD.iter().chain(&SOFT).copied().collect();
    let resource = place.at("resource")?.optional(|place| place.one_of(&RESOURCES))?;
    let topic = place.at("topic")?.optional(|place| place.text())?;
    let partition = place.at("partition")?.optional(|place| place.u64())?;
    Ok(Unmet {
        goal: place.at("goal")?.one_of(&goals)?.to_owned(),
        hard: place.at("hard")?.flag()?,
        resource: resource.and_then(|name| RESOURCES.iter().position(|resource| *resource == name)),
        broker: place.at("broker")?.optional(|place| place.id())?,
        partition: topic.map(str::to_owned).zip(partition),
    })
}

fn entry(place: Place<'_>) -> Found<Move> {
    place.at("reason")?.sentence()?;
    Ok(Move {
        topic: place.at("topic")?.text()?.to_owned(),
        partition: place.at("partition")?.u64()?,
        from: place.at("from")?.ids()?,
        to: place.at("to")?.ids()?,
        bytes: place.at("bytes")?.u64()?,
    })
}
