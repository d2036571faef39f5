//! Names what a plan leaves undone, hard rules first, each with one sentence. Must not change anything.

mod hard;
mod soft;

use ballast_cluster::BrokerId;

use crate::model::Model;
use crate::schedule::Schedule;
use crate::{Resource, Unmet, UnmetGoal};

/// All of it, in a fixed order: hard rules, then soft goals.
pub(crate) fn unmet(model: &Model<'_>, schedule: &Schedule) -> Vec<Unmet> {
    let mut found = hard::unmet(model, schedule);
    found.extend(soft::unmet(model, &schedule.placement));
    found.sort_by(|a, b| {
        let key = |unmet: &Unmet| (unmet.goal, unmet.broker, unmet.resource, unmet.partition);
        key(a).cmp(&key(b)).then_with(|| a.topic.cmp(&b.topic))
    });
    found
}

/// An entry about a broker, a partition, both or neither.
fn entry(model: &Model<'_>, goal: UnmetGoal, broker: Option<u32>, partition: Option<usize>, reason: String) -> Unmet {
    let facts = partition.map(|partition| &model.partitions[partition]);
    let id = |broker: u32| -> BrokerId { model.broker(broker).id };
    Unmet {
        goal,
        hard: goal.is_hard(),
        resource: None,
        broker: broker.map(id),
        topic: facts.map(|facts| model.topics[facts.topic as usize].name.to_owned()),
        partition: facts.map(|facts| facts.index),
        reason,
    }
}

fn on(resource: Resource, unmet: Unmet) -> Unmet {
    Unmet { resource: Some(resource), ..unmet }
}
