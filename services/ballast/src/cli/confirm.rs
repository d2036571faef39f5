//! Asks before a write. Must not know what is written beyond the sentence that says so.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use ballast_rpc::Reason;

use super::ClientOptions;
use super::exit::{CliError, Exit};

/// Goes on only with `--yes`, `--dry-run`, or a yes on the terminal. `deed` names the cluster and what it will touch.
pub fn confirm(options: &ClientOptions, deed: &str) -> Result<(), CliError> {
    if options.yes || options.dry_run {
        return Ok(());
    }
    let refused = |message: String| Err(CliError::new(Exit::Usage, Reason::ConfirmationRequired, message));
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return refused(format!("{deed} There is no terminal to confirm it on: give --yes, or --dry-run to only check"));
    }
    eprint!("{deed}\nGo on? [y/N] ");
    // A prompt that cannot be shown is answered by no.
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    match (read, answer.trim().to_ascii_lowercase().as_str()) {
        (Ok(_), "y" | "yes") => Ok(()),
        _ => refused("not confirmed: nothing was changed".into()),
    }
}
