//! The transforms that are built in.

mod noauth;
mod shs;
#[cfg(feature = "snap2p")]
mod snap2p;

pub use noauth::Noauth;
pub use shs::{Authenticate, Refusal, Shs};
#[cfg(feature = "snap2p")]
pub use snap2p::Snap2p;
