//! A permission system in a plugin: a file says who may come in, and with which rights.
//!
//! Each line of the file is an id, and behind it what it may call: paths, or `*` for everything. Everybody else is turned
//! away. The file is read again whenever somebody knocks, so a change counts at once.
//!
//! ```text
//! cargo run -p handfast-stack --example allow_list
//! ```

use std::{io, path::PathBuf};

use async_trait::async_trait;
use handfast_keys::{KeyPair, NetworkIdentifier, PublicKey};
use handfast_mux::{RemoteError, tokio::Router};
use handfast_stack::{Error, Next, NodeHandle, Plugin, PluginConfig, Rights, Scope, Stack};

/// The plugin. Its section of the configuration is `{"file": "PATH"}`.
struct AllowList;

#[derive(serde::Deserialize, Default)]
struct Options {
    file: PathBuf,
}

#[async_trait]
impl Plugin for AllowList {
    fn name(&self) -> &str {
        "allow-list"
    }

    async fn init(&self, node: &NodeHandle, config: &PluginConfig) -> Result<Router, Error> {
        let Options { file } = config.section()?;
        node.hook("auth", move |next: Next, (key,): (PublicKey,)| {
            let file = file.clone();
            async move {
                // A system beneath this one may know better; its refusal is an error, which `?` passes on.
                if let Some(rights) = next.call::<Option<Rights>>((key,)).await? {
                    return Ok(Some(rights));
                }
                let lines = tokio::fs::read_to_string(&file)
                    .await
                    .or_else(|error| match error.kind() {
                        io::ErrorKind::NotFound => Ok(String::new()),
                        _ => Err(RemoteError::new(format!("cannot read the allow list: {error}"))),
                    })?;
                match find(&lines, &key)? {
                    Some(rights) => Ok(Some(rights)),
                    None => Err(RemoteError::new("not on the allow list")),
                }
            }
        })?;
        Ok(Router::new())
    }
}

/// The rights of a key, if one of the lines is about it.
fn find(lines: &str, key: &PublicKey) -> Result<Option<Rights>, RemoteError> {
    for line in lines
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
    {
        let mut words = line.split_whitespace();
        // A line that is not understood refuses everybody, rather than those below it being let in by mistake.
        let id: PublicKey = words.next().unwrap_or_default().parse().map_err(|_| {
            RemoteError::new(format!(
                "the allow list has a line that does not begin with an id: {line}"
            ))
        })?;
        if id == *key {
            let paths: Vec<&str> = words.collect();
            return Ok(Some(match paths.contains(&"*") {
                true => Rights::all(),
                false => Rights::none().allow(paths)?,
            }));
        }
    }
    Ok(None)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (network, friend) = (NetworkIdentifier::generate()?, KeyPair::generate()?);
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("allowed");
    std::fs::write(&file, format!("# who may what\n{} manifest address\n", friend.public()))?;

    let config = serde_json::json!({ "allowList": { "file": file } });
    let guarded = Stack::new(network).identity(KeyPair::generate()?).plugin(AllowList);
    let guarded = guarded.start(handfast_stack::Config::from_value(config)?).await?;
    let there = guarded.address(Scope::Device).ok_or("it does not listen")?;

    let friend = Stack::new(network).identity(friend).start(Default::default()).await?;
    let address: String = friend.connect(there.clone()).await?.call("address", ()).await?;
    println!("a friend comes in and may ask for the address: {address}");

    let stranger = Stack::new(network)
        .identity(KeyPair::generate()?)
        .start(Default::default())
        .await?;
    let refused = stranger.connect(there).await.err().ok_or("a stranger came in")?;
    println!("a stranger does not: {refused}");
    Ok(())
}
