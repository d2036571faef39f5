//! From patterns to the names of topics that a plan's limits are about. Pure: must not know what the limits do.

use std::collections::BTreeMap;

use ballast_cluster::Snapshot;
use ballast_events::TopicPatterns;
use ballast_planner::Limits;
use regex::Regex;

/// A pattern that says nothing about the cluster.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PatternError {
    #[error("{pattern:?} is not a regular expression: {problem}")]
    Malformed { pattern: String, problem: String },
    /// Where no match would silently turn "only these" into "all", or a demand into none.
    #[error("no topic matches {pattern:?}")]
    NoMatch { pattern: String },
}

impl PatternError {
    /// Reason code for clients.
    pub fn reason(&self) -> &'static str {
        match self {
            PatternError::Malformed { .. } => "INVALID_ARGUMENT",
            PatternError::NoMatch { .. } => "TOPIC_NOT_FOUND",
        }
    }
}

/// The limits with the topics that have a match of a pattern anywhere in their name; anchor a pattern to match whole names. Of
/// several least numbers of leaders for one topic the highest counts.
pub fn with_matched_topics(snapshot: &Snapshot, patterns: &TopicPatterns, limits: Limits) -> Result<Limits, PatternError> {
    let excluded = patterns.exclude.iter().map(|pattern| matches(snapshot, pattern)).collect::<Result<_, _>>()?;
    let only = patterns.only.iter().map(|pattern| some_matches(snapshot, pattern)).collect::<Result<_, _>>()?;
    let mut leaders_min: BTreeMap<String, u32> = BTreeMap::new();
    for (pattern, leaders) in &patterns.leaders_min {
        for name in some_matches(snapshot, pattern)? {
            let least = leaders_min.entry(name.to_owned()).or_default();
            *least = (*least).max(*leaders);
        }
    }
    let leaders_min = leaders_min.into_iter().collect();
    Ok(Limits { excluded_topics: merged(excluded), only_topics: merged(only), leaders_min, ..limits })
}

fn matches<'a>(snapshot: &'a Snapshot, pattern: &str) -> Result<Vec<&'a str>, PatternError> {
    let malformed = |error: regex::Error| PatternError::Malformed { pattern: pattern.to_owned(), problem: error.to_string() };
    let regex = Regex::new(pattern).map_err(malformed)?;
    Ok(snapshot.topics.iter().map(|topic| topic.name.as_str()).filter(|name| regex.is_match(name)).collect())
}

fn some_matches<'a>(snapshot: &'a Snapshot, pattern: &str) -> Result<Vec<&'a str>, PatternError> {
    let found = matches(snapshot, pattern)?;
    if found.is_empty() { Err(PatternError::NoMatch { pattern: pattern.to_owned() }) } else { Ok(found) }
}

/// Each name once, in order.
fn merged(names: Vec<Vec<&str>>) -> Vec<String> {
    let mut names: Vec<&str> = names.into_iter().flatten().collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use ballast_cluster::Topic;

    use super::*;

    fn snapshot() -> Snapshot {
        let topic = |name: &str| Topic {
            name: name.into(),
            id: None,
            group: "default".into(),
            min_insync_replicas: 1,
            partitions: Vec::new(),
        };
        Snapshot { topics: ["audit", "orders", "orders-old"].map(topic).into(), ..Snapshot::default() }
    }

    fn matched(patterns: TopicPatterns) -> Result<Limits, PatternError> {
        with_matched_topics(&snapshot(), &patterns, Limits::default())
    }

    fn owned(patterns: &[&str]) -> Vec<String> {
        patterns.iter().map(|pattern| (*pattern).to_owned()).collect()
    }

    #[test]
    fn a_pattern_names_the_topics_that_it_matches() {
        let check = |patterns: &[&str], wanted: &[&str]| {
            let both = TopicPatterns { exclude: owned(patterns), only: owned(patterns), leaders_min: Vec::new() };
            let limits = matched(both).expect("the patterns are legal");
            assert_eq!((limits.excluded_topics, limits.only_topics), (owned(wanted), owned(wanted)), "{patterns:?}");
        };
        check(&[], &[]);
        check(&["orders"], &["orders", "orders-old"]);
        check(&["^orders$", "aud", "au"], &["audit", "orders"]);
    }

    #[test]
    fn the_highest_least_number_of_leaders_counts() {
        let leaders_min = vec![("orders".into(), 2), ("^orders$".into(), 3), ("old".into(), 1)];
        let limits = matched(TopicPatterns { leaders_min, ..TopicPatterns::default() }).expect("the patterns are legal");
        assert_eq!(limits.leaders_min, [("orders".to_owned(), 3), ("orders-old".to_owned(), 2)]);
    }

    #[test]
    fn a_pattern_that_says_nothing_is_refused_where_that_would_change_what_is_asked() {
        let check = |patterns: TopicPatterns, reason: &str| {
            assert_eq!(matched(patterns.clone()).expect_err("it says nothing").reason(), reason, "{patterns:?}");
        };
        let none = TopicPatterns::default;
        check(TopicPatterns { exclude: owned(&["("]), ..none() }, "INVALID_ARGUMENT");
        check(TopicPatterns { only: owned(&["orders", "none"]), ..none() }, "TOPIC_NOT_FOUND");
        check(TopicPatterns { leaders_min: vec![("none".into(), 1)], ..none() }, "TOPIC_NOT_FOUND");
        assert!(matched(TopicPatterns { exclude: owned(&["none"]), ..none() }).is_ok());
    }
}
