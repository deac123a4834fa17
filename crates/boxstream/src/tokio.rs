//! The record layer over any tokio byte stream.
//!
//! [`BoxStream`] wraps a whole connection; [`BoxReader`] and [`BoxWriter`] wrap halves that go to different tasks, such
//! as those of `TcpStream::into_split`. Use it behind a handshake that gave both directions their keys:
//!
//! ```
//! use handfast_boxstream::tokio::BoxStream;
//! use handfast_keys::StreamKey;
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
//! # let (ours, theirs) = tokio::io::duplex(4096);
//! # let (to_peer, from_peer) = (StreamKey { key: [1; 32], nonce: [2; 24] }, StreamKey { key: [3; 32], nonce: [4; 24] });
//! # let mut peer = BoxStream::new(theirs, from_peer.clone(), to_peer.clone());
//! let mut stream = BoxStream::new(ours, to_peer, from_peer);
//! stream.write_all(b"kia ora").await?;
//! stream.shutdown().await?; // sends what is left, says goodbye, and closes our direction
//!
//! let mut heard = Vec::new();
//! peer.read_to_end(&mut heard).await?; // an error if the goodbye is missing
//! assert_eq!(heard, b"kia ora");
//! # Ok(()) }
//! ```
//!
//! # Writing
//! A write seals up to [`WRITE_BUFFER`] bytes at once and hands all its records to the transport in one call. While the
//! transport takes nothing, writes are accepted until [`WRITE_BUFFER`] bytes wait, and then wait themselves. So a write
//! that returns has been sealed, not sent: `flush` returns when the transport has everything and has flushed it.
//! `shutdown` also says goodbye first and shuts the transport down last. Dropping a stream says no goodbye: the peer
//! sees a truncated stream, which after a failure is the truth.
//!
//! Each write becomes records of its own and, usually, a system call. For many small writes put tokio's `BufWriter` with
//! [`WRITE_BUFFER`] bytes in front, and flush it: writes of 4 KiB then move two to three times as much in the same time.
//!
//! An error of the transport leaves no hole in the stream: what could not be sent is kept, the error is returned once
//! from the next call, and the calls after that try again, which on a broken transport fails again.
//!
//! # Reading
//! A read returns 0 bytes only for a clean end ([what that is](crate::Opener#how-a-stream-ends)). Otherwise it is an
//! [`io::Error`](std::io::Error) that holds a [`crate::Error`]: `UnexpectedEof` for a truncated stream, `InvalidData` for a
//! forged one; every later read fails likewise. Plaintext that was authenticated before is delivered first.
//! All three types that read are `AsyncBufRead` too, which lends out the plaintext of one record without a copy.
//!
//! # Cancel safety
//! All state lives in the stream and none in the futures. Dropping a pending `read`, `fill_buf`, `flush` or `shutdown`
//! loses nothing; calling it again goes on. A pending `write` that is dropped has accepted nothing.
//! As everywhere in tokio, `write_all`, `read_exact` and their kin may have done a part of their work when dropped.
//!
//! # Memory
//! Buffers exist while bytes are in them: a stream that waits for its peer, with everything read and sent, holds none.
//! Otherwise it holds at most [`READ_BUFFER`] and about [`WRITE_BUFFER`] bytes.

mod reader;
mod stream;
mod writer;

pub use reader::{BoxReader, READ_BUFFER};
pub use stream::BoxStream;
pub use writer::{BoxWriter, WRITE_BUFFER};
