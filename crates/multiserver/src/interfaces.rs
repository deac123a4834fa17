//! The addresses of this machine, by who can reach them.

use crate::Scope;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The most addresses that one place lists for one scope. Machines with many virtual networks have dozens of addresses;
/// those that a peer can use are among the first, and a beacon has to fit into one datagram.
const MOST_HOSTS: usize = 4;

/// How far an address reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    Device,
    Local,
    Public,
}

impl Reach {
    /// The original's classes, and with them the networks that providers share among customers (RFC 6598), which nobody
    /// outside reaches.
    pub(crate) fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            ip if ip.is_loopback() || ip.is_unspecified() => Self::Device,
            IpAddr::V4(ip) if ip.is_private() || ip.is_link_local() || is_shared(ip) => Self::Local,
            IpAddr::V6(ip) if ip.is_unique_local() || ip.is_unicast_link_local() => Self::Local,
            _ => Self::Public,
        }
    }
}

fn is_shared(ip: Ipv4Addr) -> bool {
    matches!(ip.octets(), [100, second, ..] if second & 0xc0 == 64)
}

impl From<Scope> for Reach {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Device => Self::Device,
            Scope::Local | Scope::Private => Self::Local,
            Scope::Public => Self::Public,
        }
    }
}

/// What others dial in this scope, the best first, for sockets that listen on every address. `v4_only` leaves IPv6 out.
pub(crate) fn hosts(scope: Scope, v4_only: bool) -> Vec<String> {
    if scope == Scope::Device {
        return vec!["localhost".to_owned()];
    }
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot list the addresses of this machine");
        Vec::new()
    });
    let found = interfaces.into_iter().map(|interface| (interface.ip(), interface.name));
    let found = found.filter(|(ip, _)| ip.is_ipv4() || !v4_only);
    choose(scope.into(), found.collect())
}

/// Those of `found`, addresses with the names of their interfaces, that have this reach.
fn choose(reach: Reach, mut found: Vec<(IpAddr, String)>) -> Vec<String> {
    found.retain(|(ip, _)| Reach::of(*ip) == reach && !needs_zone(*ip));
    found.sort_by_key(|(ip, name)| rank(*ip, name));
    let mut hosts: Vec<_> = found.into_iter().map(|(ip, _)| ip.to_string()).collect();
    hosts.dedup();
    hosts.truncate(MOST_HOSTS);
    hosts
}

/// IPv6 link-local addresses mean nothing without the name of an interface of the machine that dials.
fn needs_zone(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if Ipv6Addr::is_unicast_link_local(&ip))
}

/// The order in which the original prefers addresses: IPv4 on wireless and wired networks, IPv6 there, tunnels, others.
fn rank(ip: IpAddr, name: &str) -> u8 {
    let kinds: [&[&str]; 4] = [&["wl", "Wi-Fi"], &["en", "Ethernet"], &["eth"], &["tun"]];
    let kind = kinds
        .iter()
        .position(|prefixes| prefixes.iter().any(|prefix| name.starts_with(prefix)));
    match (kind, ip) {
        (Some(3), IpAddr::V4(_)) => 6,
        (Some(3), IpAddr::V6(_)) => 7,
        (Some(kind), IpAddr::V4(_)) => u8::try_from(kind).unwrap_or(u8::MAX),
        (Some(kind), IpAddr::V6(_)) => 3 + u8::try_from(kind).unwrap_or(u8::MAX),
        (None, IpAddr::V4(_)) => 8,
        (None, IpAddr::V6(_)) => 9,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(ip: &str) -> Reach {
        Reach::of(ip.parse().unwrap())
    }

    #[test]
    fn addresses_have_the_reach_that_the_original_gives_them() {
        for ip in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "::"] {
            assert_eq!(reach(ip), Reach::Device, "{ip}");
        }
        for ip in [
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.1.1",
            "fe80::1",
            "fc00::1",
            "fdff::1",
            "::ffff:10.0.0.1",
            "100.64.0.1",
        ] {
            assert_eq!(reach(ip), Reach::Local, "{ip}");
        }
        for ip in ["172.32.0.1", "192.0.2.1", "100.128.0.1", "2001:db8::1", "8.8.8.8"] {
            assert_eq!(reach(ip), Reach::Public, "{ip}");
        }
    }

    #[test]
    fn the_best_address_comes_first() {
        let found = [
            ("172.17.0.1", "docker0"),
            ("fd00::2", "wlan0"),
            ("10.8.0.2", "tun0"),
            ("192.168.1.3", "eth0"),
            ("192.168.1.2", "wlan0"),
            ("fe80::2", "wlan0"),
            ("127.0.0.1", "lo"),
            ("192.0.2.7", "eth0"),
        ];
        let found = found.map(|(ip, name)| (ip.parse().unwrap(), name.to_owned()));
        assert_eq!(
            choose(Reach::Local, found.clone().into()),
            ["192.168.1.2", "192.168.1.3", "fd00::2", "10.8.0.2"],
            "and the last, of a virtual network, is left out"
        );
        assert_eq!(choose(Reach::Public, found.into()), ["192.0.2.7"]);
    }

    #[test]
    fn many_networks_do_not_make_long_addresses() {
        let found = (0..100u8).map(|n| (IpAddr::from([10, 0, n, 1]), format!("veth{n}")));
        assert_eq!(choose(Reach::Local, found.collect()).len(), MOST_HOSTS);
    }

    #[test]
    fn this_device_is_reached_as_localhost() {
        assert_eq!(hosts(Scope::Device, false), ["localhost"]);
    }
}
