//! The transports that are built in.

mod net;
#[cfg(feature = "onion")]
mod onion;
mod racing;
mod tcp;
#[cfg(feature = "tls")]
mod tls;
#[cfg(all(feature = "unix", unix))]
mod unix;
#[cfg(feature = "ws")]
mod web_stream;
#[cfg(feature = "ws")]
mod ws;

pub use net::Net;
#[cfg(feature = "onion")]
pub use onion::Onion;
pub use tcp::NetSocket;
#[cfg(all(feature = "unix", unix))]
pub use unix::Unix;
#[cfg(feature = "ws")]
pub use web_stream::MAX_MESSAGE;
#[cfg(feature = "ws")]
pub use ws::Ws;
