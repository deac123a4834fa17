//! Whole swarms on a virtual clock.

mod heal;
mod hostile;
mod joiner;
mod lab;
mod tree;
