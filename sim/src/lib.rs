//! Whole brokers in virtual time on a disk that lies: the second interpreter of `input.rs`, `effect.rs` and
//! `shard_message.rs`. One seed gives one world, always the same. How to use it: `docs/TESTING.md`.

pub mod boot;
pub mod checkers;
pub mod client;
pub mod coverage;
pub mod disk;
pub mod mutations;
pub mod network;
pub mod node;
pub mod plan;
pub mod random;
pub mod schedule;
pub mod swarm;
pub mod trace;
pub mod world;

#[cfg(test)]
mod contract;
#[cfg(test)]
mod scenarios;

use mutations::Mutation;
use plan::Plan;
use world::{Outcome, World};

/// The world of one seed.
#[must_use]
pub fn run_seed(seed: u64, mutation: Mutation) -> Outcome {
    World::new(seed, Plan::of_seed(seed), mutation).run()
}
