#![cfg_attr(feature = "tokio", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "tokio"),
    doc = "Gossip without I/O: see [`Overlay`], [`secure::Links`] and [`swarm::Swarm`]."
)]

#[cfg(feature = "_check")]
#[doc(hidden)]
pub mod check;
#[cfg(feature = "tokio")]
pub mod discovery;
mod error;
mod frame;
mod id;
mod item;
mod limits;
pub mod membership;
mod names;
pub mod overlay;
mod peer;
#[cfg(feature = "plugin")]
pub mod plugin;
mod rules;
pub mod secure;
#[cfg(feature = "simulate")]
pub mod sim;
pub mod swarm;
mod time;
#[cfg(feature = "tokio")]
pub mod tokio;
pub mod topic;

pub use error::Error;
pub use id::{Author, MessageId, NodeId, TopicId};
pub use item::{Item, Sequence};
pub use limits::Rate;
pub use overlay::Overlay;
pub use peer::{Contact, PeerId};
pub use rules::{Refused, Rules};
pub use time::Time;
#[cfg(feature = "tokio")]
pub use tokio::{Gossip, Info, Messages, Options};
pub use topic::{Certificate, Revocation, Topic};
