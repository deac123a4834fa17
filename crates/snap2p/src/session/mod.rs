//! Sessions, without I/O: the [`Handshake`] that proves both ends to each other, and the [`Session`] that carries their
//! streams.

mod config;
mod handshake;
mod local;
mod machine;
mod peer;

pub use config::Config;
pub use handshake::{Handshake, Question};
pub use local::{Answer, Dial, Local, Secrets};
pub use machine::{Event, Read, Session};
pub use peer::{PeerInfo, Role};
