//! Plays a scene with a cast.

use super::super::identity;
use super::bytes;
use super::model::Model;
use super::node::{Heard, Maker, Node};
use super::scene::{Rounds, Scene, Step};
use super::wire::Wire;
use crate::interop::peers::Peer;
use anyhow::{Context as _, Result, bail, ensure};
use futures_util::future::try_join_all;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tempfile::TempDir;

/// How long a scene may take. A machine that is busy with other scenes must not fail it.
const DEADLINE: Duration = Duration::from_secs(60);

/// Messages of every kind that JSON can be. Each is an object, as the original wants.
const TEXTS: &[&str] = &[
    r#"{}"#,
    r#"{"a":{},"b":[],"c":[[],{}],"d":[{}]}"#,
    r#"{"b":1,"10":2,"a":3,"9":4,"0":5,"-1":6,"01":7,"4294967294":8,"4294967295":9,"1.5":10}"#,
    r#"{"a":1,"b":2,"a":3}"#,
    r#"{"n":[0,-0,1,-1,0.1,1e21,1e-7,123456789012345680000,1.7976931348623157e308,5e-324,1e400,9007199254740993,100e-2]}"#,
    r#"{"t":"\u0000\u0001\b\t\n\u000b\f\r\u001f\u007f\"\\\/\u2028\u2029\u00e9\ufeff"}"#,
    r#"{"t":"\ud83d\ude00 😀 你好 กำ é","😀":"한"}"#,
    r#"{"high":"\ud800","low":"\udc00","swapped":"\udc00\ud800","inside":"a\ud83dz","\udfff":1}"#,
    r#" { "a" : [ 1 , 2 ] , "b" : { "c" : null } } "#,
    r#"{"data":{"signature":"inner"},"public":"x","seq":99,"sig2":"y"}"#,
    r#"{"d":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}"#,
    r#"{"sg2":{"switch":true}}"#,
];

/// Plays the scene; the complaint says what each process said.
pub(super) async fn play(scene: &Scene, cast: &[Maker], scribe: &Node) -> Option<String> {
    let folder = match tempfile::tempdir() {
        Ok(folder) => folder,
        Err(error) => return Some(error.to_string()),
    };
    let mut stage = Stage::new(scene, cast, scribe, folder);
    let played = tokio::time::timeout(DEADLINE, stage.play()).await;
    let played = played.unwrap_or_else(|_| bail!("the scene was not done after {DEADLINE:?}"));
    let error = played.err()?;
    let complaint = format!("{error:#}{}{}", stage.missing(), stage.shown());
    Some(complaint)
}

/// The network of one scene.
struct Stage<'a> {
    scene: &'a Scene,
    cast: &'a [Maker],
    /// A node of theirs that takes part in nothing, and says what their lines look like.
    scribe: &'a Node,
    folder: TempDir,
    nodes: Vec<Option<Node>>,
    wires: Vec<Wire>,
    /// What was sent on wires that are gone: from whom, to whom.
    past: Vec<((usize, usize), Vec<u8>)>,
    hostile: Vec<Peer>,
    model: Model,
    /// Every message that an honest node published.
    said: Vec<Heard>,
    step: usize,
}

impl<'a> Stage<'a> {
    fn new(scene: &'a Scene, cast: &'a [Maker], scribe: &'a Node, folder: TempDir) -> Self {
        Self {
            scene,
            cast,
            scribe,
            folder,
            nodes: cast.iter().map(|_| None).collect(),
            wires: Vec::new(),
            past: Vec::new(),
            hostile: Vec::new(),
            model: Model::new(cast, scene.rounds == Rounds::ByHand),
            said: Vec::new(),
            step: 0,
        }
    }

    async fn play(&mut self) -> Result<()> {
        let starting = (0..self.cast.len()).map(|node| self.started(node));
        let started = try_join_all(starting).await?;
        for (number, node) in started.into_iter().enumerate() {
            self.put(number, node);
        }
        for (one, other) in self.scene.shape.links() {
            self.link(one, other).await?;
        }
        for (number, &step) in self.scene.steps.iter().enumerate() {
            self.step = number;
            let done = self.take(step).await;
            done.with_context(|| format!("step {number}, {step:?}"))?;
        }
        if self.scene.rounds != Rounds::ByHand {
            // Whatever is heard twice has been by the time at which what follows it is heard.
            self.take(Step::AllSay(1)).await?;
        }
        self.hear().await?;
        for node in 0..self.nodes.len() {
            self.judge(node)?;
        }
        self.judge_bytes().await
    }

    async fn take(&mut self, step: Step) -> Result<()> {
        match step {
            Step::Say(node, count) => self.say(node, count).await,
            Step::AllSay(count) => {
                for node in 0..self.nodes.len() {
                    if self.nodes.get(node).is_some_and(Option::is_some) {
                        self.say(node, count).await?;
                    }
                }
                Ok(())
            }
            Step::SayTexts(node) => {
                for text in TEXTS {
                    let line = self
                        .scribe
                        .ask(&format!("!line {} 0 {text}", self.seed_text(node)))
                        .await?;
                    let message = line.get("message").and_then(Value::as_str).context("a message")?;
                    self.publish(node, text, message.to_owned()).await?;
                }
                Ok(())
            }
            Step::SayLong(node, count, bytes) => {
                for _ in 0..count {
                    let number = self.said.len();
                    let text = format!(r#"{{"long":{number},"text":"{}"}}"#, "x".repeat(bytes));
                    self.publish(node, &text, text.clone()).await?;
                }
                Ok(())
            }
            Step::Hear => self.hear().await,
            Step::Link(one, other) => {
                self.quiet().await?;
                self.link(one, other).await
            }
            Step::Cut(one, other) => {
                self.quiet().await?;
                self.model.cut(one, other);
                self.cut(|ends| ends == (one, other) || ends == (other, one));
                Ok(())
            }
            Step::Stop(node) => {
                self.quiet().await?;
                self.judge(node)?;
                self.model.stop(node);
                self.cut(|(one, other)| one == node || other == node);
                if let Some(place) = self.nodes.get_mut(node) {
                    *place = None;
                }
                Ok(())
            }
            Step::Start(node) => {
                let started = self.started(node).await?;
                self.put(node, started);
                Ok(())
            }
            Step::Round(node) => {
                self.hear().await?;
                self.model.round(node);
                self.node(node)?.tell("!round").await
            }
            Step::Hostile(manner, at, count) => self.let_in(manner, at, count).await,
            Step::Memory(node, most) => self.judge_memory(node, most),
        }
    }

    /// A process for a node, which listens.
    async fn started(&self, node: usize) -> Result<Node> {
        let maker = *self.cast.get(node).context("no such node")?;
        let interval = match self.scene.rounds {
            Rounds::Every(milliseconds) => milliseconds,
            Rounds::ByHand => -1,
        };
        let folder = self.folder.path().join(node.to_string());
        Node::start(maker, &seed(node), interval, &folder).await
    }

    fn put(&mut self, number: usize, node: Node) {
        self.model.start(number);
        if let Some(place) = self.nodes.get_mut(number) {
            *place = Some(node);
        }
    }

    fn node(&self, number: usize) -> Result<&Node> {
        let node = self.nodes.get(number).and_then(Option::as_ref);
        node.with_context(|| format!("node {number} does not run"))
    }

    fn seed_text(&self, node: usize) -> String {
        super::super::hex(&seed(node))
    }

    async fn link(&mut self, one: usize, other: usize) -> Result<()> {
        let ends = [self.node(one)?, self.node(other)?];
        let before = ends.map(Node::connected);
        let [first, second] = ends.map(|node| node.address.as_str());
        let wire = Wire::between((one, other), (first, second)).await?;
        // A round that comes before a node has accepted would be lost on the way, and two of ours have to agree first.
        let both_ours = ends.iter().all(|node| node.maker == Maker::Ours);
        for ((end, node), before) in ends.into_iter().enumerate().zip(before) {
            match node.maker {
                Maker::Theirs => node.until_connected(before + 1).await?,
                Maker::Ours if both_ours => wire.until_sent(end, bytes::has_switched).await?,
                Maker::Ours => wire.until_sent(end, |sent| !sent.is_empty()).await?,
            }
        }
        self.wires.push(wire);
        self.model.link(one, other);
        Ok(())
    }

    fn cut(&mut self, which: impl Fn((usize, usize)) -> bool) {
        for wire in self.wires.extract_if(.., |wire| which(wire.ends)) {
            let (one, other) = wire.ends;
            let [from_one, from_other] = wire.sent();
            self.past.push(((one, other), from_one));
            self.past.push(((other, one), from_other));
        }
    }

    async fn say(&mut self, node: usize, count: usize) -> Result<()> {
        let mut lines = Vec::new();
        for _ in 0..count {
            let text = format!(r#"{{"by":{node},"message":{}}}"#, self.said.len());
            self.note(node, text.clone())?;
            lines.push(text);
        }
        self.node(node)?.tell(&lines.join("\n")).await
    }

    /// A node publishes `text`, which others must hear as `message`.
    async fn publish(&mut self, node: usize, text: &str, message: String) -> Result<()> {
        self.note(node, message)?;
        self.node(node)?.tell(text).await
    }

    fn note(&mut self, node: usize, text: String) -> Result<()> {
        let public = public(node)?;
        self.model.say(node);
        self.said.push(Heard { public, text });
        Ok(())
    }

    /// What a node must have heard.
    fn expected(&self, node: usize) -> Vec<Heard> {
        let messages = self.model.heard(node);
        messages.filter_map(|message| self.said.get(message).cloned()).collect()
    }

    /// Waits until everybody has heard what they must.
    async fn hear(&self) -> Result<()> {
        let waiting = self.nodes.iter().enumerate().filter_map(|(number, node)| {
            let node = node.as_ref()?;
            Some(async move { node.until_heard(&self.expected(number)).await })
        });
        try_join_all(waiting).await.map(drop)
    }

    /// Waits until everybody has heard, and nothing waits to be passed on.
    async fn quiet(&self) -> Result<()> {
        self.hear().await?;
        let theirs = self.nodes.iter().flatten().filter(|node| node.maker == Maker::Theirs);
        if self.scene.rounds != Rounds::ByHand {
            try_join_all(theirs.map(|node| node.ask("!settle"))).await?;
        }
        Ok(())
    }

    async fn let_in(&mut self, manner: &str, at: usize, count: usize) -> Result<()> {
        let address = self.node(at)?.address.clone();
        let count = count.to_string();
        let options = [("manner", manner), ("dial", &address), ("count", &count)];
        let mut hostile = Peer::script("gossip-hostile.js", &options)?;
        hostile.until("connected").await?;
        // What it does with messages, it does while others speak; what it does of itself is waited for.
        if !matches!(manner, "rewritten seq" | "replay" | "reorder") {
            loop {
                let event = hostile.event().await?;
                // Whoever is thrown out cannot go on.
                if let Some("done" | "closed") = event.get("event").and_then(Value::as_str) {
                    break;
                }
            }
        }
        self.hostile.push(hostile);
        Ok(())
    }

    /// Every message once, none that nobody published, and of the original alone exactly what the model says.
    fn judge(&self, number: usize) -> Result<()> {
        let node = self.node(number)?;
        let heard = node.heard();
        let expected: HashSet<Heard> = self.expected(number).into_iter().collect();
        let said: HashSet<&Heard> = self.said.iter().collect();
        let honest: HashSet<String> = (0..self.cast.len()).map(public).collect::<Result<_>>()?;
        for (message, times) in &heard {
            let Heard { public, text } = message;
            ensure!(*times == 1, "node {number} heard {text} of {public} {times} times");
            ensure!(
                said.contains(message) || (!self.scene.is_honest() && !honest.contains(public)),
                "node {number} heard {text} of {public}, who never said that"
            );
            if self.cast.iter().all(|maker| *maker == Maker::Theirs) && self.scene.is_honest() {
                ensure!(
                    expected.contains(message),
                    "node {number} of the original heard {text}, which the model says it cannot"
                );
            }
        }
        Ok(())
    }

    /// What ours sent is what the original would have sent.
    async fn judge_bytes(&mut self) -> Result<()> {
        ensure!(
            self.wires.iter().all(|wire| !wire.has_ended()),
            "a node hung up on an honest neighbour"
        );
        self.cut(|_| true);
        let signers = self.cast.iter().enumerate();
        let signers: HashMap<String, bytes::Author> = signers
            .map(|(node, maker)| Ok((public(node)?, (self.seed_text(node), *maker))))
            .collect::<Result<_>>()?;
        for ((from, to), sent) in &self.past {
            let (Some(maker), Some(reader)) = (self.cast.get(*from), self.cast.get(*to)) else {
                continue;
            };
            if *maker == Maker::Theirs {
                continue;
            }
            let checked = match reader {
                Maker::Ours => bytes::between_ours(sent),
                Maker::Theirs => bytes::to_theirs(sent, &signers, self.scene, self.scribe).await,
            };
            checked.with_context(|| format!("what node {from} sent to node {to}"))?;
            if self.scene.shape.is_tree() && self.scene.is_still() && *reader == Maker::Theirs {
                for author in self.beyond(*from, *to) {
                    ensure!(
                        !bytes::authors(sent).any(|public| public == author),
                        "node {from} sent node {to} what came from there"
                    );
                }
            }
        }
        Ok(())
    }

    /// The keys of the nodes that `from` reaches by its link to `to`, where there is no other way.
    fn beyond(&self, from: usize, to: usize) -> Vec<String> {
        let links = self.scene.shape.links();
        let mut found = vec![to];
        let mut place = 0;
        while let Some(&node) = found.get(place) {
            place += 1;
            for &(one, other) in &links {
                for next in [(one, other), (other, one)]
                    .into_iter()
                    .filter_map(|(a, b)| (a == node).then_some(b))
                {
                    if next != from && !found.contains(&next) {
                        found.push(next);
                    }
                }
            }
        }
        found.into_iter().filter_map(|node| public(node).ok()).collect()
    }

    fn judge_memory(&self, node: usize, most: usize) -> Result<()> {
        let node = self.node(node)?;
        // Only Linux tells.
        let status = node
            .process
            .map(|process| std::fs::read_to_string(format!("/proc/{process}/status")));
        let Some(Ok(status)) = status else { return Ok(()) };
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
        let mebibytes = resident.context("VmRSS")? / 1024;
        ensure!(
            mebibytes <= most,
            "the node holds {mebibytes} MiB, and {most} MiB are allowed"
        );
        Ok(())
    }

    /// What has not been heard that must be.
    fn missing(&self) -> String {
        let mut missing = format!("\n    (at step {} of {})", self.step, self.scene.steps.len());
        for (number, node) in self.nodes.iter().enumerate() {
            let Some(node) = node else { continue };
            let heard = node.heard();
            let lacking = self
                .expected(number)
                .into_iter()
                .filter(|message| !heard.contains_key(message));
            let lacking: Vec<String> = lacking.map(|message| message.text).collect();
            if let Some(first) = lacking.first() {
                let first: String = first.chars().take(100).collect();
                missing.push_str(&format!(
                    "\n    node {number} has not heard {} messages, the first {first}",
                    lacking.len()
                ));
            }
        }
        missing
    }

    fn shown(&self) -> String {
        self.nodes.iter().flatten().map(Node::shown).collect()
    }
}

fn seed(node: usize) -> [u8; 32] {
    // There are a handful of nodes.
    [u8::try_from(node + 1).unwrap_or_default(); 32]
}

/// The key of a node as the lines have it.
fn public(node: usize) -> Result<String> {
    let id = identity(&seed(node))?.public().to_string();
    Ok(id.trim_start_matches('@').to_owned())
}
