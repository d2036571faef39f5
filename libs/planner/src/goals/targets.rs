//! Explicit lists, checked against the hard rules one after the other. Must not choose anything.

use std::collections::BTreeMap;

use crate::model::{Model, NOBODY};
use crate::placement::Placement;
use crate::rules::{Rule, Strictness, broken};

/// What each list asks for, by partition: names and ids resolved. Lists that name what the snapshot does not know are left out.
pub(crate) fn resolve(model: &Model<'_>) -> BTreeMap<usize, Vec<u32>> {
    let mut asked = BTreeMap::new();
    for (at, list) in &model.goal.targets {
        // Topics lie by name, and their partitions by number.
        let Ok(topic) = model.topics.binary_search_by(|topic| topic.name.cmp(at.topic.as_str())) else { continue };
        let (start, end) = model.topics[topic].partitions;
        let partitions = &model.partitions[start as usize..end as usize];
        let Ok(offset) = partitions.binary_search_by_key(&at.partition, |facts| facts.index) else { continue };
        let partition = start as usize + offset;
        if let Some(list) = list.iter().map(|&id| model.index_of(id)).collect::<Option<Vec<u32>>>()
            && list.len() == model.list(partition).len()
        {
            asked.insert(partition, list);
        }
    }
    asked
}

/// Why `partition` cannot have `list` now.
pub(crate) fn refusal(model: &Model<'_>, placement: &Placement, partition: usize, list: &[u32]) -> Option<Rule> {
    let leader = *list.first()?;
    // A copy is complete only when every replica of the list is in sync; then any of them can lead.
    let copies = list.iter().any(|broker| !model.list(partition).contains(broker));
    if model.is_dead(leader) || (!copies && !model.can_lead(partition, leader)) {
        return Some(Rule::Liveness(leader));
    }
    if (model.broker(leader).closed || model.broker(leader).refuses) && leader != placement.leader[partition] {
        return Some(Rule::Excluded(leader));
    }
    broken(model, placement, partition, list, leader, Strictness::Full)
}

/// Applies the lists in any order in which they fit, until none fits any more.
pub(crate) fn apply(model: &Model<'_>) -> Placement {
    let mut placement = Placement::present(model);
    let mut waiting = resolve(model);
    waiting.retain(|&partition, list| {
        let facts = &model.partitions[partition];
        let done = facts.leader != NOBODY && list.first() == Some(&facts.leader) && list.as_slice() == model.list(partition);
        !facts.is_fixed() && !done
    });
    loop {
        let before = waiting.len();
        waiting.retain(|&partition, list| {
            let refused = refusal(model, &placement, partition, list).is_some();
            if !refused {
                let leader = list[0];
                placement.put(model, partition, list, leader);
            }
            refused
        });
        if waiting.len() == before {
            return placement;
        }
    }
}
