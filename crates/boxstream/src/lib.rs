//! Box Stream: the encrypted and authenticated record layer that follows a Secret Handshake.
//!
//! A handshake gives each direction of a connection a key and a first nonce. From then on the connection carries
//! records, each a pair of secretboxes (XSalsa20-Poly1305), in the format of the JavaScript package `pull-box-stream`:
//!
//! ```text
//!   plaintext   | at most 4096 bytes   | at most 4096 bytes   | ...            the end
//!                      |                      |
//!                 +----+-----------+     +----+-----------+               +---------+
//!   on the wire   | header | body  |     | header | body  |      ...      | goodbye |
//!                 +----------------+     +----------------+               +---------+
//!                   34 B    as long                                         34 B
//!                   |       as the plaintext
//!                   box of (body length u16, body tag 16 B)                 box of 18 zeros
//!   nonce            n       n+1           n+2     n+3             ...       n+2k
//! ```
//!
//! Nobody can change, drop, repeat or reorder a byte without the receiver's noticing, and the goodbye tells a finished
//! stream from one that was cut off.
//!
//! The core does no I/O: [`Sealer`] appends records to a buffer, [`Opener`] opens them in place.
//!
//! ```
//! use bytes::BytesMut;
//! use handfast_boxstream::{Opened, Opener, Sealer};
//! use handfast_keys::StreamKey;
//!
//! # fn main() -> Result<(), handfast_boxstream::Error> {
//! // Both come from a handshake; the nonces need not be secret, but no pair of key and nonce may be used twice.
//! let key = StreamKey { key: [7; 32], nonce: [0; 24] };
//! let mut sealer = Sealer::new(key.clone());
//! let mut opener = Opener::new(key);
//!
//! let mut wire = BytesMut::new();
//! sealer.seal(b"kia ora", &mut wire)?;
//! sealer.goodbye(&mut wire)?;
//!
//! let mut late = wire.split_off(20); // a transport delivers what it likes, when it likes
//! assert_eq!(opener.open(&mut wire)?, Opened::NeedMore(14));
//! wire.unsplit(late);
//! assert_eq!(opener.open(&mut wire)?, Opened::Record(BytesMut::from(&b"kia ora"[..])));
//! assert_eq!(opener.open(&mut wire)?, Opened::Goodbye);
//! # Ok(()) }
//! ```
//!
//! Over sockets, [`tokio::BoxStream`](crate::tokio) does the same as an `AsyncRead + AsyncWrite` (feature `tokio`, on by
//! default).
#![cfg_attr(not(feature = "tokio"), allow(rustdoc::broken_intra_doc_links))]

#[cfg(feature = "_check")]
#[doc(hidden)]
pub mod check;
mod crypto;
mod error;
mod header;
mod nonce;
mod opener;
mod sealer;
#[cfg(feature = "tokio")]
pub mod tokio;

pub use error::{Cut, Error};
pub use header::Header;
pub use opener::{Opened, Opener};
pub use sealer::Sealer;

/// The most plaintext in one record: 4096 bytes. Longer writes are cut.
///
/// Writers of this protocol never seal more, and a reader here refuses more, which bounds what a peer can make us
/// buffer before its bytes are authenticated.
pub const MAX_RECORD: usize = 4096;

/// Bytes of a sealed header, and of the goodbye: what a record costs on top of its plaintext.
pub const HEADER_LEN: usize = TAG_LEN + Header::LEN;

/// Bytes of a Poly1305 tag.
pub const TAG_LEN: usize = 16;

/// Compiles the example of the README.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../README.md")]
struct Readme;
