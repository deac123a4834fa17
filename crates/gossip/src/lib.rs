#![doc = include_str!("../README.md")]

#[cfg(feature = "tokio")]
pub mod discovery;
mod error;
mod id;
mod item;
pub mod membership;
mod overlay;
mod peer;
#[cfg(feature = "plugin")]
pub mod plugin;
mod rules;
pub mod secure;
#[cfg(feature = "simulate")]
pub mod sim;
pub mod swarm;
mod time;
pub mod topic;

pub use error::Error;
pub use id::{Author, MessageId, NodeId, TopicId};
pub use item::{Item, Sequence};
pub use peer::{Contact, PeerId};
pub use rules::{Refused, Rules};
pub use time::Time;
pub use topic::{Certificate, Revocation, Topic};
