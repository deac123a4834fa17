//! What a neighbour gains by taking away the proof of a number: node 1 is the hostile one, node 0 is watched, node 2 honest.

use crate::lab::{Lab, START, message, ms, stripped};
use handfast_gossip::{
    Item, Sequence,
    swarm::{Config, Frame},
};

const FIRST: u64 = START.as_millis() << 10;

fn besieged(config: &Config) -> Lab {
    let mut lab = Lab::new(4, config, 5);
    lab.alive[1] = false;
    lab.connect(0, 1);
    lab.connect(0, 2);
    lab
}

fn item(number: u64) -> Item {
    message(2, Sequence::Proven(FIRST + number), 300)
}

fn gossip(item: &Item) -> Frame {
    Frame::Gossip {
        id: item.id,
        hops: 1,
        body: item.body.clone(),
    }
}

#[test]
fn a_copy_with_a_proof_takes_the_place_of_one_without() {
    let real = item(7);
    let first = stripped(&real, 1 << 40);
    assert_eq!(first.id, real.id);
    for by_catch_up in [false, true] {
        let mut lab = besieged(&Config::default());
        lab.inject(1, 0, gossip(&first));
        let kept = |lab: &Lab, node: usize| lab.nodes[node].history().get(&real.id).cloned();
        assert_eq!(kept(&lab, 0), Some(first.clone()));
        lab.inject(
            2,
            0,
            match by_catch_up {
                true => Frame::Items(vec![real.body.clone()]),
                false => gossip(&real),
            },
        );
        assert_eq!(kept(&lab, 0), Some(real.clone()));
        assert_eq!(lab.proved[0], std::slice::from_ref(&real));
        assert_eq!(lab.heard[0].len(), 1, "it is delivered once");
        let history = lab.nodes[0].history();
        let newest: Vec<_> = history.newest(&real.author, 9).map(|item| item.sequence).collect();
        assert_eq!((history.len(), history.bytes()), (1, real.body.len()));
        assert_eq!(newest, [real.sequence]);
        // Nobody takes it away again, and whoever is served from here gets it.
        lab.inject(1, 0, gossip(&first));
        lab.run(ms(2000));
        lab.connect(0, 3);
        lab.run(ms(5000));
        assert_eq!(kept(&lab, 0), Some(real.clone()));
        assert_eq!(kept(&lab, 3), Some(real.clone()));
        assert_eq!(lab.faults, []);
    }
}

#[test]
fn both_copies_in_one_batch_leave_the_proven_one() {
    let (real, mut lab) = (item(7), besieged(&Config::default()));
    let now = lab.now;
    for number in 0..5 {
        lab.nodes[0].handle(1, gossip(&stripped(&real, number)), now);
    }
    lab.inject(2, 0, gossip(&real));
    let kept = lab.nodes[0].history().get(&real.id).map(|item| item.sequence);
    assert_eq!(kept, Some(real.sequence));
    assert_eq!(lab.heard[0].len(), 1);
}

#[test]
fn copies_that_prove_nothing_are_not_checked_without_end() {
    let (real, mut lab) = (item(7), besieged(&Config::default()));
    lab.inject(1, 0, gossip(&stripped(&real, 0)));
    for number in 1..20_000 {
        lab.inject(1, 0, gossip(&stripped(&real, number)));
    }
    let most = handfast_gossip::swarm::KNOWN_ITEMS_MAX as usize + 1;
    assert!(lab.rules[0].read <= most, "{} checks", lab.rules[0].read);
    // Somebody else's copy is.
    lab.inject(2, 0, gossip(&real));
    assert_eq!(lab.proved[0], [real]);
}

#[test]
fn an_old_message_without_its_proof_is_not_delivered_once_more() {
    let config = Config {
        history_age: ms(10_000),
        ..Config::default()
    };
    let (real, mut lab) = (item(7), besieged(&config));
    lab.inject(2, 0, gossip(&real));
    lab.run(ms(20_000));
    assert!(lab.nodes[0].history().is_empty());
    lab.inject(1, 0, gossip(&stripped(&real, 0)));
    assert_eq!(lab.heard[0].len(), 1);
    // One that came without and was proven later is no exception.
    let next = message(2, Sequence::Proven(((FIRST >> 10) + 20_000) << 10), 300);
    lab.inject(1, 0, gossip(&stripped(&next, 0)));
    lab.inject(2, 0, gossip(&next));
    lab.run(ms(20_000));
    lab.inject(1, 0, gossip(&stripped(&next, 1)));
    assert_eq!(lab.heard[0].len(), 2);
}

#[test]
fn a_proof_that_says_too_old_does_not_make_room_for_a_replay() {
    let config = Config {
        history_age: ms(10_000),
        ..Config::default()
    };
    let (old, mut lab) = (item(7), besieged(&config));
    lab.run(ms(60_000));
    lab.inject(1, 0, gossip(&stripped(&old, 0)));
    lab.inject(1, 0, gossip(&old));
    assert_eq!(lab.proved[0], []);
    for _ in 0..5 {
        lab.run(ms(6000));
        lab.inject(1, 0, gossip(&stripped(&old, 0)));
    }
    assert_eq!(lab.heard[0].len(), 1);
}
