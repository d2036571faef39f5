//! `config check` and `config dump`. Must not know what the keys mean.

use std::path::PathBuf;

use clap::Subcommand;

use super::exit::CliError;
use super::output;
use crate::config;

#[derive(Subcommand, Debug)]
pub enum ConfigCommand {
    /// Read a file with the environment as `serve` would, and say whether it is right.
    Check { file: PathBuf },
    /// Print every value that holds.
    Dump {
        /// The file; without one the defaults and the environment are shown.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Say where each value came from.
        #[arg(long)]
        origin: bool,
    },
}

pub fn run(command: ConfigCommand) -> Result<(), CliError> {
    match command {
        ConfigCommand::Check { file } => {
            let loaded = config::load(Some(&file), &config::Flags::default())?;
            let clusters: Vec<&str> = loaded.config.cluster.iter().map(|cluster| cluster.name.as_str()).collect();
            output::line(&format!("{} is a valid configuration: {}", file.display(), clusters.join(", ")))
        }
        ConfigCommand::Dump { config, origin } => {
            let loaded = config::load(config.as_deref(), &config::Flags::default())?;
            output::line(&loaded.dump(origin)?)
        }
    }
}
