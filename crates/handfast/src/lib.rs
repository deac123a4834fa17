#![doc = include_str!("../README.md")]

#[cfg(feature = "boxstream")]
pub use handfast_boxstream as boxstream;
pub use handfast_keys as keys;
#[cfg(feature = "mux")]
pub use handfast_mux as mux;
#[cfg(feature = "shs")]
pub use handfast_shs as shs;
