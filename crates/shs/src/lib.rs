#![cfg_attr(feature = "tokio", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "tokio"),
    doc = "Secret Handshake v1 without its tokio adapter; see the crate page."
)]

mod client;
mod error;
mod outcome;
mod schedule;
mod server;
#[cfg(feature = "tokio")]
pub mod tokio;

#[cfg(feature = "_check")]
#[doc(hidden)]
pub mod check;

pub use client::{AwaitServerAccept, AwaitServerHello, Client};
pub use error::{Error, Message};
pub use outcome::Outcome;
pub use server::{Authenticated, AwaitClientAuth, Server};

/// `Debug` for states that hold secrets: their name and nothing else.
macro_rules! masked_debug {
    ($($state:ident),*) => {$(
        impl std::fmt::Debug for $state {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($state)).finish_non_exhaustive()
            }
        }
    )*};
}
use masked_debug;
