//! Values from and to the types of others, by serde.

mod from_value;
mod impls;
mod to_value;

pub use from_value::from_value;
pub use to_value::to_value;

/// Levels that a value may have where serde recurses. A level takes some kilobytes of stack in a debug build, and
/// threads have two megabytes; serde_json has the same limit.
const DEPTH: usize = 128;

/// What [`Text`](crate::Text) calls itself where it holds lone surrogates and therefore goes as bytes.
const WTF8: &str = "$handfast_json::Text";
