//! Laws about who may import whom: floors, the walls around drivers, and the closed circle of services.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ballast_tidy::{files, text};

/// Floor 0 and all that its crates may import, complete.
const FLOOR_0: [(&str, &[&str]); 6] = [
    ("ballast-cluster", &[]),
    ("ballast-lab", &["ballast-cluster"]),
    ("ballast-planner", &["ballast-cluster"]),
    ("ballast-task", &["ballast-cluster"]),
    ("ballast-throttle", &["ballast-cluster"]),
    ("ballast-events", &["ballast-cluster", "ballast-planner", "ballast-task", "ballast-throttle"]),
];

const FLOOR_1: [&str; 4] = ["ballast-clock", "ballast-event-log", "ballast-kafka", "ballast-sim-cluster"];

/// Each driver and the only crates (tests apart) that may import it.
const WALLS: [(&str, &[&str]); 9] = [
    ("sled", &["ballast-event-log-sled"]),
    ("kafka-protocol", &["ballast-kafka-client"]),
    ("rdkafka", &["ballast-kafka-harness"]),
    ("figment", &["ballast"]),
    ("clap", &["ballast"]),
    ("comfy-table", &["ballast"]),
    ("indicatif", &["ballast"]),
    ("opentelemetry-prometheus", &["ballast-telemetry"]),
    ("opentelemetry-otlp", &["ballast-telemetry"]),
];

/// Normal dependencies of every crate of the house, and where its manifest lies.
fn manifests() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let mut crates = BTreeMap::new();
    for path in files(&["toml"]).into_iter().filter(|path| path.ends_with("Cargo.toml")) {
        let manifest: toml::Table = text(&path).parse().expect("cargo would have refused a manifest that is not TOML");
        let name = manifest["package"]["name"].as_str().expect("every package has a name").to_owned();
        let mut dependencies = BTreeSet::new();
        for section in ["dependencies", "build-dependencies"] {
            if let Some(table) = manifest.get(section).and_then(toml::Value::as_table) {
                dependencies.extend(table.keys().cloned());
            }
        }
        let folder = path.parent().unwrap_or(Path::new("")).display().to_string();
        crates.insert(name, (folder, dependencies));
    }
    crates
}

fn ours(dependencies: &BTreeSet<String>) -> impl Iterator<Item = &str> {
    dependencies.iter().map(String::as_str).filter(|name| *name == "ballast" || name.starts_with("ballast-"))
}

#[test]
fn floor_0_imports_exactly_what_the_design_lists() {
    let crates = manifests();
    for (name, allowed) in FLOOR_0 {
        let (_, dependencies) = &crates[name];
        for dependency in dependencies {
            assert!(allowed.contains(&dependency.as_str()), "{name} is pure and must not import {dependency}");
        }
    }
}

#[test]
fn floor_1_imports_only_floors_below_and_beside() {
    let crates = manifests();
    let floor_0: Vec<&str> = FLOOR_0.iter().map(|(name, _)| *name).collect();
    for name in FLOOR_1 {
        for dependency in ours(&crates[name].1) {
            assert!(
                floor_0.contains(&dependency) || FLOOR_1.contains(&dependency),
                "{name} must not import {dependency} of a floor above"
            );
        }
        for driver in ["tonic", "sled", "rdkafka", "kafka-protocol"] {
            assert!(!crates[name].1.contains(driver), "{name} is a port and must not import the driver {driver}");
        }
    }
}

#[test]
fn libraries_never_import_services() {
    let crates = manifests();
    let services: BTreeSet<&str> =
        crates.iter().filter(|(_, (folder, _))| folder.starts_with("services/")).map(|(name, _)| name.as_str()).collect();
    for (name, (folder, dependencies)) in &crates {
        if folder.starts_with("libs/") {
            for dependency in ours(dependencies) {
                assert!(!services.contains(dependency), "{name} is a library and must not import the service {dependency}");
            }
        }
    }
}

#[test]
fn a_service_never_imports_a_service() {
    let crates = manifests();
    let services: BTreeSet<&str> =
        crates.iter().filter(|(_, (folder, _))| folder.starts_with("services/")).map(|(name, _)| name.as_str()).collect();
    for name in services.iter().filter(|name| **name != "ballast") {
        for dependency in ours(&crates[*name].1) {
            assert!(!services.contains(dependency), "{name} must meet {dependency} in the log, not import it");
        }
    }
}

#[test]
fn every_driver_stays_behind_its_wall() {
    for (name, (folder, dependencies)) in manifests() {
        for (driver, allowed) in WALLS {
            let legal = !dependencies.contains(driver) || allowed.contains(&name.as_str());
            assert!(legal, "{name} ({folder}) must not import {driver}: only {allowed:?} may");
        }
    }
}

#[test]
fn a_crate_is_called_after_its_folder() {
    for (name, (folder, _)) in manifests() {
        let leaf = folder.rsplit('/').next().unwrap_or_default().to_owned();
        let expected = [format!("ballast-{leaf}"), format!("ballast-{leaf}-service"), leaf];
        assert!(expected.contains(&name), "{folder} holds {name}: the folder's name with the prefix ballast- is the law");
    }
}
