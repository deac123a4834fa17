// The example on the page uses all of it.
#![cfg_attr(
    all(feature = "shs", feature = "boxstream", feature = "mux", feature = "stack", feature = "tokio"),
    doc = include_str!("../README.md")
)]
#![cfg_attr(
    not(all(
        feature = "shs",
        feature = "boxstream",
        feature = "mux",
        feature = "stack",
        feature = "tokio"
    )),
    doc = "Handfast with some features switched off; see the crate page."
)]

#[cfg(feature = "boxstream")]
pub use handfast_boxstream as boxstream;
#[cfg(feature = "gossip")]
pub use handfast_gossip as gossip;
#[cfg(feature = "gossip")]
pub use handfast_json as json;
pub use handfast_keys as keys;
#[cfg(feature = "multiserver")]
pub use handfast_multiserver as multiserver;
#[cfg(feature = "mux")]
pub use handfast_mux as mux;
#[cfg(feature = "shs")]
pub use handfast_shs as shs;
#[cfg(feature = "snap2p")]
pub use handfast_snap2p as snap2p;
#[cfg(feature = "stack")]
pub use handfast_stack as stack;
