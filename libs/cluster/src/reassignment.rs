//! The form in which a plan crosses to its executor. Must not know who planned it or how it is carried out.

use crate::{BrokerId, TopicPartition};

/// One changed partition: the list it has and the full list it shall have. Afterwards the partition is led by `to[0]`.
/// `from == to` asks only for that election.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reassignment {
    pub at: TopicPartition,
    /// Topic id that the plan was made for; a topic re-created under the same name has another.
    pub topic_id: Option<String>,
    pub from: Vec<BrokerId>,
    pub to: Vec<BrokerId>,
    /// Size of the partition times the brokers in `to` that are not in `from`.
    pub bytes: u64,
    pub reason: String,
}

impl Reassignment {
    /// Brokers that get a copy.
    pub fn adding(&self) -> impl Iterator<Item = BrokerId> + '_ {
        self.to.iter().filter(|broker| !self.from.contains(broker)).copied()
    }

    pub fn copies_data(&self) -> bool {
        self.adding().next().is_some()
    }
}
