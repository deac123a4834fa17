#![doc = include_str!("../README.md")]

mod api;
mod auth;
mod camel_case;
#[cfg(feature = "_check")]
#[doc(hidden)]
pub mod check;
mod client;
mod config;
pub mod control;
mod core_api;
mod ending;
mod error;
mod events;
pub mod hook;
mod hooking;
mod local;
mod merge;
mod meter;
mod node;
mod order;
mod peer;
mod peers;
mod permissions;
mod plugin;
#[cfg(feature = "prometheus")]
mod prometheus;
mod registry;
mod session;
mod stack;
mod stats;

#[doc(hidden)]
pub use api::private;
pub use async_trait::async_trait;
pub use handfast_multiserver::{Address, Direction, Scope};
pub use handfast_mux::Permissions as Rights;

pub use api::Sender;
pub use camel_case::camel_case;
pub use client::Client;
pub use config::{CLOSE_DEADLINE, Config, Global, HANDSHAKE, INACTIVITY, Limits, PluginConfig, Timers};
pub use control::Control;
pub use error::Error;
pub use events::{Event, Events};
pub use hook::{Hook, Next};
pub use merge::merge;
pub use node::{Node, NodeHandle};
pub use peer::{About, Basis, Peer, about};
pub use permissions::{Explanation, Permissions};
pub use plugin::{Methods, Plugin, plugin};
pub use stack::Stack;
pub use stats::Snapshot;
