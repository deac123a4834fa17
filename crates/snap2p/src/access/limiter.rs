//! How often one place of the network may knock.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    time::{Duration, Instant},
};

/// Over how long connections are counted.
pub const WINDOW: Duration = Duration::from_secs(60);

/// The most connections that are remembered. Stops whoever owns many addresses from growing the table: beyond it the oldest
/// is forgotten, and [`HalfOpen`](super::HalfOpen) still bounds what is open at once. About 300 KiB when full.
pub const REMEMBERED_MAX: usize = 8192;

/// The part of the network that counts as one place: an IPv4 address, or the /64 of an IPv6 address, which is what one
/// customer gets. An IPv4 address that is written as IPv6 is the IPv4 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix([u8; 8]);

impl Prefix {
    /// The place of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            // Invariant: no IPv6 /64 equals that of an IPv4 address, for ::/32 is reserved and never routed.
            IpAddr::V4(address) => {
                let [a, b, c, d] = address.octets();
                Self([0, 0, 0, 0, a, b, c, d])
            }
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self([a, b, c, d, e, f, g, h])
            }
        }
    }
}

/// A limit on how often each place of the network is let in: at most so many times in any [`WINDOW`].
#[derive(Debug)]
pub struct RateLimiter {
    limit: Option<u32>,
    /// Who was let in when, oldest first.
    log: VecDeque<(Instant, Prefix)>,
    /// How often each of them stands in the log.
    counts: HashMap<Prefix, u32>,
}

impl RateLimiter {
    /// What a stealth node takes from one place in a minute.
    pub const STEALTH: u32 = 5;
    /// What a private node takes.
    pub const PRIVATE: u32 = 30;

    /// A limiter that counts IPv4 addresses and IPv6 /64 networks. `None` lets everybody in and remembers nobody.
    #[must_use]
    pub fn by_prefix(limit: Option<u32>) -> Self {
        Self {
            limit,
            log: VecDeque::new(),
            counts: HashMap::new(),
        }
    }

    /// The limiter of a stealth or private node; none for a public one.
    #[must_use]
    pub fn for_visibility(visibility: crate::Visibility) -> Self {
        Self::by_prefix(match visibility {
            crate::Visibility::Public => None,
            crate::Visibility::Private => Some(Self::PRIVATE),
            crate::Visibility::Stealth => Some(Self::STEALTH),
        })
    }

    /// Whether somebody from `address` may come in now. Who is refused is not counted.
    pub fn admit(&mut self, address: IpAddr, now: Instant) -> bool {
        let Some(limit) = self.limit else { return true };
        while let Some((since, _)) = self.log.front()
            && now.saturating_duration_since(*since) >= WINDOW
        {
            self.forget_oldest();
        }
        let prefix = Prefix::of(address);
        if self.counts.get(&prefix).is_some_and(|count| *count >= limit) || limit == 0 {
            return false;
        }
        if self.log.len() >= REMEMBERED_MAX {
            self.forget_oldest();
        }
        self.log.push_back((now, prefix));
        *self.counts.entry(prefix).or_default() += 1;
        true
    }

    /// How many connections are remembered: at most [`REMEMBERED_MAX`].
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.log.len()
    }

    fn forget_oldest(&mut self) {
        let Some((_, prefix)) = self.log.pop_front() else {
            return;
        };
        if let Some(count) = self.counts.get_mut(&prefix) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.counts.remove(&prefix);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_sixth_of_a_minute_waits_until_the_first_is_a_minute_old() {
        let mut limiter = RateLimiter::for_visibility(crate::Visibility::Stealth);
        let begin = Instant::now();
        let address = "192.0.2.1".parse().unwrap();
        for second in 0..5 {
            assert!(limiter.admit(address, begin + Duration::from_secs(second)));
        }
        assert!(!limiter.admit(address, begin + Duration::from_secs(59)));
        assert!(limiter.admit("192.0.2.2".parse().unwrap(), begin + Duration::from_secs(59)));
        assert!(
            limiter.admit(address, begin + Duration::from_secs(60)),
            "the first has left the window"
        );
        assert!(
            !limiter.admit(address, begin + Duration::from_secs(60)),
            "the second has not"
        );
    }

    #[test]
    fn one_network_is_one_place_however_its_addresses_are_written() {
        let of = |text: &str| Prefix::of(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

    #[test]
    fn many_places_do_not_grow_the_table() {
        let mut limiter = RateLimiter::by_prefix(Some(1));
        let now = Instant::now();
        for i in 0..2 * REMEMBERED_MAX as u128 {
            let address = std::net::Ipv6Addr::from(0x2001_0db8 << 96 | i << 64).into();
            assert!(limiter.admit(address, now));
        }
        assert_eq!(limiter.remembered(), REMEMBERED_MAX);
        assert!(limiter.counts.len() <= REMEMBERED_MAX);
        assert!(limiter.admit("192.0.2.1".parse().unwrap(), now + WINDOW));
        assert_eq!(limiter.remembered(), 1, "a minute later all are forgotten");
    }

    #[test]
    fn no_limit_remembers_nobody() {
        let mut limiter = RateLimiter::by_prefix(None);
        assert!((0..1000).all(|_| limiter.admit("192.0.2.1".parse().unwrap(), Instant::now())));
        assert_eq!(limiter.remembered(), 0);
        assert!(!RateLimiter::by_prefix(Some(0)).admit("192.0.2.1".parse().unwrap(), Instant::now()));
    }
}
