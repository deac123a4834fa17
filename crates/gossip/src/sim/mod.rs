//! Whole networks on a virtual clock.

mod actor;
mod graph;
mod links;
mod network;
mod original;
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
pub use report::Report;
pub use run::{Phase, Progress, run};
pub use scenario::Scenario;
pub use settings::{Latency, Settings};
