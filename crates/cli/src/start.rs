//! `handfast start` and `handfast serve`: a node, until it is told to end.

use crate::{args, config, example_api, exit::Failure, home::Home, listen::Listen, out, signals::Stop, snap};
use anyhow::anyhow;
use handfast_gossip::plugin::GossipPlugin;
use handfast_multiserver::{
    self as multiserver, Address, Connections, Endpoint, Incoming, Outgoing, Scope, raise_open_files,
};
use handfast_stack::{Control, Error, Stack};

/// Runs a node; `example` says whether it has the example methods even if that is not asked for.
pub(crate) async fn run(home: &Home, options: args::Start, example: bool) -> Result<(), Failure> {
    raise_open_files();
    let settings = config::load(home, options.config.as_deref())?;
    let network = options.network.network.unwrap_or(settings.network);
    let identity = home.identity()?;
    let (gossip, _handle) = GossipPlugin::new(identity.clone());
    let mut stack = Stack::new(network).plugin(Control).plugin(gossip);
    if example || options.example {
        stack = stack.plugin(example_api::plugin(*identity.public()));
    }

    let wallet = options.voucher.wallet.clone().or_else(|| settings.wallet.clone());
    let mut config = settings.config();
    config.global.path = Some(home.dir().to_owned());
    let connections = config.global.connections.get_or_insert_default();
    if !options.listen.is_empty() {
        connections.incoming = Listen::incoming(&options.listen, "noauth");
    }
    let mut stop = Stop::new()?;
    match wallet {
        Some(name) => {
            let (key, network) = snap::vouch(&name, &options.voucher, &mut stop).await?;
            stack = stack.wallet(key, network);
            dial_snap2p(connections);
        }
        None if speaks_snap2p(connections) => {
            return Err(Failure::usage(anyhow!(
                "snap2p is spoken by a wallet; name one with -w NAME, or as wallet in the configuration (handfast snap wallet \
                 create NAME makes one)"
            )));
        }
        None => {}
    }
    if cfg!(unix) {
        let sockets = connections.incoming.entry("unix".into()).or_default();
        // Wherever the configuration has this place already, it shall be the owner's.
        sockets.retain(|place| place.path.as_deref() != Some(home.dir()));
        sockets.push(owners_socket(home));
    }

    let node = stack.identity(identity).start(config).await.map_err(failed)?;
    for address in node.listening().iter().filter(|address| !is_owners(address, home)) {
        out::line(format_args!("listening {address}")).map_err(Failure::local)?;
    }
    tokio::select! {
        () = stop.wait() => {}
        () = node.closing() => {}
    }
    out::tell!("closing; Ctrl-C again ends at once");
    tokio::select! {
        () = node.close() => {}
        () = stop.wait() => {}
    }
    Ok(())
}

/// Whether a wallet is needed.
fn speaks_snap2p(connections: &Connections) -> bool {
    let incoming = connections.incoming.values().flatten().map(|place| &place.transform);
    let outgoing = connections.outgoing.values().flatten().map(|way| &way.transform);
    incoming.chain(outgoing).any(|transform| transform == "snap2p")
}

/// Lets whoever has a wallet dial with it, wherever there is a way to dial at all.
fn dial_snap2p(connections: &mut Connections) {
    for ways in connections.outgoing.values_mut() {
        if let Some(like) = ways.first().cloned()
            && ways.iter().all(|way| way.transform != "snap2p")
        {
            ways.push(Outgoing {
                transform: "snap2p".into(),
                ..like
            });
        }
    }
}

/// Where the other commands reach the node.
fn owners_socket(home: &Home) -> Incoming {
    Incoming {
        scope: Scope::Device.into(),
        transform: "noauth".into(),
        path: Some(home.dir().to_owned()),
        ..Incoming::default()
    }
}

/// Whether this is the owner's socket, which is nobody else's to know.
fn is_owners(address: &Address, home: &Home) -> bool {
    let socket = home.socket();
    let leads_there =
        |endpoint: &Endpoint| matches!(endpoint, Endpoint::Unix { path } if socket.as_os_str() == path.as_str());
    address.alternatives().iter().all(|way| leads_there(&way.endpoint))
}

fn failed(error: Error) -> Failure {
    use multiserver::Error::{CannotListen, Misconfigured, UnknownName};
    match error {
        Error::Config { .. } | Error::Listen(UnknownName { .. } | Misconfigured { .. } | CannotListen { .. }) => {
            Failure::usage(error)
        }
        error => Failure::local(error),
    }
}
