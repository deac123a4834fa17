//! The task that owns the overlay of a node, and what it is told.

use super::{
    Config,
    dial::{Dialled, speaks_gossip},
    handle::{Command, Event, Events, Heard, Join, Joined, NOT_JOINED, Reply, Told, contact, events},
    links::{Gone, Links, Sent},
    outbox::Outbox,
    wire::{self, Said},
};
use crate::{
    Certificate, Contact, Error, Item, MessageId, NodeId, Revocation, Sequence, Time, Topic, TopicId,
    discovery::Discovery,
    overlay::{InEvent, OutEvent, Overlay},
    secure::{Message, SignedRules, content},
    swarm::Delivery,
    tokio::clock::Clock,
    topic::{Members, TopicRules},
};
use bytes::Bytes;
use futures_util::{
    StreamExt,
    stream::{AbortHandle, BoxStream, SelectAll, abortable},
};
use handfast_json::Value;
use handfast_keys::{KeyPair, PublicKey};
use handfast_stack::{Event as NodeEvent, Events as NodeEvents, NodeHandle, Peer, Scope};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, broadcast, mpsc},
    time::{Instant, sleep_until, timeout},
};

/// Frames and news of sessions that wait for the driver. When it is full, the sessions stop reading, and their peers wait.
/// How many bytes wait, [`ROOM`](super::session::ROOM) says.
pub(super) const INBOX: usize = 1024;
/// Commands that wait for the driver; whoever gives more waits.
pub(super) const COMMANDS: usize = 256;
/// Events that wait for a listener who does not read; what is older is lost to it, and it is told how many. A message is 64 KiB
/// at most, and mostly one that the history keeps anyway.
const EVENTS: usize = 1024;
/// Events that are handled before the overlay is asked what follows: so many messages may be checked in one batch.
const BATCH: usize = 256;
/// How long a connection is left alone before it is asked whether it gossips: one that was made to gossip begins at once.
const PROBE_AFTER: Duration = Duration::from_secs(1);
/// How long the node waits at its end for goodbyes to be sent.
const FAREWELL: Duration = Duration::from_secs(1);

/// How often sessions that nobody needs are looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// How long the driver sleeps if nothing is due.
const DAY: Duration = Duration::from_secs(86_400);

/// What the driver is told by its helpers.
#[derive(Debug)]
pub(super) enum Input {
    /// A peer has opened a session.
    Opened { peer: NodeId, number: u64, outbox: Outbox },
    /// Something came over a session. It takes room until it is dropped.
    Frame {
        peer: NodeId,
        number: u64,
        frame: Bytes,
        room: OwnedSemaphorePermit,
    },
    /// A peer whose socket did not drain takes messages again.
    Relieved { peer: NodeId },
    /// A session has ended; `broken` says whether without a goodbye.
    Ended { peer: NodeId, number: u64, broken: bool },
    /// A dial has ended.
    Dialled {
        to: NodeId,
        result: Result<Box<Dialled>, String>,
    },
    /// A connection is no longer new.
    Settled(Peer),
    /// A connected peer has this plugin.
    Speaks(Peer),
}

type TopicRulesHere = TopicRules<SignedRules<NodeId>>;

/// What there is for one topic besides the overlay.
struct Here {
    members: Members,
    /// What is put around own messages.
    envelope: crate::topic::Envelope,
    certificate: Option<Certificate>,
    discreet: bool,
    neighbours: BTreeSet<NodeId>,
    /// What looks for others.
    searches: Vec<AbortHandle>,
    events: broadcast::Sender<Told>,
}

/// The task.
pub(super) struct Driver {
    keys: KeyPair,
    config: Config,
    clock: Clock,
    node: NodeHandle,
    overlay: Overlay<NodeId, TopicRulesHere>,
    links: Links,
    topics: BTreeMap<TopicId, Here>,
    /// What is known of the members of topics that were left: a revocation stands for as long as the node runs.
    left: BTreeMap<TopicId, Members>,
    /// Connected peers that have this plugin, whether or not they are in any of our topics.
    speakers: BTreeMap<NodeId, Contact<NodeId>>,
    discovery: Vec<Arc<dyn Discovery>>,
    found: SelectAll<BoxStream<'static, (TopicId, Vec<Contact<NodeId>>)>>,
    /// The last number that was given to an own message.
    number: Option<u64>,
    /// When to look after sessions next.
    sweep_at: Time,
}

/// What a driver is made of.
pub(super) struct Parts {
    pub(super) keys: KeyPair,
    pub(super) config: Config,
    pub(super) node: NodeHandle,
    pub(super) discovery: Vec<Arc<dyn Discovery>>,
    pub(super) inbox: mpsc::Sender<Input>,
    pub(super) room: Arc<Semaphore>,
    pub(super) seed: [u8; 32],
}

/// Runs until the node closes.
pub(super) async fn run(
    parts: Parts,
    mut node_events: NodeEvents,
    mut commands: mpsc::Receiver<Command>,
    mut inputs: mpsc::Receiver<Input>,
) {
    // Where the node listens has to be known before it can be told.
    loop {
        match node_events.next().await {
            Some(NodeEvent::Listening { .. }) => break,
            Some(_) => {}
            None => return,
        }
    }
    let node = parts.node.clone();
    let mut driver = Driver::new(parts);
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        driver.work();
        let due = driver.due();
        // In no fixed order: however much comes from peers, what the owner commands has its turn.
        tokio::select! {
            () = node.closing() => break,
            count = inputs.recv_many(&mut batch, BATCH) => {
                if count == 0 {
                    break;
                }
                let now = driver.clock.now();
                for input in batch.drain(..) {
                    driver.input(input, now);
                }
            }
            // Handles may all be gone; peers still gossip.
            Some(command) = commands.recv() => driver.command(command),
            Some((topic, contacts)) = driver.found.next() => driver.discovered(topic, contacts),
            event = node_events.next() => match event {
                Some(event) => driver.node_event(event),
                None => break,
            },
            () = sleep_until(due) => {}
        }
    }
    driver.farewell(&mut inputs).await;
}

impl Driver {
    fn new(parts: Parts) -> Self {
        let Parts {
            keys,
            config,
            node,
            discovery,
            inbox,
            room,
            seed,
        } = parts;
        let clock = Clock::start();
        let me = Contact {
            peer: NodeId::from(node.id()),
            address: own_address(&node),
        };
        Self {
            overlay: Overlay::new(me, config.overlay.clone(), seed, clock.now()),
            links: Links::new(node.clone(), inbox, room),
            keys,
            config,
            clock,
            node,
            topics: BTreeMap::new(),
            left: BTreeMap::new(),
            speakers: BTreeMap::new(),
            discovery,
            found: SelectAll::new(),
            number: None,
            sweep_at: Time::default(),
        }
    }

    /// When there is something to do although nothing has happened.
    fn due(&self) -> Instant {
        let now = self.clock.now();
        let expiries = self.topics.values().flat_map(|here| {
            let neighbours = here.neighbours.iter();
            neighbours.map(move |peer| here.members.stays_until(peer.as_bytes(), now).unwrap_or(now))
        });
        // A moment later, because a certificate is good up to its last millisecond.
        let expiry = expiries.min().map(|expiry| expiry + Duration::from_millis(2));
        let sweep = self.links.has_sessions().then_some(self.sweep_at);
        let next = self.overlay.poll_timeout().into_iter().chain(expiry).chain(sweep).min();
        // Nothing is so far away that an instant could not name it.
        let next = next.map_or(DAY, |next| next.since(now).min(DAY));
        Instant::now() + next
    }

    /// Does what is due, and what follows from what has happened.
    fn work(&mut self) {
        let now = self.clock.now();
        self.turn_out(now);
        if self.sweep_at <= now {
            self.sweep_at = now + SWEEP;
            let Self { links, overlay, .. } = self;
            links.sweep(|peer| overlay.needs(peer), now);
        }
        self.overlay.handle_timeout(now);
        while let Some(event) = self.overlay.poll(now) {
            self.out_event(event, now);
        }
    }

    /// Drops neighbours that may not stay.
    fn turn_out(&mut self, now: Time) {
        for (topic, here) in &self.topics {
            for peer in &here.neighbours {
                if here.members.stays_until(peer.as_bytes(), now).is_none() {
                    self.overlay.expel(topic, peer, now);
                }
            }
        }
    }

    fn out_event(&mut self, event: OutEvent<NodeId>, now: Time) {
        match event {
            OutEvent::Send { to, frame } => {
                self.send(to, wire::frame(&frame), now);
            }
            OutEvent::Disconnect { peer } => self.links.disconnect(&peer),
            OutEvent::Deliver { topic, delivery } => self.deliver(topic, delivery),
            OutEvent::NeighbourUp { topic, peer } => {
                let Some(here) = self.topics.get_mut(&topic) else {
                    return;
                };
                here.neighbours.insert(peer);
                let _ = here.events.send(Told::Event(Event::NeighbourUp(peer)));
                let known = here.members.revocations();
                for some in known.chunks(wire::REVOCATIONS) {
                    self.send(peer, wire::revoked(some), now);
                }
            }
            OutEvent::NeighbourDown { topic, peer } => {
                let Some(here) = self.topics.get_mut(&topic) else {
                    return;
                };
                here.neighbours.remove(&peer);
                let _ = here.events.send(Told::Event(Event::NeighbourDown(peer)));
            }
        }
    }

    fn send(&mut self, to: NodeId, frame: Bytes, now: Time) {
        let Self { links, overlay, .. } = self;
        match links.send(to, frame, || overlay.address(&to).cloned().unwrap_or_default()) {
            Sent::Fine => {}
            Sent::Congested => overlay.handle(
                InEvent::Congested {
                    peer: to,
                    congested: true,
                },
                now,
            ),
            Sent::Unreachable => self.gone(to, now),
        }
    }

    /// Tells the overlay how the session stands that is used with a peer now. One that ends while it is congested is never
    /// relieved, and the peer would get nothing over the next.
    fn see_congestion(&mut self, peer: NodeId, now: Time) {
        let congested = self.links.is_congested(&peer);
        self.overlay.handle(InEvent::Congested { peer, congested }, now);
    }

    fn gone(&mut self, peer: NodeId, now: Time) {
        self.links.disconnect(&peer);
        self.overlay.handle(InEvent::Disconnected { peer }, now);
    }

    fn deliver(&mut self, topic: TopicId, delivery: Delivery<NodeId>) {
        let Some(here) = self.topics.get(&topic) else { return };
        // Nobody may be listening.
        let _ = here.events.send(Told::Heard(topic, delivery));
    }

    fn input(&mut self, input: Input, now: Time) {
        match input {
            Input::Opened { peer, number, outbox } => {
                self.links.opened(peer, number, outbox);
                self.see_congestion(peer, now);
            }
            Input::Frame {
                peer,
                number,
                frame,
                room,
            } => {
                // What comes after this end has said its last is not heard.
                if self.links.hears(&peer, number) {
                    self.frame(peer, &frame, now);
                }
                drop(room);
            }
            Input::Relieved { peer } => self.see_congestion(peer, now),
            Input::Ended { peer, number, broken } => match self.links.ended(&peer, number, broken) {
                None => self.see_congestion(peer, now),
                // A peer that needs the link no longer is not out of reach.
                Some(Gone::Away) if !broken && !self.is_neighbour(&peer) => {}
                Some(Gone::Away) => self.overlay.handle(InEvent::Disconnected { peer }, now),
                // Nothing is lost by a frame that means nothing, and it opens a new session.
                Some(Gone::Elsewhere) => {
                    self.send(peer, Bytes::new(), now);
                    self.see_congestion(peer, now);
                }
            },
            Input::Dialled { to, result } => {
                if self.links.dialled(to, result) {
                    self.see_congestion(to, now);
                } else {
                    self.overlay.handle(InEvent::Disconnected { peer: to }, now);
                }
            }
            Input::Settled(peer) => {
                if self.topics.values().any(|here| !here.discreet) {
                    self.probe(peer);
                }
            }
            Input::Speaks(peer) => self.speaks(&peer, now),
        }
    }

    /// Something from a peer.
    fn frame(&mut self, from: NodeId, bytes: &[u8], now: Time) {
        let sound = match wire::read(bytes) {
            None => false,
            Some(Said::Nothing) => true,
            Some(Said::Frame(frame)) => {
                self.overlay.handle(InEvent::Frame { from, frame }, now);
                true
            }
            Some(Said::Revoked(told)) => {
                let mut taken = told
                    .into_iter()
                    .map(|told| self.heard_revocation(told, Some(from), now));
                taken.all(|taken| taken.is_ok())
            }
        };
        if !sound {
            tracing::debug!(peer = ?from, "sent something that no honest peer sends");
            self.gone(from, now);
        }
    }

    /// Takes a revocation, and tells those who may not know it. That it is for a topic that is not here is no fault: it may
    /// have been left a moment ago.
    fn heard_revocation(&mut self, revocation: Revocation, from: Option<NodeId>, now: Time) -> Result<(), Error> {
        let Some(here) = self.topics.get(&revocation.topic()) else {
            return Ok(());
        };
        if !here.members.revoke(revocation, now)? {
            return Ok(());
        }
        let _ = here.events.send(Told::Event(Event::Revoked(revocation)));
        let others: Vec<NodeId> = here
            .neighbours
            .iter()
            .copied()
            .filter(|peer| Some(*peer) != from)
            .collect();
        for peer in others {
            self.send(peer, wire::revoked(&[revocation]), now);
        }
        self.turn_out(now);
        Ok(())
    }

    fn command(&mut self, command: Command) {
        let now = self.clock.now();
        match command {
            Command::Join(topic, how, reply) => answer(reply, self.join(topic, *how, now)),
            Command::Leave(topic, reply) => answer(reply, self.leave(topic, now)),
            Command::Publish(topic, value, reply) => answer(reply, self.publish(topic, &value, now)),
            Command::Revoke(revocation, reply) => {
                let done = match self.topics.contains_key(&revocation.topic()) {
                    true => self.heard_revocation(revocation, None, now),
                    false => Err(NOT_JOINED),
                };
                answer(reply, done);
            }
            Command::Listen(topic, reply) => {
                let here = self.topics.get(&topic).ok_or(NOT_JOINED);
                answer(reply, here.map(|here| events(here.events.subscribe())));
            }
            Command::Topics(reply) => answer(reply, Ok(self.joined())),
        }
    }

    fn join(&mut self, topic: Topic, how: Join, now: Time) -> Result<Events, Error> {
        let id = topic.id();
        if let Some(here) = self.topics.get_mut(&id) {
            let Some(certificate) = how.certificate else {
                return Err(Error::Caller("the node has joined this topic already"));
            };
            // A new certificate: what neighbours are shown from now on, and what stands before own messages.
            let beneath = SignedRules::new(self.config.author);
            let rules = TopicRules::new(
                beneath,
                here.members.clone(),
                self.keys.public(),
                Some(&certificate),
                now,
            )?;
            here.envelope = rules.envelope();
            here.certificate = Some(certificate);
            self.overlay.join(id, rules, Vec::new(), now);
            return Ok(events(here.events.subscribe()));
        }
        if self.topics.len() >= self.config.max_topics {
            return Err(Error::Caller(
                "the node has joined as many topics as its configuration allows",
            ));
        }
        let mut contacts = how.contacts.iter().map(contact).collect::<Result<Vec<_>, _>>()?;
        let members = self.left.get(&id).cloned().unwrap_or_else(|| Members::new(topic));
        let certificate = how.certificate.as_ref();
        let beneath = SignedRules::new(self.config.author);
        let rules = TopicRules::new(beneath, members.clone(), self.keys.public(), certificate, now)?;
        if !how.discreet {
            contacts.extend(self.speakers.values().cloned());
            // As long as nobody wanted to know, nobody was asked.
            self.node.peers().into_iter().for_each(|peer| self.probe(peer));
        }
        let (sender, receiver) = broadcast::channel(EVENTS);
        let searches = self.discovery.iter().map(|discovery| {
            let (found, search) = abortable(discovery.find(id));
            self.found.push(found.map(move |contacts| (id, contacts)).boxed());
            search
        });
        let here = Here {
            members,
            envelope: rules.envelope(),
            certificate: how.certificate,
            discreet: how.discreet,
            neighbours: BTreeSet::new(),
            searches: searches.collect(),
            events: sender,
        };
        self.overlay.join(id, rules, contacts, now);
        self.topics.insert(id, here);
        self.left.remove(&id);
        Ok(events(receiver))
    }

    fn leave(&mut self, topic: TopicId, now: Time) -> Result<(), Error> {
        let here = self.topics.remove(&topic).ok_or(NOT_JOINED)?;
        self.overlay.handle(InEvent::Leave { topic }, now);
        if !here.members.revocations().is_empty() {
            self.left.insert(topic, here.members);
        }
        here.searches.iter().for_each(AbortHandle::abort);
        Ok(())
    }

    fn publish(&mut self, topic: TopicId, value: &Value, now: Time) -> Result<MessageId, Error> {
        let here = self.topics.get(&topic).ok_or(NOT_JOINED)?;
        if let Some(certificate) = &here.certificate {
            certificate.verify(here.members.topic(), now)?;
        }
        let number = Sequence::following(self.number, now);
        let item = Message::sign(&self.keys, value, number)?.into_item();
        let item = Item {
            body: here.envelope.wrap(&item.body),
            ..item
        };
        let id = item.id;
        self.number = Some(number);
        self.overlay.handle(InEvent::Publish { topic, item }, now);
        Ok(id)
    }

    fn is_neighbour(&self, peer: &NodeId) -> bool {
        self.topics.values().any(|here| here.neighbours.contains(peer))
    }

    fn joined(&self) -> Vec<Joined> {
        let joined = |(id, here): (&TopicId, &Here)| Joined {
            topic: *id,
            name: here.members.topic().name().to_owned(),
            owner: here.members.topic().owner().copied(),
            neighbours: here.neighbours.iter().copied().collect(),
        };
        self.topics.iter().map(joined).collect()
    }

    fn discovered(&mut self, topic: TopicId, contacts: Vec<Contact<NodeId>>) {
        let now = self.clock.now();
        self.overlay.handle(InEvent::Discovered { topic, contacts }, now);
    }

    fn node_event(&mut self, event: NodeEvent) {
        match event {
            NodeEvent::Connected(peer) => {
                let inbox = self.links.inbox();
                self.node.spawn(async move {
                    tokio::time::sleep(PROBE_AFTER).await;
                    let _ = inbox.send(Input::Settled(peer)).await;
                });
            }
            NodeEvent::Disconnected { peer, .. } => {
                if let Some(key) = peer.id().filter(|key| self.node.peer(key).is_none()) {
                    self.speakers.remove(&NodeId::from(key));
                }
            }
            // Who was missed may be among them.
            NodeEvent::Missed(_) => {
                let connected: BTreeSet<NodeId> = self
                    .node
                    .peers()
                    .iter()
                    .filter_map(Peer::id)
                    .map(NodeId::from)
                    .collect();
                self.speakers.retain(|peer, _| connected.contains(peer));
            }
            _ => {}
        }
    }

    /// Finds out whether a connected peer gossips, unless it is known.
    fn probe(&self, peer: Peer) {
        let Some(key) = peer.id() else { return };
        let id = NodeId::from(key);
        let known = self.links.knows(&id) || self.speakers.contains_key(&id);
        if known || key == self.node.id() || peer.is_closing() {
            return;
        }
        let inbox = self.links.inbox();
        self.node.spawn(async move {
            if speaks_gossip(&peer).await {
                let _ = inbox.send(Input::Speaks(peer)).await;
            }
        });
    }

    fn speaks(&mut self, peer: &Peer, now: Time) {
        let Some(key) = peer.id().filter(|_| !peer.is_closing()) else {
            return;
        };
        let id = NodeId::from(key);
        let contact = Contact::new(id);
        self.speakers.insert(id, contact.clone());
        let open = self.topics.iter().filter(|(_, here)| !here.discreet);
        for topic in open.map(|(topic, _)| *topic).collect::<Vec<_>>() {
            let contacts = vec![contact.clone()];
            self.overlay.handle(InEvent::Discovered { topic, contacts }, now);
        }
    }

    /// Says goodbye in all topics, and ends all sessions.
    async fn farewell(mut self, inputs: &mut mpsc::Receiver<Input>) {
        let now = self.clock.now();
        for topic in self.topics.keys().copied().collect::<Vec<_>>() {
            self.overlay.handle(InEvent::Leave { topic }, now);
        }
        while let Some(event) = self.overlay.poll(now) {
            if let OutEvent::Send { to, frame } = event
                && self.links.is_linked(&to)
            {
                self.links.send(to, wire::frame(&frame), Bytes::new);
            }
        }
        let mut open = self.links.disconnect_all();
        // The connections close only when their streams have ended.
        let all_ended = async {
            while open > 0 {
                match inputs.recv().await {
                    Some(Input::Ended { .. }) => open -= 1,
                    Some(_) => {}
                    None => return,
                }
            }
        };
        let _ = timeout(FAREWELL, all_ended).await;
    }
}

/// What listeners hear of a delivery. A message that is sound but cannot be read again does not exist.
pub(super) fn heard(topic: TopicId, delivery: &Delivery<NodeId>) -> Option<Heard> {
    let item = &delivery.item;
    Some(Heard {
        topic,
        id: item.id,
        public: PublicKey::from_bytes(item.author.as_bytes()).ok()?,
        at: item.sequence.number() >> 10,
        message: content(&TopicRulesHere::unwrap(&item.body))?,
        caught_up: delivery.caught_up,
        hops: delivery.hops,
    })
}

fn answer<T>(reply: Reply<T>, result: Result<T, Error>) {
    // Whoever asked may not wait any more.
    drop(reply.send(result));
}

/// Where others reach this node: all ways that lead here from elsewhere, or else those on this machine. Empty, if it does not
/// listen, or nothing fits.
pub(super) fn own_address(node: &NodeHandle) -> Bytes {
    let addresses = [Scope::Public, Scope::Private, Scope::Local].map(|scope| node.address(scope));
    let mut ways = Vec::new();
    for way in addresses.iter().flatten().flat_map(|address| address.alternatives()) {
        if !ways.contains(way) {
            ways.push(way.clone());
        }
    }
    let elsewhere = handfast_multiserver::Address::join(ways);
    let candidates = [elsewhere, node.address(Scope::Public), node.address(Scope::Device)];
    let texts = candidates.into_iter().flatten().map(|address| address.to_string());
    let fitting = texts.filter(|text| !text.is_empty() && text.len() <= Contact::<NodeId>::ADDRESS_MAX);
    fitting.map(Bytes::from).next().unwrap_or_default()
}
