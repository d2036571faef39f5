//! Laws about the catalogue of reasons: every failure code that code speaks of is listed, and nothing is listed that is not spoken of.

use std::collections::BTreeSet;
use std::path::Path;

use ballast_tidy::{files, text};

const CATALOGUE: &str = "proto/ballast/common/v1/reason.proto";

/// Names as in `ErrorInfo`, in the order of the catalogue.
fn catalogue() -> Vec<String> {
    let names = text(Path::new(CATALOGUE));
    let values = names.lines().filter_map(|line| line.trim().strip_prefix("REASON_"));
    values.filter_map(|line| line.split(' ').next()).filter(|name| *name != "UNSPECIFIED").map(str::to_owned).collect()
}

fn camel(screaming: &str) -> String {
    let word = |part: &str| part[..1].to_owned() + &part[1..].to_lowercase();
    screaming.split('_').filter(|part| !part.is_empty()).map(word).collect()
}

#[test]
fn no_reason_is_listed_twice() {
    let names = catalogue();
    let unique: BTreeSet<&String> = names.iter().collect();
    assert!(names.len() > 40, "the catalogue was not found or not understood");
    assert_eq!(unique.len(), names.len());
}

#[test]
fn every_listed_reason_is_given_by_some_code() {
    let sources: Vec<String> = files(&["rs"])
        .iter()
        .filter(|file| !file.ends_with("rpc/src/failure.rs") && !file.starts_with("tests"))
        .map(|file| text(file))
        .collect();
    let spoken = |name: &String| {
        let (quoted, variant) = (format!("\"{name}\""), format!("Reason::{}", camel(name)));
        sources.iter().any(|source| source.contains(&quoted) || source.contains(&variant))
    };
    let silent: Vec<String> = catalogue().into_iter().filter(|name| !spoken(name)).collect();
    assert!(silent.is_empty(), "nobody gives these reasons: use them or take them out: {silent:?}");
}
