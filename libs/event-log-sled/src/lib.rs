//! The event log on sled 0.34.7, made durable and verifiable: sled's own flush does not reach the disk on Linux, so every commit
//! is followed by an fdatasync of its file before it is acknowledged, and every record carries its own checksum, place and
//! chain. The only importer of sled. Must not know what events mean.
//!
//! A data directory holds: `ballast.format` (whose directory this is, and in which format), `lock`, `head` (where the log ended
//! after the last commit), `log/` (sled's files) and, while it is opened, `log.trial/` (the copy that is checked first). Others may keep files of their own beside these once the log was opened.

mod directory;
mod engine;
mod error;
mod head_file;
mod offline;
mod store;
mod trial;
mod writer;

pub use engine::{Options, SledLog};
pub use error::OpenError;
pub use offline::{Info, Report, info_directory, verify_directory};
