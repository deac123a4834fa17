//! Nodes of `handfast-stack`, both ends in one thread: connections, and calls and items through a plugin with permissions.

use crate::{PERIOD, mux, print, wire};
use anyhow::{Context, Result};
use handfast_keys::KeyPair;
use handfast_mux::tokio::{Peer, Router, connection};
use handfast_mux::{Manifest, RemoteError};
use handfast_stack::{Config, Next, Node, Permissions, Scope, Stack, plugin};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// Nodes that dial at a time.
const DIALLERS: usize = 16;
/// How long each way of calling has its turn.
const TURN: Duration = Duration::from_millis(5);
const HOOKS: usize = 3;
/// The measured methods, as a plugin has them and as bare muxrpc does.
pub(crate) const HELLO: &str = "bench.hello";
const ITEMS: &str = "bench.items";

pub(crate) fn run() -> Result<()> {
    print("node: connections", in_task(connections())?, "1/s");
    let [bare, node, hooked] = in_task(calls())?;
    print("node: calls, 64 in flight, bare mux", bare, "1/s");
    print("node: calls, 64 in flight", node, "1/s");
    print("node: calls, 64 in flight, three hooks", hooked, "1/s");
    print("node: source items", in_task(items())?, "1/s");
    Ok(())
}

/// Runs it in a task of a runtime with one thread.
fn in_task<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    wire::one_thread()?.block_on(async { tokio::spawn(work).await? })
}

/// A node with one plugin, which everybody may call, with so many hooks on `hello` and room for so many connections.
pub(crate) async fn serving(hooks: usize, connections: usize) -> Result<Node> {
    let (_, bob) = wire::identities()?;
    let config = json!({ "global": {
        "limits": { "maxConnections": connections },
        "connections": { "incoming": {
            "net": [{ "scope": "device", "transform": "shs", "host": "127.0.0.1", "port": 0 }],
        } },
    } });
    let api = plugin("bench", mux::api()).permissions(Permissions::anonymous(["hello", "items"]));
    let stack = (0..hooks).fold(Stack::new(wire::NETWORK).plugin(api), |stack, _| {
        stack.hook(HELLO, hook)
    });
    Ok(stack.identity(bob).start(Config::from_value(config)?).await?)
}

/// A hook that looks at the arguments and calls on.
async fn hook(next: Next, (name,): (String,)) -> Result<handfast_mux::Body, RemoteError> {
    if name.is_empty() {
        return Err(RemoteError::new("a name is wanted"));
    }
    next.run().await
}

/// A node that only dials.
pub(crate) async fn dialling(keys: KeyPair) -> Result<Node> {
    let config = json!({ "global": { "connections": { "incoming": {} } } });
    let stack = Stack::new(wire::NETWORK).identity(keys);
    Ok(stack.start(Config::from_value(config)?).await?)
}

pub(crate) fn address(node: &Node) -> Result<String> {
    Ok(node.address(Scope::Device).context("the node listens")?.to_string())
}

/// Dials, has the manifest answered, and closes, again and again.
async fn connections() -> Result<f64> {
    let server = serving(0, 2 * DIALLERS).await?;
    let address = address(&server)?;
    let mut diallers = Vec::new();
    for number in 0..DIALLERS {
        diallers.push(dialling(KeyPair::from_seed(&[number as u8 + 3; 32])?).await?);
    }
    let start = Instant::now();
    let work = diallers.into_iter().map(|node| {
        let address = address.clone();
        tokio::spawn(async move {
            let mut count = 0;
            while start.elapsed() < PERIOD {
                let peer = node.connect(address.as_str()).await?;
                let _: Manifest = peer.call("manifest", ()).await?;
                peer.close().await?;
                count += 1;
            }
            anyhow::Ok(count)
        })
    });
    let mut count = 0;
    for work in work.collect::<Vec<_>>() {
        count += work.await??;
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}

/// Calls over bare muxrpc, through a node, and through a node with hooks, in turn.
async fn calls() -> Result<[f64; 3]> {
    let (alice, _) = wire::identities()?;
    let dialler = [dialling(alice.clone()).await?, dialling(alice).await?];
    let server = [serving(0, 1).await?, serving(HOOKS, 1).await?];
    let node = dialler[0].connect(address(&server[0])?.as_str()).await?;
    let hooked = dialler[1].connect(address(&server[1])?.as_str()).await?;
    let ways: [Peer; 3] = [bare().await?, (*node).clone(), (*hooked).clone()];
    let (mut counts, mut times) = ([0; 3], [Duration::ZERO; 3]);
    while times[0] < PERIOD {
        for (way, peer) in ways.iter().enumerate() {
            let (count, time) = mux::call_for(TURN, peer, HELLO).await?;
            counts[way] += count;
            times[way] += time;
        }
    }
    Ok([0, 1, 2].map(|way| f64::from(counts[way]) / times[way].as_secs_f64()))
}

/// muxrpc, Box Stream and Secret Handshake over TCP without a node.
async fn bare() -> Result<Peer> {
    let (alice, bob) = wire::identities()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = *bob.public();
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await?;
        let api = Router::new().nest("bench", mux::api());
        let (_, driver) = connection(wire::welcome(tcp, &bob).await?, api);
        anyhow::Ok(driver.await?)
    });
    let (peer, driver) = connection(wire::dial(address, &alice, &server).await?, Router::new());
    tokio::spawn(driver);
    Ok(peer)
}

async fn items() -> Result<f64> {
    let (alice, _) = wire::identities()?;
    let (server, dialler) = (serving(0, 1).await?, dialling(alice).await?);
    let peer = dialler.connect(address(&server)?.as_str()).await?;
    mux::read_items(&peer, ITEMS).await
}
