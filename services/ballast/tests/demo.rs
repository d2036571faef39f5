//! The demo heals its cluster, survives its crash and says so in its last line.

use std::process::Command;

#[test]
fn the_demo_ends_healed_and_says_so_in_its_last_line() {
    let demo =
        Command::new(env!("CARGO_BIN_EXE_ballast")).args(["demo", "--plain", "--speed", "15"]).output().expect("the demo runs");
    let (told, complaints) = (String::from_utf8_lossy(&demo.stdout), String::from_utf8_lossy(&demo.stderr));
    assert_eq!(demo.status.code(), Some(0), "{told}\n{complaints}");
    let last = told.lines().last().unwrap_or_default();
    assert!(last.starts_with("demo: ok"), "{told}");
    for word in ["steps", "bytes", "seconds", "sequence"] {
        assert!(last.contains(word), "{word} is not in {last}");
    }
    assert!(!told.contains('\u{1b}'), "plain has no escape codes");
}
