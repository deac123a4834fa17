//! Where a peer is reached: the first layer of an address.

use super::{
    escape,
    layer::Layer,
    malformed::{Malformed, quote},
    number,
};
use crate::Error;
use handfast_keys::FeedId;
use std::{fmt, str::FromStr};

/// Where a peer is reached: the first layer of an address, with a view of each kind that is known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// TCP: `net:HOST:PORT`. The host may be an IPv6 address, without brackets, with its zone: `net:fe80::1%eth0:8008`.
    Net {
        /// A name or an address.
        host: String,
        /// The port.
        port: u16,
    },
    /// A WebSocket: `ws://HOST:PORT/PATH`, or `wss:` under TLS.
    Ws {
        /// Whether TLS is under it.
        secure: bool,
        /// A name or an address; IPv6 without brackets.
        host: String,
        /// The port, 80 or 443 if the address names none.
        port: u16,
        /// Path and query, at least `/`.
        path: String,
    },
    /// A Unix domain socket: `unix:/PATH`.
    Unix {
        /// The path of the socket.
        path: String,
    },
    /// A Tor onion service: `onion:HOST:PORT`.
    Onion {
        /// The name, which ends in `.onion`.
        host: String,
        /// The port.
        port: u16,
    },
    /// A peer behind a room: `tunnel:@ROOM:@TARGET`.
    Tunnel {
        /// The room through which the peer is reached.
        room: FeedId,
        /// The peer.
        target: FeedId,
    },
    /// A kind that is not known here, kept as it is.
    Other(Layer),
}

impl Endpoint {
    /// The first word of the address: `net`, `ws`, `wss`, `unix`, `onion`, `tunnel` or another.
    #[must_use]
    pub fn transport(&self) -> &str {
        match self {
            Self::Net { .. } => "net",
            Self::Ws { secure: false, .. } => "ws",
            Self::Ws { secure: true, .. } => "wss",
            Self::Unix { .. } => "unix",
            Self::Onion { .. } => "onion",
            Self::Tunnel { .. } => "tunnel",
            Self::Other(layer) => layer.name(),
        }
    }

    /// The host of the kinds that have one.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Net { host, .. } | Self::Ws { host, .. } | Self::Onion { host, .. } => Some(host),
            _ => None,
        }
    }

    /// The port of the kinds that have one.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        match self {
            Self::Net { port, .. } | Self::Ws { port, .. } | Self::Onion { port, .. } => Some(*port),
            _ => None,
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, Malformed> {
        Self::from_layer(Layer::parse(text)?)
    }

    pub(super) fn from_layer(layer: Layer) -> Result<Self, Malformed> {
        match layer.name() {
            "net" => {
                let (host, port) = host_and_port(&layer)?;
                Ok(Self::Net { host, port })
            }
            "onion" => {
                let (host, port) = host_and_port(&layer)?;
                Ok(Self::Onion { host, port })
            }
            "ws" => parse_url(&layer, false),
            "wss" => parse_url(&layer, true),
            "unix" => match layer.parts().join(":") {
                path if path.is_empty() => Err(Malformed::path()),
                path => Ok(Self::Unix { path }),
            },
            "tunnel" => parse_tunnel(&layer),
            _ => Ok(Self::Other(layer)),
        }
    }
}

/// `HOST:PORT`, where the host may hold colons or be empty, which means `localhost`.
fn host_and_port(layer: &Layer) -> Result<(String, u16), Malformed> {
    match layer.parts() {
        [host @ .., port] if !host.is_empty() => Ok((bare_host(&host.join(":")), number::port(port)?)),
        _ => Err(Malformed::host(layer.name())),
    }
}

/// The host without the brackets that some write around an IPv6 address.
pub(super) fn bare_host(host: &str) -> String {
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match inner.filter(|inner| inner.contains(':')).unwrap_or(host) {
        "" => "localhost".to_owned(),
        host => host.to_owned(),
    }
}

fn parse_tunnel(layer: &Layer) -> Result<Endpoint, Malformed> {
    let [room, target] = layer.parts() else {
        return Err(Malformed::tunnel("a tunnel names a room and a target".to_owned()));
    };
    let id = |text: &String, whose: &str| {
        text.parse()
            .map_err(|error| Malformed::tunnel(format!("the {whose} of the tunnel is wrong: {error}")))
    };
    Ok(Endpoint::Tunnel {
        room: id(room, "room")?,
        target: id(target, "target")?,
    })
}

const fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

/// What stands behind `ws:` or `wss:`: `//host:port/path`, or `host:port` as old addresses have it.
fn parse_url(layer: &Layer, secure: bool) -> Result<Endpoint, Malformed> {
    let Some(first) = layer.parts().first() else {
        return Err(Malformed::url(format!("{} lacks a host", layer.name())));
    };
    if !first.starts_with('/') {
        let (host, port) = host_and_port(layer)?;
        return Ok(Endpoint::Ws {
            secure,
            host: url_host(&host)?,
            port,
            path: "/".to_owned(),
        });
    }
    let whole = layer.parts().join(":");
    let Some(rest) = whole.strip_prefix("//") else {
        return Err(Malformed::url(format!("// is missing behind {}:", layer.name())));
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err(Malformed::url("user names in addresses are not supported".to_owned()));
    }
    // The last colon separates the port, unless it belongs to an IPv6 address in brackets.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (authority, ""),
    };
    let port = match port {
        "" => default_port(secure),
        port => port
            .parse()
            .ok()
            .filter(|_| port.bytes().all(|b| b.is_ascii_digit()))
            .ok_or_else(|| Malformed::port(port))?,
    };
    Ok(Endpoint::Ws {
        secure,
        host: url_host(&bare_host(host))?,
        port,
        path: url_path(path),
    })
}

/// Checks the host of a URL, without brackets, and makes it small.
fn url_host(host: &str) -> Result<String, Malformed> {
    let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let address = |c: char| name(c) || matches!(c, ':' | '%');
    let good = if host.contains(':') {
        host.chars().all(address)
    } else {
        host.chars().all(name)
    };
    if good {
        Ok(host.to_ascii_lowercase())
    } else {
        Err(Malformed::url(format!(
            "{} is no host; names in other scripts are written in their ASCII form, xn--…",
            quote(host)
        )))
    }
}

/// Path and query, without the fragment, with everything that may not stand in a request in its percent form.
fn url_path(text: &str) -> String {
    let text = text.split('#').next().unwrap_or_default();
    let mut path = String::with_capacity(text.len() + 1);
    if !text.starts_with('/') {
        path.push('/');
    }
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Other(layer) = self {
            return layer.write(false, f);
        }
        f.write_str(self.transport())?;
        match self {
            Self::Net { host, port } | Self::Onion { host, port } => {
                f.write_str(":")?;
                escape::write(host, escape::IN_REST, f)?;
                write!(f, ":{port}")
            }
            Self::Ws {
                secure,
                host,
                port,
                path,
            } => {
                // A name in brackets would be taken for an address.
                if host.contains(':') {
                    write!(f, "://[{host}]")?;
                } else {
                    write!(f, "://{host}")?;
                }
                if *port != default_port(*secure) {
                    write!(f, ":{port}")?;
                }
                match path.as_str() {
                    "/" => Ok(()),
                    path => escape::write(path, escape::IN_REST, f),
                }
            }
            Self::Unix { path } => {
                f.write_str(":")?;
                escape::write(path, escape::IN_REST, f)
            }
            Self::Tunnel { room, target } => write!(f, ":{room}:{target}"),
            Self::Other(_) => Ok(()),
        }
    }
}

impl FromStr for Endpoint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Ok(Self::parse(text)?)
    }
}
