//! Fuzz and property-test bodies: functions of bytes that assert laws. Not part of the public interface.
#![allow(
    missing_docs,
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing
)]

mod overlay;
mod swarm;

pub use crate::secure::check::{line, links};
pub use crate::topic::check::topic;
pub use overlay::{membership_machine, overlay_frame, overlay_machine};
pub use swarm::{swarm_frame, swarm_hostile, swarm_pair};
