//! Fuzz and property-test bodies: functions of bytes that assert laws. Not part of the public interface.

pub use crate::secure::check::{line, links};
