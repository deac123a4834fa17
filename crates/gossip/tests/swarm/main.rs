//! Whole swarms on a virtual clock.

mod frames;
mod heal;
mod hostile;
mod joiner;
mod lab;
mod tree;
