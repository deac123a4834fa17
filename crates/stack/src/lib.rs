#![doc = include_str!("../README.md")]

mod api;
mod camel_case;
#[cfg(feature = "_check")]
#[doc(hidden)]
pub mod check;
mod config;
mod error;
pub mod hook;
mod hooking;
mod local;
mod merge;
mod node;
mod order;
mod permissions;
mod plugin;
mod registry;
mod stack;

#[doc(hidden)]
pub use api::private;
pub use async_trait::async_trait;
pub use handfast_mux::Permissions as Rights;

pub use api::Sender;
pub use camel_case::camel_case;
pub use config::{CLOSE_DEADLINE, Config, Global, HANDSHAKE, INACTIVITY, Limits, PluginConfig, Timers};
pub use error::Error;
pub use hook::{Hook, Next};
pub use merge::merge;
pub use node::{Node, NodeHandle};
pub use permissions::{Explanation, Permissions};
pub use plugin::{Methods, Plugin, plugin};
pub use stack::Stack;
