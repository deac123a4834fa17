#![doc = include_str!("../README.md")]

mod array;
#[cfg(feature = "_check")]
#[doc(hidden)]
pub mod check;
mod document;
mod error;
mod escape;
mod limits;
mod number;
mod object;
mod order;
mod out;
mod print;
mod read;
mod scan;
mod serde;
mod tape;
mod text;
mod value;

pub use self::serde::{from_value, to_value};
pub use array::Array;
pub use document::Document;
pub use error::{Error, Position};
pub use limits::{Limits, parse};
pub use number::Number;
pub use object::{IntoIter, Iter, Object};
pub use tape::Tape;
pub use text::Text;
pub use value::Value;
