//! `handfast serve`: the example methods, for whoever shakes hands.

use crate::{args, config, dial, example_api, exit::Failure, home::Home, listen::Listen, out, signals::Stop};
use anyhow::Context;
use handfast_multiserver::{Connection, Multiserver, Noauth, raise_open_files};
use handfast_mux::tokio::{Config, Peer, Router, connection_with};
use std::time::Duration;
use tokio::sync::watch;

/// How long a graceful end may take before connections are cut.
const CLOSE: Duration = Duration::from_secs(5);

pub(crate) async fn run(home: &Home, options: args::Start) -> Result<(), Failure> {
    raise_open_files();
    let settings = config::load(home, options.config.as_deref())?;
    let network = options.network.network.unwrap_or(settings.network);
    let identity = home.identity()?;
    let api = example_api::router(*identity.public());
    let multiserver = Multiserver::standard()
        .transform(Noauth::new(*identity.public()))
        .transform(dial::shs(network, identity, dial::Carries::Calls));
    let incoming = match options.listen.is_empty() {
        true => settings.global.connections.incoming,
        false => Listen::incoming(&options.listen, "noauth"),
    };
    let mut server = multiserver.listen(&incoming).await.map_err(Failure::local)?;
    let closing = watch::channel(false).0;
    let mut stop = Stop::new()?;
    for address in server.bound() {
        out::line(format_args!("listening {address}")).map_err(Failure::local)?;
    }
    loop {
        tokio::select! {
            arrived = server.accept() => match arrived {
                Some(Ok(connection)) => {
                    let (api, closing) = (api.clone(), closing.subscribe());
                    tokio::spawn(async move {
                        let from = connection.address.clone();
                        match serve(connection, api, closing).await {
                            Ok(()) => tracing::info!(%from, "closed"),
                            Err(error) => tracing::info!(%from, "{error:#}"),
                        }
                    });
                }
                Some(Err(failed)) => tracing::info!(from = %failed.from, "{}", failed.error),
                None => break,
            },
            () = stop.wait() => break,
        }
    }
    server.close().await;
    eprintln!("closing; Ctrl-C again ends at once");
    closing.send_replace(true);
    tokio::select! {
        // Every connection holds a receiver until it has ended.
        () = closing.closed() => Ok(()),
        () = tokio::time::sleep(CLOSE) => Ok(()),
        () = stop.wait() => Ok(()),
    }
}

async fn serve(connection: Connection, api: Router, closing: watch::Receiver<bool>) -> anyhow::Result<()> {
    tracing::info!(from = %connection.address, "connected");
    let mut config = Config::default();
    config.peer = connection.peer;
    config.close_timeout = CLOSE;
    let (peer, driver) = connection_with(connection.socket, api, config);
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
