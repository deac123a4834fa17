//! Whole networks on a virtual clock.

mod actor;
mod body;
pub mod builtin;
mod graph;
mod hostile;
mod linked;
mod links;
mod net;
mod network;
mod original;
#[cfg(feature = "plot")]
pub mod plot;
mod queue;
mod record;
pub mod report;
mod run;
pub mod scenario;
mod settings;
mod world;

pub use actor::{Actor, Input, NodeId, Output, Wire};
pub use graph::{Depth, Graph};
pub use network::{Counts, Network, Vanish};
pub use record::NodeState;
pub use report::Report;
pub use run::{Phase, Progress, run};
pub use scenario::Scenario;
pub use settings::{Latency, Settings};
