//! `handfast manifest`: the methods of the running node, or of a peer.

use crate::{
    args, config,
    control::{self, Node},
    dial::{Carries, dial},
    exit::Failure,
    figures::columns,
    home::Home,
    out::{self, Clean},
};
use anyhow::anyhow;
use handfast_mux::{
    Error, Manifest,
    tokio::{Router, connection},
};

pub(crate) async fn run(home: &Home, options: args::Manifest) -> Result<(), Failure> {
    let manifest = match &options.address {
        None => {
            let node = Node::reach(home).await?;
            let result = node.call("manifest", ()).await;
            node.leave().await;
            result?
        }
        Some(address) => {
            let (settings, network) = config::for_dialling(home, &options.network)?;
            let stream = dial(home, &settings, address, network, options.who, Carries::Calls).await?;
            let (peer, driver) = connection(stream, Router::new());
            let driving = tokio::spawn(driver);
            let result = peer.call("manifest", ()).await;
            peer.abort("done");
            let _ = driving.await;
            result.map_err(|error| match error {
                Error::Remote(error) => Failure::remote(anyhow!("{error}")),
                error => control::failed(error),
            })?
        }
    };
    let written = match options.json.json {
        true => out::json(&manifest),
        false => out::line(format_args!("{}", text(&manifest))),
    };
    written.map_err(Failure::local)
}

/// One method a line.
fn text(manifest: &Manifest) -> String {
    let row = |(name, kind): (_, handfast_mux::CallType)| [Clean(name).to_string(), kind.to_string()];
    columns(["METHOD", "KIND"], manifest.methods().into_iter().map(row))
}
