//! `handfast peers`, `connect` and `disconnect`: whom the running node is connected with, and changing that.

use crate::{
    args,
    control::{Node, understood},
    exit::Failure,
    home::Home,
    out::{self, Clean},
    status::peers_table,
};
use anyhow::anyhow;
use handfast_stack::control::PeerStatus;
use serde_json::{Value, json};

/// Lists the connections.
pub(crate) async fn list(home: &Home, options: &args::Peers) -> Result<(), Failure> {
    let node = Node::reach(home).await?;
    let result = node.call::<Vec<Value>>("control.peers", ()).await;
    node.leave().await;
    let peers = result?;
    if options.json.json {
        return peers.iter().try_for_each(out::json).map_err(Failure::local);
    }
    let peers: Vec<PeerStatus> = understood(Value::Array(peers))?;
    out::line(format_args!("{}", peers_table(&peers))).map_err(Failure::local)
}

/// Lets the node connect to a peer.
pub(crate) async fn connect(home: &Home, options: &args::Connect) -> Result<(), Failure> {
    let node = Node::reach(home).await?;
    let result = node
        .call::<Value>("control.connect", (options.address.to_string(),))
        .await;
    node.leave().await;
    let answer = result.map_err(|failure| match failure.to_string() {
        said if said.contains("it speaks snap2p") => Failure::remote(anyhow!(
            "{said}; for that it needs a wallet: {} -w NAME",
            home.command("start")
        )),
        _ => failure,
    })?;
    if options.json.json {
        return out::json(&answer).map_err(Failure::local);
    }
    let peer: PeerStatus = understood(answer)?;
    let id = peer.id.as_deref().unwrap_or(&peer.address);
    out::line(format_args!("connected {}", Clean(id))).map_err(Failure::local)
}

/// Lets the node close its connections to a peer.
pub(crate) async fn disconnect(home: &Home, options: &args::Disconnect) -> Result<(), Failure> {
    let node = Node::reach(home).await?;
    let result = node.call::<u64>("control.disconnect", (&options.peer,)).await;
    node.leave().await;
    let closed = result?;
    if options.json.json {
        out::json(&json!({ "disconnected": closed })).map_err(Failure::local)?;
    } else if closed > 0 {
        out::line(format_args!("disconnected {}", Clean(&options.peer))).map_err(Failure::local)?;
    }
    match closed {
        0 => Err(Failure::remote(anyhow!(
            "the node has no connection with {}; see: {}",
            options.peer,
            home.command("peers")
        ))),
        _ => Ok(()),
    }
}
