#![cfg_attr(feature = "tokio", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "tokio"),
    doc = "multiserver addresses and configurations, without what listens and dials; see the crate page."
)]

mod address;
#[cfg(feature = "tokio")]
mod cap;
#[cfg(feature = "_check")]
#[doc(hidden)]
pub mod check;
mod config;
#[cfg(feature = "tokio")]
mod connection;
#[cfg(feature = "tokio")]
mod dialer;
#[cfg(feature = "tokio")]
mod doorstep;
mod error;
#[cfg(feature = "tokio")]
mod group;
#[cfg(feature = "tokio")]
mod interfaces;
#[cfg(feature = "tokio")]
mod limits;
#[cfg(feature = "tokio")]
mod multiserver;
mod scope;
#[cfg(feature = "tokio")]
mod server;
#[cfg(feature = "tokio")]
mod transform;
#[cfg(feature = "tokio")]
mod transforms;
#[cfg(feature = "tokio")]
mod transport;
#[cfg(feature = "tokio")]
mod transports;

pub use address::{
    Address, Alternative, Endpoint, Layer, MAX_ADDRESS_LEN, MAX_ALTERNATIVES, MAX_TRANSFORMS, Malformed,
};
pub use config::{Connections, Incoming, Outgoing};
#[cfg(feature = "tokio")]
pub use connection::{Connection, Direction};
pub use error::{Attempt, Error};
#[cfg(feature = "tokio")]
pub use limits::{Limits, raise_open_files};
#[cfg(feature = "tokio")]
pub use multiserver::Multiserver;
pub use scope::{NoSuchScope, Scope, Scopes};
#[cfg(feature = "tokio")]
pub use server::{Failed, Listening, Server};
#[cfg(feature = "tokio")]
pub use transform::{Auth, Established, Transform};
#[cfg(feature = "snap2p")]
pub use transforms::Snap2p;
#[cfg(feature = "tokio")]
pub use transforms::{Authenticate, Noauth, Refusal, Shs};
#[cfg(feature = "tokio")]
pub use transport::{Arrival, BoxSocket, Listener, Socket, Transport};
#[cfg(feature = "onion")]
pub use transports::Onion;
#[cfg(all(feature = "unix", unix))]
pub use transports::Unix;
#[cfg(feature = "ws")]
pub use transports::{MAX_MESSAGE, Ws};
#[cfg(feature = "tokio")]
pub use transports::{Net, NetSocket};
