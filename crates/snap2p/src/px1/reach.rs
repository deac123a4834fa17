//! How far inside a place is.

use crate::Locator;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// From where an address can be reached, the farthest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    /// From anywhere.
    Everywhere,
    /// From within some network that is not the Internet.
    Network,
    /// From this machine.
    Machine,
    /// From nowhere: it is no address of anybody.
    Nowhere,
}

/// Whether whoever is at `from` may say that somebody is at `place`: what is further inside than itself it cannot know of, and
/// would only have us knock at doors that are closed to it. So nobody out there sends us into our own network, and nobody in
/// the network to our own machine.
///
/// A name is taken for what it looks like; that it leads elsewhere is found out by whoever resolves it, and it is still proved
/// who is there.
#[must_use]
pub fn may_name(place: &Locator, from: Option<IpAddr>) -> bool {
    let place = match place.host().parse() {
        Ok(ip) => of_ip(ip),
        Err(_) => of_name(place.host()),
    };
    place != Reach::Nowhere && place <= from.map_or(Reach::Everywhere, of_ip)
}

fn of_ip(ip: IpAddr) -> Reach {
    match ip.to_canonical() {
        ip if ip.is_loopback() => Reach::Machine,
        ip if ip.is_unspecified() || ip.is_multicast() => Reach::Nowhere,
        IpAddr::V4(ip) => of_ipv4(ip),
        IpAddr::V6(ip) => of_ipv6(ip),
    }
}

fn of_ipv4(ip: Ipv4Addr) -> Reach {
    match ip.octets() {
        [0 | 240.., ..] => Reach::Nowhere,
        // 100.64.0.0/10 stands between providers and their customers.
        [100, 64..=127, ..] => Reach::Network,
        _ if ip.is_private() || ip.is_link_local() => Reach::Network,
        _ => Reach::Everywhere,
    }
}

fn of_ipv6(ip: Ipv6Addr) -> Reach {
    match ip.is_unique_local() || ip.is_unicast_link_local() {
        true => Reach::Network,
        false => Reach::Everywhere,
    }
}

fn of_name(name: &str) -> Reach {
    let name = name.trim_end_matches('.');
    match name.rsplit('.').next() {
        Some("localhost") => Reach::Machine,
        Some("local" | "internal" | "lan" | "intranet" | "home") => Reach::Network,
        _ if !name.contains('.') || name.ends_with(".home.arpa") => Reach::Network,
        _ => Reach::Everywhere,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_names_what_is_further_inside_than_itself() {
        let everywhere = ["192.0.2.1:1", "[2001:db8::1]:1", "example.org:1"];
        let network = [
            "10.0.0.1:1",
            "172.31.0.1:1",
            "192.168.1.1:22",
            "169.254.169.254:80",
            "100.64.0.1:1",
            "[fd00::1]:1",
            "[fe80::1]:1",
            "[::ffff:10.0.0.1]:1",
            "router:80",
            "printer.local:1",
        ];
        let machine = [
            "127.0.0.1:1",
            "127.9.9.9:1",
            "[::1]:1",
            "localhost:1",
            "a.localhost:1",
            "[::ffff:127.0.0.1]:1",
        ];
        let nowhere = ["0.0.0.0:1", "[::]:1", "224.0.0.1:1", "255.255.255.255:1", "[ff02::1]:1"];
        let from = |text: &str| Some(text.parse().unwrap());
        let may = |place: &str, from| may_name(&place.parse().unwrap(), from);
        for (places, reach) in [(&everywhere[..], 0), (&network, 1), (&machine, 2), (&nowhere, 3)] {
            for place in places {
                assert_eq!(may(place, None), reach == 0, "{place}");
                assert_eq!(may(place, from("198.51.100.1")), reach == 0, "{place}");
                assert_eq!(may(place, from("2001:db8::2")), reach == 0, "{place}");
                assert_eq!(may(place, from("192.168.1.7")), reach <= 1, "{place}");
                assert_eq!(may(place, from("127.0.0.1")), reach <= 2, "{place}");
                assert_eq!(may(place, from("::ffff:127.0.0.1")), reach <= 2, "{place}");
            }
        }
    }
}
