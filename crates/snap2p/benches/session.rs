//! What a session costs against the primitives it is made of: whole handshakes, and a stream of 64 KiB writes from one machine
//! to the other.
//!
//! Each ratio is the median of turns that were taken in the same seconds. 1.0 is as fast as the bare primitives.
//!
//! `cargo bench -p handfast-snap2p --bench session`
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bytes::BytesMut;
use handfast_keys::{KeyPair, x25519};
use handfast_snap2p::{
    Network, NodeKeyAttestation, Now, Principal, WalletKey,
    limits::{DATA_MAX, TAG_LEN},
    noise::{Initiator, Responder, Suite},
    session::{Answer, Config, Dial, Event, Handshake, Local, Read, Secrets, Session},
};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use std::{hint::black_box, time::Instant};

const TURNS: usize = 41;

fn main() {
    let (ours, theirs) = (local(1), local(2));
    let (ratio, ours_s, floor_s) = compare(20, &mut || drop(black_box(establish(&ours, &theirs))), &mut || {
        primitives(&ours, &theirs)
    });
    println!(
        "sessions, both ends on one core   {ratio:.2} of the primitives   {:.0}/s against {:.0}/s",
        1.0 / ours_s,
        1.0 / floor_s
    );

    let (mut alice, mut bob) = live();
    let id = alice.open_stream("bench").unwrap();
    let data = vec![7; DATA_MAX];
    let (mut wire, now) = (BytesMut::new(), Now::get());
    let mut ours = || {
        wire.reserve(DATA_MAX + 64);
        assert_eq!(alice.write_into(id, &data, &mut wire, usize::MAX).unwrap(), DATA_MAX);
        bob.handle_input(&mut wire, now).unwrap();
        let Read::Data(read) = bob.read(id, usize::MAX).unwrap() else {
            panic!("it came")
        };
        assert_eq!(read.len(), DATA_MAX);
        while bob.poll_event().is_some() {}
    };
    let key = LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &[7; 32]).unwrap());
    let nonce = || Nonce::assume_unique_for_key([3; 12]);
    let mut buffer = vec![7; DATA_MAX + TAG_LEN];
    let mut raw = || {
        let (text, tag_place) = buffer.split_at_mut(DATA_MAX);
        let tag = key.seal_in_place_separate_tag(nonce(), Aad::empty(), text).unwrap();
        tag_place.copy_from_slice(tag.as_ref());
        key.open_in_place(nonce(), Aad::empty(), &mut buffer).unwrap();
    };
    let (ratio, ours_s, raw_s) = compare(50, &mut ours, &mut raw);
    let rate = |seconds: f64| DATA_MAX as f64 / seconds / 1e6;
    println!(
        "64 KiB writes, both ends on one core   {ratio:.2} of ring sealing and opening   {:.0} MB/s against {:.0} MB/s",
        rate(ours_s),
        rate(raw_s)
    );
    println!("an idle session holds {} bytes in the machine", size_of::<Session>());
}

/// The median over turns of what `floor` takes per time that `ours` takes, and the fastest turns in seconds.
fn compare(repeat: usize, ours: &mut dyn FnMut(), floor: &mut dyn FnMut()) -> (f64, f64, f64) {
    let time = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..repeat).for_each(|_| work());
        start.elapsed().as_secs_f64() / repeat as f64
    };
    let turns: Vec<_> = (0..TURNS).map(|_| (time(ours), time(floor))).collect();
    let mut ratios: Vec<f64> = turns.iter().map(|(ours, floor)| floor / ours).collect();
    ratios.sort_by(f64::total_cmp);
    let fastest = |of: fn(&(f64, f64)) -> f64| turns.iter().map(of).fold(f64::INFINITY, f64::min);
    let median = ratios.get(ratios.len() / 2).copied().unwrap_or_default();
    (median, fastest(|turn| turn.0), fastest(|turn| turn.1))
}

fn local(seed: u8) -> Local {
    let wallet = WalletKey::from_bytes(&[seed; 32]).unwrap();
    let node = KeyPair::from_seed(&[seed; 32]).unwrap();
    Local::attested(&wallet, Principal(wallet.address(Network::Mainnet)), node, Now::get()).unwrap()
}

fn secrets(seed: u8) -> Secrets {
    Secrets {
        ephemeral: [seed; 32],
        nonce: [seed; 32],
        session_id: [seed; 32],
    }
}

fn establish(ours: &Local, theirs: &Local) -> (Session, Session) {
    let now = Now::get();
    let mut alice = Handshake::dial(ours, Dial::default(), secrets(1), now).unwrap();
    let mut bob = Handshake::answer(theirs, Answer::default(), secrets(2), now).unwrap();
    let (mut to_alice, mut to_bob) = (BytesMut::new(), BytesMut::new());
    while !bob.is_established() {
        alice.poll_transmit(&mut to_bob);
        bob.handle_input(&mut to_bob, now).unwrap();
        if bob.poll_question().is_some() {
            bob.decide(true).unwrap();
        }
        bob.poll_transmit(&mut to_alice);
        alice.handle_input(&mut to_alice, now).unwrap();
    }
    (
        alice.into_session(Config::default(), now).unwrap(),
        bob.into_session(Config::default(), now).unwrap(),
    )
}

fn live() -> (Session, Session) {
    let now = Now::get();
    let (mut alice, mut bob) = establish(&local(1), &local(2));
    let mut wire = BytesMut::new();
    bob.poll_transmit(&mut wire, usize::MAX);
    alice.handle_input(&mut wire, now).unwrap();
    assert_eq!(alice.poll_event(), Some(Event::Live));
    alice.poll_transmit(&mut wire, usize::MAX);
    bob.handle_input(&mut wire, now).unwrap();
    (alice, bob)
}

/// What cannot be left out of a session: at each end an ephemeral key and three agreements, a check of a node key,
/// and a check of an attestation's signature.
fn primitives(ours: &Local, theirs: &Local) {
    let ephemeral = |seed| x25519::SecretKey::from_bytes(&[seed; 32]).unwrap();
    let (message1, alice) = Initiator::new(&ours.node, ephemeral(1), Suite::Snap2p)
        .message1()
        .unwrap();
    let (message2, bob) = Responder::new(&theirs.node, ephemeral(2), Suite::Snap2p)
        .handle(&message1)
        .unwrap();
    let (message3, _) = alice.handle(&message2).unwrap();
    black_box(bob.handle(&message3).unwrap());
    for end in [ours, theirs] {
        let attestation = NodeKeyAttestation::decode(&end.attestation).unwrap();
        attestation.verify(Now::get().unix).unwrap();
        black_box(handfast_keys::PublicKey::from_bytes(end.node.public().as_bytes()).unwrap());
    }
}
