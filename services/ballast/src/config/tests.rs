//! The configuration's errors name file, line and key, and each source overrides the one before.

use super::*;
use crate::cli::exit::Exit;

const MINIMAL: &str = "[[cluster]]\nname = \"c1\"\ndriver = \"simulated\"\n";

struct File(tempfile::TempDir);

impl File {
    fn with(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("ballast.toml"), text).expect("the file is written");
        Self(folder)
    }

    fn load(&self, flags: &Flags) -> Result<Loaded, CliError> {
        load(Some(&self.0.path().join("ballast.toml")), flags)
    }
}

fn check_refused(text: &str, parts: &[&str]) {
    let error = File::with(text).load(&Flags::default()).expect_err(text);
    assert_eq!((error.exit, error.reason.as_str()), (Exit::Usage, "CONFIG_INVALID"));
    for part in parts {
        assert!(error.message.contains(part), "{part:?} is not in {:?}", error.message);
    }
    assert!(!error.message.contains('\n'), "{:?}", error.message);
}

#[test]
fn a_minimal_file_gets_the_documented_defaults() {
    let config = File::with(MINIMAL).load(&Flags::default()).expect("it loads").config;
    assert_eq!((config.listen.as_str(), config.data_dir.to_str()), ("127.0.0.1:7420", Some("/var/lib/ballast")));
    let cluster = &config.cluster[0];
    assert_eq!(cluster.broker_session_grace.to_string(), "10s");
    assert_eq!(cluster.approval, Approval::None);
}

#[test]
fn an_unknown_key_names_file_line_and_key() {
    check_refused(&format!("lisen = \"x\"\n{MINIMAL}"), &["ballast.toml:1", "lisen"]);
    check_refused(&format!("{MINIMAL}bootstrap = []\n"), &["ballast.toml:4", "bootstrap"]);
    check_refused(&format!("{MINIMAL}capacity = {{ cpu = 1 }}\n"), &["ballast.toml:4", "cpu"]);
}

#[test]
fn illegal_values_are_refused_by_name() {
    check_refused("", &["[[cluster]]"]);
    check_refused("data_dir = [", &["ballast.toml:1"]);
    check_refused("[[cluster]]\nname = \"c1\"\n", &["driver"]);
    check_refused("[[cluster]]\nname = \"c1\"\ndriver = \"kafka\"\n", &["c1", "bootstrap_servers"]);
    check_refused(&format!("{MINIMAL}{MINIMAL}"), &["c1", "twice"]);
    check_refused("[[cluster]]\nname = \"a/b\"\ndriver = \"simulated\"\n", &["a/b", "name"]);
    check_refused(&format!("listen = \"here\"\n{MINIMAL}"), &["listen", "here"]);
    check_refused(&format!("[event_log]\nengine = \"kafka\"\n{MINIMAL}"), &["engine", "not supported yet"]);
    check_refused(&format!("{MINIMAL}broker_session_grace = \"10\"\n"), &["ballast.toml:4", "10s"]);
    check_refused(&format!("{MINIMAL}[throttle]\nshare_percent_repair = 101\n"), &["throttle.share_percent_repair"]);
}

#[test]
fn an_absent_file_is_refused_by_its_name() {
    let error = load(Some(Path::new("/nowhere/ballast.toml")), &Flags::default()).expect_err("there is none");
    assert!(error.message.contains("/nowhere/ballast.toml"), "{}", error.message);
}

#[test]
fn flags_override_the_file_and_the_dump_tells_each_origin() {
    let file = File::with(&format!("data_dir = \"/srv\"\n{MINIMAL}"));
    let loaded = file.load(&Flags { data_dir: None, listen: Some("127.0.0.1:1".into()) }).expect("it loads");
    assert_eq!(loaded.config.listen, "127.0.0.1:1");
    let dump = loaded.dump(true).expect("it prints");
    let check = |start: &str, end: &str| {
        assert!(dump.lines().any(|line| line.starts_with(start) && line.ends_with(end)), "{start} … {end} is not in\n{dump}");
    };
    check("listen = \"127.0.0.1:1\"", "# flag");
    check("data_dir = \"/srv\"", "ballast.toml");
    check("event_log.engine = \"sled\"", "# default");
    check("name = \"c1\"", "ballast.toml");
    check("broker_session_grace = \"10s\"", "# default");
    let plain = loaded.dump(false).expect("it prints");
    assert_eq!(toml::from_str::<Config>(&plain).expect("a dump is a configuration"), loaded.config);
}
