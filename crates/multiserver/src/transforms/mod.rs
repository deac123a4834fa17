//! The transforms that are built in.

mod noauth;
mod shs;

pub use noauth::Noauth;
pub use shs::{Authenticate, Refusal, Shs};
