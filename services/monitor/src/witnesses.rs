//! Asks brokers who serves: several of them, so that no verdict hangs on one. Must not judge.

use std::collections::BTreeSet;

use ballast_cluster::BrokerId;
use ballast_kafka::{ClusterDescription, KafkaAdmin, KafkaError};
use futures::future::join_all;

use crate::liveness::{Answer, Hearing};

/// Brokers asked in each look; more only while fewer than two of them answer.
const ASKED: usize = 3;
const ASKED_MAX: usize = 9;

/// One look at the cluster.
#[derive(Clone, Debug)]
pub struct Look {
    pub hearing: Hearing,
    /// Everything that the answers list, put together.
    pub description: ClusterDescription,
}

impl Look {
    /// The broker to ask for the rest: one that answered and that most others list too; `None` when that is unknown.
    pub fn spokesman(&self) -> Option<BrokerId> {
        let listed_by = |broker: BrokerId| self.hearing.answers.iter().filter(|answer| answer.serving.contains(&broker)).count();
        self.hearing.answers.iter().map(|answer| answer.by).max_by_key(|by| listed_by(*by))
    }
}

/// Brokers to ask: all that are not lost. A silent one holds a look up until the call's deadline.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Candidates {
    pub likely: Vec<BrokerId>,
    /// Suspected, or silent in the last look: asked only while others do not answer.
    pub doubtful: Vec<BrokerId>,
}

/// Asks some of the candidates, others in each `round`. Fails only when nobody answers, not even at the bootstrap addresses.
pub async fn look(admin: &dyn KafkaAdmin, known: &Candidates, round: usize) -> Result<Look, KafkaError> {
    let mut candidates: Vec<BrokerId> = known.likely.clone();
    if !candidates.is_empty() {
        candidates.rotate_left(round % known.likely.len());
    }
    candidates.extend(&known.doubtful);
    let mut look = Look { hearing: Hearing::default(), description: ClusterDescription::default() };
    ask(admin, candidates.iter().take(ASKED), &mut look).await;
    if look.hearing.answers.len() < 2 {
        ask(admin, candidates.iter().skip(ASKED).take(ASKED_MAX - ASKED), &mut look).await;
    }
    if look.hearing.answers.is_empty() {
        let first = admin.describe_cluster(None).await?;
        let serving: Vec<BrokerId> = first.brokers.iter().filter(|broker| !broker.fenced).map(|broker| broker.id).collect();
        look.take(first.answered_by, first);
        let asked = serving.iter().filter(|broker| !look.has_heard(**broker)).take(ASKED).copied().collect::<Vec<_>>();
        ask(admin, asked.iter(), &mut look).await;
    }
    if let [only] = look.hearing.answers.as_slice() {
        // One voice alone: what it calls gone is tried by ourselves.
        let missing: Vec<BrokerId> = candidates.iter().filter(|broker| !only.serving.contains(broker)).copied().collect();
        let untried: Vec<BrokerId> = missing.into_iter().filter(|broker| !look.has_heard(*broker)).take(ASKED_MAX).collect();
        ask(admin, untried.iter(), &mut look).await;
    }
    Ok(look)
}

async fn ask(admin: &dyn KafkaAdmin, brokers: impl Iterator<Item = &BrokerId>, look: &mut Look) {
    let calls = brokers.map(|broker| async move { (*broker, admin.describe_cluster(Some(*broker)).await) });
    for (broker, answer) in join_all(calls).await {
        match answer {
            Ok(description) => look.take(Some(broker), description),
            Err(error) => {
                tracing::debug!(%broker, %error, "a broker did not answer");
                look.hearing.unreachable.insert(broker);
            }
        }
    }
}

impl Look {
    fn has_heard(&self, broker: BrokerId) -> bool {
        self.hearing.unreachable.contains(&broker) || self.hearing.answers.iter().any(|answer| answer.by == broker)
    }

    /// Takes one answer in. Without knowing whose it is, it describes but does not witness.
    fn take(&mut self, by: Option<BrokerId>, description: ClusterDescription) {
        let serving: BTreeSet<BrokerId> =
            description.brokers.iter().filter(|broker| !broker.fenced).map(|broker| broker.id).collect();
        if let Some(by) = by {
            self.hearing.answers.push(Answer { by, serving });
        }
        if self.description.cluster_id.is_empty() {
            self.description = description;
            return;
        }
        for broker in description.brokers {
            if !self.description.brokers.iter().any(|known| known.id == broker.id) {
                self.description.brokers.push(broker);
            }
        }
    }
}
