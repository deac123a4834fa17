//! Places that connections take.

use crate::access::{self, HalfOpen};
use std::net::IpAddr;

/// Places for connections: so many in all, and so many from any one network. Loopback is exempt from the latter, since Tor and
/// local proxies bring everybody from there.
#[derive(Debug)]
pub(super) struct Places {
    all: HalfOpen,
    by_prefix: HalfOpen,
}

/// One of them, free again when this is dropped.
pub(super) type Ticket = (access::Ticket, Option<access::Ticket>);

impl Places {
    pub(super) fn new(all: usize, by_prefix: usize) -> Self {
        Self {
            all: HalfOpen::new(all, all),
            by_prefix: HalfOpen::new(usize::MAX, by_prefix),
        }
    }

    pub(super) fn enter(&self, ip: IpAddr) -> Option<Ticket> {
        let all = self.all.enter(ip)?;
        if ip.to_canonical().is_loopback() {
            return Some((all, None));
        }
        Some((all, Some(self.by_prefix.enter(ip)?)))
    }
}
