//! Whole swarms on a virtual clock.

mod heal;
mod joiner;
mod lab;
mod tree;
