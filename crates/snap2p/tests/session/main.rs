//! Handshakes and sessions without sockets: recorded, between two machines, and with peers that mean harm.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[cfg(feature = "_check")]
mod laws;
mod recorded;
mod support;
