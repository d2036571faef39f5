//! Puts together the results of a batch that went out in several requests. Must not know what the items are.

use std::collections::HashMap;
use std::hash::Hash;

use ballast_kafka::{Batch, KafkaError};

/// Most items of one write request: larger ones take seconds and Kafka refuses those that make more than 10 000 records.
pub(crate) const ITEMS_PER_REQUEST_MAX: usize = 1_000;

/// Results of requests as they come in, in the order of the items.
pub(crate) struct Gathered<K, V> {
    results: Batch<K, V>,
    answered: bool,
    failure: Option<KafkaError>,
}

impl<K, V> Gathered<K, V> {
    pub fn new() -> Self {
        Self { results: Vec::new(), answered: false, failure: None }
    }

    /// Adds what one request brought; when it failed as a whole each of its items failed so.
    pub fn add(&mut self, keys: impl IntoIterator<Item = K>, outcome: Result<Batch<K, V>, KafkaError>) {
        match outcome {
            Ok(results) => {
                self.answered = true;
                self.results.extend(results);
            }
            Err(error) => {
                self.results.extend(keys.into_iter().map(|key| (key, Err(error.clone()))));
                self.failure.get_or_insert(error);
            }
        }
    }

    /// Why the remaining requests of the same call should not be sent, if an earlier one failed.
    pub fn not_sent(&self) -> Option<KafkaError> {
        let error = self.failure.as_ref()?;
        Some(KafkaError::Unreachable {
            endpoint: "the cluster".into(),
            cause: format!("not sent, as an earlier part failed: {error}"),
        })
    }

    /// All results, or the first failure when no request was answered.
    pub fn finish(self) -> Result<Batch<K, V>, KafkaError> {
        match self.failure {
            Some(error) if !self.answered => Err(error),
            _ => Ok(self.results),
        }
    }
}

/// The results in the order of `keys`. What the answer left out gets `missing`.
pub(crate) fn in_order<K: Eq + Hash, V>(
    keys: impl IntoIterator<Item = K>,
    results: impl IntoIterator<Item = (K, Result<V, KafkaError>)>,
    missing: &KafkaError,
) -> Batch<K, V> {
    let mut results: HashMap<K, Result<V, KafkaError>> = results.into_iter().collect();
    let take = |key: K| {
        let result = results.remove(&key).unwrap_or_else(|| Err(missing.clone()));
        (key, result)
    };
    keys.into_iter().map(take).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(cause: &str) -> KafkaError {
        KafkaError::Malformed { endpoint: "a:1".into(), cause: cause.into() }
    }

    #[test]
    fn results_follow_the_order_of_the_question_and_gaps_are_errors() {
        let results = in_order(["b", "c", "a"], [("a", Ok(1)), ("b", Ok(2))], &lost("left out"));
        assert_eq!(results, vec![("b", Ok(2)), ("c", Err(lost("left out"))), ("a", Ok(1))]);
    }

    #[test]
    fn a_failed_part_fails_its_items_only() {
        let mut gathered = Gathered::new();
        gathered.add(["a"], Ok(vec![("a", Ok(()))]));
        assert_eq!(gathered.not_sent(), None);
        gathered.add(["b", "c"], Err(lost("gone")));
        assert!(matches!(gathered.not_sent(), Some(KafkaError::Unreachable { .. })));
        assert_eq!(gathered.finish(), Ok(vec![("a", Ok(())), ("b", Err(lost("gone"))), ("c", Err(lost("gone")))]));
    }

    #[test]
    fn a_batch_without_any_answer_fails_as_a_whole() {
        let mut gathered: Gathered<&str, ()> = Gathered::new();
        gathered.add(["a"], Err(lost("first")));
        gathered.add(["b"], Err(lost("second")));
        assert_eq!(gathered.finish(), Err(lost("first")));
        assert_eq!(Gathered::<&str, ()>::new().finish(), Ok(vec![]));
    }
}
