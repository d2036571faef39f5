//! The one binary: parses the command line, runs it, exits with the contract's code. Must not know any command.

mod cli;
mod config;
mod demo;
mod quantity;
mod serve;

use std::process::ExitCode;

use clap::Parser as _;

use cli::Cli;
use cli::exit::{CliError, Exit};
use cli::output::Format;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) => return end_unparsed(&told),
    };
    let as_json = matches!(cli.options.output, Some(Format::Json | Format::Jsonl));
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return end(
                &CliError::new(Exit::Error, ballast_rpc::Reason::Internal, format!("cannot start threads: {error}")),
                as_json,
            );
        }
    };
    let ended = runtime.block_on(cli::run(cli));
    // A prompt or a blocking read must not hold the exit up.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => end(&error, as_json),
    }
}

/// Help and version, or what is wrong with the command line, with the reason code that every refusal has.
fn end_unparsed(told: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind;
    if !told.use_stderr() || told.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // There is nobody to tell when it cannot be printed.
        let _ = told.print();
        return ExitCode::from(told.exit_code() as u8);
    }
    let text = told.to_string();
    let (what, how) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
    eprintln!("{what} ({})\n\n{}", ballast_rpc::reason_name(ballast_rpc::Reason::InvalidArgument), how.trim_end());
    ExitCode::from(Exit::Usage as u8)
}

/// One line on standard error, as JSON where the answer would have been JSON.
fn end(error: &CliError, as_json: bool) -> ExitCode {
    if as_json {
        eprintln!("{}", error.json());
    } else {
        eprintln!("{error}");
    }
    ExitCode::from(error.exit as u8)
}
