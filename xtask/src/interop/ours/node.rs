//! Our node, which does as it is told and tells what happens to it, as `xtask/peers/lib/node.js` does.

use super::super::cases;
use super::super::cases::Call;
use super::super::nodes::{Command, Diary, How, Node, Obey, Options, Over};
use super::caller;
use super::cuttable::Scissors;
use super::plugins::{Auth, Flood, Manners, Test, notes, root};
use anyhow::{Context as _, Result};
use futures_util::TryStreamExt as _;
use futures_util::future::BoxFuture;
use handfast_keys::{KeyPair, PublicKey};
use handfast_multiserver::{Connections, Incoming, Net, Outgoing, Ws};
use handfast_mux::{CallType, RemoteError};
use handfast_stack::{Address, Config, Direction, Error, Event, Events, Peer, Scope, Stack};
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Starts a node of ours.
///
/// # Errors
/// If it does not start.
pub(crate) async fn node(options: &Options) -> Result<Node> {
    let identity = KeyPair::from_seed(&options.seed)?;
    let (diary, scissors) = (Arc::new(Diary::new()), Scissors::new());
    let mut stack = Stack::new(options.network)
        .identity(identity.clone())
        .transport(scissors.on(Net::new()))
        .transport(scissors.on(Ws::new()))
        .plugin(Test(scissors.clone()))
        .plugin(notes())
        .plugin(root())
        .plugin(Manners)
        .plugin(Auth {
            tables: options.auth.clone(),
            diary: diary.clone(),
        });
    #[cfg(unix)]
    {
        stack = stack.transport(scissors.on(handfast_multiserver::Unix::new()));
    }
    if options.flood {
        stack = stack.plugin(Flood);
    }
    let node = stack.start(config(options)?).await?;
    let links = Arc::new(Mutex::new(Vec::new()));
    tokio::spawn(record(node.events(), links.clone(), diary.clone()));
    let hands = Hands {
        node,
        links,
        diary: diary.clone(),
        scissors,
    };
    Ok(Node::new(&identity.public().to_string(), Arc::new(hands), diary))
}

/// The loopback interface on any free port, and Unix sockets in the folder of the node.
fn config(options: &Options) -> Result<Config> {
    let mut connections = Connections {
        incoming: Default::default(),
        outgoing: Default::default(),
    };
    for over in &options.listen {
        let (transport, place) = match over {
            Over::Net | Over::Ws => (over.to_string(), tcp()),
            Over::Unix => ("unix".to_owned(), unix(options, "shs")?),
            Over::Noauth => ("unix".to_owned(), unix(options, "noauth")?),
        };
        connections.incoming.entry(transport).or_default().push(place);
    }
    for (transport, transform) in [("net", "shs"), ("ws", "shs"), ("unix", "shs"), ("unix", "noauth")] {
        let ways = connections.outgoing.entry(transport.to_owned()).or_default();
        ways.push(Outgoing::new(transform));
    }
    let mut config = Config::default();
    config.global.connections = Some(connections);
    config.global.timers.inactivity = Some(Duration::from_millis(options.timers.inactivity));
    config.global.timers.handshake = Some(Duration::from_millis(options.timers.handshake));
    Ok(config)
}

fn tcp() -> Incoming {
    Incoming {
        scope: [Scope::Device, Scope::Local].into(),
        host: vec!["127.0.0.1".to_owned()],
        port: Some(0),
        ..Incoming::default()
    }
}

fn unix(options: &Options, transform: &str) -> Result<Incoming> {
    let path = options.folder.join(transform);
    std::fs::create_dir_all(&path)?;
    Ok(Incoming {
        transform: transform.to_owned(),
        path: Some(path),
        ..Incoming::default()
    })
}

/// The connections of a node, numbered as they come.
type Links = Arc<Mutex<Vec<Peer>>>;

fn lock(links: &Links) -> MutexGuard<'_, Vec<Peer>> {
    links.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes into the diary what happens.
async fn record(mut events: Events, links: Links, diary: Arc<Diary>) {
    while let Some(event) = events.next().await {
        match event {
            Event::Connected(peer) => {
                let link = {
                    let mut links = lock(&links);
                    links.push(peer.clone());
                    links.len() - 1
                };
                diary.write(json!({
                    "what": "connected",
                    "link": link,
                    "id": id(&peer),
                    "client": peer.direction() == Direction::Outgoing,
                    "address": peer.address().to_string(),
                }));
            }
            Event::Disconnected { peer, .. } => {
                let link = lock(&links).iter().position(|other| *other == peer);
                diary.write(json!({ "what": "closed", "link": link }));
            }
            Event::Closed => diary.write(json!({ "what": "ended" })),
            _ => {}
        }
    }
}

fn id(peer: &Peer) -> Option<String> {
    peer.id().map(ToString::to_string)
}

struct Hands {
    node: handfast_stack::Node,
    links: Links,
    diary: Arc<Diary>,
    scissors: Scissors,
}

impl Obey for Hands {
    fn obey(&self, command: Command) -> BoxFuture<'_, Result<Value>> {
        Box::pin(async move {
            Ok(match command {
                Command::Address { scope } => {
                    json!(self.node.address(scope.parse()?).map(|address| address.to_string()))
                }
                Command::Connect { address } => self.connect(address).await?,
                Command::Call { link, call } => {
                    let peer = self.link(link)?;
                    caller::call(&peer, &call).await?
                }
                Command::Local { call } => self.local(call).await?,
                Command::Close { link, how } => {
                    let peer = self.link(link)?;
                    match how {
                        How::Gracefully => drop(peer.close().await),
                        How::Error => {
                            peer.abort("gives up");
                            drop(peer.closed().await);
                        }
                    }
                    json!({ "closed": true })
                }
                Command::End { how } => {
                    let node = self.node.clone();
                    tokio::spawn(async move {
                        match how {
                            How::Gracefully => node.close().await,
                            How::Error => node.abort("gives up").await,
                        }
                    });
                    json!(true)
                }
                Command::Cut => {
                    self.scissors.cut();
                    json!(true)
                }
                Command::Peers => self.peers(),
                Command::Auth { of } => {
                    let key: PublicKey = of.parse()?;
                    match self.node.auth(&key).await {
                        Ok(rights) => json!({ "rights": rights }),
                        Err(error) => failed(&error),
                    }
                }
            })
        })
    }
}

impl Hands {
    fn link(&self, number: usize) -> Result<Peer> {
        let links = lock(&self.links);
        links
            .get(number)
            .cloned()
            .with_context(|| format!("no connection has the number {number}"))
    }

    async fn connect(&self, address: Value) -> Result<Value> {
        let address: Address = match serde_json::from_value(address) {
            Ok(address) => address,
            Err(error) => return Ok(json!({ "error": { "name": "Error", "message": error.to_string() } })),
        };
        let peer = match self.node.connect(&address).await {
            Ok(peer) => peer,
            Err(error) => return Ok(failed(&error)),
        };
        // The task that numbers connections may be behind.
        let mut news = self.diary.news();
        loop {
            if let Some(link) = lock(&self.links).iter().position(|other| *other == peer) {
                return Ok(json!({ "link": link }));
            }
            news.changed().await?;
        }
    }

    async fn local(&self, call: Call) -> Result<Value> {
        Ok(match call.kind {
            CallType::Source => match self.node.source(&call.method, &call.args) {
                Ok(items) => match items
                    .map_ok(|item| caller::body_summary(&item))
                    .try_collect::<Vec<_>>()
                    .await
                {
                    Ok(items) => json!({ "items": items, "end": true }),
                    Err(error) => remote(&error),
                },
                Err(error) => remote(&error),
            },
            CallType::Sync | CallType::Async => match self.node.call::<Value>(&call.method, &call.args).await {
                Ok(value) => json!({ "value": cases::summary(value) }),
                Err(error) => remote(&error),
            },
            kind => anyhow::bail!("no scene calls an own method of the kind {kind:?}"),
        })
    }

    fn peers(&self) -> Value {
        let mut peers = Map::new();
        for peer in self.node.peers() {
            let count = peers.entry(id(&peer).unwrap_or_default()).or_insert(json!(0));
            *count = json!(count.as_u64().unwrap_or_default() + 1);
        }
        peers.into()
    }
}

fn remote(error: &RemoteError) -> Value {
    json!({ "error": { "name": error.name(), "message": error.message() } })
}

/// What auth says is told as it says it.
fn failed(error: &Error) -> Value {
    let message = match error {
        Error::Refused(reason) => reason.clone(),
        error => error.to_string(),
    };
    json!({ "error": { "name": "Error", "message": message } })
}
