//! Where values of the configuration came from: for `config dump --origin` and for errors. Must not know what the values mean.

use figment::value::Value;
use figment::{Figment, Source};

use super::Config;
use crate::cli::exit::CliError;

/// One line that names the source and the key.
pub fn describe(error: &figment::Error) -> String {
    let key = error.path.join(".");
    let source = error.metadata.as_ref().map_or_else(String::new, |metadata| {
        let place = metadata.source.as_ref().map(ToString::to_string).unwrap_or_default();
        if place.is_empty() { metadata.name.to_string() } else { place }
    });
    let from_environment = source.contains("environment");
    let place = match (key.is_empty(), from_environment) {
        (true, _) => source,
        (false, true) => format!("environment variable BALLAST_{}", key.to_uppercase().replace('.', "__")),
        (false, false) => format!("{source}: {key}"),
    };
    let problem = match &error.kind {
        figment::error::Kind::UnknownField(name, known) => format!("unknown key {name:?}, known are {}", known.join(", ")),
        kind => kind.to_string(),
    };
    if place.is_empty() { problem } else { format!("{place}: {problem}") }
}

/// The configuration as TOML, one dotted key a line.
pub fn dump(config: &Config, figment: &Figment, with_origin: bool) -> Result<String, CliError> {
    let unprintable = |error: &dyn std::fmt::Display| CliError::config(format!("the configuration cannot be printed: {error}"));
    let values = toml::Value::try_from(config).map_err(|error| unprintable(&error))?;
    let mut root = values.as_table().cloned().unwrap_or_default();
    let clusters = root.remove("cluster");
    let mut dump = Dump { figment, with_origin, text: String::new() };
    let find = |key: &str| figment.find_value(key).ok();
    for (key, value) in &root {
        dump.put(key, value, find(key).as_ref());
    }
    let given = find("cluster");
    for (at, cluster) in clusters.iter().filter_map(toml::Value::as_array).flatten().enumerate() {
        dump.text.push_str("\n[[cluster]]\n");
        let given = given.as_ref().and_then(Value::as_array).and_then(|clusters| clusters.get(at));
        for (key, value) in cluster.as_table().into_iter().flatten() {
            dump.put(key, value, given.and_then(|given| given.find_ref(key)));
        }
    }
    Ok(dump.text)
}

struct Dump<'a> {
    figment: &'a Figment,
    with_origin: bool,
    text: String,
}

impl Dump<'_> {
    /// `given` is the value as figment has it; `None`: nobody gave it, it is the default.
    fn put(&mut self, key: &str, value: &toml::Value, given: Option<&Value>) {
        if let toml::Value::Table(table) = value {
            for (inner, value) in table {
                self.put(&format!("{key}.{inner}"), value, given.and_then(|given| given.find_ref(inner)));
            }
            return;
        }
        self.text.push_str(&format!("{key} = {value}"));
        if self.with_origin {
            self.text.push_str(&format!("  # {}", self.origin(given)));
        }
        self.text.push('\n');
    }

    fn origin(&self, given: Option<&Value>) -> String {
        let Some(given) = given else { return "default".into() };
        match self.figment.get_metadata(given.tag()) {
            None => "default".into(),
            Some(metadata) => match &metadata.source {
                Some(Source::File(path)) => path.display().to_string(),
                Some(Source::Code(_)) => "flag".into(),
                _ => "environment".into(),
            },
        }
    }
}
