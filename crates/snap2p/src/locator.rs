//! Places to dial.

use crate::{Error, shown::steers_a_terminal};
use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroU16,
    str::FromStr,
};

/// The longest name of a host that DNS can carry, as text.
const HOST_MAX: usize = 253;
/// The longest text that can be a locator: the scheme, the longest name in brackets, and a port. Whoever reads locators from
/// the network refuses longer texts before it looks at them.
pub(crate) const TEXT_MAX: usize = "tcp://".len() + HOST_MAX + "[]:65535".len();

/// A place where a peer may listen: a host and a TCP port.
///
/// As text `HOST:PORT` or `[IPV6]:PORT`, with or without `tcp://` in front; names are lower case, and addresses in their
/// shortest form. It is shown with `tcp://`. A locator is only a hint: who is there is proved by the session.
///
/// ```
/// use handfast_snap2p::Locator;
///
/// let here: Locator = "tcp://Example.ORG:9000".parse()?;
/// assert_eq!((here.host(), here.port()), ("example.org", 9000));
/// assert_eq!("[0:0::1]:7".parse::<Locator>()?.to_string(), "tcp://[::1]:7");
/// assert!("quic://example.org:9000".parse::<Locator>().is_err());
/// # Ok::<(), handfast_snap2p::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Locator {
    /// Invariant: a lower-case name, or an address as its `Display` shows it, so that equal places are equal.
    host: Box<str>,
    port: NonZeroU16,
}

impl Locator {
    /// The place of a host, which is a name or an IP address without brackets, and a port.
    ///
    /// # Errors
    /// [`Error::Locator`] if the host can be neither, or the port is 0.
    pub fn new(host: &str, port: u16) -> Result<Self, Error> {
        let wrong = |why| wrong(&format!("{host}:{port}"), why);
        let port = NonZeroU16::new(port).ok_or_else(|| wrong("ports begin with 1"))?;
        let host = match host.parse::<IpAddr>() {
            Ok(ip) => ip.to_string(),
            Err(_) => name(host).map_err(wrong)?,
        };
        Ok(Self {
            host: host.into(),
            port,
        })
    }

    /// The host: a name, or an IP address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port, never 0.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port.get()
    }
}

fn wrong(text: &str, why: &'static str) -> Error {
    Error::Locator {
        text: text
            .chars()
            .take(64)
            .map(|c| if steers_a_terminal(c) { '\u{fffd}' } else { c })
            .collect(),
        why,
    }
}

/// Checks a name. What looks like a mistyped IPv4 address is none: resolvers read `1.2.3` as `1.2.0.3`.
fn name(text: &str) -> Result<String, &'static str> {
    if text.is_empty() {
        return Err("the host is missing");
    }
    if text.len() > HOST_MAX {
        return Err("the host is too long");
    }
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if !text.bytes().all(known) {
        return Err("a host has letters, digits, `-`, `_` and `.` only");
    }
    if text.ends_with('.') {
        return Err("leave out the dot at the end of the host");
    }
    if text
        .split('.')
        .next_back()
        .is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return Err("the host looks like an IP address and is none");
    }
    Ok(text.to_ascii_lowercase())
}

impl FromStr for Locator {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |why| wrong(text, why);
        if text.len() > TEXT_MAX {
            return Err(wrong("it is too long"));
        }
        let place = match text.split_once("://") {
            None => text,
            Some(("tcp", place)) => place,
            Some(("quic", _)) => return Err(wrong("no implementation of SNaP2P speaks QUIC yet, dial by tcp://")),
            Some(_) => return Err(wrong("only tcp:// is known")),
        };
        let (host, port) = place.rsplit_once(':').ok_or_else(|| wrong("the port is missing"))?;
        // `u16::from_str` takes a plus sign.
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong("the port is no number"));
        }
        let port = port.parse().map_err(|_| wrong("ports are 1 to 65535"))?;
        let host = match host.strip_prefix('[') {
            Some(rest) => {
                let inner = rest.strip_suffix(']').ok_or_else(|| wrong("a bracket is not closed"))?;
                inner
                    .parse::<Ipv6Addr>()
                    .map_err(|_| wrong("in brackets stands an IPv6 address"))?;
                inner
            }
            None if host.contains(':') => return Err(wrong("an IPv6 address stands in brackets")),
            None => host,
        };
        // The text that was written, rather than what was made of it, is what the error shows.
        Self::new(host, port).map_err(|error| match error {
            Error::Locator { why, .. } => wrong(why),
            other => other,
        })
    }
}

impl TryFrom<SocketAddr> for Locator {
    type Error = Error;

    /// Fails for port 0 alone. The zone of an IPv6 address is left out: it means nothing elsewhere.
    fn try_from(address: SocketAddr) -> Result<Self, Error> {
        Self::new(&address.ip().to_string(), address.port())
    }
}

impl fmt::Display for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "tcp://[{}]:{}", self.host, self.port),
            false => write!(f, "tcp://{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Debug for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(text: &str) -> String {
        text.parse::<Locator>().unwrap_err().to_string()
    }

    #[test]
    fn what_is_shown_is_read_again() {
        for text in [
            "tcp://example.org:1",
            "tcp://127.0.0.1:65535",
            "tcp://[2001:db8::1]:9000",
            "tcp://a_b-c.d:80",
        ] {
            assert_eq!(text.parse::<Locator>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn each_refusal_says_what_is_wrong() {
        for (text, expected) in [
            ("example.org", "the port is missing"),
            (":9000", "the host is missing"),
            ("example.org:0", "ports begin with 1"),
            ("example.org:65536", "1 to 65535"),
            ("example.org:+80", "no number"),
            ("example.org:", "1 to 65535"),
            ("::1:9000", "in brackets"),
            ("[::1:9000", "not closed"),
            ("[example.org]:9000", "in brackets stands an IPv6 address"),
            ("quic://example.org:9000", "QUIC"),
            ("ws://example.org:9000", "only tcp://"),
            ("ex ample.org:9000", "letters, digits"),
            ("1.2.3:9000", "looks like an IP address"),
            ("256.1.1.1:9000", "looks like an IP address"),
            ("example.org.:9000", "leave out the dot"),
            ("127.0.0.1.:9000", "leave out the dot"),
            (".:9000", "leave out the dot"),
        ] {
            assert!(why(text).contains(expected), "{text}: {}", why(text));
        }
        assert!(
            !why("\u{1b}[2J\u{202e}:1").contains(['\u{1b}', '\u{202e}']),
            "errors steer no terminal"
        );
        assert!(why(&format!("{}:1", "a".repeat(254))).contains("too long"));
        assert!(why(&"a".repeat(1000)).contains("too long"));
    }

    #[test]
    fn equal_places_are_equal() {
        let same = |one: &str, other: &str| assert_eq!(one.parse::<Locator>().unwrap(), other.parse().unwrap());
        same("EXAMPLE.org:1", "tcp://example.ORG:1");
        same("[2001:DB8:0::1]:1", "[2001:db8::1]:1");
        let of: Locator = SocketAddr::from(([127, 0, 0, 1], 5)).try_into().unwrap();
        assert_eq!(of, "127.0.0.1:5".parse().unwrap());
    }
}
