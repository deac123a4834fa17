//! What a configuration holds.

use super::{
    keys::{self, Key},
    text,
};
use crate::exit::Failure;
use handfast_gossip::plugin;
use handfast_keys::NetworkIdentifier;
use handfast_multiserver::{Connections, Incoming, Outgoing};
use handfast_stack::{Config, Control, Global, Limits, Stack};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Every key there is.
const KEYS: &[Key] = &[
    Key::new(
        "network",
        "The network identifier (app key, caps.shs): 32 bytes in base64. Only nodes of one network hear each other.",
    ),
    Key::optional(
        "wallet",
        "The saved wallet (handfast snap wallet list) that vouches for the node where it speaks snap2p. Its password is asked\n\
         for, or read by --password-fd. Left out: none.",
        "wallet = \"anna\"",
    ),
    Key::new("global", "What the node and all of its plugins see."),
    Key::new(
        "global.closeDeadline",
        "How long closing waits for work to finish before it cuts connections, in milliseconds.",
    ),
    Key::optional(
        "global.prometheus",
        "Where counters are served to Prometheus over HTTP, at /metrics. Left out: nowhere.",
        "prometheus = \"127.0.0.1:9464\"",
    ),
    Key::new("global.timers", "How long what is waited for."),
    Key::new(
        "global.timers.inactivity",
        "How long a connection may be silent in both directions before it is closed, in milliseconds; 0 is for ever.",
    ),
    Key::new(
        "global.timers.handshake",
        "How long a handshake may take, in milliseconds.",
    ),
    Key::new("global.limits", "How much strangers may take."),
    Key::optional(
        "global.limits.maxConnections",
        "The most connections that came in. Left out: half of the files that the process may open.",
        "maxConnections = 16000",
    ),
    Key::new(
        "global.limits.maxConnectionsPerIp",
        "The most of them from one address, or from one /64 network for IPv6.",
    ),
    Key::optional(
        "global.limits.maxHalfOpen",
        "The most connections whose handshake is not finished. Left out: a quarter of the files that the process may open.",
        "maxHalfOpen = 8000",
    ),
    Key::new(
        "global.limits.maxHalfOpenPerIp",
        "The most of them from one address or network.",
    ),
    Key::new(
        "global.limits.connectTimeout",
        "How long each alternative of an address may take until its transport stands, in milliseconds.",
    ),
    Key::new(
        "global.connections.incoming",
        "What to listen on, by transport: net, ws or unix. Each [[...]] is one place; net = [] stands for none. To be\n\
         reached from other machines, let a place have the scopes [\"device\", \"local\", \"public\"]. The owner's socket in\n\
         the node's directory needs no entry.",
    ),
    Key::optional(
        "global.connections.incoming.ws",
        "WebSockets.",
        "[[global.connections.incoming.ws]]\nscope = \"device\"\ntransform = \"shs\"\nport = 8989",
    ),
    Key::optional(
        "global.connections.incoming.unix",
        "A Unix socket, for programs of the owner.",
        "[[global.connections.incoming.unix]]\nscope = \"device\"\ntransform = \"noauth\"\npath = \"/run/user/1000/node\"",
    ),
    Key::new("global.connections.incoming.net|ws|unix", "One place to listen on."),
    Key::new(
        "global.connections.incoming.net|ws|unix.scope",
        "From where it may be reached, one or a list: device (this machine), local, private (the local network), public.",
    ),
    Key::new(
        "global.connections.incoming.net|ws|unix.transform",
        "What is spoken: shs (secret handshake), snap2p (SNaP2P, for which a wallet is needed), or noauth (whoever connects is\n\
         the owner; for unix only).",
    ),
    Key::optional(
        "global.connections.incoming.net|ws.host",
        "The hosts to listen on, one or a list. Left out: loopback for the scope device alone, else every address.",
        "host = \"192.0.2.7\"",
    ),
    Key::optional(
        "global.connections.incoming.net|ws.port",
        "The port; 0 takes a free one. Left out: 8008 for net, 8989 for ws.",
        "port = 8008",
    ),
    Key::optional(
        "global.connections.incoming.net|ws.external",
        "The names or addresses to give to others for the scope public, one or a list.",
        "external = \"pub.example\"",
    ),
    Key::optional(
        "global.connections.incoming.unix.path",
        "The directory in which the socket, named socket, is made.",
        "path = \"/run/user/1000/node\"",
    ),
    Key::optional(
        "global.connections.incoming.ws.key",
        "The file with the private key, in PEM. With key and cert the server speaks wss.",
        "key = \"/etc/ssl/private/pub.example.pem\"",
    ),
    Key::optional(
        "global.connections.incoming.ws.cert",
        "The file with the certificate and those that vouch for it, in PEM.",
        "cert = \"/etc/ssl/certs/pub.example.pem\"",
    ),
    Key::optional(
        "global.connections.incoming.net|ws.insecureNoauth",
        "Allow noauth where others than the owner can connect: they all have the owner's rights then.",
        "insecureNoauth = false",
    ),
    Key::new(
        "global.connections.outgoing",
        "What to dial with, by transport: net, ws (also wss), onion or unix.",
    ),
    Key::new("global.connections.outgoing.net|ws|onion|unix", "One way to dial."),
    Key::new(
        "global.connections.outgoing.net|ws|onion|unix.transform",
        "What is spoken: shs (secret handshake) or noauth. With a wallet, snap2p needs no entry.",
    ),
    Key::optional(
        "global.connections.outgoing.onion.proxy",
        "The SOCKS5 proxy. Left out: 127.0.0.1:9050 (Tor), then 127.0.0.1:9150 (Tor Browser).",
        "proxy = \"127.0.0.1:9050\"",
    ),
    Key::optional(
        "global.connections.outgoing.ws.ca",
        "Files with certificates, in PEM, to trust for wss besides those that the system trusts.",
        "ca = [\"/etc/ssl/own.pem\"]",
    ),
    Key::new("gossip", "Topics to gossip about with other nodes that do."),
    Key::new(
        "gossip.topics",
        "The names of open topics to be in from the start. Whoever knows a name is in.",
    ),
    Key::new(
        "gossip.contacts",
        "The addresses, with keys, of nodes to ask first in each of them; one that answers is enough.",
    ),
];

/// The configuration of a node.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) network: NetworkIdentifier,
    /// The name of the wallet that vouches for the node.
    pub(crate) wallet: Option<String>,
    config: Config,
}

/// The configuration as it is written: what is missing is not said.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Written {
    network: NetworkIdentifier,
    #[serde(skip_serializing_if = "Option::is_none")]
    wallet: Option<String>,
    // The two parts of a `Config`, so that errors in `global` keep their line.
    global: Global,
    #[serde(flatten)]
    plugins: BTreeMap<String, serde_json::Value>,
}

impl Default for Settings {
    /// What this program takes for granted: a node listens on this machine only unless it is told otherwise.
    fn default() -> Self {
        let here = Incoming {
            port: Some(8008),
            ..Incoming::default()
        };
        let usual = handfast_multiserver::Limits::default();
        let mut config = Config::default();
        config.global.connections = Some(Connections {
            incoming: [("net".into(), vec![here])].into(),
            ..Connections::default()
        });
        config.global.limits = Limits {
            max_connections_per_ip: Some(usual.max_connections_per_ip),
            max_half_open_per_ip: Some(usual.max_half_open_per_ip),
            connect_timeout: Some(usual.connect_timeout),
            // These follow from the number of files that the process may open.
            max_connections: None,
            max_half_open: None,
        };
        config.plugins.insert("gossip".into(), plugin::default_config());
        let network = NetworkIdentifier::default();
        let config = Stack::new(network).plugin(Control).written_config(config);
        Self {
            network,
            wallet: None,
            config,
        }
    }
}

impl Settings {
    /// What the node is started with.
    pub(crate) fn config(self) -> Config {
        self.config
    }

    /// What to dial with.
    pub(crate) fn outgoing(&self) -> BTreeMap<String, Vec<Outgoing>> {
        self.config.global.connections().outgoing
    }

    /// Reads a configuration; what it leaves out has its default.
    ///
    /// # Errors
    /// The line, and what is wrong there.
    pub(super) fn from_toml(text: &str) -> Result<Self, String> {
        keys::refuse_unknown(text, KEYS)?;
        let written: Written = toml::from_str(text).map_err(|error| {
            let line = error
                .span()
                .map(|span| format!("line {}: ", keys::line_of(text, span.start)));
            format!("{}{}", line.unwrap_or_default(), error.message())
        })?;
        let Written {
            network,
            wallet,
            global,
            plugins,
        } = written;
        Ok(Self {
            network,
            wallet,
            config: Self::default().config.merge(Config { global, plugins }),
        })
    }

    /// The whole configuration, with comments.
    pub(super) fn to_toml(&self) -> Result<String, Failure> {
        let Config { global, plugins } = self.config.clone();
        let written = Written {
            network: self.network,
            wallet: self.wallet.clone(),
            global,
            plugins,
        };
        let values = serde_json::to_value(written).map_err(Failure::local)?;
        text::write(&values, KEYS).map_err(Failure::local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_written_defaults_are_the_defaults() {
        let written = Settings::default().to_toml().unwrap();
        let read = Settings::from_toml(&written).unwrap();
        let value = |settings: &Settings| settings.to_toml().unwrap();
        assert!(
            read.config == Settings::default().config && read.network == Settings::default().network,
            "{written}"
        );
        assert_eq!(value(&Settings::from_toml("").unwrap()), value(&Settings::default()));
    }

    #[test]
    fn what_is_not_said_stays_as_it_is() {
        let settings = Settings::from_toml("[[global.connections.incoming.ws]]\nport = 1").unwrap();
        let incoming = settings.config.global.connections().incoming;
        assert_eq!(incoming["ws"][0].port, Some(1));
        assert!(
            incoming["ws"][0].scope.is_device_only(),
            "nothing is opened to others by silence"
        );
        assert_eq!(
            incoming["net"],
            Settings::default().config.global.connections().incoming["net"]
        );
        let none = Settings::from_toml("global.connections.incoming.net = []").unwrap();
        assert!(none.config.global.connections().incoming["net"].is_empty());
        assert_eq!(none.outgoing(), Settings::default().outgoing());
    }

    #[test]
    fn every_key_is_explained_and_every_example_is_read() {
        fn check(values: &serde_json::Value, path: &mut Vec<String>) {
            match values {
                serde_json::Value::Object(object) => {
                    for (name, value) in object {
                        path.push(name.clone());
                        let names: Vec<&str> = path.iter().map(String::as_str).collect();
                        let known = keys::find(KEYS, &names).is_some_and(|key| !key.about.is_empty());
                        // A table that only holds tables explains itself.
                        assert!(known || value.is_object(), "{names:?} is not explained");
                        check(value, path);
                        path.pop();
                    }
                }
                serde_json::Value::Array(items) => items.iter().for_each(|item| check(item, path)),
                _ => {}
            }
        }
        let written: serde_json::Value = toml::from_str(&Settings::default().to_toml().unwrap()).unwrap();
        check(&written, &mut Vec::new());

        let written = Settings::default().to_toml().unwrap();
        for key in KEYS.iter().filter(|key| !key.example.is_empty()) {
            let comment = |text: &str| text.lines().map(|line| format!("# {line}\n")).collect::<String>();
            let shown = comment(key.about) + &comment(key.example);
            // Where the default has no such table, the example is read in one of its own.
            let real = match written.contains(&shown) {
                true => written.replacen(&shown, &format!("{}\n", key.example), 1),
                false => format!("[[{}]]\n{}", key.parent(), key.example),
            };
            Settings::from_toml(&real).unwrap_or_else(|error| panic!("{key:?}: {error}"));
        }
    }

    #[test]
    fn a_wrong_value_is_named_with_its_line() {
        for (text, complaint) in [
            ("\nnetwork = 5", "line 2: "),
            ("network = \"short\"", "line 1: "),
            ("network = ", "line 1: "),
            (
                "[global.timers]\ninactivity = -1",
                "line 2: -1 is no number of milliseconds",
            ),
            (
                "[[global.connections.incoming.net]]\nport = 1\nscope = \"world\"",
                "line 3: ",
            ),
            (
                "\n\nnetwrok = 1",
                "line 3: there is no key netwrok; the nearest one is network",
            ),
        ] {
            let error = Settings::from_toml(text).unwrap_err();
            assert!(error.starts_with(complaint), "{error}");
        }
    }
}
