//! Tells the story on standard output: chapters, sentences, a bar. Must not know the story.

use std::cell::Cell;

use ballast_proto::task::v1::Task;
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::output::{Format, Output};
use crate::cli::task_view::{gauge, state};
use crate::quantity::{bytes, duration_seconds, rate};

/// Of a bar without a terminal: a line every so many percent.
const LINE_PERCENT: u64 = 20;

/// Spaces before everything that is said.
const INDENT: u16 = 3;

pub struct Narrator {
    pub output: Output,
    with_bars: bool,
    chapter: Cell<u32>,
}

impl Narrator {
    pub fn new(color: bool, plain: bool) -> Self {
        let color = color && !plain;
        Self { output: Output { format: Format::Table, color, indent: INDENT }, with_bars: color, chapter: Cell::new(0) }
    }

    pub fn chapter(&self, title: &str) {
        self.chapter.set(self.chapter.get() + 1);
        let title = format!("{}. {title}", self.chapter.get());
        println!("\n{}", self.output.heading(&title));
    }

    pub fn say(&self, sentence: &str) {
        for line in sentence.lines() {
            println!("   {line}");
        }
    }

    pub fn progress(&self) -> Progress {
        let bar = self.with_bars.then(|| {
            let bar = ProgressBar::new(1);
            let style = ProgressStyle::with_template("   {bar:30.cyan/blue} {percent:>3}% {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Progress { bar, told_percent: None }
    }
}

/// How far a task is.
pub struct Progress {
    bar: Option<ProgressBar>,
    told_percent: Option<u64>,
}

impl Progress {
    pub fn show(&mut self, task: &Task) {
        let left =
            task.remaining_seconds.map_or_else(String::new, |seconds| format!(", about {} left", duration_seconds(seconds)));
        let moves = task.moves_in_flight;
        // Not known before it was measured twice.
        let speed = if task.bytes_per_second > 0 { format!(" at {}", rate(task.bytes_per_second)) } else { String::new() };
        let (done, total) = (task.steps_done, task.steps_total);
        let now = format!("{}: {done} of {total} steps, {moves} moves in flight{speed}{left}", state(task));
        if let Some(bar) = &self.bar {
            bar.set_length(task.bytes_total.max(1));
            bar.set_position(task.bytes_done);
            bar.set_message(now);
            return;
        }
        let percent = (task.bytes_done.saturating_mul(100)).checked_div(task.bytes_total).unwrap_or(100);
        if self.told_percent.is_none_or(|told| percent >= told + LINE_PERCENT) {
            println!("   {}  {now}", gauge(task.bytes_done, task.bytes_total));
            self.told_percent = Some(percent / LINE_PERCENT * LINE_PERCENT);
        }
    }

    /// Leaves the last figures on the screen.
    pub fn close(self, task: &Task) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        println!(
            "   {}  {}: {} of {} steps, {} copied",
            gauge(task.bytes_done, task.bytes_total),
            state(task),
            task.steps_done,
            task.steps_total,
            bytes(task.bytes_done)
        );
    }
}
