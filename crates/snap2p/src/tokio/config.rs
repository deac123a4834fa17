//! What a session over a socket may take.

use super::Memory;
use crate::{limits, session};
use std::time::Duration;

/// What one session over a socket may take, beyond what [`session::Config`] bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Streams, buffers and clocks of the session.
    pub session: session::Config,
    /// How long the establishment may take, all of it; 30 s. Stops strangers from holding half a handshake for ever.
    pub handshake_timeout: Duration,
    /// How many sealed bytes wait for the socket before writers wait; 256 KiB, and a frame on top. More makes fewer and
    /// longer system calls; less saves memory where the peer does not read.
    pub output_buffer: usize,
    /// How long what was written may take to leave after [`Session::close`](super::Session::close), and the peer to close its
    /// side; 5 s. Stops a peer that does not read from holding a session that nobody wants.
    pub close_timeout: Duration,
    /// What this session takes of for large frames and for what is unread, together with all whose configuration is a clone of
    /// this one; [`limits::SHARED_MEMORY`], 64 MiB. All sessions of a [`Peer`](super::Peer) share what its
    /// [`Limits`](super::Limits) have here.
    pub memory: Memory,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            session: session::Config::default(),
            handshake_timeout: limits::HANDSHAKE_TIMEOUT,
            output_buffer: 256 << 10,
            close_timeout: Duration::from_secs(5),
            memory: Memory::default(),
        }
    }
}
