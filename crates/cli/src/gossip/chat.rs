//! `handfast gossip chat`: a chat among nodes, over the plugin `gossip`.

mod lines;
mod room;
mod screen;

use super::identity;
use crate::{
    args::{self, Owner},
    config,
    exit::Failure,
    figures::now,
    home::Home,
    listen::Listen,
    out,
    signals::Stop,
};
use anyhow::{Context, anyhow};
use handfast_gossip::{
    Certificate, Error, Time, Topic,
    plugin::{Event, Events, GossipHandle, GossipPlugin, Heard, Join},
};
use handfast_keys::{KeyPair, PublicKey};
use handfast_stack::{Address, Config, Node, Scope, Stack};
use room::{Happening, Room, What};
use serde_json::json;
use std::{io::IsTerminal, time::Duration};
use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    time::timeout,
};

/// What happens and waits to be shown; whoever tells more waits.
const HAPPENINGS: usize = 1024;
/// Lines that were typed and wait to be signed.
const SAID: usize = 16;
/// How long a certificate is good that this program issues.
const YEAR: Duration = Duration::from_secs(365 * 86_400);
/// How long the goodbye may take.
const FAREWELL: Duration = Duration::from_secs(2);

pub(super) async fn run(home: &Home, options: args::Chat) -> Result<(), Failure> {
    let (settings, network) = config::for_dialling(home, &options.network)?;
    let keys = identity(home, &options.who)?;
    let topic = topic(&options, &keys)?;
    if let Some(member) = options.certify {
        let certificate = Certificate::issue(&keys, &topic, member, YEAR, wall_clock()).map_err(Failure::usage)?;
        return out::line(format_args!("{certificate}")).map_err(Failure::local);
    }
    let how = how(&options)?;
    let mut stop = Stop::new()?;

    let (plugin, gossip) = GossipPlugin::new(keys.clone());
    let node = Stack::new(network).plugin(plugin).identity(keys.clone());
    let mut configured = Config::default();
    let connections = configured.global.connections.get_or_insert_default();
    connections.outgoing = settings.outgoing();
    connections.incoming = match options.listen.as_slice() {
        [] => Listen::incoming(
            &[ANYWHERE_HERE
                .parse()
                .map_err(|error: String| Failure::local(anyhow!(error)))?],
            "shs",
        ),
        places => Listen::incoming(places, "shs"),
    };
    let node = node.start(configured).await.map_err(Failure::usage)?;
    let me = *keys.public();
    let name = options.name.unwrap_or_default();
    let chat = Chat {
        gossip,
        topic,
        me,
        name,
    };
    let result = chat.run(&node, how, &options.topic, &mut stop).await;
    // Neighbours see a goodbye, and not a cut connection.
    let _ = timeout(FAREWELL, node.close()).await;
    result
}

/// Where a chat listens if nothing is said: on this machine, so that nothing is opened to others by silence.
const ANYWHERE_HERE: &str = "net:127.0.0.1:0";

fn topic(options: &args::Chat, keys: &KeyPair) -> Result<Topic, Failure> {
    let owner = match options.owner {
        None => return Ok(Topic::open(&options.topic)),
        Some(Owner::Somebody(owner)) => owner,
        Some(Owner::Me) if options.who.identity => *keys.public(),
        Some(Owner::Me) => {
            return Err(Failure::usage(anyhow!(
                "a topic of one's own needs an identity that lasts: add --identity"
            )));
        }
    };
    Ok(Topic::closed(owner, &options.topic))
}

fn how(options: &args::Chat) -> Result<Join, Failure> {
    let how = Join::through(options.join.iter().cloned());
    let Some(path) = &options.certificate else {
        return Ok(how);
    };
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read {}", path.display()))
        .map_err(Failure::local)?;
    let certificate = text.parse::<Certificate>().with_context(|| path.display().to_string());
    Ok(how.certificate(certificate.map_err(Failure::usage)?))
}

fn wall_clock() -> Time {
    Time::from_micros(now().saturating_mul(1000))
}

/// One end of a chat.
#[derive(Clone)]
struct Chat {
    gossip: GossipHandle,
    topic: Topic,
    me: PublicKey,
    name: String,
}

impl Chat {
    async fn run(&self, node: &Node, how: Join, topic: &str, stop: &mut Stop) -> Result<(), Failure> {
        let join = join_address(node);
        let events = self
            .gossip
            .join(self.topic.clone(), how)
            .await
            .map_err(Failure::usage)?;
        let room = Room::new(self.me, &self.name);
        let (tell, happenings) = mpsc::channel(HAPPENINGS);
        let (say, said) = mpsc::channel(SAID);
        node.spawn(follow(events, tell.clone(), now()));
        node.spawn(self.clone().speak(said, tell));

        if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
            let about = screen::About {
                topic: topic.to_owned(),
                join: match join {
                    Some(address) => format!("--join {address}"),
                    None => "nobody can join through this node: it does not listen".into(),
                },
            };
            screen::run(about, room, happenings, say, stop).await?;
        } else {
            for address in node.listening() {
                out::line(format_args!("listening {address}")).map_err(Failure::local)?;
            }
            if let Some(address) = join {
                out::line(format_args!("join {address}")).map_err(Failure::local)?;
            }
            lines::run(room, happenings, say, stop).await?;
        }
        let left = self.publish(&What::Left);
        // Whoever cannot say goodbye leaves without.
        let _ = timeout(FAREWELL, left).await;
        Ok(())
    }

    /// Publishes what is typed, and shows it.
    async fn speak(self, mut said: Receiver<String>, tell: Sender<Happening>) {
        let mut next = Some(What::Joined);
        while let Some(what) = next {
            let happening = match self.publish(&what).await {
                Ok(()) => Happening::Said {
                    who: self.me,
                    name: self.name.clone(),
                    what,
                    at: now(),
                    earlier: false,
                },
                Err(error) => Happening::Notice(format!("this was not said: {error}")),
            };
            if tell.send(happening).await.is_err() {
                return;
            }
            next = said.recv().await.map(What::Text);
        }
    }

    async fn publish(&self, what: &What) -> Result<(), Error> {
        let message = match what {
            What::Joined => json!({ "type": "chat", "name": self.name, "does": "join" }),
            What::Left => json!({ "type": "chat", "name": self.name, "does": "leave" }),
            What::Text(text) => json!({ "type": "chat", "name": self.name, "text": text }),
        };
        self.gossip.publish(self.topic.id(), message).await.map(drop)
    }
}

/// Turns the topic's events into what happens in the chat.
async fn follow(mut events: Events, tell: Sender<Happening>, since: u64) {
    while let Some(event) = events.next().await {
        let key = |node: handfast_gossip::NodeId| PublicKey::from_bytes(node.as_bytes()).ok();
        let happening = match event {
            Event::Heard(heard) => said(&heard, since),
            Event::NeighbourUp(node) => key(node).map(Happening::Neighbour),
            Event::NeighbourDown(node) => key(node).map(Happening::NeighbourGone),
            Event::Revoked(revocation) => {
                let member = PublicKey::from_bytes(revocation.member()).ok();
                member.map(|member| Happening::Notice(format!("the topic's owner has turned {member} out")))
            }
            Event::Missed(missed) => Some(Happening::Notice(format!("{missed} events were too many to be shown"))),
            _ => None,
        };
        if let Some(happening) = happening
            && tell.send(happening).await.is_err()
        {
            return;
        }
    }
}

/// What somebody says; `None` if it is no chat. `since` is when we came.
fn said(heard: &Heard, since: u64) -> Option<Happening> {
    let text = |name| Some(heard.message.get(name)?.as_text()?.to_string_lossy().into_owned());
    if text("type").as_deref() != Some("chat") {
        return None;
    }
    let what = match (text("text"), text("does").as_deref()) {
        (Some(text), _) => What::Text(text),
        (None, Some("join")) => What::Joined,
        (None, Some("leave")) => What::Left,
        _ => return None,
    };
    Some(Happening::Said {
        who: heard.public,
        name: text("name").unwrap_or_default(),
        what,
        at: heard.at,
        earlier: heard.at < since,
    })
}

/// What others give to --join: the address that reaches us from the farthest.
fn join_address(node: &Node) -> Option<Address> {
    let scopes = [Scope::Public, Scope::Private, Scope::Local, Scope::Device];
    scopes.into_iter().find_map(|scope| node.address(scope))
}
