//! `handfast serve`: the example methods, for whoever shakes hands.

use crate::{args, example_api, exit::Failure, home::Home, listen};
use anyhow::Context;
use handfast_keys::{KeyPair, NetworkIdentifier};
use handfast_mux::tokio::{Config, Peer, Router, connection_with};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};

/// How many connections may be open at once, handshakes included: each costs a file, of which a process commonly may
/// have 1024.
const MAX_CONNECTIONS: usize = 900;
/// How long a graceful end may take before connections are cut.
const CLOSE: Duration = Duration::from_secs(5);

pub(crate) async fn run(home: &Home, options: args::Serve) -> Result<(), Failure> {
    let identity = home.identity()?;
    let network = options.network.network;
    let mut listeners = Vec::new();
    for place in &options.listen {
        listeners.push(listen::bind(place, &identity).await?);
    }
    let node = Arc::new(Node {
        network,
        api: example_api::router(*identity.public()),
        identity,
        places: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
        closing: watch::channel(false).0,
    });
    let mut accepting = JoinSet::new();
    for (listener, address) in listeners {
        println!("listening {address}");
        accepting.spawn(accept(node.clone(), listener));
    }
    tokio::select! {
        signal = stop_signal() => signal?,
        // Accepting ends only with an error of the operating system.
        Some(Ok(Err(error))) = accepting.join_next() => return Err(Failure::local(error)),
    }
    accepting.abort_all();
    eprintln!("closing; Ctrl-C again ends at once");
    node.closing.send_replace(true);
    tokio::select! {
        // Every connection holds a receiver until it has ended.
        () = node.closing.closed() => Ok(()),
        () = tokio::time::sleep(CLOSE) => Ok(()),
        signal = stop_signal() => signal,
    }
}

struct Node {
    network: NetworkIdentifier,
    identity: KeyPair,
    api: Router,
    places: Arc<Semaphore>,
    closing: watch::Sender<bool>,
}

async fn accept(node: Arc<Node>, listener: TcpListener) -> anyhow::Result<()> {
    loop {
        // Waiting for a place leaves further clients in the operating system's queue.
        let place = node.places.clone().acquire_owned().await?;
        let (tcp, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of files, or a client that left already: neither is a reason to stop serving.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (node, closing) = (node.clone(), node.closing.subscribe());
        tokio::spawn(async move {
            match serve(&node, tcp, from, closing).await {
                Ok(()) => tracing::info!(%from, "closed"),
                Err(error) => tracing::info!(%from, "{error:#}"),
            }
            drop(place);
        });
    }
}

async fn serve(node: &Node, tcp: TcpStream, from: SocketAddr, mut closing: watch::Receiver<bool>) -> anyhow::Result<()> {
    let welcome = listen::welcome(tcp, from, &node.network, &node.identity, |_| true);
    let client = tokio::select! {
        client = welcome => client?,
        _ = closing.wait_for(|&closing| closing) => return Ok(()),
    };
    tracing::info!(%from, peer = %client.peer, "connected");
    let mut config = Config::default();
    config.peer = Some(client.peer);
    config.close_timeout = CLOSE;
    let (peer, driver) = connection_with(client.stream, node.api.clone(), config);
    let close = close_when(peer, closing);
    tokio::pin!(driver, close);
    tokio::select! {
        ended = &mut driver => ended.context("the connection ended"),
        () = &mut close => Ok(()),
        // `driver` has to be polled while `close` waits for it, which select does.
    }
}

/// Closes the connection gracefully once the node closes.
async fn close_when(peer: Peer, mut closing: watch::Receiver<bool>) {
    if closing.wait_for(|&closing| closing).await.is_ok() {
        let _ = peer.close().await;
    } else {
        std::future::pending().await
    }
}

/// Resolves on Ctrl-C, and on the signal with which service managers end a program.
async fn stop_signal() -> Result<(), Failure> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).map_err(Failure::local)?;
        tokio::select! {
            result = tokio::signal::ctrl_c() => result.map_err(Failure::local),
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.map_err(Failure::local)
}
