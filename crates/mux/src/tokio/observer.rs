//! What is told of the peer's requests as they come and go.

use std::fmt;

use crate::{CallType, MethodName, Verdict};

/// Hears of each request of a peer, for counters and logs: see [`Config::observer`](super::Config::observer).
///
/// Each request whose turn has come is told with [`request`](Self::request) and later, once, with
/// [`answered`](Self::answered). The methods are called by the connection's driver: they must be quick, and a panic in one
/// cuts the connection. All do nothing unless written otherwise.
pub trait Observer: Send + Sync + 'static {
    /// A request's turn has come. Nothing is known of it yet: the peer chose `method`, which need not exist.
    fn request(&self, kind: CallType, method: &MethodName) {
        let _ = (kind, method);
    }

    /// [`Config::permissions`](super::Config::permissions) forbid the request; [`answered`](Self::answered) follows.
    fn refused(&self, method: &MethodName, verdict: &Verdict<'_>) {
        let _ = (method, verdict);
    }

    /// A request is over. `ok` is false if this end answered it, or ended its stream, with an error, or did not come to answer
    /// it before the connection was over.
    fn answered(&self, kind: CallType, ok: bool) {
        let _ = (kind, ok);
    }
}

impl fmt::Debug for dyn Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}
