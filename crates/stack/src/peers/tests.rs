//! Two tables, one at each end, and connections that come up and end in any order.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use handfast_keys::{KeyPair, PublicKey};
use handfast_multiserver::Direction;
use handfast_mux::tokio::{Driver, Router, connection};
use proptest::prelude::*;
use tokio::{
    io::{DuplexStream, duplex},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    Basis, Rights,
    meter::Gauge,
    peer::{About, Doubt},
};

/// How long a duplicate is left to whoever dialled it, in milliseconds.
const GRACE: u64 = 5_000;

#[test]
fn both_ends_keep_the_same_connection() {
    for _ in 0..32 {
        let (a, b) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        assert_ne!(kept(a.public(), b.public()), kept(b.public(), a.public()));
    }
}

/// A connection that one of the two dials. Times are milliseconds.
#[derive(Clone, Debug)]
struct Dial {
    by: usize,
    /// When it stands at each end.
    up: [u64; 2],
    /// How long one end needs to hear that the other has ended it.
    delay: u64,
    /// When, and at which end, it is lost without the other end hearing of it.
    lost: Option<(u64, usize)>,
}

fn dial(may_be_lost: bool) -> impl Strategy<Value = Dial> {
    let lost = prop::option::of((0..90_000_u64, 0..2_usize));
    let lost = lost.prop_map(move |lost| lost.filter(|_| may_be_lost));
    (
        0..2_usize,
        0..60_000_u64,
        [0..3_000_u64, 0..3_000_u64],
        0..3_000_u64,
        lost,
    )
        .prop_map(|(by, begun, taken, delay, lost)| Dial {
            by,
            up: taken.map(|taken| begun + taken),
            delay,
            lost,
        })
}

#[derive(Debug)]
enum Happens {
    Up,
    /// At this end only.
    Lost,
    GraceOver,
    /// This end hears that the other one has ended it.
    Ended,
}

/// One end of a connection.
struct Here {
    peer: Peer,
    _driver: Driver<DuplexStream>,
}

struct World {
    keys: [PublicKey; 2],
    tables: [Peers; 2],
    dials: Vec<Dial>,
    /// Where the connections stand now, by number and end.
    here: BTreeMap<(usize, usize), Here>,
    ended: BTreeMap<(usize, usize), ()>,
    due: BTreeMap<(u64, u64), (usize, usize, Happens)>,
    counter: u64,
}

impl World {
    fn new(dials: Vec<Dial>) -> Self {
        let mut world = Self {
            keys: [1, 2].map(|seed| *KeyPair::from_seed(&[seed; 32]).unwrap().public()),
            tables: [Peers::default(), Peers::default()],
            dials: dials.clone(),
            here: BTreeMap::new(),
            ended: BTreeMap::new(),
            due: BTreeMap::new(),
            counter: 0,
        };
        for (link, dial) in dials.iter().enumerate() {
            for end in 0..2 {
                world.plan(dial.up[end], link, end, Happens::Up);
            }
            if let Some((at, end)) = dial.lost {
                world.plan(at.max(dial.up[end]) + 1, link, end, Happens::Lost);
            }
        }
        world
    }

    fn plan(&mut self, at: u64, link: usize, end: usize, what: Happens) {
        self.counter += 1;
        self.due.insert((at, self.counter), (link, end, what));
    }

    fn larger(&self) -> usize {
        usize::from(self.keys[1].as_bytes() > self.keys[0].as_bytes())
    }

    /// Whether it stands at both ends.
    fn works(&self, link: usize) -> bool {
        (0..2).all(|end| self.here.contains_key(&(link, end)))
    }

    fn remove(&mut self, link: usize, end: usize) {
        self.ended.insert((link, end), ());
        if let Some(here) = self.here.remove(&(link, end)) {
            self.tables[end].remove(&here.peer);
        }
    }

    /// An end ends a connection, and the other one hears of it.
    fn end(&mut self, now: u64, link: usize, end: usize) {
        let dial = &self.dials[link];
        assert_ne!(dial.by, self.larger(), "what the larger one dials is kept");
        let of_the_larger = (0..self.dials.len()).filter(|&other| self.dials[other].by == self.larger());
        let mut kept = of_the_larger.filter(|&other| self.here.contains_key(&(other, end)));
        if dial.by == end {
            assert!(
                kept.next().is_some(),
                "the end that dialled gives nothing up for nothing"
            );
        } else {
            assert!(kept.any(|other| self.works(other)), "the other one asks first");
        }
        let heard = (now + dial.delay).max(dial.up[1 - end] + 1);
        self.remove(link, end);
        self.plan(heard, link, 1 - end, Happens::Ended);
    }

    async fn run(&mut self) {
        let start = Instant::now();
        while let Some(((at, _), (link, end, what))) = self.due.pop_first() {
            tokio::time::sleep_until(start + Duration::from_millis(at)).await;
            match what {
                Happens::Up => self.up(at, link, end),
                Happens::Lost | Happens::Ended => self.remove(link, end),
                Happens::GraceOver => self.grace_over(at, link, end),
            }
        }
    }

    fn up(&mut self, now: u64, link: usize, end: usize) {
        if self.ended.contains_key(&(link, end)) {
            return;
        }
        let direction = match self.dials[link].by == end {
            true => Direction::Outgoing,
            false => Direction::Incoming,
        };
        let here = stand(link as u64, self.keys[1 - end], direction);
        let losers = self.tables[end].insert(&self.keys[end], &here.peer);
        self.here.insert((link, end), here);
        for loser in losers {
            loser.give_way();
            let link = usize::try_from(loser.about().number()).unwrap();
            match loser.direction() {
                Direction::Outgoing => self.end(now, link, end),
                Direction::Incoming => self.plan(now + GRACE, link, end, Happens::GraceOver),
            }
        }
    }

    fn grace_over(&mut self, now: u64, link: usize, end: usize) {
        let Some(here) = self.here.get(&(link, end)) else {
            return;
        };
        let kept = self.tables[end].kept_instead_of(&here.peer);
        let answers = |peer: &Peer| self.works(usize::try_from(peer.about().number()).unwrap());
        if kept.is_some_and(|kept| answers(&kept)) {
            self.end(now, link, end);
        } else {
            here.peer.about().doubt.end();
        }
    }

    fn left(&self, end: usize) -> Vec<&Peer> {
        let here = self.here.iter().filter(|((_, at), _)| *at == end);
        here.map(|(_, here)| &here.peer).collect()
    }
}

/// One end of a connection that stands now.
fn stand(number: u64, key: PublicKey, direction: Direction) -> Here {
    let (stream, _) = duplex(1);
    let (rpc, driver) = connection(stream, Router::new());
    let about = About {
        number,
        key: Some(key),
        address: "net:localhost:1".parse().unwrap(),
        direction,
        seeded: false,
        transport: "net".into(),
        rights: Rights::none(),
        basis: Basis::Anonymous,
        since: SystemTime::now(),
        start: Instant::now(),
        gauge: Gauge::new(),
        end: OnceLock::new(),
        retire: CancellationToken::new(),
        doubt: Doubt::default(),
    };
    Here {
        peer: Peer::new(Arc::new(about), rpc),
        _driver: driver,
    }
}

fn play(dials: Vec<Dial>) -> World {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let mut world = World::new(dials);
    runtime.block_on(world.run());
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_whatever_order_connections_come_up_both_ends_keep_the_same_and_at_least_one(
        dials in prop::collection::vec(dial(false), 1..7),
    ) {
        let world = play(dials);
        let numbers = |end| world.left(end).iter().map(|peer| peer.about().number()).collect::<Vec<_>>();
        prop_assert!(!numbers(0).is_empty());
        prop_assert_eq!(numbers(0), numbers(1));
        for end in 0..2 {
            for one in world.left(end) {
                for other in world.left(end).into_iter().filter(|other| other.direction() != one.direction()) {
                    let apart = one.about().start.max(other.about().start) - one.about().start.min(other.about().start);
                    prop_assert!(apart >= SAME_INSTANT, "two that were dialled at once are left");
                }
            }
        }
    }

    /// What is asserted in [`World::end`] holds as well when connections are lost and only one end knows it.
    #[test]
    fn a_lost_connection_is_not_kept_in_place_of_one_that_works(dials in prop::collection::vec(dial(true), 1..7)) {
        play(dials);
    }
}
