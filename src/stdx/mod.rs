//! What knows no domain: containers with fixed behaviour in every run.

mod id_map;
mod slab;

pub use id_map::IdMap;
pub use slab::{Slab, SlabKey};
