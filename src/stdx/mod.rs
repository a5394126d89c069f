//! What knows no domain: containers with fixed behaviour in every run.

mod id_map;
mod random_ids;
mod slab;

pub use id_map::IdMap;
pub use random_ids::RandomIds;
pub use slab::{Slab, SlabKey};
