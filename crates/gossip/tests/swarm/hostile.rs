//! What a hostile neighbour can do, and what it cannot.
//!
//! Node 1 is the hostile one: it is not driven, its frames are made up here. Node 0 is watched, node 2 is honest.

use crate::lab::{Lab, START, author, author_number, message, ms};
use bytes::Bytes;
use handfast_gossip::{
    Item, MessageId, Sequence,
    swarm::{
        ANNOUNCE_MAX, COMPARISONS_MAX, Config, Fault, Frame, GRAFT_MAX, KNOWN_ITEMS_MAX, MISSING_PER_PEER, Reconcile,
        Sketch, Summary, Vector, WANT_MAX, Want,
    },
};
use rand::RngExt;

const FIRST: u64 = START.as_millis() << 10;

fn besieged(config: &Config) -> Lab {
    let mut lab = Lab::new(3, config, 5);
    lab.alive[1] = false;
    lab.connect(0, 1);
    lab.connect(0, 2);
    lab
}

fn item(number: u64) -> Item {
    message(2, Sequence::Proven(FIRST + number), 300)
}

fn gossip(item: &Item, hops: u16) -> Frame {
    Frame::Gossip {
        id: item.id,
        hops,
        body: item.body.clone(),
    }
}

fn made_up(lab: &mut Lab, count: usize) -> Vec<MessageId> {
    (0..count).map(|_| MessageId::from_bytes(lab.rng.random())).collect()
}

/// A 32-byte-a-message history, for which comparing is work.
fn filled(lab: &mut Lab, count: u64) {
    for number in 0..count {
        let item = message(9, Sequence::Proven(FIRST + number), 40);
        lab.publish(0, &item);
    }
    lab.run(ms(5000));
}

#[test]
fn a_message_under_a_name_that_is_not_its_own_costs_the_link() {
    let mut lab = besieged(&Config::default());
    let (real, other) = (item(1), item(2));
    let body = other.body.clone();
    lab.inject(
        1,
        0,
        Frame::Gossip {
            id: real.id,
            hops: 1,
            body,
        },
    );
    assert_eq!(lab.faults, [(0, 1, Fault::WrongName)]);
    assert!(lab.heard[0].is_empty());
    // The name is not burnt: the message that it belongs to arrives.
    lab.inject(2, 0, gossip(&real, 1));
    assert_eq!(lab.heard[0].len(), 1);
}

#[test]
fn a_wrong_message_does_not_hide_the_right_one_in_the_same_batch() {
    let mut lab = besieged(&Config::default());
    let (real, other) = (item(1), item(2));
    let now = lab.now;
    // Both wait for their check when the machine is polled.
    let body = other.body.clone();
    lab.nodes[0].handle(
        1,
        Frame::Gossip {
            id: real.id,
            hops: 1,
            body,
        },
        now,
    );
    lab.inject(2, 0, gossip(&real, 1));
    assert_eq!(lab.faults, [(0, 1, Fault::WrongName)]);
    assert_eq!(lab.heard[0].len(), 1);
    assert_eq!(lab.heard[0][0].1.from, Some(2));
}

#[test]
fn forged_messages_cost_the_link_and_unwelcome_ones_do_not() {
    let mut lab = besieged(&Config::default());
    let mut body = item(1).body.to_vec();
    body[4] = b'u';
    let id = item(1).id;
    for _ in 0..10 {
        let body = Bytes::from(body.clone());
        lab.inject(1, 0, Frame::Gossip { id, hops: 1, body });
    }
    assert_eq!(lab.faults, []);
    assert_eq!(lab.rules[0].read, 1, "a refused message is not checked again and again");
    body[4] = b'x';
    lab.inject(1, 0, Frame::Items(vec![body.into()]));
    assert_eq!(lab.faults, [(0, 1, Fault::Forged)]);
}

#[test]
fn a_refused_message_does_not_burn_the_name_of_another() {
    let mut lab = besieged(&Config::default());
    let real = item(1);
    let mut body = item(2).body.to_vec();
    body[4] = b'u';
    lab.inject(
        1,
        0,
        Frame::Gossip {
            id: real.id,
            hops: 1,
            body: body.into(),
        },
    );
    lab.inject(2, 0, gossip(&real, 1));
    assert_eq!(lab.heard[0].len(), 1);
}

#[test]
fn what_was_refused_is_not_asked_for_again() {
    let mut lab = besieged(&Config::default());
    let id = item(1).id;
    let mut body = item(1).body.to_vec();
    body[4] = b'u';
    let body = Bytes::from(body);
    let before = lab.counts.of("Graft").0;
    for _ in 0..3 {
        lab.inject(1, 0, Frame::IHave(vec![(id, 1)]));
        lab.inject(
            1,
            0,
            Frame::Gossip {
                id,
                hops: 1,
                body: body.clone(),
            },
        );
        lab.run(ms(5000));
    }
    assert_eq!(lab.counts.of("Graft").0, before);
    // Whoever else announces it is asked.
    lab.inject(1, 0, Frame::IHave(vec![(id, 1)]));
    lab.inject(2, 0, Frame::IHave(vec![(id, 1)]));
    lab.inject(1, 0, Frame::Gossip { id, hops: 1, body });
    lab.run(ms(5000));
    assert!(lab.counts.of("Graft").0 > before);
}

#[test]
fn old_messages_sent_again_use_up_nothing_of_their_authors() {
    let mut lab = besieged(&Config::default());
    for _ in 0..20 {
        lab.inject(1, 0, Frame::Items(vec![item(1).body, item(2).body]));
    }
    assert_eq!(lab.rules[0].read, 40);
    assert_eq!(lab.rules[0].accepted, 2);
}

#[test]
fn announcements_of_what_does_not_exist_fill_one_peers_share() {
    let mut lab = besieged(&Config::default());
    for _ in 0..100 {
        let names = made_up(&mut lab, ANNOUNCE_MAX);
        lab.inject(1, 0, Frame::IHave(names.into_iter().map(|id| (id, 0)).collect()));
    }
    // An honest announcement counts all the same, and is followed up.
    let real = item(1);
    lab.inject(2, 0, Frame::IHave(vec![(real.id, 1)]));
    lab.run(ms(20_000));
    let (grafts, bytes) = lab.counts.of("Graft");
    let most = MISSING_PER_PEER * 8 + 8;
    assert!(bytes <= most * 32 + grafts * 8, "{grafts} grafts, {bytes} bytes");
    assert!(grafts <= most / GRAFT_MAX + 20, "{grafts} grafts");
    assert!(
        lab.nodes[0]
            .poll_timeout()
            .is_none_or(|next| next > lab.now + ms(60_000)),
        "it goes on asking"
    );
}

#[test]
fn who_announces_and_never_delivers_delays_and_does_not_stop() {
    let mut lab = besieged(&Config::default());
    let mut items = Vec::new();
    for number in 0..10 {
        // The hostile one announces before anybody can have it, so that it is asked first.
        let next = message(2, Sequence::Proven(FIRST + number), 500);
        lab.inject(1, 0, Frame::IHave(vec![(next.id, 0)]));
        lab.run(ms(5));
        lab.publish(2, &next);
        items.push(next);
        lab.run(ms(300));
    }
    lab.run(ms(3000));
    assert_eq!(lab.missing(&items, author_number), []);
}

#[test]
fn a_flood_of_grafts_gets_no_more_than_the_rate() {
    let config = Config {
        serve_burst: 1 << 20,
        serve_rate: 1 << 20,
        ..Config::default()
    };
    let mut lab = besieged(&config);
    let big = message(0, Sequence::Proven(FIRST), 200_000);
    lab.publish(0, &big);
    lab.run(ms(100));
    let before = lab.counts.of("Gossip").1 + lab.counts.of("Items").1;
    for _ in 0..100 {
        lab.inject(1, 0, Frame::Graft(vec![big.id; GRAFT_MAX]));
        lab.run(ms(10));
    }
    let bytes = lab.counts.of("Gossip").1 + lab.counts.of("Items").1 - before;
    assert!(bytes <= (1 << 20) * 2 + 200_000, "{bytes} bytes in a second");
}

#[test]
fn comparisons_are_answered_a_few_times_a_second() {
    let mut lab = besieged(&Config::default());
    filled(&mut lab, 2000);
    let kinds = ["Items", "Reconcile", "Sketch", "Vector", "Want"];
    let all = |lab: &Lab| kinds.iter().map(|kind| lab.counts.of(kind).0).sum::<usize>();
    let query = negentropy_of(&[]);
    let frames = [
        Frame::Reconcile(Reconcile {
            floor: 0,
            answer: false,
            message: query,
        }),
        Frame::Sketch(Sketch {
            salt: 1,
            floor: u64::MAX,
            cells: vec![0; 13 * 32].into(),
        }),
        Frame::Want(Want {
            salt: 1,
            names: vec![7; WANT_MAX * 8].into(),
        }),
        Frame::Vector(Vector {
            salt: 1,
            floor: u64::MAX,
            answer: false,
            entries: Bytes::new(),
        }),
    ];
    for frame in frames {
        lab.run(ms(60_000));
        let before = all(&lab);
        for _ in 0..1000 {
            lab.inject(1, 0, frame.clone());
        }
        let answers = all(&lab) - before;
        assert!(answers <= COMPARISONS_MAX as usize, "{answers} answers to {frame:?}");
    }
    assert_eq!(lab.faults, []);
}

fn negentropy_of(items: &[Item]) -> Bytes {
    let mut storage = negentropy::NegentropyStorageVector::new();
    for item in items {
        let id = negentropy::Id::from_byte_array(*item.id.as_bytes());
        storage.insert(item.sequence.number() >> 10, id).unwrap();
    }
    storage.seal().unwrap();
    negentropy::Negentropy::owned(storage, 0)
        .unwrap()
        .initiate()
        .unwrap()
        .into()
}

#[test]
fn what_is_no_vector_sketch_or_step_costs_the_link() {
    let garbage =
        Bytes::from_static(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    // An author twice, and a run beyond all numbers.
    let twice: Bytes = [&[1u8; 16][..], &[0], &[1; 16], &[0]].concat().into();
    let absurd: Bytes = [&[1u8; 16][..], &[1], &[0xff; 9], &[1]].concat().into();
    let vector = |entries| {
        Frame::Vector(Vector {
            salt: 0,
            floor: 0,
            answer: false,
            entries,
        })
    };
    for frame in [
        vector(garbage.clone()),
        vector(twice),
        vector(absurd),
        Frame::Sketch(Sketch {
            salt: 0,
            floor: 0,
            cells: garbage.clone(),
        }),
        Frame::Reconcile(Reconcile {
            floor: 0,
            answer: false,
            message: garbage,
        }),
    ] {
        let mut lab = besieged(&Config::default());
        filled(&mut lab, 10);
        lab.inject(1, 0, frame);
        assert_eq!(lab.faults, [(0, 1, Fault::Malformed)]);
    }
}

#[test]
fn frames_beyond_their_limits_cost_the_link() {
    let mut lab = besieged(&Config::default());
    let names = made_up(&mut lab, ANNOUNCE_MAX + 1);
    for frame in [
        Frame::IHave(names.iter().map(|id| (*id, 0)).collect()),
        Frame::Graft(names.clone()),
        Frame::Want(Want {
            salt: 0,
            names: vec![0; 12].into(),
        }),
        Frame::Items(vec![Bytes::new(); 2000]),
    ] {
        let mut lab = besieged(&Config::default());
        lab.inject(1, 0, frame);
        assert_eq!(lab.faults, [(0, 1, Fault::Oversized)]);
    }
}

#[test]
fn known_messages_in_items_are_not_checked_without_end() {
    let mut lab = besieged(&Config::default());
    let known = item(1);
    lab.inject(1, 0, Frame::Items(vec![known.body.clone()]));
    assert_eq!(lab.heard[0].len(), 1);
    for _ in 0..100 {
        lab.inject(1, 0, Frame::Items(vec![known.body.clone(); 1000]));
    }
    assert!(lab.rules[0].read <= KNOWN_ITEMS_MAX as usize + 1);
    assert_eq!(lab.heard[0].len(), 1);
}

#[test]
fn summaries_that_lie_cost_a_question_now_and_then() {
    let mut lab = besieged(&Config::default());
    filled(&mut lab, 100);
    let before = lab.counts.clone();
    for round in 0..600u32 {
        let fingerprint = [round as u8; 16];
        lab.inject(
            1,
            0,
            Frame::Summary(Summary {
                count: 1 << 40,
                fingerprint,
                authors: 1,
                fresh: true,
                agreed: false,
            }),
        );
        lab.run(ms(100));
    }
    let asked: usize = ["Vector", "Sketch", "Reconcile"]
        .iter()
        .map(|kind| lab.counts.of(kind).0 - before.of(kind).0)
        .sum();
    assert!(asked <= 10, "{asked} questions in a minute");
}

#[test]
fn what_was_evicted_is_not_delivered_again() {
    // For want of room: the memory of names knows better. Proven or claimed makes no difference.
    let config = Config {
        history_messages: 10,
        memory: 1000,
        ..Config::default()
    };
    let mut lab = besieged(&config);
    let items: Vec<Item> = (0..100)
        .map(|number| match number % 2 {
            0 => message(2, Sequence::Proven(FIRST + number), 100),
            _ => message(2, Sequence::Claimed(number), 100),
        })
        .collect();
    for round in 0..3 {
        for item in &items {
            lab.inject(
                1,
                0,
                if round == 1 {
                    Frame::Items(vec![item.body.clone()])
                } else {
                    gossip(item, 1)
                },
            );
        }
    }
    assert_eq!(lab.heard[0].len(), 100);
    assert_eq!(lab.nodes[0].history().len(), 10);

    // For want of memory: an author's proven numbers only go up from there.
    let config = Config { memory: 10, ..config };
    let mut lab = besieged(&config);
    let items: Vec<Item> = (0..100).map(item).collect();
    for _ in 0..3 {
        for item in &items {
            lab.inject(1, 0, gossip(item, 1));
        }
    }
    assert_eq!(lab.heard[0].len(), 100);

    // For its age: the proven number tells.
    let config = Config {
        history_age: ms(10_000),
        ..Config::default()
    };
    let mut lab = besieged(&config);
    let old = item(0);
    lab.inject(1, 0, gossip(&old, 1));
    lab.run(ms(20_000));
    assert!(lab.nodes[0].history().is_empty());
    lab.inject(1, 0, gossip(&old, 1));
    lab.inject(1, 0, gossip(&item(1), 1));
    assert_eq!(lab.heard[0].len(), 1);
    // Nobody is silenced by a claimed number.
    lab.inject(1, 0, gossip(&message(2, Sequence::Claimed(0), 100), 1));
    assert_eq!(lab.heard[0].len(), 2);
}

#[test]
fn absurd_hops_do_no_harm() {
    let mut lab = besieged(&Config::default());
    lab.inject(1, 0, gossip(&item(1), u16::MAX));
    lab.run(ms(1000));
    assert_eq!(lab.heard[0][0].1.hops, u16::MAX);
    assert_eq!(lab.heard[2][0].1.hops, u16::MAX);
}

#[test]
fn a_stranger_may_push_and_nothing_else() {
    let mut lab = besieged(&Config::default());
    lab.disconnect(0, 1);
    filled(&mut lab, 10);
    let before = format!("{:?}", lab.counts);
    let kept = lab.nodes[0].history().iter().map(|item| item.id).min().unwrap();
    let vector = Vector {
        salt: 1,
        floor: 0,
        answer: false,
        entries: Bytes::new(),
    };
    for frame in [
        Frame::Graft(vec![kept]),
        Frame::Vector(vector),
        Frame::IHave(vec![(item(1).id, 1)]),
        Frame::Items(vec![item(2).body]),
    ] {
        lab.inject(1, 0, frame);
    }
    lab.run(ms(3000));
    assert_eq!(before, format!("{:?}", lab.counts));
    assert!(lab.heard[0].is_empty());
    lab.inject(1, 0, gossip(&item(3), 1));
    assert_eq!(lab.heard[0].len(), 1);
}

#[test]
fn a_congested_neighbour_gets_names_until_it_drains() {
    let mut lab = Lab::new(2, &Config::default(), 5);
    lab.connect(0, 1);
    lab.act(0, |swarm, now| swarm.congested(&1, true, now));
    let items: Vec<Item> = (0..100)
        .map(|number| message(0, Sequence::Proven(FIRST + number), 500))
        .collect();
    for item in &items {
        lab.publish(0, item);
    }
    lab.run(ms(500));
    assert_eq!(lab.counts.gossip(), 0);
    lab.act(0, |swarm, now| swarm.congested(&1, false, now));
    lab.run(ms(2000));
    assert_eq!(lab.missing(&items, author_number), []);
    assert!(
        lab.heard[1]
            .iter()
            .all(|(_, delivery)| delivery.item.author == author(0))
    );
}

#[test]
fn a_number_from_the_future_is_delivered_once_although_it_never_seems_old() {
    let config = Config {
        history_age: ms(60_000),
        ..Config::default()
    };
    for ahead in [10 * 60_000, 220 * 365 * 86_400_000] {
        let mut lab = besieged(&config);
        let early = message(2, Sequence::Proven(FIRST + (ahead << 10)), 300);
        lab.inject(2, 0, gossip(&early, 1));
        lab.run(ms(61_000));
        assert!(lab.nodes[0].history().is_empty(), "it has aged");
        lab.inject(1, 0, gossip(&early, 1));
        lab.inject(1, 0, Frame::Items(vec![early.body.clone()]));
        assert_eq!(lab.heard[0].len(), 1);
    }
}

#[test]
fn who_brings_a_message_now_and_then_does_not_keep_others_from_being_asked() {
    let mut lab = Lab::new(3, &Config::default(), 5);
    lab.alive[1] = false;
    for number in 0..200 {
        lab.publish(2, &message(9, Sequence::Proven(FIRST + number), 40));
    }
    lab.run(ms(5000));
    lab.connect(0, 1);
    let boast = Summary {
        count: 1 << 40,
        fingerprint: [7; 16],
        authors: 1,
        fresh: true,
        agreed: false,
    };
    lab.inject(1, 0, Frame::Summary(boast));
    lab.connect(0, 2);
    for number in 0..80 {
        let drip = message(7, Sequence::Proven(FIRST + number), 40);
        lab.inject(1, 0, Frame::Items(vec![drip.body]));
        lab.inject(1, 0, Frame::Summary(boast));
        lab.run(ms(500));
    }
    let heard = lab.heard[0].iter().filter(|(_, heard)| heard.item.author == author(9));
    assert_eq!(heard.count(), 200);
}

#[test]
fn a_steady_trickle_of_caught_up_messages_does_not_put_off_their_news_for_ever() {
    let mut lab = besieged(&Config::default());
    for number in 0..200 {
        let drip = message(7, Sequence::Proven(FIRST + number), 40);
        lab.inject(1, 0, Frame::Items(vec![drip.body]));
        lab.run(ms(50));
    }
    assert!(lab.heard[2].len() > 100, "{} heard", lab.heard[2].len());
}

#[test]
fn a_crowd_that_compares_without_end_leaves_a_newcomer_its_turn() {
    const CROWD: u32 = 200;
    let mut lab = Lab::new(CROWD as usize + 2, &Config::default(), 5);
    filled(&mut lab, 50);
    for peer in 2..CROWD + 2 {
        lab.alive[peer as usize] = false;
        lab.connect(0, peer);
    }
    let query = |salt| {
        Frame::Sketch(Sketch {
            salt,
            floor: u64::MAX,
            cells: vec![0; 13 * 32].into(),
        })
    };
    let kinds = ["Items", "Reconcile", "Sketch", "Vector", "Want"];
    let answers = |lab: &Lab| kinds.iter().map(|kind| lab.counts.of(kind).0).sum::<usize>();
    let siege = |lab: &mut Lab, seconds: u64| {
        for round in 0..seconds * 4 {
            for peer in 2..CROWD + 2 {
                lab.inject(peer, 0, query(round));
            }
            lab.run(ms(250));
        }
    };
    siege(&mut lab, 4);
    // A node that has nothing comes while all of them ask as often as each may.
    let before = answers(&lab);
    lab.connect(0, 1);
    siege(&mut lab, 10);
    assert_eq!(lab.heard[1].len(), 50, "the newcomer has caught up");
    let given = answers(&lab) - before;
    // Of the 8,000 that the crowd asks for.
    assert!((500..=10 * 64 + 20).contains(&given), "{given} answers");
    assert_eq!(lab.faults, []);
}
