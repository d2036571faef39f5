//! From patterns to the names of topics that a plan leaves alone. Pure: must not know why they are excluded.

use ballast_cluster::Snapshot;
use regex::Regex;

/// A pattern that is no regular expression.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{pattern:?} is not a regular expression: {problem}")]
pub struct PatternError {
    pub pattern: String,
    pub problem: String,
}

/// Topics with a match of one of the patterns anywhere in their name; anchor a pattern to match whole names.
pub fn excluded_topics(snapshot: &Snapshot, patterns: &[String]) -> Result<Vec<String>, PatternError> {
    let compile = |pattern: &String| {
        let problem = |error: regex::Error| PatternError { pattern: pattern.clone(), problem: error.to_string() };
        Regex::new(pattern).map_err(problem)
    };
    let patterns: Vec<Regex> = patterns.iter().map(compile).collect::<Result<_, _>>()?;
    let is_excluded = |name: &&String| patterns.iter().any(|pattern| pattern.is_match(name));
    Ok(snapshot.topics.iter().map(|topic| &topic.name).filter(is_excluded).cloned().collect())
}

#[cfg(test)]
mod tests {
    use ballast_cluster::Topic;

    use super::*;

    #[test]
    fn a_pattern_excludes_the_topics_that_it_matches() {
        let topic = |name: &str| Topic {
            name: name.into(),
            id: None,
            group: "default".into(),
            min_insync_replicas: 1,
            partitions: Vec::new(),
        };
        let snapshot = Snapshot { topics: ["audit", "orders", "orders-old"].map(topic).into(), ..Snapshot::default() };
        let check = |patterns: &[&str], wanted: &[&str]| {
            let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
            assert_eq!(excluded_topics(&snapshot, &patterns).expect("the patterns are legal"), wanted, "{patterns:?}");
        };
        check(&[], &[]);
        check(&["orders"], &["orders", "orders-old"]);
        check(&["^orders$", "aud"], &["audit", "orders"]);
        assert!(excluded_topics(&snapshot, &["(".to_owned()]).is_err());
    }
}
