//! Reads the configuration: TOML file, then `BALLAST_SECTION__KEY` of the environment, then flags. The only place that reads the
//! environment for the server. Must not know what the services make of it.

mod origin;
mod sections;

use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format as _, Serialized, Toml};

pub use sections::{Approval, CapacitySection, ClusterSection, Config, Driver, LoggingFormat, SimulatedSection};

use crate::cli::exit::CliError;

/// What flags of `ballast serve` set, above file and environment.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    pub data_dir: Option<PathBuf>,
    pub listen: Option<String>,
}

/// A configuration that was checked, and where each value came from.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    figment: Figment,
}

impl Loaded {
    /// Every value as TOML, with its origin as a comment when wanted.
    pub fn dump(&self, with_origin: bool) -> Result<String, CliError> {
        origin::dump(&self.config, &self.figment, with_origin)
    }
}

/// Reads and checks. `file` may be absent only for `config dump`, which then shows the defaults.
pub fn load(file: Option<&Path>, flags: &Flags) -> Result<Loaded, CliError> {
    let mut figment = Figment::new();
    if let Some(file) = file {
        check_file(file)?;
        figment = figment.merge(Toml::file_exact(file));
    }
    // BALLAST_SERVER belongs to the client commands.
    figment = figment.merge(Env::prefixed("BALLAST_").ignore(&["SERVER"]).split("__"));
    if let Some(data_dir) = &flags.data_dir {
        figment = figment.merge(Serialized::global("data_dir", data_dir));
    }
    if let Some(listen) = &flags.listen {
        figment = figment.merge(Serialized::global("listen", listen));
    }
    let config: Config = figment.extract().map_err(|error| CliError::config(origin::describe(&error)))?;
    let place = file.map(|file| format!("{}: ", file.display())).unwrap_or_default();
    if file.is_some() {
        config.check().map_err(|problem| CliError::config(format!("{place}{problem}")))?;
    }
    Ok(Loaded { config, figment })
}

/// Reads the file by itself first: only so an error can name its line.
fn check_file(file: &Path) -> Result<(), CliError> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| CliError::config(format!("cannot read the configuration {}: {error}", file.display())))?;
    match toml::from_str::<Config>(&text) {
        Ok(_) => Ok(()),
        Err(error) => {
            let line = error.span().map(|span| 1 + text[..span.start.min(text.len())].matches('\n').count());
            let place = line.map(|line| format!(":{line}")).unwrap_or_default();
            let message = error.message().replace('\n', " ");
            Err(CliError::config(format!("{}{place}: {message}", file.display())))
        }
    }
}

#[cfg(test)]
mod tests;
