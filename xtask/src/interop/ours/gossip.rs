//! A node of ours as an application has it: in its own process, with rounds by hand.

use anyhow::{Context as _, Result, bail};
use handfast_gossip::{Gossip, Options};
use handfast_json::Value;
use handfast_keys::KeyPair;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// A running node; dropping it ends it.
pub(in super::super) struct Gossiper {
    gossip: Gossip,
    _tasks: JoinSet<()>,
}

impl Gossiper {
    /// A node, where it listens, and what it hears, in the lines that the program prints.
    pub(in super::super) async fn start(
        keys: KeyPair,
        interval: Option<u64>,
    ) -> Result<(Self, String, mpsc::UnboundedReceiver<String>)> {
        let mut options = Options::new(keys);
        options.interval = interval.map(std::time::Duration::from_millis);
        let gossip = Gossip::new(options)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let mut tasks = JoinSet::new();
        let accepting = gossip.clone();
        tasks.spawn(async move {
            let mut streams = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                streams.spawn(accepting.create_peer_stream(stream));
            }
        });
        let (tell, lines) = mpsc::unbounded_channel();
        let mut messages = gossip.messages();
        tasks.spawn(async move {
            while let Some((message, info)) = messages.next().await {
                let line = format!(
                    r#"{{"public":"{}","message":{}}}"#,
                    info.public_text(),
                    message.to_compact()
                );
                if tell.send(line).is_err() {
                    break;
                }
            }
        });
        Ok((Self { gossip, _tasks: tasks }, address, lines))
    }

    /// A line of JSON is published; `!round` is a round by hand.
    pub(in super::super) fn tell(&self, line: &str) -> Result<()> {
        match line.strip_prefix('!') {
            None => {
                let message: Value = line.parse().with_context(|| format!("{line} is no JSON"))?;
                self.gossip.publish(&message).map(drop)?;
            }
            Some("round") => self.gossip.gossip(),
            Some(other) => bail!("no command {other}"),
        }
        Ok(())
    }
}
