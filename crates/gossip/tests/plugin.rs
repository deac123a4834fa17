//! The plugin: several nodes in one process, over real connections.
#![cfg(feature = "plugin")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt};
use handfast_gossip::{
    Certificate, Contact, Error, NodeId, Revocation, Time, Topic, TopicId,
    discovery::Given,
    membership,
    overlay::{Body, Frame},
    plugin::{Event, Events, GossipHandle, GossipPlugin, Heard, Join, contact},
    swarm,
};
use handfast_keys::{KeyPair, NetworkIdentifier};
use handfast_mux::{Body as Item, tokio::Router};
use handfast_stack::{Address, Config, Node, Scope, Stack, plugin};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a test waits for what must come, before it fails. Nothing is measured by it.
const PATIENCE: Duration = Duration::from_secs(60);

fn keys(name: u8) -> KeyPair {
    KeyPair::from_seed(&[name; 32]).unwrap()
}

fn id(name: u8) -> NodeId {
    keys(name).public().into()
}

fn now() -> Time {
    Time::default() + SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

fn stack() -> Stack {
    Stack::new(NetworkIdentifier::from_bytes([7; 32]))
}

/// Listens on a free port of this machine; `gossip` is the plugin's section.
fn config(gossip: Value) -> Config {
    Config::from_value(json!({
        "global": {
            "connections": {
                "incoming": { "net": [{ "scope": "device", "transform": "shs", "host": "127.0.0.1", "port": 0 }] },
                "outgoing": { "net": [{ "transform": "shs" }] },
            },
        },
        "gossip": gossip,
    }))
    .unwrap()
}

async fn start(name: u8) -> (Node, GossipHandle) {
    start_with(name, json!({})).await
}

async fn start_with(name: u8, section: Value) -> (Node, GossipHandle) {
    let (plugin, gossip) = GossipPlugin::new(keys(name));
    let node = stack().identity(keys(name)).plugin(plugin);
    (node.start(config(section)).await.unwrap(), gossip)
}

fn address(node: &Node) -> Address {
    node.address(Scope::Device).unwrap()
}

fn through(node: &Node) -> Join {
    Join::through([address(node)])
}

async fn patiently<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it never came")
}

/// The next event that `pick` wants.
async fn next<T>(events: &mut Events, mut pick: impl FnMut(Event) -> Option<T>) -> T {
    patiently(async {
        loop {
            if let Some(found) = pick(events.next().await.expect("the node is there")) {
                return found;
            }
        }
    })
    .await
}

async fn up(events: &mut Events, who: NodeId) {
    next(events, |event| {
        matches!(event, Event::NeighbourUp(peer) if peer == who).then_some(())
    })
    .await;
}

async fn down(events: &mut Events, who: NodeId) {
    next(events, |event| {
        matches!(event, Event::NeighbourDown(peer) if peer == who).then_some(())
    })
    .await;
}

async fn heard(events: &mut Events) -> Heard {
    next(events, |event| match event {
        Event::Heard(heard) => Some(heard),
        _ => None,
    })
    .await
}

fn text(heard: &Heard) -> String {
    heard.message.get("text").unwrap().as_str().unwrap().to_owned()
}

async fn say(gossip: &GossipHandle, topic: &Topic, text: &str) {
    gossip.publish(topic.id(), json!({ "text": text })).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_joins_through_one_hears_all_and_a_leaver_is_missed_by_nobody() {
    let topic = Topic::open("garden");
    let (first, at_first) = start(1).await;
    let mut events = vec![at_first.join(topic.clone(), Join::default()).await.unwrap()];
    let mut nodes = vec![(first, at_first)];
    for name in 2..=5 {
        let (node, gossip) = start(name).await;
        let mut heard = gossip.join(topic.clone(), through(&nodes[0].0)).await.unwrap();
        next(&mut heard, |event| matches!(event, Event::NeighbourUp(_)).then_some(())).await;
        events.push(heard);
        nodes.push((node, gossip));
    }
    for (number, (_, gossip)) in nodes.iter().enumerate() {
        say(gossip, &topic, &format!("I am {number}")).await;
    }
    for (number, events) in events.iter_mut().enumerate() {
        let mut texts = Vec::new();
        for _ in 1..nodes.len() {
            let heard = heard(events).await;
            assert_eq!(heard.topic, topic.id());
            texts.push(text(&heard));
        }
        texts.sort();
        let others = (0..nodes.len()).filter(|other| *other != number);
        assert_eq!(texts, others.map(|other| format!("I am {other}")).collect::<Vec<_>>());
    }

    let (node, gossip) = nodes.remove(2);
    events.remove(2);
    gossip.leave(topic.id()).await.unwrap();
    assert!(matches!(gossip.neighbours(topic.id()).await, Err(Error::Caller(_))));
    let gone: NodeId = node.id().into();
    say(&nodes[0].1, &topic, "still here").await;
    for events in &mut events[1..] {
        assert_eq!(text(&heard(events).await), "still here");
    }
    for (_, gossip) in &nodes {
        assert!(!gossip.neighbours(topic.id()).await.unwrap().contains(&gone));
    }
    patiently(node.close()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn late_joiners_hear_what_was_said_before() {
    let topic = Topic::open("garden");
    let (anna, at_anna) = start(1).await;
    at_anna.join(topic.clone(), Join::default()).await.unwrap();
    for number in 0..20 {
        say(&at_anna, &topic, &number.to_string()).await;
    }
    let (_ben, at_ben) = start(2).await;
    let mut events = at_ben.join(topic.clone(), through(&anna)).await.unwrap();
    let mut texts = Vec::new();
    for _ in 0..20 {
        let heard = heard(&mut events).await;
        assert_eq!(heard.public, *anna.id());
        texts.push(text(&heard).parse::<u32>().unwrap());
    }
    texts.sort_unstable();
    assert_eq!(texts, (0..20).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_before_there_is_a_neighbour_is_heard_by_the_first() {
    let topic = Topic::open("garden");
    // Of two sessions the one of the larger key is kept, so it is tried both ways.
    for (first, second) in [(1, 2), (2, 1)] {
        let (anna, at_anna) = start(first).await;
        let mut events = at_anna.join(topic.clone(), Join::default()).await.unwrap();
        let (_ben, at_ben) = start(second).await;
        at_ben.join(topic.clone(), through(&anna)).await.unwrap();
        say(&at_ben, &topic, "the beans are up").await;
        assert_eq!(text(&heard(&mut events).await), "the beans are up");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_talk_at_the_same_instant_become_neighbours() {
    let topic = Topic::open("garden");
    let ((anna, at_anna), (ben, at_ben)) = (start(1).await, start(2).await);
    let (one, other) = tokio::join!(
        at_anna.join(topic.clone(), through(&ben)),
        at_ben.join(topic.clone(), through(&anna))
    );
    let (mut one, mut other) = (one.unwrap(), other.unwrap());
    up(&mut one, id(2)).await;
    up(&mut other, id(1)).await;
    say(&at_anna, &topic, "kia ora").await;
    say(&at_ben, &topic, "haere mai").await;
    assert_eq!(text(&heard(&mut one).await), "haere mai");
    assert_eq!(text(&heard(&mut other).await), "kia ora");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_vanishes_is_noticed_and_one_that_comes_back_is_heard() {
    let topic = Topic::open("garden");
    let (anna, at_anna) = start(1).await;
    let mut events = at_anna.join(topic.clone(), Join::default()).await.unwrap();
    let (ben, at_ben) = start(2).await;
    at_ben.join(topic.clone(), through(&anna)).await.unwrap();
    up(&mut events, id(2)).await;
    patiently(ben.abort("the power is out")).await;
    down(&mut events, id(2)).await;
    assert!(matches!(at_ben.topics().await, Err(Error::Stopped)));
    say(&at_anna, &topic, "are you there?").await;

    let (_ben, at_ben) = start(2).await;
    let mut heard_by_ben = at_ben.join(topic.clone(), through(&anna)).await.unwrap();
    up(&mut events, id(2)).await;
    assert_eq!(text(&heard(&mut heard_by_ben).await), "are you there?");
    say(&at_ben, &topic, "again").await;
    assert_eq!(text(&heard(&mut events).await), "again");
}

fn closed() -> Topic {
    Topic::closed(*keys(1).public(), "committee")
}

fn certificate(member: u8) -> Certificate {
    let year = Duration::from_secs(365 * 86_400);
    Certificate::issue(&keys(1), &closed(), *keys(member).public(), year, now()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_closed_topic_hear_each_other_and_strangers_cannot_even_join() {
    let (owner, at_owner) = start(1).await;
    let mut owners = at_owner.join(closed(), Join::default()).await.unwrap();
    let (_ben, at_ben) = start(2).await;
    let how = through(&owner).certificate(certificate(2));
    let mut bens = at_ben.join(closed(), how).await.unwrap();
    up(&mut bens, id(1)).await;
    say(&at_ben, &closed(), "kia ora").await;
    let heard_by_owner = heard(&mut owners).await;
    assert_eq!(
        (text(&heard_by_owner), heard_by_owner.public),
        ("kia ora".into(), *keys(2).public())
    );
    say(&at_owner, &closed(), "welcome").await;
    assert_eq!(text(&heard(&mut bens).await), "welcome");

    let (_mallory, at_mallory) = start(3).await;
    for how in [through(&owner), through(&owner).certificate(certificate(2))] {
        let error = at_mallory.join(closed(), how).await.unwrap_err();
        assert!(matches!(error, Error::Certificate(_)), "{error}");
    }
}

/// A node without the plugin, which says by hand what the plugin would not.
struct Stranger {
    _node: Node,
    out: handfast_mux::tokio::Outgoing,
    frames: std::pin::Pin<Box<dyn Stream<Item = Frame<NodeId>> + Send>>,
}

impl Stranger {
    async fn meets(node: &Node, name: u8) -> Self {
        let own = stack().identity(keys(name)).start(config(json!({}))).await.unwrap();
        let peer = own.connect(address(node)).await.unwrap();
        let (out, items) = peer.duplex_raw(&"gossip.overlay".parse().unwrap(), "[]").await.unwrap();
        let frames = items.filter_map(|item| async move {
            let bytes = item.ok()?.into_bytes();
            (bytes[0] == 0).then(|| Frame::decode(&bytes[1..]).unwrap())
        });
        Self {
            _node: own,
            out,
            frames: Box::pin(frames),
        }
    }

    async fn send(&mut self, topic: TopicId, body: Body<NodeId>) {
        let frame = Frame { topic, body }.encode();
        self.send_bytes([&[0], &frame[..]].concat()).await;
    }

    async fn send_bytes(&mut self, bytes: Vec<u8>) {
        // The other end may have had enough.
        let _ = self.out.send_body(Item::buffer(bytes)).await;
    }

    async fn hears(&mut self) -> Option<Body<NodeId>> {
        patiently(self.frames.next()).await.map(|frame| frame.body)
    }
}

fn asks(pass: Bytes) -> Body<NodeId> {
    Body::Member(membership::Frame::Neighbour {
        address: Bytes::new(),
        pass,
        want: membership::Want::High,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_that_keeps_to_no_rule_gets_nothing_out_of_a_closed_topic() {
    let (owner, at_owner) = start(1).await;
    at_owner.join(closed(), Join::default()).await.unwrap();
    say(&at_owner, &closed(), "not for strangers").await;
    let mut stranger = Stranger::meets(&owner, 9).await;
    let topic = closed().id();
    let everything = [
        Body::Swarm(swarm::Frame::Graft(Vec::new())),
        asks(Bytes::new()),
        asks(Bytes::from_static(&[0; 80])),
        Body::Member(membership::Frame::Join {
            address: Bytes::new(),
            pass: Bytes::new(),
        }),
    ];
    for body in everything {
        stranger.send(topic, body).await;
    }
    // Three refusals, and not a word more.
    for _ in 0..3 {
        let body = stranger.hears().await;
        let refusal = Body::Member(membership::Frame::Disconnect {
            alive: false,
            instead: None,
        });
        assert_eq!(body, Some(refusal));
    }
    assert_eq!(at_owner.neighbours(topic).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_to_whom_peers_name_do_not_stay() {
    let topic = Topic::open("garden");
    let (anna, at_anna) = start(1).await;
    at_anna.join(topic.clone(), Join::default()).await.unwrap();
    // Takes whatever comes, and never says a word.
    let silent = plugin(
        "gossip",
        Router::new().duplex_raw("overlay", |_cx, items| {
            let never = futures_util::stream::pending();
            tokio::spawn(items.for_each(|_| async {}));
            never.boxed()
        }),
    );
    let silent = silent.permissions(handfast_stack::Permissions::anonymous(["overlay"]));
    let named = stack()
        .identity(keys(8))
        .plugin(silent)
        .start(config(json!({})))
        .await
        .unwrap();
    let mut at_named = named.events();
    let mut stranger = Stranger::meets(&anna, 9).await;
    stranger.send(topic.id(), asks(Bytes::new())).await;
    stranger
        .send(
            topic.id(),
            Body::Member(membership::Frame::Shuffle {
                origin: contact(&address(&named)).unwrap(),
                nonce: 1,
                ttl: 0,
                peers: Vec::new(),
            }),
        )
        .await;
    for wanted in [true, false] {
        patiently(async {
            loop {
                match at_named.next().await.unwrap() {
                    handfast_stack::Event::Connected(_) if wanted => break,
                    handfast_stack::Event::Disconnected { .. } if !wanted => break,
                    _ => {}
                }
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_sends_nonsense_is_cut_off_and_others_go_on() {
    let topic = Topic::open("garden");
    let (anna, at_anna) = start(1).await;
    let mut events = at_anna.join(topic.clone(), Join::default()).await.unwrap();
    let forged = [&[1], &topic.id().as_bytes()[..], &[7; 104]].concat();
    for nonsense in [vec![0], vec![0, 0xff], vec![1], forged] {
        let mut stranger = Stranger::meets(&anna, 9).await;
        stranger.send_bytes(nonsense).await;
        while stranger.hears().await.is_some() {}
    }
    let (_ben, at_ben) = start(2).await;
    at_ben.join(topic.clone(), through(&anna)).await.unwrap();
    up(&mut events, id(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_member_is_turned_out_everywhere_and_newcomers_are_told() {
    let (owner, at_owner) = start(1).await;
    let mut owners = at_owner.join(closed(), Join::default()).await.unwrap();
    let (ben, at_ben) = start(2).await;
    let mut bens = at_ben
        .join(closed(), through(&owner).certificate(certificate(2)))
        .await
        .unwrap();
    let (_carl, at_carl) = start(3).await;
    let how = Join::through([address(&owner), address(&ben)]).certificate(certificate(3));
    let mut carls = at_carl.join(closed(), how).await.unwrap();
    up(&mut owners, id(3)).await;
    up(&mut bens, id(3)).await;

    let revocation = Revocation::issue(&keys(1), &closed(), keys(3).public(), now()).unwrap();
    at_owner.revoke(revocation).await.unwrap();
    next(&mut bens, |event| {
        matches!(event, Event::Revoked(heard) if heard == revocation).then_some(())
    })
    .await;
    down(&mut owners, id(3)).await;
    down(&mut bens, id(3)).await;
    down(&mut carls, id(1)).await;
    // What is said from now on, carl says to himself.
    say(&at_carl, &closed(), "let me in").await;
    say(&at_owner, &closed(), "among us").await;
    assert_eq!(text(&heard(&mut bens).await), "among us");

    let (_dora, at_dora) = start(4).await;
    let mut doras = at_dora
        .join(closed(), through(&ben).certificate(certificate(4)))
        .await
        .unwrap();
    next(&mut doras, |event| {
        matches!(event, Event::Revoked(heard) if heard == revocation).then_some(())
    })
    .await;
    // Nobody but the owner can do this.
    let other = Topic::closed(*keys(2).public(), "committee");
    let forged = Revocation::issue(&keys(2), &other, keys(4).public(), now()).unwrap();
    assert!(at_ben.revoke(forged).await.is_err());

    // Certified anew, carl is back.
    let how = Join::default().certificate(certificate(3));
    at_carl.join(closed(), how).await.unwrap();
    say(&at_carl, &closed(), "thank you").await;
    next(&mut owners, |event| {
        matches!(event, Event::Heard(heard) if text(&heard) == "thank you").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_without_the_plugin_is_left_alone() {
    let topic = Topic::open("garden");
    let hello = plugin("greeter", Router::new().sync("hello", |_cx, ()| Ok("kia ora")));
    let hello = hello.permissions(handfast_stack::Permissions::anonymous(["hello", "manifest"]));
    let plain = stack()
        .identity(keys(9))
        .plugin(hello)
        .start(config(json!({})))
        .await
        .unwrap();
    let (anna, at_anna) = start(1).await;
    let peer = anna.connect(address(&plain)).await.unwrap();
    let mut events = at_anna.join(topic.clone(), through(&plain)).await.unwrap();
    let (_ben, at_ben) = start(2).await;
    at_ben.join(topic.clone(), through(&anna)).await.unwrap();
    up(&mut events, id(2)).await;
    let hello: String = peer.call("greeter.hello", ()).await.unwrap();
    assert_eq!(hello, "kia ora", "the connection is as it was");
    assert_eq!(at_anna.neighbours(topic.id()).await.unwrap(), [id(2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_that_are_connected_for_other_reasons_are_asked_unless_discreetly() {
    let (open, hidden) = (Topic::open("garden"), Topic::open("hidden garden"));
    let ((anna, at_anna), (ben, at_ben)) = (start(1).await, start(2).await);
    for gossip in [&at_anna, &at_ben] {
        gossip.join(hidden.clone(), Join::default().discreet()).await.unwrap();
    }
    at_ben.join(open.clone(), Join::default()).await.unwrap();
    let mut events = at_anna.join(open.clone(), Join::default()).await.unwrap();
    anna.connect(address(&ben)).await.unwrap();
    up(&mut events, id(2)).await;
    say(&at_ben, &open, "kia ora").await;
    assert_eq!(text(&heard(&mut events).await), "kia ora");
    assert_eq!(at_anna.neighbours(hidden.id()).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_ways_to_find_nodes_plug_in() {
    let topic = Topic::open("garden");
    let (anna, at_anna) = start(1).await;
    at_anna.join(topic.clone(), Join::default()).await.unwrap();
    let (plugin, at_ben) = GossipPlugin::new(keys(2));
    let plugin = plugin.discovery(Given::new([contact(&address(&anna)).unwrap()]));
    let _ben = stack()
        .identity(keys(2))
        .plugin(plugin)
        .start(config(json!({})))
        .await
        .unwrap();
    let mut events = at_ben.join(topic, Join::default()).await.unwrap();
    up(&mut events, id(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_uses_it_by_calls_and_by_configuration_and_strangers_do_not() {
    let (anna, _) = start_with(1, json!({ "topics": ["garden"] })).await;
    let section = json!({ "topics": ["garden"], "contacts": [address(&anna)] });
    let (ben, _) = start_with(2, section).await;
    let topics = |node: &Node| {
        let node = node.handle().clone();
        async move { node.call::<Value>("gossip.topics", ()).await.unwrap() }
    };
    patiently(async {
        // The nodes join by themselves, and nobody tells when.
        while topics(&anna).await[0]["neighbours"] != json!([ben.id()]) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let listed = topics(&anna).await;
    assert_eq!(listed[0]["name"], "garden");
    let neighbours: Value = anna.call("gossip.neighbours", ("garden",)).await.unwrap();
    assert_eq!(neighbours, json!([ben.id()]));

    let mut messages = anna.source("gossip.messages", (&listed[0]["id"],)).unwrap();
    // The source is open once it is polled.
    let first = tokio::spawn(async move { messages.try_next().await });
    patiently(async {
        while !first.is_finished() {
            let _: String = ben
                .call("gossip.publish", ("garden", json!({ "text": "hi" })))
                .await
                .unwrap();
            tokio::task::yield_now().await;
        }
    })
    .await;
    let body = first.await.unwrap().unwrap().unwrap();
    let message: Value = body.to_value().unwrap();
    assert_eq!(message["message"], json!({ "text": "hi" }));
    assert_eq!(message["public"], ben.id().to_string()[1..]);

    let id: String = anna.call("gossip.join", ("shed",)).await.unwrap();
    assert_eq!(id.len(), 64);
    let _: Value = anna.call("gossip.leave", ("shed",)).await.unwrap();
    let error = anna
        .call::<Value>("gossip.publish", ("shed", json!({})))
        .await
        .unwrap_err();
    assert!(error.message().contains("not joined"), "{error}");

    let peer = ben.connect(address(&anna)).await.unwrap();
    for method in ["topics", "publish", "join", "leave", "neighbours"] {
        let error = peer
            .call::<Value>(&format!("gossip.{method}"), ("garden",))
            .await
            .unwrap_err();
        assert!(error.to_string().contains("allowed"), "{method}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_of_the_caller_is_told() {
    let topic = Topic::open("garden");
    let (anna, at_anna) = start(1).await;
    let not_joined = at_anna.publish(topic.id(), json!({})).await.unwrap_err();
    assert!(not_joined.to_string().contains("join it first"), "{not_joined}");
    at_anna.join(topic.clone(), Join::default()).await.unwrap();
    let twice = at_anna.join(topic.clone(), Join::default()).await.unwrap_err();
    assert!(twice.to_string().contains("already"), "{twice}");
    for message in [
        json!("text"),
        json!({ "signature": 1 }),
        json!({ "text": "x".repeat(1 << 20) }),
    ] {
        assert!(at_anna.publish(topic.id(), message).await.is_err());
    }
    let keyless: Address = "net:127.0.0.1:1~noauth".parse().unwrap();
    assert!(at_anna.join(Topic::open("x"), Join::through([keyless])).await.is_err());

    let (plugin, _) = GossipPlugin::new(keys(8));
    let error = stack()
        .identity(keys(1))
        .plugin(plugin)
        .start(config(json!({})))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("another identity"), "{error}");
    let (plugin, _) = GossipPlugin::new(keys(8));
    let twice = stack().identity(keys(8)).plugin(plugin);
    let _first = twice.start(config(json!({}))).await.unwrap();
    let error = twice.start(config(json!({}))).await.unwrap_err();
    assert!(error.to_string().contains("serves one node"), "{error}");
    drop(anna);
}

#[test]
fn a_contact_is_a_key_and_an_address_without_secrets() {
    let key = keys(1).public().to_base64();
    let seed = NetworkIdentifier::from_bytes([9; 32]).to_string();
    let address: Address = format!("net:192.0.2.7:8008~shs:{key}:{seed}").parse().unwrap();
    let contact: Contact<NodeId> = contact(&address).unwrap();
    assert_eq!(contact.peer, id(1));
    assert_eq!(contact.address, format!("net:192.0.2.7:8008~shs:{key}"));
}
