//! The laws of the house, as tests: see `tests/`. This library only finds the files they read.

use std::fs;
use std::path::{Path, PathBuf};

/// Top of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every file below the workspace with one of `extensions`, by path relative to it, build output and jars left out.
pub fn files(extensions: &[&str]) -> Vec<PathBuf> {
    let root = root();
    let mut found = Vec::new();
    for folder in ["libs", "services", "tests", "proto", "deploy"] {
        walk(&root.join(folder), &mut found);
    }
    let wanted =
        |path: &PathBuf| path.extension().and_then(|extension| extension.to_str()).is_some_and(|e| extensions.contains(&e));
    let mut files: Vec<PathBuf> =
        found.into_iter().filter(wanted).filter_map(|path| path.strip_prefix(&root).ok().map(Path::to_path_buf)).collect();
    files.sort();
    files
}

/// Text of a file given relative to the workspace; empty when it cannot be read.
pub fn text(relative: &Path) -> String {
    fs::read_to_string(root().join(relative)).unwrap_or_default()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            let name = entry.file_name();
            if name != "target" && !name.to_string_lossy().starts_with("lib-") {
                walk(&path, found);
            }
        } else {
            found.push(path);
        }
    }
}
