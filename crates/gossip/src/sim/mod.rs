//! Whole networks on a virtual clock.
//!
//! A [`Scenario`] says what is simulated, [`run()`] plays it, and a [`Report`] holds the figures. Beneath, a [`Network`] is a
//! queue of events: frames on their way, connections that break, nodes that want to be woken. Nodes are anything that is an
//! [`Actor`]; the honest ones of an overlay are an [`Overlay`](crate::Overlay) each. Nothing here looks at a clock or asks for
//! randomness: the same seed gives the same run, frame by frame.
//!
//! ```text
//!     Scenario (TOML) ──> run ──> Report ──> table, JSON, plot
//!                          │ joins, messages, failures
//!                          v
//!                     Network
//!    act(node, ..) ──> Actor ──poll──> Send ──> loss? partition? latency(a, b) + jitter ──┐
//!                        ^               Event ──> the observer of `run_until`            v
//!                        └── handle / handle_timeout <── earliest event <──────────── queue
//! ```

mod actor;
mod body;
pub mod builtin;
mod dialling;
mod graph;
mod hostile;
mod linked;
mod links;
mod net;
mod network;
mod node;
mod original;
#[cfg(feature = "plot")]
pub mod plot;
mod queue;
mod record;
pub mod report;
mod rules;
mod run;
pub mod scenario;
mod settings;
mod world;

pub use actor::{Actor, Input, NodeId, Output, Wire};
pub use graph::{Depth, Graph};
pub use network::{Counts, Network, Vanish};
pub use node::{Crowd, Event, Node, TOPIC};
pub use record::NodeState;
pub use report::Report;
pub use rules::SimRules;
pub use run::{Phase, Progress, run};
pub use scenario::Scenario;
pub use settings::{Latency, Settings};
