//! secure-gossip's protocol, and what two peers of our kind make of it.
mod config;
mod line;
mod link;
mod links;
mod message;
mod negotiation;
mod numbers;
mod outbox;
mod rounds;
mod rules;

pub use config::Config;
pub use links::{Fault, LinkId, Links, Output, State};
pub use message::{DEPTH_MAX, LINE_MAX, Message, SEQUENCE_MAX, content, read_batch};
pub use rules::SignedRules;
