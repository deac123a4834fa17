//! What a node listens on and dials with: the section `connections` of secret-stack.

use crate::scope::{OneOrMany, Scope, Scopes};
use serde::{Deserialize, Deserializer, Serialize};
use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

/// What a node listens on and dials with, by the name of the transport.
///
/// Where it is written down and `incoming` is missing, nothing is listened on; where `outgoing` is missing, everything that is
/// built in is dialled.
///
/// ```
/// let connections: handfast_multiserver::Connections = serde_json::from_str(r#"{
///     "incoming": {
///         "net": [{ "scope": ["device", "local", "public"], "transform": "shs", "port": 8008 }],
///         "unix": [{ "scope": "device", "transform": "noauth", "path": "/run/user/1000/node" }]
///     },
///     "outgoing": { "net": [{ "transform": "shs" }] }
/// }"#).unwrap();
/// assert_eq!(connections.incoming["net"][0].port, Some(8008));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Connections {
    /// What to listen on, by transport.
    #[serde(default)]
    pub incoming: BTreeMap<String, Vec<Incoming>>,
    /// What to dial with, by transport.
    #[serde(default = "every_way")]
    pub outgoing: BTreeMap<String, Vec<Outgoing>>,
}

/// The original's: `net` with `shs` both ways, listening for every scope; and, to dial, everything else that is built in.
impl Default for Connections {
    fn default() -> Self {
        let incoming = Incoming {
            scope: [Scope::Device, Scope::Local, Scope::Public].into(),
            transform: "shs".to_owned(),
            ..Incoming::default()
        };
        Self {
            incoming: BTreeMap::from([("net".to_owned(), vec![incoming])]),
            outgoing: every_way(),
        }
    }
}

fn every_way() -> BTreeMap<String, Vec<Outgoing>> {
    let outgoing = [("net", "shs"), ("onion", "shs"), ("unix", "noauth"), ("ws", "shs")];
    outgoing
        .map(|(transport, transform)| (transport.to_owned(), vec![Outgoing::new(transform)]))
        .into()
}

impl Connections {
    /// Lays `own` over these, as the original merges configurations: a transport that is in both is as `own` has it.
    #[must_use]
    pub fn merge(mut self, own: Self) -> Self {
        self.incoming.extend(own.incoming);
        self.outgoing.extend(own.outgoing);
        self
    }
}

/// One place to listen on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Incoming {
    /// From where it may be reached: one scope or a list. Default: this machine only.
    pub scope: Scopes,
    /// What is spoken: `shs`, `noauth` or the name of one of your own.
    pub transform: String,
    /// The hosts to listen on, one or a list. Default: the loopback addresses for the scope `device` alone, otherwise every
    /// address of the machine, where a connection that arrives from beyond the scope is closed at once.
    #[serde(deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub host: Vec<String>,
    /// The port; 0 takes a free one. Default: 8008 for `net`, 8989 for `ws`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The hosts to give to others for the scope `public`, one or a list, such as the name of a server behind a router.
    #[serde(deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub external: Vec<String>,
    /// `unix`: the directory in which the socket, named `socket`, is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// `ws`: the file with the private key, in PEM. With it and `cert`, the server speaks `wss`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// `ws`: the file with the certificate and those that vouch for it, in PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert: Option<PathBuf>,
    /// Allows the transform `noauth`, which gives everybody who connects the owner's rights, where others than the owner
    /// can connect. Default: false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub insecure_noauth: bool,
}

impl Default for Incoming {
    fn default() -> Self {
        Self {
            scope: Scope::Device.into(),
            transform: "shs".to_owned(),
            host: Vec::new(),
            port: None,
            external: Vec::new(),
            path: None,
            key: None,
            cert: None,
            insecure_noauth: false,
        }
    }
}

/// One way to dial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Outgoing {
    /// What is spoken: `shs`, `noauth` or the name of one of your own.
    pub transform: String,
    /// `onion`: the SOCKS5 proxy. Default: 127.0.0.1:9050, which is Tor, then 127.0.0.1:9150, which is the Tor Browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<SocketAddr>,
    /// `wss`: files with certificates, in PEM, to trust in addition to those that the system trusts.
    #[serde(deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub ca: Vec<PathBuf>,
}

impl Outgoing {
    /// A way to dial with this transform.
    #[must_use]
    pub fn new(transform: impl Into<String>) -> Self {
        Self {
            transform: transform.into(),
            proxy: None,
            ca: Vec::new(),
        }
    }
}

impl Default for Outgoing {
    fn default() -> Self {
        Self::new("shs")
    }
}

fn one_or_many<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let values = Option::<OneOrMany<T>>::deserialize(deserializer)?;
    Ok(values.map(|values| values.into_iter().collect()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_original() {
        let json = serde_json::to_value(Connections::default()).unwrap();
        assert_eq!(
            json["incoming"],
            serde_json::json!({ "net": [{ "scope": ["device", "local", "public"], "transform": "shs" }] })
        );
        assert_eq!(json["outgoing"]["net"], serde_json::json!([{ "transform": "shs" }]));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let connections = Connections {
            incoming: BTreeMap::from([(
                "ws".to_owned(),
                vec![Incoming {
                    scope: Scopes::all(),
                    host: vec!["::".to_owned()],
                    port: Some(0),
                    external: vec!["a.example".to_owned(), "b.example".to_owned()],
                    key: Some("key.pem".into()),
                    cert: Some("cert.pem".into()),
                    insecure_noauth: true,
                    ..Incoming::default()
                }],
            )]),
            ..Connections::default()
        };
        let json = serde_json::to_string(&connections).unwrap();
        assert!(json.contains("insecureNoauth"));
        assert_eq!(serde_json::from_str::<Connections>(&json).unwrap(), connections);
    }

    #[test]
    fn one_host_needs_no_list() {
        let incoming: Incoming =
            serde_json::from_str(r#"{"host":"::1","external":"a.example","scope":"public"}"#).unwrap();
        assert_eq!(incoming.host, ["::1"]);
        assert_eq!(incoming.external, ["a.example"]);
        assert_eq!(incoming.transform, "shs");
    }
}
