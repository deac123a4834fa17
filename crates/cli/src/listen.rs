//! Where to listen, as the command line says it: `net:HOST:PORT`, `ws://HOST:PORT`, `unix:DIR`.

use handfast_multiserver::{Alternative, Endpoint, Incoming, Scope, Scopes};
use std::{collections::BTreeMap, net::IpAddr, path::PathBuf, str::FromStr};

/// A place to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listen {
    transport: &'static str,
    options: Incoming,
    /// What is spoken there, if that was said.
    transform: Option<&'static str>,
}

impl Listen {
    /// Whether no identity is proved there.
    pub(crate) fn is_noauth(&self) -> bool {
        self.transform == Some("noauth")
    }

    /// Whether a wallet has to vouch for whoever listens there.
    pub(crate) fn is_snap2p(&self) -> bool {
        self.transform == Some("snap2p")
    }

    /// These places as a configuration has them; `unix` says what is spoken on Unix sockets unless that was said, and
    /// elsewhere it is `shs`.
    pub(crate) fn incoming<'a>(
        places: impl IntoIterator<Item = &'a Self>,
        unix: &'static str,
    ) -> BTreeMap<String, Vec<Incoming>> {
        let mut incoming: BTreeMap<String, Vec<Incoming>> = BTreeMap::new();
        for place in places {
            let usual = if place.transport == "unix" { unix } else { "shs" };
            incoming.entry(place.transport.into()).or_default().push(Incoming {
                transform: place.transform.unwrap_or(usual).into(),
                ..place.options.clone()
            });
        }
        incoming
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (place, transform) = match text.split_once('~') {
            None => (text, None),
            Some((place, "shs")) => (place, Some("shs")),
            Some((place, "noauth")) => (place, Some("noauth")),
            Some((place, "snap2p")) => (place, Some("snap2p")),
            Some(_) => return Err("behind ~ stands what is spoken, shs, noauth or snap2p, and no key".into()),
        };
        let place: Alternative = place.parse().map_err(|error| format!("{error}"))?;
        let (transport, options) = match place.endpoint {
            Endpoint::Net { host, port } => ("net", at(host, port)),
            Endpoint::Ws { secure: true, .. } => {
                return Err(
                    "wss needs a key and a certificate, which the configuration names (handfast config)".into(),
                );
            }
            Endpoint::Ws { host, port, path, .. } if path == "/" => ("ws", at(host, port)),
            Endpoint::Ws { .. } => return Err("a WebSocket listens on every path, so the path has to go".into()),
            Endpoint::Unix { path } => (
                "unix",
                Incoming {
                    scope: Scope::Device.into(),
                    path: Some(PathBuf::from(path)),
                    ..Incoming::default()
                },
            ),
            other => {
                return Err(format!(
                    "{} can only be dialled; listen on net:HOST:PORT, ws://HOST:PORT or unix:DIR",
                    other.transport()
                ));
            }
        };
        Ok(Self {
            transport,
            options,
            transform,
        })
    }
}

fn at(host: String, port: u16) -> Incoming {
    let loopback = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    Incoming {
        scope: if loopback { Scope::Device.into() } else { Scopes::all() },
        host: vec![host],
        port: Some(port),
        ..Incoming::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incoming(text: &str) -> (String, Incoming) {
        let place: Listen = text.parse().unwrap();
        let (transport, mut places) = Listen::incoming([&place], "noauth").pop_first().unwrap();
        (transport, places.pop().unwrap())
    }

    #[test]
    fn places_are_read_as_a_configuration_has_them() {
        let (transport, net) = incoming("net:127.0.0.1:0");
        assert_eq!(
            (transport.as_str(), net.transform.as_str(), net.port),
            ("net", "shs", Some(0))
        );
        assert!(net.scope.is_device_only() && net.host == ["127.0.0.1"]);
        let (_, here) = incoming("net::8008");
        assert_eq!((here.host, here.port), (vec!["localhost".to_owned()], Some(8008)));
        let (_, everywhere) = incoming("net:[::]:8008");
        assert_eq!(
            (everywhere.host, everywhere.scope),
            (vec!["::".to_owned()], Scopes::all())
        );
        let (transport, ws) = incoming("ws://0.0.0.0:8989");
        assert_eq!(
            (transport.as_str(), ws.transform.as_str(), ws.port),
            ("ws", "shs", Some(8989))
        );
        let (transport, unix) = incoming("unix:/run/me");
        assert_eq!((transport.as_str(), unix.transform.as_str()), ("unix", "noauth"));
        assert_eq!(unix.path, Some("/run/me".into()));
        assert_eq!(incoming("unix:/run/me~shs").1.transform, "shs");
        assert_eq!(incoming("net:127.0.0.1:0~noauth").1.transform, "noauth");
        assert_eq!(incoming("net:127.0.0.1:0~snap2p").1.transform, "snap2p");
    }

    #[test]
    fn an_error_says_which_part_is_wrong() {
        for (text, part) in [
            ("net:127.0.0.1", "port"),
            ("net:127.0.0.1:80080", "port"),
            ("net:127.0.0.1:1~shs:KEY", "no key"),
            ("wss://example.org", "certificate"),
            ("ws://example.org:1/path", "path"),
            ("onion:abc.onion:8008", "only be dialled"),
            ("unix:", "path"),
            ("8008", "name"),
        ] {
            let error = text.parse::<Listen>().unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
