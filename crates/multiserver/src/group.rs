//! Who counts as one: the unit by which connections are limited.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Connections that are taken for those of one party.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Group {
    /// One IPv4 address.
    V4(Ipv4Addr),
    /// The /64 network of an IPv6 address, its lower half zero: one host has such a network to itself.
    V6(Ipv6Addr),
    /// Everything that comes over a transport without addresses.
    Transport(String),
}

impl Group {
    pub(crate) fn of(ip: Option<IpAddr>, transport: &str) -> Self {
        match ip.map(|ip| ip.to_canonical()) {
            None => Self::Transport(transport.to_owned()),
            Some(IpAddr::V4(ip)) => Self::V4(ip),
            Some(IpAddr::V6(ip)) if ip.is_loopback() => Self::V6(ip),
            Some(IpAddr::V6(ip)) => Self::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
        }
    }

    /// Whether the limits for one address count. Not for loopback, from where Tor and local proxies bring everybody, nor
    /// where there are no addresses.
    pub(crate) fn is_limited(&self) -> bool {
        match self {
            Self::V4(ip) => !ip.is_loopback(),
            Self::V6(ip) => !ip.is_loopback(),
            Self::Transport(_) => false,
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(ip) => write!(f, "{ip}"),
            Self::V6(ip) if ip.is_loopback() => write!(f, "{ip}"),
            Self::V6(ip) => write!(f, "{ip}/64"),
            Self::Transport(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(ip: &str) -> Group {
        Group::of(Some(ip.parse().unwrap()), "net")
    }

    #[test]
    fn a_network_of_64_bits_counts_as_one() {
        assert_eq!(group("2001:db8::1"), group("2001:db8::ffff:1:2"));
        assert_ne!(group("2001:db8::1"), group("2001:db8:0:1::1"));
        assert_eq!(group("::ffff:192.0.2.1"), group("192.0.2.1"));
        assert_ne!(group("192.0.2.1"), group("192.0.2.2"));
        assert_eq!(group("2001:db8::1").to_string(), "2001:db8::/64");
    }

    #[test]
    fn loopback_and_transports_without_addresses_have_no_limit_of_their_own() {
        assert!(!group("127.0.0.1").is_limited());
        assert!(!group("::1").is_limited());
        assert!(!group("::ffff:127.0.0.1").is_limited());
        assert!(!Group::of(None, "unix").is_limited());
        assert!(group("192.0.2.1").is_limited());
        assert!(group("2001:db8::1").is_limited());
    }
}
