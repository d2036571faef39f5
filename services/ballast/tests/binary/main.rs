//! The real binary from outside, on simulated clusters: commands, refusals, operation, the files of deploy/.

mod bad_input;
mod command_line;
mod deployment;
mod full_volume;
mod observability;
mod opening;
mod server;
