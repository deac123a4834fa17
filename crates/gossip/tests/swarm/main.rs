//! Whole swarms on a virtual clock.

mod lab;
mod tree;
