//! The one error enum, sorted by whose fault it is.

use std::fmt;

use handfast_mux::{CallType, MethodName};

/// Why a node could not be made, or could not do what was asked of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // The application's doing: plugins and hooks that do not fit together.
    /// A plugin has a name that is taken for something else.
    #[error("no plugin may be called {0:?}: there the configuration keeps what all plugins share; rename it")]
    ReservedName(String),
    /// Two plugins have one name, once it is camel-cased.
    #[error("two plugins are called {name:?} ({first:?} and {second:?}): use one of them only, or rename one")]
    DuplicatePlugin {
        /// The camel-cased name.
        name: String,
        /// What the one calls itself that was used first.
        first: String,
        /// What the other calls itself.
        second: String,
    },
    /// A plugin needs another one that is not used.
    #[error(
        "plugin {} needs plugin {needs:?}, which is not used: add it with `Stack::plugin`",
        Shown(plugin)
    )]
    MissingPlugin {
        /// Who needs it.
        plugin: String,
        /// The name of the plugin that is missing.
        needs: String,
    },
    /// Plugins need each other, so that none can be first.
    #[error("plugins need each other in a circle, so none can be first: {}", path.join(" needs "))]
    Cycle {
        /// The plugins on the circle; the first one stands at the end again.
        path: Vec<String>,
    },
    /// Two plugins have a method of one name, or one has a method where the other has methods beneath that name.
    #[error(
        "plugin {} and plugin {} both have something at {method}: name one plugin, or rename one method",
        Shown(first),
        Shown(second)
    )]
    DuplicateMethod {
        /// The full name of the method that came second.
        method: MethodName,
        /// The plugin that was there first.
        first: String,
        /// The plugin that came second.
        second: String,
    },
    /// A hook is on a method that there is not, or that is of another kind.
    #[error("{}", NoMethod(method, *hook, *kind))]
    NoSuchMethod {
        /// The full name of the method.
        method: String,
        /// Which kind of methods the hook is for; `None` for one that takes any.
        hook: Option<CallType>,
        /// The kind of the method; `None` if there is no such method.
        kind: Option<CallType>,
    },
    /// A rule among the permissions is no path of a method.
    #[error(
        "{path:?} among the permissions of plugin {} is no method: paths are names joined by dots",
        Shown(plugin)
    )]
    Rule {
        /// The plugin that the rule comes from; empty if it comes from none, or from one without a name.
        plugin: String,
        /// The rule as it stands there.
        path: String,
    },

    /// There is nobody to be: [`Stack::identity`](crate::Stack::identity) was not called.
    #[error("a node needs an identity: give it one with `Stack::identity`")]
    NoIdentity,
    /// The text is no address.
    #[error(transparent)]
    Address(#[from] handfast_multiserver::Error),

    // The owner's doing.
    /// A section of the configuration does not fit.
    #[error("the section {plugin:?} of the configuration does not fit: {why}")]
    Config {
        /// The section: a plugin's name, or `global`.
        plugin: String,
        /// Where in the section, and what is wrong there.
        why: String,
    },

    // A plugin's doing.
    /// A plugin cannot start.
    #[error("plugin {} cannot start: {source}", Shown(name))]
    Plugin {
        /// The plugin; empty for one without a name.
        name: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    // The peer's doing, and the network's.
    /// A peer could not be reached; of an address with alternatives, why for each.
    #[error(transparent)]
    Connect(handfast_multiserver::Error),
    /// The method `auth` refuses a peer, or failed to decide.
    #[error("refused: {0}")]
    Refused(String),

    // The environment's doing.
    /// The node cannot listen where the configuration says, or may not.
    #[error(transparent)]
    Listen(handfast_multiserver::Error),
    /// The endpoint for Prometheus cannot be opened.
    #[error("cannot serve counters on {on}: {source}; is the port taken?")]
    Prometheus {
        /// Where.
        on: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The node is closed, or about to.
    #[error("the node is closed")]
    Closed,
    /// A file or socket failed.
    #[error("input or output failed: {0}")]
    Io(#[from] std::io::Error),
}

impl From<std::convert::Infallible> for Error {
    /// So that what takes addresses in any form takes an address, too.
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

impl Error {
    /// What a plugin's [`init`](crate::Plugin::init) fails with, from any error or text. The node adds the plugin's name.
    pub fn plugin(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Plugin {
            name: String::new(),
            source: source.into(),
        }
    }

    /// The same error, and if it does not say so yet, of this plugin.
    #[must_use]
    pub fn of_plugin(self, plugin: &str) -> Self {
        match self {
            Self::Plugin { name, source } if name.is_empty() => Self::Plugin {
                name: plugin.to_owned(),
                source,
            },
            other => other,
        }
    }
}

/// A plugin's name, or that it has none.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" => f.write_str("(without a name)"),
            name => write!(f, "{name:?}"),
        }
    }
}

struct NoMethod<'a>(&'a str, Option<CallType>, Option<CallType>);

impl fmt::Display for NoMethod<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(method, hook, kind) = self;
        match (kind, hook) {
            (Some(kind), Some(hook)) => {
                let right = match kind {
                    CallType::Sync | CallType::Async => "hook",
                    CallType::Source => "hook_source",
                    CallType::Sink => "hook_sink",
                    CallType::Duplex => "hook_duplex",
                };
                write!(
                    f,
                    "{method} is of kind {kind} and the hook is for kind {hook}: add it with `{right}`"
                )
            }
            _ => write!(
                f,
                "a hook is on the method {method}, which no plugin has: correct the name, or use the plugin"
            ),
        }
    }
}
