//! Whole networks on a virtual clock.
//!
//! A [`Network`] is a queue of events: frames on their way, connections that break, nodes that want to be woken. Nodes are
//! anything that is an [`Actor`]; the honest ones are an [`Overlay`](crate::Overlay) each. Nothing here looks at a clock or
//! asks for randomness: the same seed gives the same run, frame by frame.
//!
//! ```text
//!                     Network
//!    act(node, ..) ──> Actor ──poll──> Send ──> loss? partition? latency(a, b) + jitter ──┐
//!                        ^               Event ──> the observer of `run_until`            v
//!                        └── handle / handle_timeout <── earliest event <──────────── queue
//! ```

mod actor;
mod graph;
mod network;
mod node;
mod queue;
mod rules;
mod settings;

pub use actor::{Actor, Input, NodeId, Output, Wire};
pub use graph::{Depth, Graph};
pub use network::{Counts, Network, Vanish};
pub use node::{Crowd, Event, Node, TOPIC};
pub use rules::SimRules;
pub use settings::{Latency, Settings};
