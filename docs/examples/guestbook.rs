//! A guestbook: a plugin with methods of all kinds, configuration, permissions, a hook, a task and a file.
//!
//! ```text
//! cargo run -p testkit --example guestbook
//! ```
//!
//! CI compiles and runs it, so what stands here works.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use handfast_keys::{KeyPair, NetworkIdentifier, PublicKey};
use handfast_mux::{
    RemoteError,
    tokio::{Context, Incoming, Router},
};
use handfast_stack::{Config, Error, Event, Next, Node, NodeHandle, Permissions, Plugin, PluginConfig, Scope, Stack};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::broadcast;

/// One entry of the book.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    /// Whose key the handshake has proved; nobody can write in another one's name.
    who: PublicKey,
    text: String,
}

/// The plugin's section of the configuration, `[guestbook]` in a file. Everything has a default.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Options {
    /// Where the book is kept; only in memory if this is not said.
    file: Option<PathBuf>,
    /// Characters of an entry. Strangers write here, so nothing is without a limit.
    longest: usize,
    /// Entries that are kept; the oldest go first.
    most: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            file: None,
            longest: 280,
            most: 1000,
        }
    }
}

/// What the methods share.
struct Book {
    options: Options,
    entries: Mutex<Vec<Entry>>,
    /// New entries, for those who read live.
    news: broadcast::Sender<Entry>,
}

impl Book {
    fn open(options: Options) -> Result<Self, Error> {
        let entries = match options.file.as_deref().map(std::fs::read) {
            Some(Ok(bytes)) => serde_json::from_slice(&bytes).map_err(Error::plugin)?,
            Some(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::plugin(error)),
            _ => Vec::new(),
        };
        Ok(Self {
            options,
            entries: Mutex::new(entries),
            news: broadcast::Sender::new(64),
        })
    }

    fn sign(&self, who: Option<&PublicKey>, text: String) -> Result<usize, RemoteError> {
        let who = *who.ok_or_else(|| RemoteError::new("only who has a key can sign"))?;
        let longest = self.options.longest;
        if text.chars().count() > longest {
            return Err(RemoteError::new(format!(
                "an entry may have at most {longest} characters"
            )));
        }
        let entry = Entry { who, text };
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.push(entry.clone());
        let surplus = entries.len().saturating_sub(self.options.most);
        entries.drain(..surplus);
        // Nobody may be reading; that is no failure.
        let _ = self.news.send(entry);
        Ok(entries.len())
    }

    /// The entries that are there, and with `live` those that come.
    fn read(&self, live: bool) -> impl Stream<Item = Result<Entry, RemoteError>> + Send + use<> {
        // Subscribed under the lock, so that no entry falls between the old ones and the new ones.
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let news = live.then(|| self.news.subscribe());
        let old = stream::iter(entries.clone());
        let new = stream::unfold(news, |news| async {
            let mut news = news?;
            Some((news.recv().await.ok()?, Some(news)))
        });
        old.chain(new).map(Ok)
    }

    fn save(&self) {
        let Some(file) = &self.options.file else { return };
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Written beside it and moved, so that whoever pulls the plug finds the old book or the new one.
        let beside = file.with_extension("new");
        let written = std::fs::write(&beside, json!(entries).to_string()).and_then(|()| std::fs::rename(beside, file));
        if let Err(error) = written {
            tracing::error!(%error, "the guestbook cannot be written");
        }
    }
}

#[derive(Default)]
struct Guestbook;

#[async_trait]
impl Plugin for Guestbook {
    fn name(&self) -> &str {
        "guestbook"
    }

    fn version(&self) -> &str {
        "1.0.0"
    }

    fn permissions(&self) -> Permissions {
        // `import` is not listed, so it is for those only whom `auth` gives more than everybody has.
        Permissions::anonymous(["sign", "read", "chat"])
    }

    fn default_config(&self) -> serde_json::Value {
        json!(Options::default())
    }

    async fn init(&self, node: &NodeHandle, config: &PluginConfig) -> Result<Router, Error> {
        let book = Arc::new(Book::open(config.section()?)?);

        // A hook around a method, be it one of our own or of another plugin: this one corrects what is said.
        node.hook("guestbook.sign", |next: Next, (text,): (String,)| async move {
            next.call::<usize>((text.trim(),)).await
        })?;

        // A task that lives as long as the node writes the book when something has changed, and once more at the end.
        let (kept, last, mut news) = (book.clone(), book.clone(), book.news.subscribe());
        node.spawn(async move {
            while !matches!(news.recv().await, Err(broadcast::error::RecvError::Closed)) {
                kept.save();
            }
        });
        node.at_close(async move { last.save() });

        let [signed, read, imported, chat] = std::array::from_fn(|_| book.clone());
        Ok(Router::new()
            .sync("sign", move |cx: Context, text: String| signed.sign(cx.peer(), text))
            .source("read", move |_cx, live: Option<bool>| read.read(live.unwrap_or(false)))
            .sink("import", move |cx: Context, texts: Incoming<String>| {
                let book = imported.clone();
                async move {
                    let who = cx.peer().copied();
                    texts
                        .try_for_each(|text| std::future::ready(book.sign(who.as_ref(), text).map(drop)))
                        .await
                }
            })
            .duplex("chat", move |cx: Context, words: Incoming<String>| {
                let (book, who) = (chat.clone(), cx.peer().copied());
                let said = words.map(move |word| book.sign(who.as_ref(), word?));
                said.map_ok(|count| format!("entry {count}"))
            }))
    }
}

async fn open(network: NetworkIdentifier, config: serde_json::Value) -> Result<Node, Box<dyn std::error::Error>> {
    let stack = Stack::new(network).identity(KeyPair::generate()?).plugin(Guestbook);
    Ok(stack.start(Config::from_value(config)?).await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let network = NetworkIdentifier::generate()?;
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("guests.json");
    let host = open(network, json!({ "guestbook": { "file": file, "longest": 20 } })).await?;
    let guest = open(network, json!({})).await?;
    let mut events = host.events();

    let book = guest
        .connect(host.address(Scope::Device).ok_or("the host does not listen")?)
        .await?;
    if let Some(Event::Connected(peer)) = events.next().await {
        println!("the host has a guest: {}", peer.id().ok_or("a guest without a key")?);
    }
    let mut entries = book.source::<Entry>("guestbook.read", (true,)).await?;
    let count: usize = book.call("guestbook.sign", ("  kia ora  ",)).await?;
    assert_eq!(count, 1);
    let entry = entries.try_next().await?.ok_or("no entry")?;
    println!("read live: {} says {:?}", entry.who, entry.text);
    assert_eq!(
        entry,
        Entry {
            who: *guest.id(),
            text: "kia ora".into()
        }
    );

    let (mut say, mut told) = book.duplex::<String>("guestbook.chat", ()).await?;
    say.send("one").await?;
    assert_eq!(told.try_next().await?.as_deref(), Some("entry 2"));
    let long = book
        .call::<usize>("guestbook.sign", ("x".repeat(21),))
        .await
        .err()
        .ok_or("it was too long")?;
    println!("refused: {long}");
    let forbidden = book
        .sink("guestbook.import", ())
        .await?
        .close()
        .await
        .err()
        .ok_or("a guest may not import")?;
    println!("refused: {forbidden}");

    // The owner may: a node calls its own methods with all rights, but it signs with a key only when a peer does.
    host.close().await;
    println!("kept: {}", std::fs::read_to_string(&file)?);
    Ok(())
}
