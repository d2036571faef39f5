//! How enum fields print: by name, not by number. Must not know any particular enum.

use serde::{Serialize, Serializer};

/// Implemented by the build script for every enum.
pub trait EnumName {
    /// The value's name without the enum's prefix.
    fn json_name(number: i32) -> &'static str;
}

pub fn value<S: Serializer, E: EnumName>(number: &i32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(E::json_name(*number))
}

pub fn option<S: Serializer, E: EnumName>(number: &Option<i32>, serializer: S) -> Result<S::Ok, S::Error> {
    number.map(E::json_name).serialize(serializer)
}

pub fn list<S: Serializer, E: EnumName>(numbers: &[i32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(numbers.iter().map(|number| E::json_name(*number)))
}
