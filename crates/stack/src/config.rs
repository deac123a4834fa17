//! The configuration: what all plugins share, and a section for each.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use handfast_multiserver::{Connections, Incoming, Outgoing};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::merge::{merge, merge_maps};
use crate::{Error, Plugin, camel_case};

/// How long a connection may be silent in both directions, unless configured otherwise: the original's default for a node
/// that is configured at all. Long enough for a peer whose next message is due every five minutes.
pub const INACTIVITY: Duration = Duration::from_secs(600);

/// How long a handshake may take, unless configured otherwise; the original's default for a node that is configured at all.
pub const HANDSHAKE: Duration = Duration::from_secs(15);

/// How long closing waits for work to finish, unless configured otherwise.
pub const CLOSE_DEADLINE: Duration = Duration::from_secs(10);

/// The configuration of a node: [`global`](Self::global), which all plugins see, and beside it a section for each plugin,
/// under its camel-cased name, which only that plugin sees.
///
/// ```
/// use handfast_stack::Config;
/// use serde_json::json;
///
/// let defaults = Config::from_value(json!({ "global": { "port": 8008 }, "blobs": { "max": 5, "pushy": true } }))?;
/// let own = Config::from_value(json!({ "global": { "timers": { "inactivity": 0 } }, "blobs": { "max": 7 } }))?;
/// let config = defaults.merge(own);
/// assert_eq!(config.global.port, Some(8008));
/// assert!(config.global.timers.inactivity().is_zero());
/// assert_eq!(config.plugins["blobs"], json!({ "max": 7, "pushy": true }));
/// # Ok::<(), handfast_stack::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// What all plugins share.
    #[serde(default)]
    pub global: Global,
    /// The sections of plugins, by camel-cased name.
    #[serde(flatten)]
    pub plugins: BTreeMap<String, Value>,
}

/// What all plugins share. A field that is `None` is not said: methods give what holds then.
///
/// Durations are milliseconds where they are written down, as in the original.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Global {
    /// The host name or address to listen on, if `connections` is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The TCP port to listen on, if `connections` is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// What to listen on and to dial with, by transport: nothing is listened on that is not listed, and where no way to dial
    /// is listed, everything that is built in is dialled. If it is not said at all, it is [`Connections::default`] on `host`
    /// and `port`.
    #[serde(default, deserialize_with = "as_listed", skip_serializing_if = "Option::is_none")]
    pub connections: Option<Connections>,
    /// How much strangers may take.
    #[serde(default, skip_serializing_if = "Limits::says_nothing")]
    pub limits: Limits,
    /// The directory for what the node keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// How long what is waited for.
    #[serde(default)]
    pub timers: Timers,
    /// How long a handshake may take; it wins over that of `timers`.
    #[serde(default, with = "millis", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// How long closing waits for work to finish.
    #[serde(default, with = "millis", skip_serializing_if = "Option::is_none")]
    pub close_deadline: Option<Duration>,
    /// Where counters are served to Prometheus; nowhere, if it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<SocketAddr>,
    /// Everything else that stands there, for plugins.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// How long what is waited for, in milliseconds where it is written down.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timers {
    /// How long a connection may be silent in both directions; 0 is for ever.
    #[serde(default, with = "millis", skip_serializing_if = "Option::is_none")]
    pub inactivity: Option<Duration>,
    /// How long a handshake may take.
    #[serde(default, with = "millis", skip_serializing_if = "Option::is_none")]
    pub handshake: Option<Duration>,
    /// Everything else that stands there, for plugins.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// How much strangers may take; what is not said is as [`handfast_multiserver::Limits`] has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Limits {
    /// The most connections that came in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_connections: Option<usize>,
    /// The most of them from one address, or from one /64 network for IPv6.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_connections_per_ip: Option<usize>,
    /// The most connections whose handshake is not finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_half_open: Option<usize>,
    /// The most of them from one address or network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_half_open_per_ip: Option<usize>,
    /// How long each alternative that is dialled may take until its transport stands.
    #[serde(with = "millis", skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<Duration>,
}

impl Limits {
    fn says_nothing(&self) -> bool {
        *self == Self::default()
    }

    fn or(self, other: Self) -> Self {
        Self {
            max_connections: self.max_connections.or(other.max_connections),
            max_connections_per_ip: self.max_connections_per_ip.or(other.max_connections_per_ip),
            max_half_open: self.max_half_open.or(other.max_half_open),
            max_half_open_per_ip: self.max_half_open_per_ip.or(other.max_half_open_per_ip),
            connect_timeout: self.connect_timeout.or(other.connect_timeout),
        }
    }
}

impl Config {
    /// The configuration that a JSON value is.
    ///
    /// # Errors
    /// [`Error::Config`] that names the place, if it does not fit.
    pub fn from_value(value: Value) -> Result<Self, Error> {
        let Value::Object(mut plugins) = value else {
            return Err(misfit(
                "global",
                "the configuration is an object with a section for each plugin",
            ));
        };
        let global = match plugins.remove("global") {
            None | Some(Value::Null) => Global::default(),
            Some(global) => read("global", global)?,
        };
        Ok(Self {
            global,
            plugins: plugins.into_iter().collect(),
        })
    }

    /// Lays `own` over this configuration: what it does not say stays, objects are merged at any depth, everything else is
    /// replaced. See [`merge`](crate::merge()).
    #[must_use]
    pub fn merge(mut self, own: Self) -> Self {
        self.global = self.global.merge(own.global);
        for (plugin, section) in own.plugins {
            merge(self.plugins.entry(plugin).or_default(), section);
        }
        self
    }

    /// What a plugin gets to see: its own section, over its [defaults](Plugin::default_config), and what all share.
    pub fn of_plugin(&self, plugin: &dyn Plugin) -> PluginConfig {
        let name = camel_case(plugin.name());
        let mut section = plugin.default_config();
        match self.plugins.get(&name) {
            Some(own) if !name.is_empty() && !own.is_null() => merge(&mut section, own.clone()),
            _ => {}
        }
        PluginConfig {
            plugin: name,
            section,
            global: self.global.clone(),
        }
    }

    /// The sections that are no plugin's: a plugin that is not used, or a name with a mistake in it.
    pub fn unused<'a>(&'a self, plugins: &[Arc<dyn Plugin>]) -> Vec<&'a str> {
        let names: Vec<String> = plugins.iter().map(|plugin| camel_case(plugin.name())).collect();
        let sections = self.plugins.keys().filter(|section| !names.contains(section));
        sections.map(String::as_str).collect()
    }

    /// Every default written out: those of [`Global`] and those of the plugins, beneath what is said here.
    #[must_use]
    pub fn written_out(&self, plugins: &[Arc<dyn Plugin>]) -> Self {
        let mut defaults = Self {
            global: Global::defaults(),
            plugins: BTreeMap::new(),
        };
        for plugin in plugins {
            let (name, section) = (camel_case(plugin.name()), plugin.default_config());
            if !name.is_empty() && !section.is_null() {
                defaults.plugins.insert(name, section);
            }
        }
        let mut config = defaults.merge(self.clone());
        config.global.connections = Some(config.global.connections());
        config
    }
}

impl Global {
    /// What to listen on and to dial with.
    pub fn connections(&self) -> Connections {
        let mut connections = Connections::default();
        if let Some(listed) = &self.connections {
            connections.incoming.clone_from(&listed.incoming);
            if !listed.outgoing.is_empty() {
                connections.outgoing.clone_from(&listed.outgoing);
            }
            return connections;
        }
        for place in connections.incoming.values_mut().flatten() {
            place.host = self.host.iter().cloned().collect();
            // As the original: any free port, unless one is said.
            place.port = Some(self.port.unwrap_or(0));
        }
        connections
    }

    /// How much strangers may take.
    pub fn limits(&self) -> handfast_multiserver::Limits {
        let mut limits = handfast_multiserver::Limits::default();
        let set = |limit: &mut usize, own: Option<usize>| *limit = own.unwrap_or(*limit);
        set(&mut limits.max_connections, self.limits.max_connections);
        set(&mut limits.max_connections_per_ip, self.limits.max_connections_per_ip);
        set(&mut limits.max_half_open, self.limits.max_half_open);
        set(&mut limits.max_half_open_per_ip, self.limits.max_half_open_per_ip);
        limits.handshake_timeout = self.handshake_timeout();
        limits.connect_timeout = self.limits.connect_timeout.unwrap_or(limits.connect_timeout);
        limits
    }

    /// How long a handshake may take.
    pub fn handshake_timeout(&self) -> Duration {
        self.timeout.unwrap_or_else(|| self.timers.handshake())
    }

    /// How long closing waits for work to finish.
    pub fn close_deadline(&self) -> Duration {
        self.close_deadline.unwrap_or(CLOSE_DEADLINE)
    }

    /// What holds where nothing is said.
    fn defaults() -> Self {
        Self {
            timers: Timers {
                inactivity: Some(INACTIVITY),
                handshake: Some(HANDSHAKE),
                extra: Map::new(),
            },
            close_deadline: Some(CLOSE_DEADLINE),
            ..Self::default()
        }
    }

    fn merge(mut self, own: Self) -> Self {
        // All fields are named, so that none is forgotten.
        let Self {
            host,
            port,
            connections,
            limits,
            path,
            timers,
            timeout,
            close_deadline,
            prometheus,
            extra,
        } = own;
        let Timers {
            inactivity,
            handshake,
            extra: more_timers,
        } = timers;
        merge_maps(&mut self.timers.extra, more_timers);
        merge_maps(&mut self.extra, extra);
        Self {
            host: host.or(self.host),
            port: port.or(self.port),
            connections: match (self.connections, connections) {
                (Some(there), Some(own)) => Some(there.merge(own)),
                (there, own) => own.or(there),
            },
            limits: limits.or(self.limits),
            path: path.or(self.path),
            timers: Timers {
                inactivity: inactivity.or(self.timers.inactivity),
                handshake: handshake.or(self.timers.handshake),
                extra: self.timers.extra,
            },
            timeout: timeout.or(self.timeout),
            close_deadline: close_deadline.or(self.close_deadline),
            prometheus: prometheus.or(self.prometheus),
            extra: self.extra,
        }
    }
}

impl Timers {
    /// How long a connection may be silent in both directions; zero is for ever.
    pub fn inactivity(&self) -> Duration {
        self.inactivity.unwrap_or(INACTIVITY)
    }

    /// How long a handshake may take.
    pub fn handshake(&self) -> Duration {
        self.handshake.unwrap_or(HANDSHAKE)
    }
}

/// Sections hold what plugins want, secrets perhaps, so only their names are printed.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("global", &self.global)
            .field("plugins", &self.plugins.keys())
            .finish()
    }
}

/// The original keeps the secret key among the rest, so of that only the names are printed.
impl fmt::Debug for Global {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Global")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("connections", &self.connections)
            .field("limits", &self.limits)
            .field("path", &self.path)
            .field("timers", &self.timers)
            .field("timeout", &self.timeout)
            .field("close_deadline", &self.close_deadline)
            .field("prometheus", &self.prometheus)
            .field("extra", &self.extra.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// What one plugin sees of the configuration.
#[derive(Clone)]
pub struct PluginConfig {
    plugin: String,
    section: Value,
    global: Global,
}

impl PluginConfig {
    /// The plugin's own section; its [`Default`] if there is none. Under the owner's section lies
    /// [`default_config`](Plugin::default_config).
    ///
    /// # Errors
    /// [`Error::Config`] that names the place, if the section does not fit `T`.
    pub fn section<T: DeserializeOwned + Default>(&self) -> Result<T, Error> {
        match &self.section {
            Value::Null => Ok(T::default()),
            section => read(&self.plugin, section.clone()),
        }
    }

    /// The plugin's own section as it stands; `null` if there is none.
    pub fn raw(&self) -> &Value {
        &self.section
    }

    /// What all plugins share.
    pub fn global(&self) -> &Global {
        &self.global
    }
}

impl fmt::Debug for PluginConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginConfig")
            .field("plugin", &self.plugin)
            .finish_non_exhaustive()
    }
}

fn read<T: DeserializeOwned>(section: &str, value: Value) -> Result<T, Error> {
    serde_path_to_error::deserialize(value).map_err(|error| match error.path().to_string().as_str() {
        "." => misfit(section, error.inner()),
        place => misfit(section, format_args!("{place}: {}", error.inner())),
    })
}

fn misfit(section: &str, why: impl fmt::Display) -> Error {
    Error::Config {
        plugin: section.to_owned(),
        why: why.to_string(),
    }
}

/// Connections as they are listed. What a layer does not list is not filled in here: it would lie over what is listed
/// beneath it.
fn as_listed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Connections>, D::Error> {
    #[derive(Deserialize)]
    struct Listed {
        #[serde(default)]
        incoming: BTreeMap<String, Vec<Incoming>>,
        #[serde(default)]
        outgoing: BTreeMap<String, Vec<Outgoing>>,
    }
    let listed = Option::<Listed>::deserialize(deserializer)?;
    Ok(listed.map(|Listed { incoming, outgoing }| Connections { incoming, outgoing }))
}

/// A duration as a number of milliseconds, as JavaScript writes it.
mod millis {
    use super::{Deserialize, Duration, Serialize};
    use serde::{Deserializer, Serializer, de::Error};

    /// The largest number of which JavaScript is sure, some 285,000 years.
    const LONGEST: f64 = 9_007_199_254_740_991.0;

    pub(super) fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        let millis = duration.map(|duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
        millis.serialize(serializer)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range is checked"
    )]
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        match Option::<f64>::deserialize(deserializer)? {
            None => Ok(None),
            // Rounded up: less than one would become 0, which stands for ever.
            Some(millis) if (0.0..=LONGEST).contains(&millis) => Ok(Some(Duration::from_millis(millis.ceil() as u64))),
            Some(millis) => Err(D::Error::custom(format_args!(
                "{millis} is no number of milliseconds; 0 or more are wanted"
            ))),
        }
    }
}
