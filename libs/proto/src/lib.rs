//! Generated wire types of every area, with the JSON form that the command line prints (snake_case keys, every field, numbers as
//! numbers, enum values by name without their prefix, times RFC 3339). Generated code only: no conversions, no logic.
#![allow(clippy::all, clippy::pedantic, clippy::disallowed_methods, rust_2018_idioms)]

pub mod json;
mod timestamp;

pub use timestamp::Timestamp;

include!(concat!(env!("OUT_DIR"), "/modules.rs"));
include!(concat!(env!("OUT_DIR"), "/enum_names.rs"));

/// All descriptors, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
