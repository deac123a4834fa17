//! How a membership holds out against peers that want to surround a node, fill its views or make it work for them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use bytes::Bytes;
use handfast_gossip::{
    Contact, Item, Refused, Rules, Time,
    membership::{Config, Frame, Membership, Output, Want},
};
use std::time::Duration;

const START: Time = Time::from_micros(1_800_000_000_000_000);

/// Lets in everybody whose pass does not say otherwise.
struct Door;

impl Rules<u32> for Door {
    fn read(&mut self, _: &[Bytes], _: Time) -> Vec<Result<Item, Refused>> {
        Vec::new()
    }

    fn admits(&mut self, _: &u32, pass: &[u8], _: Time) -> bool {
        pass != b"no"
    }
}

struct Node {
    machine: Membership<u32>,
    now: Time,
}

impl Node {
    fn new() -> Self {
        Self {
            machine: Membership::new(Contact::new(0), Config::default(), [7; 32], START),
            now: START,
        }
    }

    /// A node whose neighbours are 1 to 5.
    fn settled() -> Self {
        let mut node = Self::new();
        for peer in 1..=5 {
            node.pass(Duration::from_millis(10));
            node.hear(peer, ask(Want::Low));
        }
        assert_eq!(node.active(), [1, 2, 3, 4, 5]);
        node
    }

    fn hear(&mut self, from: u32, frame: Frame<u32>) -> Vec<Output<u32>> {
        self.machine.handle(from, frame, &mut Door, self.now);
        self.drain()
    }

    fn drain(&mut self) -> Vec<Output<u32>> {
        std::iter::from_fn(|| self.machine.poll()).collect()
    }

    /// Lets time pass; all neighbours are heard meanwhile.
    fn pass(&mut self, span: Duration) -> Vec<Output<u32>> {
        let end = self.now + span;
        let mut outputs = Vec::new();
        while let Some(due) = self.machine.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            for peer in self.active() {
                self.machine.heard(&peer, self.now);
            }
            self.machine.handle_timeout(self.now);
            outputs.extend(self.drain());
        }
        self.now = end;
        outputs
    }

    fn active(&self) -> Vec<u32> {
        self.machine.active().copied().collect()
    }

    fn passive(&self) -> Vec<u32> {
        self.machine.passive().copied().collect()
    }
}

fn ask(want: Want<u32>) -> Frame<u32> {
    Frame::Neighbour {
        address: Bytes::new(),
        pass: Bytes::new(),
        want,
    }
}

fn contacts(peers: impl IntoIterator<Item = u32>) -> Vec<Contact<u32>> {
    peers.into_iter().map(Contact::new).collect()
}

fn sent(outputs: &[Output<u32>], matches: impl Fn(&Frame<u32>) -> bool) -> usize {
    outputs
        .iter()
        .filter(|output| matches!(output, Output::Send { frame, .. } if matches(frame)))
        .count()
}

#[test]
fn strangers_that_insist_do_not_get_the_older_half_of_the_links() {
    let mut node = Node::settled();
    for attacker in 1000..5000 {
        node.hear(attacker, ask(Want::High));
        let friend = attacker + 10_000;
        node.hear(attacker, ask(Want::Swap(Contact::new(friend))));
        node.pass(Duration::from_millis(50));
    }
    let active = node.active();
    assert!(active.contains(&1) && active.contains(&2), "{active:?}");
    assert_eq!(active.len(), 5);
}

#[test]
fn strangers_that_insist_take_one_link_every_two_seconds_at_most() {
    let mut node = Node::settled();
    node.pass(Duration::from_secs(60));
    let mut taken = 0;
    for attacker in 1000..2000 {
        let outputs = node.hear(attacker, ask(Want::High));
        taken += sent(&outputs, |frame| matches!(frame, Frame::Accept { .. }));
        node.pass(Duration::from_millis(10));
    }
    // Five at once, and one each in two, four, six, eight and ten seconds.
    assert!((5..=10).contains(&taken), "{taken}");
}

#[test]
fn links_that_carry_messages_are_not_taken() {
    let mut node = Node::settled();
    node.machine.carried_by(|_| true);
    for attacker in 1000..1100 {
        let outputs = node.hear(attacker, ask(Want::High));
        assert_eq!(sent(&outputs, |frame| matches!(frame, Frame::Refuse { .. })), 1);
    }
    assert_eq!(node.active(), [1, 2, 3, 4, 5]);
}

#[test]
fn whoever_loses_a_link_is_told_of_the_other_end() {
    let mut node = Node::settled();
    let outputs = node.hear(9, ask(Want::High));
    let told = outputs.iter().find_map(|output| match output {
        Output::Send {
            to,
            frame: Frame::Disconnect { alive: true, instead },
        } => Some((*to, instead.clone())),
        _ => None,
    });
    let (victim, instead) = told.unwrap();
    assert!((3..=5).contains(&victim));
    assert_eq!(instead.map(|contact| contact.peer), Some(9));
    assert!(node.active().contains(&9) && !node.active().contains(&victim));
}

#[test]
fn peers_that_nobody_asked_for_are_not_taken() {
    let mut node = Node::settled();
    let many = || contacts(100..116);
    node.hear(50, Frame::Welcome { peers: many() });
    node.hear(
        51,
        Frame::ShuffleReply {
            nonce: 7,
            peers: many(),
        },
    );
    node.hear(52, Frame::Refuse { peers: many() });
    let walk = Frame::Shuffle {
        origin: Contact::new(53),
        nonce: 1,
        ttl: 0,
        peers: many(),
    };
    assert_eq!(node.hear(53, walk), []);
    let walk = Frame::ForwardJoin {
        peer: Contact::new(100),
        ttl: 0,
    };
    assert_eq!(node.hear(54, walk), []);
    assert_eq!(node.passive(), [0; 0]);
}

#[test]
fn one_peer_fills_a_third_of_the_passive_view_and_then_displaces_its_own() {
    let mut node = Node::settled();
    let fill = |from: u32, first: u32, node: &mut Node| {
        for round in 0..20 {
            let first = first + round * 10;
            let walk = Frame::Shuffle {
                origin: Contact::new(first),
                nonce: round,
                ttl: 0,
                peers: contacts(first + 1..first + 8),
            };
            node.hear(from, walk);
        }
    };
    fill(1, 1000, &mut node);
    assert_eq!(node.passive().len(), 10);
    fill(2, 5000, &mut node);
    let of_first = node.passive().iter().filter(|peer| **peer < 5000).count();
    assert_eq!((of_first, node.passive().len()), (10, 20));
}

#[test]
fn a_flood_of_joins_gets_an_answer_each_and_few_walks() {
    let mut node = Node::settled();
    let mut outputs = Vec::new();
    for newcomer in 10_000..15_000 {
        let join = Frame::Join {
            address: Bytes::new(),
            pass: Bytes::new(),
        };
        outputs.extend(node.hear(newcomer, join));
    }
    outputs.extend(node.pass(Duration::from_millis(100)));
    assert_eq!(sent(&outputs, |frame| matches!(frame, Frame::Welcome { .. })), 5000);
    // Five batches of a thousand at most, eight walks each.
    assert!(sent(&outputs, |frame| matches!(frame, Frame::ForwardJoin { .. })) <= 5 * 8);
    assert_eq!(node.active(), [1, 2, 3, 4, 5]);
    assert!(node.passive().len() <= 30);
}

#[test]
fn a_flood_of_walks_goes_no_further_and_no_deeper_than_it_may() {
    let mut node = Node::settled();
    let mut carried = 0;
    for walk in 0..1000 {
        let outputs = node.hear(
            1,
            Frame::ForwardJoin {
                peer: Contact::new(1000 + walk),
                ttl: 255,
            },
        );
        for output in &outputs {
            if let Output::Send {
                to,
                frame: Frame::ForwardJoin { ttl, .. },
            } = output
            {
                assert!(*ttl < 6 && *to != 1);
                carried += 1;
            }
        }
    }
    assert_eq!(carried, 64);
}

#[test]
fn an_address_that_is_too_long_is_not_kept_and_not_passed_on() {
    let mut node = Node::settled();
    let long = Contact {
        peer: 77,
        address: Bytes::from(vec![b'a'; Contact::<u32>::ADDRESS_MAX + 1]),
    };
    let walk = Frame::ForwardJoin {
        peer: long.clone(),
        ttl: 3,
    };
    assert_eq!(node.hear(1, walk), []);
    let ask = Frame::Neighbour {
        address: long.address.clone(),
        pass: Bytes::new(),
        want: Want::High,
    };
    node.hear(77, ask);
    node.machine.discovered(vec![long], node.now);
    assert!(node.machine.address(&77).is_none());
    assert!(!node.active().contains(&77) && !node.passive().contains(&77));
}

#[test]
fn only_a_peer_itself_says_where_it_is() {
    let mut node = Node::settled();
    let at = |address: &'static str| Contact {
        peer: 8,
        address: Bytes::from_static(address.as_bytes()),
    };
    let tell = |contact| Frame::ForwardJoin { peer: contact, ttl: 0 };
    node.hear(1, tell(at("there")));
    node.hear(2, tell(at("elsewhere")));
    assert_eq!(node.machine.address(&8).unwrap(), "there");
    let ask = Frame::Neighbour {
        address: at("moved").address,
        pass: Bytes::new(),
        want: Want::Low,
    };
    node.hear(8, ask);
    assert_eq!(node.machine.address(&8).unwrap(), "moved");
}

#[test]
fn whoever_is_not_admitted_is_no_neighbour_and_whoever_is_no_longer_admitted_was_one() {
    let mut node = Node::settled();
    let refused = |from, node: &mut Node| {
        let ask = Frame::Neighbour {
            address: Bytes::new(),
            pass: Bytes::from_static(b"no"),
            want: Want::High,
        };
        let outputs = node.hear(from, ask);
        assert_eq!(
            sent(&outputs, |frame| matches!(
                frame,
                Frame::Disconnect { alive: false, .. }
            )),
            1
        );
        outputs
    };
    refused(99, &mut node);
    assert!(refused(3, &mut node).contains(&Output::Down(3)));
    assert_eq!(node.active(), [1, 2, 4, 5]);
}

/// What is asked of neighbour 1, which answers `answers` questions after `round_trip` and then no more: how many questions that
/// are, and how long after its last answer somebody else is asked for a link and 1 is given up.
fn silence(answers: usize, round_trip: Duration) -> (u32, Duration, Duration) {
    let mut node = Node::new();
    for peer in 1..=5 {
        node.hear(peer, ask(Want::Low));
    }
    node.machine.discovered(contacts([6]), node.now);
    node.drain();
    let end = node.now + Duration::from_secs(300);
    let mut answer: Option<(Time, u32)> = None;
    let (mut answered, mut since) = (0, node.now);
    let (mut pings, mut asked, mut down) = (0, None, None);
    loop {
        let answer_due = answer.map(|(at, _)| at);
        let Some(due) = node.machine.poll_timeout().into_iter().chain(answer_due).min() else {
            break;
        };
        if due > end || down.is_some() {
            break;
        }
        node.now = node.now.max(due);
        for peer in [2, 3, 4, 5] {
            node.machine.heard(&peer, node.now);
        }
        let mut outputs = Vec::new();
        if let Some((_, stamp)) = answer.take_if(|(at, _)| *at <= node.now) {
            outputs = node.hear(1, Frame::Pong { stamp });
            (answered, since, pings) = (answered + 1, node.now, 0);
        }
        node.machine.handle_timeout(node.now);
        outputs.extend(node.drain());
        for output in outputs {
            match output {
                Output::Send {
                    to: 1,
                    frame: Frame::Ping { stamp },
                } => {
                    pings += 1;
                    if answered < answers && answer.is_none() {
                        answer = Some((node.now + round_trip, stamp));
                    }
                }
                Output::Send {
                    to: 6,
                    frame: Frame::Neighbour { want: Want::Low, .. },
                } => asked = asked.or(Some(node.now)),
                Output::Down(peer) => {
                    assert_eq!(peer, 1);
                    down = Some(node.now);
                }
                _ => {}
            }
        }
    }
    let after = |time: Option<Time>| time.unwrap().since(since);
    (pings, after(asked), after(down))
}

#[test]
fn a_silent_neighbour_is_asked_then_replaced_then_given_up() {
    for (answers, round_trip_ms) in [(0, 0), (1, 50), (20, 50), (1, 2_500), (20, 2_500)] {
        let (pings, asked, down) = silence(answers, Duration::from_millis(round_trip_ms));
        assert!(
            pings >= 8 && asked < down,
            "{answers} {round_trip_ms}: {pings} {asked:?} {down:?}"
        );
    }
}

#[test]
fn how_long_silence_is_borne_follows_from_how_long_answers_took() {
    let borne = |answers, millis| {
        let (_, asked, down) = silence(answers, Duration::from_millis(millis));
        (asked.as_millis(), down.as_millis())
    };
    // Idle for 0.7 s, then silent for three seconds, and for as long again: nothing is known of the round trip.
    let (asked, down) = borne(0, 0);
    assert!(
        (2_000..=4_200).contains(&asked) && (3_000..=7_200).contains(&down),
        "{asked} {down}"
    );
    let (asked, down) = borne(20, 50);
    assert!(
        (900..=1_300).contains(&asked) && (1_300..=1_800).contains(&down),
        "{asked} {down}"
    );
    // Twice the round trip and more.
    let (asked, down) = borne(20, 2_500);
    assert!(
        (5_000..=15_000).contains(&asked) && (8_000..=26_000).contains(&down),
        "{asked} {down}"
    );
}

#[test]
fn a_node_that_is_alone_tries_its_contacts_again_ever_more_rarely() {
    let mut node = Node::new();
    node.machine.join(contacts([1]), node.now);
    let mut joins = sent(&node.drain(), |frame| matches!(frame, Frame::Join { .. }));
    let minute = node.pass(Duration::from_secs(60));
    joins += sent(&minute, |frame| matches!(frame, Frame::Join { .. }));
    // After 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 seconds, or somewhat sooner or later.
    assert!((6..=9).contains(&joins), "{joins}");
    node.hear(1, Frame::Welcome { peers: contacts([]) });
    let outputs = node.hear(
        1,
        Frame::Accept {
            address: Bytes::new(),
            pass: Bytes::new(),
            gave_up: None,
        },
    );
    assert!(outputs.contains(&Output::Up(1)));
}

#[test]
fn numbers_that_do_not_go_together_are_told() {
    assert!(Config::default().check().is_ok());
    let wrong = [
        Config {
            active: 0,
            ..Config::default()
        },
        Config {
            passive: 257,
            ..Config::default()
        },
        Config {
            shuffle_active: 20,
            ..Config::default()
        },
        Config {
            idle: Duration::ZERO,
            ..Config::default()
        },
    ];
    for config in wrong {
        assert!(config.check().is_err());
    }
}

#[test]
fn a_node_with_neighbours_still_greets_its_contact_now_and_then() {
    let mut node = Node::new();
    node.machine.join(contacts([9]), node.now);
    node.drain();
    node.hear(9, Frame::Welcome { peers: Vec::new() });
    for peer in 1..=5 {
        node.hear(peer, ask(Want::Low));
    }
    // The contact may have been restarted meanwhile, and know nobody.
    let outputs = node.pass(Config::default().greet_interval * 2);
    let greetings = outputs
        .iter()
        .filter(|output| {
            matches!(
                output,
                Output::Send {
                    to: 9,
                    frame: Frame::Join { .. }
                }
            )
        })
        .count();
    assert!((1..=2).contains(&greetings), "{greetings} greetings");
}
