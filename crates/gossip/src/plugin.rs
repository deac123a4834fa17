//! The plugin for a node of `handfast-stack`: topics over the node's connections.
//!
//! ```text
//!   application ── GossipHandle ──┐ commands        ┌── duplex gossip.overlay ── a neighbour
//!                                 ▼                 │
//!   events, messages ◄──────── driver: Overlay ── links ── duplex gossip.overlay ── a neighbour
//!                                 ▲                 │
//!   peers that are connected, Discovery             └── dials whom the overlay wants to talk to
//! ```
//!
//! There is one duplex between two nodes, whatever the number of topics. Peers without the plugin are left alone.
//!
//! ```
//! use futures_util::StreamExt;
//! use handfast_gossip::{Topic, plugin::{GossipPlugin, Join}};
//! use handfast_keys::{KeyPair, NetworkIdentifier};
//! use handfast_stack::{Scope, Stack};
//! use serde_json::json;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let network = NetworkIdentifier::generate()?;
//! let garden = Topic::open("garden");
//!
//! let (plugin, anna) = GossipPlugin::new(KeyPair::generate()?);
//! let node = Stack::new(network).identity(plugin.keys().clone()).plugin(plugin).start(Default::default()).await?;
//! let mut heard = anna.join(garden.clone(), Join::default()).await?.messages();
//!
//! let (plugin, ben) = GossipPlugin::new(KeyPair::generate()?);
//! let other = Stack::new(network).identity(plugin.keys().clone()).plugin(plugin).start(Default::default()).await?;
//! ben.join(garden.clone(), Join::through(node.address(Scope::Device))).await?;
//! ben.publish(garden.id(), json!({ "text": "the beans are up" })).await?;
//!
//! let message = heard.next().await.ok_or("the node has closed")?;
//! assert_eq!(message.message.get("text").and_then(|text| text.as_str()), Some("the beans are up"));
//! other.close().await;
//! node.close().await;
//! # Ok(())
//! # }
//! ```

mod dial;
mod driver;
mod handle;
mod links;
mod methods;
mod outbox;
mod session;
mod wire;

pub use handle::{Event, Events, GossipHandle, Heard, Join, Joined, contact};

use crate::{Error, NodeId, Rate, discovery::Discovery, overlay};
use async_trait::async_trait;
use driver::Input;
use futures_util::StreamExt;
use handfast_keys::KeyPair;
use handfast_mux::{
    RemoteError,
    tokio::{Incoming, Items, Router},
};
use handfast_stack::{NodeHandle, Permissions, Plugin, PluginConfig};
use outbox::Outbox;
use serde::{Deserialize, Serialize};
use serde_json::json;
use session::Session;
use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tokio::sync::{Semaphore, mpsc};

/// The name of the duplex between two nodes, behind the plugin's.
const METHOD: &str = "overlay";

/// The numbers of the plugin.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The most topics that a node is in. Each keeps a history of its own.
    pub max_topics: usize,
    /// What one author may send in a topic. It has to let a whole history through at once, because a newcomer catches up; what
    /// is more is dropped, and comes later.
    pub author: Rate,
    /// The numbers of the overlay.
    pub overlay: overlay::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_topics: 64,
            author: Rate {
                per_second: 1000,
                burst: 200_000,
            },
            overlay: overlay::Config::default(),
        }
    }
}

/// What the owner writes in the section `gossip` of the configuration.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Section {
    /// Open topics to join at the start.
    topics: Vec<String>,
    /// Whom to ask first.
    contacts: Vec<handfast_multiserver::Address>,
}

/// The section `gossip` of the configuration with every default: `topics`, a list of open topics to join at the start, and
/// `contacts`, addresses with keys of whom to ask first. For programs that explain their configuration before there is an
/// identity.
#[must_use]
pub fn default_config() -> serde_json::Value {
    json!(Section::default())
}

/// The plugin `gossip`. It serves one node, whose identity signs what is published.
pub struct GossipPlugin {
    keys: KeyPair,
    config: Config,
    discovery: Vec<Arc<dyn Discovery>>,
    handle: GossipHandle,
    /// What the driver reads, until the node starts.
    commands: Mutex<Option<mpsc::Receiver<handle::Command>>>,
}

impl GossipPlugin {
    /// The plugin for a node with this identity, and the handle with which the application uses it. The handle works from
    /// when the node has started; until then its calls wait.
    #[must_use]
    pub fn new(keys: KeyPair) -> (Self, GossipHandle) {
        let (sender, receiver) = mpsc::channel(driver::COMMANDS);
        let handle = GossipHandle::new(sender);
        let plugin = Self {
            keys,
            config: Config::default(),
            discovery: Vec::new(),
            handle: handle.clone(),
            commands: Mutex::new(Some(receiver)),
        };
        (plugin, handle)
    }

    /// With other numbers.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// With one more way to find nodes.
    #[must_use]
    pub fn discovery(mut self, discovery: impl Discovery) -> Self {
        self.discovery.push(Arc::new(discovery));
        self
    }

    /// The identity that it was made for.
    #[must_use]
    pub const fn keys(&self) -> &KeyPair {
        &self.keys
    }
}

#[async_trait]
impl Plugin for GossipPlugin {
    fn name(&self) -> &str {
        "gossip"
    }

    fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    /// Everybody may open the duplex: who is let into a topic, its rules say. The rest is for the owner.
    fn permissions(&self) -> Permissions {
        Permissions::anonymous([METHOD])
    }

    fn default_config(&self) -> serde_json::Value {
        default_config()
    }

    async fn init(&self, node: &NodeHandle, config: &PluginConfig) -> Result<Router, handfast_stack::Error> {
        let failed = |error: Error| handfast_stack::Error::plugin(error);
        if node.id() != self.keys.public() {
            return Err(failed(Error::Caller(
                "the plugin was made for another identity than the node's",
            )));
        }
        self.config.overlay.check().map_err(failed)?;
        let section: Section = config.section()?;
        let mut seed = [0; 32];
        handfast_keys::random(&mut seed).map_err(|error| failed(error.into()))?;
        let commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner).take();
        let commands = commands.ok_or_else(|| {
            failed(Error::Caller(
                "a gossip plugin serves one node; make another one for each",
            ))
        })?;

        let (inbox, inputs) = mpsc::channel(driver::INBOX);
        let room = Arc::new(Semaphore::new(session::ROOM as usize));
        let parts = driver::Parts {
            keys: self.keys.clone(),
            config: self.config.clone(),
            node: node.clone(),
            discovery: self.discovery.clone(),
            inbox: inbox.clone(),
            room: room.clone(),
            seed,
        };
        node.spawn(driver::run(parts, node.events(), commands, inputs));
        if !section.topics.is_empty() {
            let handle = self.handle.clone();
            node.spawn(async move { join_configured(&handle, section).await });
        }
        let (node, numbers) = (node.clone(), AtomicU64::new(1));
        Ok(methods::router(&self.handle).duplex_raw(METHOD, move |cx, items| {
            let Some(key) = cx.peer() else {
                let refusal = RemoteError::new("gossip needs to know with whom: dial with shs");
                return futures_util::stream::iter([Err(refusal)]).boxed();
            };
            let session = Session {
                peer: NodeId::from(key),
                number: numbers.fetch_add(2, Relaxed),
                outbox: Outbox::default(),
                inbox: inbox.clone(),
                room: room.clone(),
            };
            serve(&node, session, items)
        }))
    }
}

/// Takes part in the topics that the configuration names.
async fn join_configured(handle: &GossipHandle, section: Section) {
    for name in section.topics {
        let how = Join::through(section.contacts.iter().cloned());
        if let Err(error) = handle.join(crate::Topic::open(&name), how).await {
            tracing::warn!(topic = name, %error, "cannot join");
        }
    }
}

/// Serves the duplex of a peer.
fn serve(node: &NodeHandle, session: Session, items: Incoming) -> Items {
    let answers = session.clone().items().boxed();
    node.spawn(async move {
        let opened = Input::Opened {
            peer: session.peer,
            number: session.number,
            outbox: session.outbox.clone(),
        };
        if session.inbox.send(opened).await.is_ok() {
            session.run_theirs(items).await;
        }
    });
    answers
}

impl fmt::Debug for GossipPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GossipPlugin")
            .field("keys", &self.keys)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
