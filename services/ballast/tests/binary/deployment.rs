//! The files of deploy/ do what they say: the unit is one that systemd takes, and its command lines serve the example.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::server::{Server, text};

fn deploy(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(file)
}

/// The unit as it would be installed, with the binary and the configuration of this tree.
fn unit() -> String {
    let unit = std::fs::read_to_string(deploy("ballast.service")).expect("the unit is there");
    let installed = [("/usr/local/bin/ballast", env!("CARGO_BIN_EXE_ballast").to_owned())];
    let installed = installed.into_iter().chain([("/etc/ballast/ballast.toml", text(&deploy("ballast.toml")))]);
    installed.fold(unit, |unit, (path, here)| unit.replace(path, &here))
}

/// What the unit runs under `key`.
fn command(unit: &str, key: &str) -> Vec<String> {
    let line = unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).expect("the unit has the line");
    line.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_unit_is_one_that_systemd_takes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("ballast.service");
    std::fs::write(&file, unit()).expect("the unit is written");
    let Ok(verified) = Command::new("systemd-analyze").arg("verify").arg(&file).stdin(Stdio::null()).output() else {
        return eprintln!("SKIPPED, nothing was tested: there is no systemd-analyze");
    };
    let told = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && !told.contains("ballast.service"), "{told}");
}

#[test]
fn the_command_lines_of_the_unit_check_and_serve_the_example() {
    let unit = unit();
    let before = command(&unit, "ExecStartPre");
    let checked = Command::new(&before[0]).args(&before[1..]).output().expect("it runs");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    // As its EnvironmentFile may say: a state directory of this test, a free port.
    let mut server = Server::start_command(&command(&unit, "ExecStart"), &[("BALLAST_LISTEN", "127.0.0.1:0")]);
    let known = || server.json(&["cluster", "list"])[0]["name"] == "playground";
    server.until("the example's cluster is served", known);
    server.stop();
}
