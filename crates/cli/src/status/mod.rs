//! `handfast status`: the running node's peers, transports and rates.

mod plain;
mod screen;
mod summary;

pub(crate) use plain::peers_table;

use crate::{
    args,
    control::{Node, failed, understood},
    exit::Failure,
    home::Home,
    out,
};
use futures_util::{Stream, StreamExt};
use handfast_stack::control::Status;
use serde_json::Value;
use std::io::IsTerminal;

pub(crate) async fn run(home: &Home, options: args::Status) -> Result<(), Failure> {
    let node = Node::reach(home).await?;
    let live = options.watch || (!options.once && !options.json.json && std::io::stdout().is_terminal());
    let result = if live {
        watch(&node, &options).await
    } else {
        once(&node, &options).await
    };
    node.leave().await;
    result
}

async fn once(node: &Node, options: &args::Status) -> Result<(), Failure> {
    let status: Value = node.call("control.status", ()).await?;
    print(status, options.json.json)
}

async fn watch(node: &Node, options: &args::Status) -> Result<(), Failure> {
    let interval = u64::try_from(options.interval.as_millis()).unwrap_or(u64::MAX);
    let looks = node.source::<Value>("control.watch", (interval,)).await?;
    let mut looks = looks.map(|look| look.map_err(failed));
    if !options.json.json && std::io::stdout().is_terminal() {
        return screen::run(looks.map(|look| understood(look?))).await;
    }
    while let Some(look) = looks.next().await {
        print(look?, options.json.json)?;
    }
    Ok(())
}

fn print(status: Value, json: bool) -> Result<(), Failure> {
    let written = match json {
        // As the node said it: a newer node may say more than this program knows.
        true => out::json(&status),
        false => out::line(format_args!("{}", plain::status(&understood(status)?))),
    };
    written.map_err(Failure::local)
}

/// Looks at the node, one after the other, until the node ends or one fails.
trait Looks: Stream<Item = Result<Status, Failure>> {}
impl<S: Stream<Item = Result<Status, Failure>>> Looks for S {}
