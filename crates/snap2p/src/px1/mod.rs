//! PX-1: peers tell each other where principals can be dialled (§10 of the specification).
//!
//! On an authenticated session, an application stream labelled [`LABEL`] carries [`Request`], [`Response`] and [`Push`], each
//! framed by a varint of its length as everything else in SNaP2P. Whoever opens the stream asks or tells, then half-closes;
//! a request is answered on the same stream. What is told is a hint and nothing more: who is at a place is proved by the
//! session that is dialled there. A node that takes part says so by the capability [`LABEL`] in its HELLO, so nobody asks the
//! TypeScript reference, which has no PX-1.
//!
//! Here are the messages, the [`Cache`] and the [`Policy`], without I/O; the `tokio` adapter's `Peer` runs them.

mod cache;
mod message;
mod policy;
mod reach;

pub use cache::{Cache, Source};
pub use message::{Message, Push, Request, Response};
pub use policy::Policy;
pub use reach::may_name;

use std::time::Duration;

/// The label of streams, and the capability.
pub const LABEL: &str = "px-1";
/// The longest message, bytes: [`LOCATORS_MAX`] locators of the longest kind fit. Stops a peer that would have us keep more.
pub const MESSAGE_MAX: usize = 4 << 10;
/// The most locators of one principal that are kept, told and asked for. Stops whoever would have us dial half the Internet.
pub const LOCATORS_MAX: usize = 8;
/// The most principals whose locators are kept. Some 300 bytes each: a full cache takes about 1 MiB.
pub const PRINCIPALS_MAX: usize = 4096;
/// The most principals that are kept on the word of one peer that is not the principal itself. Stops a single peer from
/// filling the cache.
pub const HEARSAY_MAX: usize = 256;
/// The most locators of one principal that are kept on the word of one peer that is not the principal itself. Stops a single
/// peer from pushing out what others say of it.
pub const HEARSAY_LOCATORS_MAX: usize = 2;
/// How long a hint is good, and at most (§10 gives the default).
pub const TTL: Duration = Duration::from_secs(24 * 3600);
