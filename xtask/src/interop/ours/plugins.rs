//! The plugins that every node of the scenes has, as `xtask/peers/lib/node-plugins.js` has them.

use super::super::nodes::{Decision, Diary};
use super::api;
use super::cuttable::Scissors;
use futures_util::{StreamExt as _, TryStreamExt as _, future, stream};
use handfast_mux::tokio::Router;
use handfast_mux::{Body, RemoteError};
use handfast_stack::{Error, Event, Next, NodeHandle, Peer, Permissions, Plugin, PluginConfig, async_trait, plugin};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{Notify, watch};

/// The test methods, with the rights that all servers of the cases give.
pub(super) struct Test(pub(super) Scissors);

#[async_trait]
impl Plugin for Test {
    fn permissions(&self) -> Permissions {
        Permissions::anonymous(api::allowed()).deny_anonymous(["test.denied"])
    }

    async fn init(&self, node: &NodeHandle, _config: &PluginConfig) -> Result<Router, Error> {
        let (asked, scissors) = (Arc::new(Notify::new()), self.0.clone());
        let methods = api::of_servers(asked.clone());
        node.spawn(async move {
            loop {
                asked.notified().await;
                scissors.cut();
            }
        });
        Ok(methods)
    }
}

/// A method for everybody, some for those who are granted them, one that is denied below one that is allowed. Its name has to
/// be put in camel case before anybody can call it.
pub(super) fn notes() -> impl Plugin {
    let methods = Router::new()
        .call("who", |cx, ()| async move { Ok(cx.peer().map(ToString::to_string)) })
        .call("say", |_cx, text: String| async move { Ok(text) })
        .source("list", |_cx, ()| stream::iter(["one", "private", "two"].map(Ok)))
        .call("secret", |_cx, ()| async { Ok("the secret") })
        .source("secrets", |_cx, ()| stream::iter(["the", "secrets"].map(Ok)))
        .call("shelf.open", |_cx, ()| async { Ok("from the shelf") })
        .call("shelf.locked", |_cx, ()| async { Ok("from the locked shelf") });
    let everybody = Permissions::anonymous(["who", "say", "list", "shelf"]).deny_anonymous(["shelf.locked"]);
    plugin("my-notes", methods).permissions(everybody)
}

/// Without a name, a plugin's methods stand at the root.
pub(super) fn root() -> impl Plugin {
    let methods = Router::new().sync("hello", |_cx, name: String| Ok(format!("Hello, {name}.")));
    plugin("", methods).permissions(Permissions::anonymous(["hello"]))
}

/// Hooks around methods of another plugin. The first changes what goes in and what comes out; the second is added later, so it
/// stands around the first, and may answer without asking it; the third leaves items out.
pub(super) struct Manners;

#[async_trait]
impl Plugin for Manners {
    async fn init(&self, node: &NodeHandle, _config: &PluginConfig) -> Result<Router, Error> {
        node.hook("myNotes.say", |next: Next, text: String| async move {
            let said: String = next.call((format!("{text}!"),)).await?;
            Ok(format!("({said})"))
        })?;
        node.hook("myNotes.say", |next: Next, text: String| async move {
            if text == "hush" {
                return Ok("hushed".to_owned());
            }
            let said: String = next.call((text,)).await?;
            Ok(format!("[{said}]"))
        })?;
        node.hook_source("myNotes.list", |next: Next, ()| {
            let kept = |item: &Body| future::ready(item.as_str() != Some("private"));
            Ok(next.source()?.try_filter(kept))
        })?;
        Ok(Router::new())
    }
}

/// A pluggable system of permissions: each hook has a table from ids to verdicts and says what stands there; whoever does not
/// stand there is left to the hook within.
pub(super) struct Auth {
    pub(super) tables: Vec<BTreeMap<String, Decision>>,
    pub(super) diary: Arc<Diary>,
}

#[async_trait]
impl Plugin for Auth {
    async fn init(&self, node: &NodeHandle, _config: &PluginConfig) -> Result<Router, Error> {
        for (number, table) in self.tables.iter().cloned().enumerate() {
            let diary = self.diary.clone();
            node.hook("auth", move |next: Next, id: String| {
                diary.write(json!({ "what": "asked", "id": id, "hook": number }));
                let verdict = table.get(&id).cloned();
                async move {
                    match verdict {
                        None => next.run().await,
                        Some(Decision::Reject(reason)) => Err(RemoteError::new(&reason)),
                        Some(Decision::Rights(rights)) => Ok(Body::from_value(&rights)?),
                    }
                }
            })?;
        }
        Ok(Router::new())
    }
}

/// Messages that each node passes on to all others: whoever connects reads what the other side has and will have.
#[derive(Default)]
pub(super) struct Flood;

/// What a node has heard. Clones share it.
#[derive(Clone)]
struct Heard(watch::Sender<Vec<String>>);

#[async_trait]
impl Plugin for Flood {
    fn name(&self) -> &str {
        "flood"
    }

    fn permissions(&self) -> Permissions {
        Permissions::anonymous(["messages"])
    }

    async fn init(&self, node: &NodeHandle, _config: &PluginConfig) -> Result<Router, Error> {
        let heard = Heard(watch::Sender::default());
        let (mut events, reader, handle) = (node.events(), heard.clone(), node.clone());
        node.spawn(async move {
            while let Some(event) = events.next().await {
                if let Event::Connected(peer) = event {
                    handle.spawn(reader.clone().read(peer));
                }
            }
        });
        let (publish, messages) = (heard.clone(), heard.clone());
        Ok(Router::new()
            .source("messages", move |_cx, ()| messages.all().map(Ok))
            .call("publish", move |_cx, message: String| {
                publish.take(message);
                async { Ok(()) }
            })
            .call("heard", move |_cx, count: usize| heard.clone().until(count)))
    }
}

impl Heard {
    fn take(&self, message: String) {
        self.0.send_if_modified(|messages| {
            let new = !messages.contains(&message);
            messages.extend(new.then_some(message));
            new
        });
    }

    /// Takes what a peer has to say, until it leaves.
    async fn read(self, peer: Peer) {
        let Ok(mut messages) = peer.source::<String>("flood.messages", ()).await else {
            return;
        };
        while let Some(Ok(message)) = messages.next().await {
            self.take(message);
        }
    }

    /// All messages there are and will be.
    fn all(&self) -> impl futures_util::Stream<Item = String> + use<> {
        let messages = self.0.subscribe();
        stream::unfold((messages, 0), |(mut messages, sent)| async move {
            let message = messages
                .wait_for(|all| all.len() > sent)
                .await
                .ok()?
                .get(sent)
                .cloned()?;
            Some((message, (messages, sent + 1)))
        })
    }

    /// Answers once there are so many messages.
    async fn until(self, count: usize) -> Result<Vec<String>, RemoteError> {
        let mut messages = self.0.subscribe();
        let enough = messages.wait_for(|all| all.len() >= count).await;
        let mut all = enough.map_err(|error| error.to_string())?.clone();
        all.sort();
        Ok(all)
    }
}
