//! Prints answers: tables for people, JSON for programs, names for loops in a shell. Must not know what the answers mean. With JSON
//! nothing else goes to standard output.

use std::io::{self, BufWriter, IsTerminal as _, Write as _};

use ballast_rpc::Reason;
use clap::ValueEnum;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle};
use serde::Serialize;

use super::exit::{CliError, Exit};

/// One line under the head and no other: what is read down a column needs no boxes.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// One document.
    Json,
    /// One object a line.
    Jsonl,
    /// Ids only, one a line.
    Name,
}

/// What goes to standard output at once.
const STREAM_BUFFER_BYTES: usize = 1 << 16;

/// Where and how a command prints.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    pub format: Format,
    pub color: bool,
    /// Columns that whoever prints puts before every line.
    pub indent: u16,
}

impl Output {
    /// Colours only on a terminal, and never against the user's wish.
    pub fn new(format: Format, no_color: bool) -> Self {
        Self { format, color: !no_color && std::io::stdout().is_terminal(), indent: 0 }
    }

    /// One thing: `view` draws it for people.
    pub fn one<T: Serialize>(&self, thing: &T, name: &str, view: impl FnOnce(&Self) -> String) -> Result<(), CliError> {
        match self.format {
            Format::Table => line(&view(self)),
            Format::Json => streamed(|out| serde_json::to_writer_pretty(out, thing)),
            Format::Jsonl => streamed(|out| serde_json::to_writer(out, thing)),
            Format::Name => line(name),
        }
    }

    /// A list: an array in JSON.
    pub fn many<T: Serialize>(
        &self,
        things: &[T],
        name: impl Fn(&T) -> String,
        view: impl FnOnce(&Self) -> String,
    ) -> Result<(), CliError> {
        match self.format {
            Format::Table => line(&view(self)),
            Format::Json => line(&pretty(&things)?),
            Format::Jsonl => things.iter().try_for_each(|thing| line(&compact(thing)?)),
            Format::Name => things.iter().try_for_each(|thing| line(&name(thing))),
        }
    }

    /// One record of a log or watch: always one line, as it comes.
    pub fn record<T: Serialize>(&self, thing: &T, name: &str, view: impl FnOnce(&Self) -> String) -> Result<(), CliError> {
        match self.format {
            Format::Table => line(&view(self)),
            Format::Json | Format::Jsonl => line(&compact(thing)?),
            Format::Name => line(name),
        }
    }

    pub fn is_for_people(&self) -> bool {
        self.format == Format::Table
    }

    /// A table with this head. Only its last column is made to fit the terminal: an id or a number cut in two is of no use.
    pub fn table<const N: usize>(&self, head: [&str; N]) -> Table {
        let mut table = Table::new();
        table.load_style(STYLE);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        if !self.color {
            table.force_no_tty();
        }
        if let Some(width) = table.width() {
            table.set_width(width.saturating_sub(self.indent));
        }
        table.set_header(head.map(|title| self.bold(title)));
        for column in table.column_iter_mut().take(N.saturating_sub(1)) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
        table
    }

    /// Numbers stand right.
    pub fn number(&self, text: impl ToString) -> Cell {
        Cell::new(text).set_alignment(CellAlignment::Right)
    }

    pub fn bold(&self, text: impl ToString) -> Cell {
        Cell::new(text).add_attribute(Attribute::Bold)
    }

    /// A state: green when all is well, red when not, yellow between.
    pub fn state(&self, state: &str) -> Cell {
        let color = match state.to_ascii_uppercase().as_str() {
            "ALIVE" | "SUCCEEDED" | "READY" | "YES" | "ROLLED_BACK" => Color::Green,
            "DEAD" | "FAILED" | "NEEDS_OPERATOR" | "PARTIALLY_APPLIED" | "UNREACHABLE" | "OFFLINE" => Color::Red,
            "RUNNING" | "VERIFYING" | "NEW" => Color::Cyan,
            _ => Color::Yellow,
        };
        Cell::new(state).fg(color)
    }

    /// Bold on a terminal.
    pub fn heading(&self, text: &str) -> String {
        if self.color { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Text as it is, with a line break.
pub fn line(text: &str) -> Result<(), CliError> {
    raw(text.as_bytes())?;
    if text.ends_with('\n') { Ok(()) } else { raw(b"\n") }
}

/// Bytes as they are.
pub fn raw(bytes: &[u8]) -> Result<(), CliError> {
    written(io::stdout().lock().write_all(bytes))
}

/// JSON as it is made, and a line break: what is printed may be larger than what it is printed from.
fn streamed(print: impl FnOnce(&mut dyn io::Write) -> serde_json::Result<()>) -> Result<(), CliError> {
    let mut out = BufWriter::with_capacity(STREAM_BUFFER_BYTES, io::stdout().lock());
    let printed = print(&mut out).map_err(io::Error::from);
    written(printed.and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()))
}

fn written(result: io::Result<()>) -> Result<(), CliError> {
    match result {
        Ok(()) => Ok(()),
        // The reader has seen enough (`| head`): not an error of ours.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(Exit::Ok as i32),
        Err(error) => Err(CliError::new(Exit::Error, Reason::Internal, format!("cannot write to standard output: {error}"))),
    }
}

/// A cell without any style.
pub fn plain(text: impl ToString) -> Cell {
    Cell::new(text)
}

/// `key  value` lines with aligned values.
pub fn facts(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    let lines: Vec<String> = pairs.iter().map(|(key, value)| format!("{key:width$}  {value}")).collect();
    lines.join("\n")
}

/// `1, 2, 3`.
pub fn ids(brokers: &[i32]) -> String {
    let ids: Vec<String> = brokers.iter().map(ToString::to_string).collect();
    ids.join(", ")
}

/// What may be absent, as a dash.
pub fn maybe<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

pub fn pretty<T: Serialize>(thing: &T) -> Result<String, CliError> {
    serde_json::to_string_pretty(thing).map_err(unprintable)
}

pub fn compact<T: Serialize>(thing: &T) -> Result<String, CliError> {
    serde_json::to_string(thing).map_err(unprintable)
}

fn unprintable(error: serde_json::Error) -> CliError {
    CliError::new(Exit::Error, Reason::Internal, format!("the answer cannot be printed: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_align_their_values() {
        assert_eq!(facts(&[("a", "1".into()), ("long", "2".into())]), "a     1\nlong  2");
    }

    #[test]
    fn a_table_without_a_terminal_has_no_escape_codes() {
        let output = Output { format: Format::Table, color: false, indent: 0 };
        let mut table = output.table(["broker", "state"]);
        table.add_row([output.number(1), output.state("dead")]);
        let text = table.to_string();
        assert!(text.contains("dead") && !text.contains('\u{1b}'), "{text}");
    }
}
