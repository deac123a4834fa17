//! Bounds of the swarm's tables, driven past from outside: honest neighbours lose nothing by them.

use crate::lab::{Lab, START, author_number, message, ms};
use handfast_gossip::{
    Item, Sequence,
    swarm::{Config, Frame},
};

const FIRST: u64 = START.as_millis() << 10;

#[test]
fn more_names_than_wait_for_a_congested_neighbour_lose_it_nothing() {
    let mut lab = Lab::new(2, &Config::default(), 5);
    lab.connect(0, 1);
    lab.act(0, |swarm, now| swarm.congested(&1, true, now));
    let items: Vec<Item> = (0..5000)
        .map(|number| message(0, Sequence::Proven(FIRST + number), 100))
        .collect();
    for item in &items {
        lab.publish(0, item);
    }
    lab.run(ms(500));
    assert_eq!(lab.counts.gossip(), 0);
    lab.act(0, |swarm, now| swarm.congested(&1, false, now));
    lab.run(ms(30_000));
    assert_eq!(lab.missing(&items, author_number), []);
}

#[test]
fn more_liars_than_announcers_are_remembered_delay_a_message_and_do_not_stop_it() {
    let mut lab = Lab::new(12, &Config::default(), 5);
    for liar in 2..12 {
        lab.alive[liar as usize] = false;
        lab.connect(0, liar);
    }
    lab.connect(0, 1);
    lab.run(ms(100));
    // The honest one is the last of all to say that it has the message, and does not push it.
    lab.act(1, |swarm, now| swarm.handle(0, Frame::Prune, now));
    let real = message(1, Sequence::Proven(FIRST), 300);
    for liar in 2..12 {
        lab.inject(liar, 0, Frame::IHave(vec![(real.id, 1)]));
    }
    lab.publish(1, &real);
    lab.run(ms(20_000));
    assert_eq!(lab.heard[0].len(), 1);
    assert_eq!(lab.nodes[0].missing(), 0);
}

#[test]
fn copies_of_one_message_in_one_batch_cost_one_check_each_neighbour() {
    let mut lab = Lab::new(3, &Config::default(), 5);
    lab.connect(0, 1);
    lab.connect(0, 2);
    let real = message(9, Sequence::Proven(FIRST), 300);
    let gossip = |body| Frame::Gossip {
        id: real.id,
        hops: 1,
        body,
    };
    let now = lab.now;
    for copy in 0..2000u64 {
        // None of them may speak, and each differs.
        let mut body = real.body.to_vec();
        body[4] = b'u';
        body[20..28].copy_from_slice(&copy.to_be_bytes());
        lab.nodes[0].handle(1, gossip(body.into()), now);
    }
    lab.inject(2, 0, gossip(real.body.clone()));
    assert_eq!(lab.rules[0].read, 2);
    assert_eq!(lab.heard[0].len(), 1);
}
