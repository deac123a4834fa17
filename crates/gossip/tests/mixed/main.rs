//! Networks that mix our nodes with the original, and each of the original's measured faults answered.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod bounds;
mod faults;
mod lines;
mod network;
mod order;
mod original;

use handfast_json::Value;

/// A message that the tests count.
fn n(number: u64) -> Value {
    handfast_json::parse(format!("{{\"n\":{number}}}")).unwrap()
}
