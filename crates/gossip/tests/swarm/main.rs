//! Whole swarms on a virtual clock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod bounds;
mod frames;
mod heal;
mod hostile;
mod joiner;
mod lab;
mod proofs;
mod tree;
