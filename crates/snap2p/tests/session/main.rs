//! Handshakes and sessions without sockets: recorded, between two machines, and with peers that mean harm.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod handshakes;
mod hostile;
mod hostile_sessions;
#[cfg(feature = "_check")]
mod laws;
mod puppet;
mod recorded;
mod sessions;
mod support;
mod weaknesses;
