//! From a broker's id to its place in the model. Must not know brokers.

use ballast_cluster::BrokerId;

use super::NOBODY;

/// Ids are looked up once per replica: as an array where they lie close together, as they nearly always do.
#[derive(Clone)]
pub(crate) struct Ids {
    dense: Vec<u32>,
    sorted: Vec<(BrokerId, u32)>,
}

impl Ids {
    /// The first id has place 0, and so on. Of ids that repeat the last counts.
    pub fn new(ids: impl Iterator<Item = BrokerId>) -> Self {
        let mut sorted: Vec<(BrokerId, u32)> = ids.zip(0..).collect();
        sorted.sort_unstable();
        let largest = sorted.last().map_or(0, |(id, _)| id.0.max(0) as usize);
        let is_close = largest <= 16 * sorted.len() + 4_096 && sorted.first().is_none_or(|(id, _)| id.0 >= 0);
        let mut dense = Vec::new();
        if is_close {
            dense = vec![NOBODY; largest + 1];
            sorted.iter().for_each(|(id, at)| dense[id.0 as usize] = *at);
        }
        Ids { dense, sorted }
    }

    pub fn get(&self, id: BrokerId) -> Option<u32> {
        if self.dense.is_empty() {
            return self.sorted.binary_search_by_key(&id, |&(id, _)| id).ok().map(|at| self.sorted[at].1);
        }
        let at = usize::try_from(id.0).ok().and_then(|id| self.dense.get(id)).copied();
        at.filter(|&at| at != NOBODY)
    }
}
