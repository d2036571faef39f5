//! The saved form of a simulated cluster: everything, as JSON, so that it lives on across restarts of the program. Must not know
//! where it is kept.

use serde::{Deserialize, Serialize};

use crate::world::World;

const FORMAT: &str = "ballast.simulation.v1";

#[derive(Serialize)]
struct Saved<'a> {
    format: &'a str,
    world: &'a World,
}

#[derive(Deserialize)]
struct Restored {
    format: String,
    world: World,
}

/// A saved cluster that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("not a saved simulation: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("saved in format {found:?}, and only {FORMAT:?} can be read")]
    OtherFormat { found: String },
}

pub fn save(world: &World) -> Vec<u8> {
    serde_json::to_vec(&Saved { format: FORMAT, world }).expect("plain data with string and integer keys always has a JSON form")
}

pub fn restore(bytes: &[u8]) -> Result<World, RestoreError> {
    let restored: Restored = serde_json::from_slice(bytes)?;
    if restored.format != FORMAT {
        return Err(RestoreError::OtherFormat { found: restored.format });
    }
    let mut world = restored.world;
    world.throttled = world.configs.throttle_table();
    Ok(world)
}
