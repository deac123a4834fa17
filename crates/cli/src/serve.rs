//! `handfast serve`: the example methods, for whoever shakes hands.

use crate::{
    args, config,
    doors::{self, Doorstep},
    example_api,
    exit::Failure,
    home::Home,
    listen::{self, Porter},
    out,
    signals::Stop,
};
use anyhow::Context;
use handfast_mux::tokio::{Config, Peer, Router, connection_with};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};

/// How long a graceful end may take before connections are cut.
const CLOSE: Duration = Duration::from_secs(5);

pub(crate) async fn run(home: &Home, options: args::Start) -> Result<(), Failure> {
    let identity = home.identity()?;
    let settings = config::load(home, options.config.as_deref())?;
    let network = options.network.network.unwrap_or(settings.network);
    let listen = match options.listen.is_empty() {
        true => vec![
            "net:127.0.0.1:8008"
                .parse()
                .map_err(|error: String| Failure::usage(anyhow::anyhow!(error)))?,
        ],
        false => options.listen,
    };
    let mut listeners = Vec::new();
    for place in &listen {
        listeners.push(listen::bind(place, &identity).await?);
    }
    let capacity = doors::capacity();
    let node = Arc::new(Node {
        api: example_api::router(*identity.public()),
        porter: Porter {
            network,
            identity,
            doorstep: Doorstep::new(capacity),
            allowed: Vec::new(),
        },
        rooms: Arc::new(Semaphore::new(capacity)),
        closing: watch::channel(false).0,
    });
    let mut stop = Stop::new()?;
    let mut accepting = JoinSet::new();
    for (listener, address) in listeners {
        out::line(format_args!("listening {address}")).map_err(Failure::local)?;
        accepting.spawn(accept(node.clone(), listener));
    }
    stop.wait().await;
    accepting.abort_all();
    eprintln!("closing; Ctrl-C again ends at once");
    node.closing.send_replace(true);
    tokio::select! {
        // Every connection holds a receiver until it has ended.
        () = node.closing.closed() => Ok(()),
        () = tokio::time::sleep(CLOSE) => Ok(()),
        () = stop.wait() => Ok(()),
    }
}

struct Node {
    porter: Porter,
    api: Router,
    /// One permit for each connection that came in.
    rooms: Arc<Semaphore>,
    closing: watch::Sender<bool>,
}

async fn accept(node: Arc<Node>, listener: TcpListener) {
    loop {
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
        });
    }
}

async fn serve(
    node: &Node,
    tcp: TcpStream,
    from: SocketAddr,
    mut closing: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let client = tokio::select! {
        client = node.porter.welcome(tcp, from) => client?,
        _ = closing.wait_for(|&closing| closing) => return Ok(()),
    };
    let _room = node.rooms.try_acquire().context("no room for one more connection")?;
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
