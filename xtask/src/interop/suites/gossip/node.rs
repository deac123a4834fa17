//! One process that gossips, theirs or ours, and everything that it has said.

use super::super::super::ours::Gossiper;
use super::super::super::peers::Peer;
use super::super::program::handfast;
use super::super::{hex, identity};
use anyhow::{Context as _, Result, bail};
use handfast_keys::secret_file;
use std::collections::HashMap;
use std::path::Path;
use tokio::io::AsyncWriteExt as _;
use tokio::process::ChildStdin;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

/// Whose a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Maker {
    Theirs,
    Ours,
}

/// How many of the last lines of a node are shown when a scene fails.
const SHOWN: usize = 12;
/// How many characters of each.
const SHOWN_CHARACTERS: usize = 160;

/// A running process. Dropping it kills it.
pub(super) struct Node {
    pub(super) maker: Maker,
    /// Where it listens.
    pub(super) address: String,
    /// The number of the process, if it is one of its own.
    pub(super) process: Option<u32>,
    hands: Hands,
    said: watch::Receiver<Said>,
    _reading: JoinSet<()>,
}

/// How a node is told something.
enum Hands {
    Process(Mutex<ChildStdin>),
    Library(Gossiper),
}

/// What a process has said so far.
#[derive(Debug, Default)]
struct Said {
    /// How often it heard each message: its author and its text.
    heard: HashMap<Heard, usize>,
    /// How many connections have begun.
    connected: usize,
    /// Answers to commands.
    answers: Vec<serde_json::Value>,
    lines: Vec<String>,
    /// Why nothing more will come.
    broken: Option<String>,
}

impl Said {
    fn take(&mut self, line: String) {
        if let Some(heard) = Heard::in_line(&line) {
            *self.heard.entry(heard).or_default() += 1;
        } else if let Ok(event) = serde_json::from_str::<serde_json::Value>(&line) {
            match event.get("event").and_then(serde_json::Value::as_str) {
                Some("line" | "settled") => self.answers.push(event),
                Some("connected") => self.connected += 1,
                Some("crash") => self.broken = Some(line.clone()),
                _ => {}
            }
        }
        self.lines.push(line);
    }
}

/// A message, as it was heard.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Heard {
    /// Who signed it, as in `….ed25519`.
    pub(super) public: String,
    /// The message in compact JSON, byte for byte.
    pub(super) text: String,
}

impl Heard {
    /// Both programs print `{…"public":"…","message":…}`. Ours escapes what would steer a terminal, so messages are compared
    /// as JavaScript would print them.
    fn in_line(line: &str) -> Option<Self> {
        let (head, message) = line.split_once(r#","message":"#)?;
        let (_, public) = head.split_once(r#""public":""#)?;
        Some(Self {
            public: public.strip_suffix('"')?.to_owned(),
            text: handfast_json::parse(message.strip_suffix('}')?).ok()?.to_compact(),
        })
    }
}

impl Node {
    /// Starts a node that listens. Ours keeps its secret in the folder.
    pub(super) async fn start(maker: Maker, seed: &[u8; 32], interval: i32, folder: &Path) -> Result<Self> {
        if maker == Maker::Ours && interval < 0 {
            return Self::library(seed, interval).await;
        }
        let interval = interval.to_string();
        let mut peer = match maker {
            Maker::Theirs => Peer::script(
                "gossip.js",
                &[
                    ("seed", hex(seed).as_str()),
                    ("interval", interval.as_str()),
                    ("listen", "127.0.0.1:0"),
                ],
            )?,
            Maker::Ours => {
                let secret = folder.join("secret");
                if !secret.exists() {
                    std::fs::create_dir_all(folder)?;
                    secret_file::create(&secret, &identity(seed)?)?;
                }
                let mut command = handfast(folder).await?;
                command.args([
                    "gossip",
                    "node",
                    "--identity",
                    "--listen",
                    "127.0.0.1:0",
                    "--interval",
                    &interval,
                ]);
                Peer::start("handfast gossip node", &mut command)?
            }
        };
        let address = loop {
            let line = peer.line().await?;
            if let Some(address) = listening(&line) {
                break address;
            }
        };
        let process = peer.process();
        let hands = Hands::Process(Mutex::new(peer.take_stdin()?));
        let (tell, said) = watch::channel(Said::default());
        let mut reading = JoinSet::new();
        reading.spawn(read(peer, tell));
        Ok(Self {
            maker,
            address,
            process,
            hands,
            said,
            _reading: reading,
        })
    }

    /// A node of ours inside this program, since the other one makes its rounds by itself.
    async fn library(seed: &[u8; 32], interval: i32) -> Result<Self> {
        let (gossiper, address, mut lines) = Gossiper::start(identity(seed)?, u64::try_from(interval).ok()).await?;
        let (tell, said) = watch::channel(Said::default());
        let mut reading = JoinSet::new();
        reading.spawn(async move {
            while let Some(line) = lines.recv().await {
                tell.send_modify(|said| said.take(line));
            }
        });
        Ok(Self {
            maker: Maker::Ours,
            address,
            process: None,
            hands: Hands::Library(gossiper),
            said,
            _reading: reading,
        })
    }

    /// Gives it a line.
    pub(super) async fn tell(&self, line: &str) -> Result<()> {
        match &self.hands {
            Hands::Library(gossiper) => line.lines().try_for_each(|line| gossiper.tell(line)),
            Hands::Process(stdin) => {
                let mut stdin = stdin.lock().await;
                let written = stdin.write_all(format!("{line}\n").as_bytes()).await;
                written.with_context(|| format!("a node does not take lines any more{}", self.shown()))
            }
        }
    }

    /// Gives it a command, and waits for the answer.
    pub(super) async fn ask(&self, command: &str) -> Result<serde_json::Value> {
        let before = self.said.borrow().answers.len();
        self.tell(command).await?;
        let mut said = self.said.clone();
        let answered = said.wait_for(|said| said.answers.len() > before || said.broken.is_some());
        let answered = answered.await?;
        let answer = answered.answers.get(before).cloned();
        answer.with_context(|| format!("no answer to {command}: {:?}", answered.broken))
    }

    /// Waits until it has heard all of these.
    pub(super) async fn until_heard(&self, all: &[Heard]) -> Result<()> {
        let mut said = self.said.clone();
        let settled = |said: &Said| said.broken.is_some() || all.iter().all(|one| said.heard.contains_key(one));
        let said = said.wait_for(settled).await?;
        match &said.broken {
            Some(why) if !all.iter().all(|one| said.heard.contains_key(one)) => bail!("{why}"),
            _ => Ok(()),
        }
    }

    /// Waits until so many connections have begun. Ours do not tell, but greet whoever they are connected to.
    pub(super) async fn until_connected(&self, count: usize) -> Result<()> {
        let mut said = self.said.clone();
        let said = said
            .wait_for(|said| said.connected >= count || said.broken.is_some())
            .await?;
        said.broken.as_ref().map_or(Ok(()), |why| bail!("{why}"))
    }

    pub(super) fn connected(&self) -> usize {
        self.said.borrow().connected
    }

    /// How often it has heard each message.
    pub(super) fn heard(&self) -> HashMap<Heard, usize> {
        self.said.borrow().heard.clone()
    }

    /// Its last lines.
    pub(super) fn shown(&self) -> String {
        let said = self.said.borrow();
        let skipped = said.lines.len().saturating_sub(SHOWN);
        let mut shown = format!("\n    {:?} at {}, {skipped} lines and then:", self.maker, self.address);
        for line in said.lines.iter().skip(skipped) {
            shown.push_str("\n    | ");
            shown.extend(line.chars().take(SHOWN_CHARACTERS));
        }
        if let Some(why) = &said.broken {
            shown.push_str("\n    it ended: ");
            shown.push_str(why);
        }
        shown
    }
}

/// `listening HOST:PORT`, bare or as an event.
fn listening(line: &str) -> Option<String> {
    if let Some(address) = line.strip_prefix("listening ") {
        return Some(address.trim().to_owned());
    }
    let event: serde_json::Value = serde_json::from_str(line).ok()?;
    let address = event
        .get("address")
        .filter(|_| event.get("event").is_some_and(|event| event == "listening"));
    Some(address?.as_str()?.to_owned())
}

/// Takes in what a process says, until it says no more.
async fn read(mut peer: Peer, tell: watch::Sender<Said>) {
    loop {
        let line = peer.line_at_last().await;
        tell.send_modify(|said| match line {
            Ok(line) => said.take(line),
            Err(error) => said.broken = Some(format!("{error:#}")),
        });
        if tell.borrow().broken.is_some() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_in_the_lines_of_both_programs() {
        let heard = Heard {
            public: "A=.ed25519".into(),
            text: r#"{"a":{"message":"\ud800"}}"#.into(),
        };
        let theirs = r#"{"event":"heard","count":1,"public":"A=.ed25519","message":{"a":{"message":"\ud800"}}}"#;
        let ours = r#"{"public":"A=.ed25519","message":{"a":{"message":"\ud800"}}}"#;
        assert_eq!(Heard::in_line(theirs), Some(heard.clone()));
        assert_eq!(Heard::in_line(ours), Some(heard));
        assert_eq!(Heard::in_line(r#"{"event":"connected","link":0}"#), None);
    }
}
