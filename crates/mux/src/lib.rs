#![cfg_attr(feature = "tokio", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "tokio"),
    doc = "packet-stream and muxrpc without I/O; see [`Connection`]."
)]

mod args;
#[cfg(feature = "_check")]
#[doc(hidden)]
pub mod check;
mod connection;
mod error;
mod json;
mod manifest;
mod method;
pub mod packet;
mod permissions;
mod remote_error;
mod request;
#[cfg(feature = "tokio")]
pub mod tokio;
mod value;

pub use args::{args_from_json, args_to_json};
pub use connection::{CallId, Connection, Event, Limits, ReplyTo, StreamId};
pub use error::{Error, Violation};
pub use manifest::{CallType, Manifest};
pub use method::MethodName;
pub use packet::{Body, BodyKind, Frame, Packet, RequestId};
pub use permissions::{Permissions, Verdict};
pub use remote_error::RemoteError;
pub use request::Request;
