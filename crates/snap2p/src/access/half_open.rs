//! How many strangers may be in their handshake at once.

use super::limiter::Prefix;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// The most handshakes that a listener runs at once. A handshake costs its listener some kilobytes and half a millisecond, and
/// one that says nothing holds its place for [`HANDSHAKE_TIMEOUT`](crate::limits::HANDSHAKE_TIMEOUT): the reference holds as
/// many as come.
pub const HALF_OPEN_MAX: usize = 64;
/// The most of one IPv4 address or IPv6 /64: so that eight places must work together to keep others out.
pub const HALF_OPEN_PREFIX_MAX: usize = 8;

/// Counts the handshakes that run, in all and by place. Clones count together.
#[derive(Debug, Clone)]
pub struct HalfOpen {
    table: Arc<Mutex<HashMap<Prefix, usize>>>,
    total: usize,
    per_prefix: usize,
}

/// The place of one handshake; dropping it makes room for another.
#[derive(Debug)]
#[must_use = "the place is free again as soon as the ticket is dropped"]
pub struct Ticket {
    table: Arc<Mutex<HashMap<Prefix, usize>>>,
    prefix: Prefix,
}

impl Default for HalfOpen {
    fn default() -> Self {
        Self::new(HALF_OPEN_MAX, HALF_OPEN_PREFIX_MAX)
    }
}

impl HalfOpen {
    /// At most `total` at once, and `per_prefix` of each place.
    #[must_use]
    pub fn new(total: usize, per_prefix: usize) -> Self {
        Self {
            table: Arc::default(),
            total,
            per_prefix,
        }
    }

    /// A place for a handshake with somebody at `address`, or `None` if there are too many: close the connection without a
    /// word.
    pub fn enter(&self, address: IpAddr) -> Option<Ticket> {
        let prefix = Prefix::of(address);
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        // Invariant: the table has at most `total` entries, so summing it up is cheap.
        if table.values().sum::<usize>() >= self.total {
            return None;
        }
        if table.get(&prefix).copied().unwrap_or(0) >= self.per_prefix {
            return None;
        }
        *table.entry(prefix).or_default() += 1;
        Some(Ticket {
            table: Arc::clone(&self.table),
            prefix,
        })
    }

    /// How many run.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }

    /// Whether none runs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = table.get_mut(&self.prefix) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                table.remove(&self.prefix);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_place_gets_eight_and_all_get_sixty_four() {
        let half_open = HalfOpen::default();
        let at = |i: u8| IpAddr::from([192, 0, 2, i]);
        let mut tickets: Vec<_> = (0..8).map(|_| half_open.enter(at(1)).unwrap()).collect();
        assert!(half_open.enter(at(1)).is_none());
        tickets.extend(
            (2..9)
                .flat_map(|i| (0..8).map(move |_| i))
                .map(|i| half_open.enter(at(i)).unwrap()),
        );
        assert_eq!(half_open.len(), 64);
        assert!(half_open.enter(at(200)).is_none());

        drop(tickets.pop());
        assert!(half_open.clone().enter(at(1)).is_none(), "its eight are still there");
        let again = half_open.enter(at(200)).unwrap();
        drop((tickets, again));
        assert!(half_open.is_empty());
        assert!(half_open.table.lock().unwrap().is_empty(), "nobody is remembered");
    }
}
