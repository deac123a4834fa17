//! Sessions over sockets, and the [`Peer`] that listens and dials.
//!
//! ```text
//!   Peer ── listen, dial, accept          one per identity; invites, aliases, PX-1
//!     │
//!   Session ── open_stream, close         one per connection; a task of its own moves its bytes
//!     │
//!   Stream ── AsyncRead + AsyncWrite      many per session
//! ```
//!
//! [`dial`] and [`answer`] make a [`Session`] of any byte stream, without a [`Peer`].
//!
//! # Cancel safety
//! All state lives in the types, none in the futures: a pending `read`, `write`, `flush`, `next`, `accept` or `open_stream` that
//! is dropped has done nothing. `dial`s that are dropped close what they had opened.
//!
//! # Memory
//! A session holds no buffers while it is idle. What a peer can make it hold is bounded by
//! [`session::Config`](crate::session::Config) and [`Config`]; what all peers of a [`Peer`] together can, by [`Memory`].

mod config;
mod driver;
mod handshake;
mod link;
mod memory;
mod peer;
mod session;
mod stream;

pub use config::Config;
pub use handshake::{answer, dial};
pub use memory::Memory;
pub use peer::{Builder, DialOptions, Failed, Identity, Limits, Peer, Sessions, Target};
pub use session::{Incoming, Session};
pub use stream::{Stream, StreamReader, StreamWriter};
