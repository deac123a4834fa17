//! SNaP2P: sessions in memory against the sum of their primitive operations, sessions over TCP, and one stream against bare boxes.

use crate::{PERIOD, per_second_in_turn, print, wire};
use anyhow::{Context as _, Result};
use bytes::BytesMut;
use handfast_keys::{KeyPair, PublicKey, x25519};
use handfast_snap2p::session::{self, Answer, Dial, Handshake, Local, Secrets, Session};
use handfast_snap2p::tokio::Limits;
use handfast_snap2p::{Network, Now, Peer, Principal, Visibility, WalletKey};
use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::{digest, hmac};
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Bytes of the transfer through TCP, and of each write.
const TRANSFER: usize = 256 << 20;
const PIECE: usize = 64 << 10;

pub(crate) fn run() -> Result<()> {
    sessions()?;
    print(
        "snap2p: sessions over TCP",
        wire::one_thread()?.block_on(over_tcp())?,
        "1/s",
    );
    raw_boxes();
    print(
        "snap2p: one stream, TCP",
        TRANSFER as f64 / stream()?.as_secs_f64() / 1e6,
        "MB/s",
    );
    Ok(())
}

/// One end, as every handshake speaks of it: the wallet has vouched for the node before.
fn local(seed: u8) -> Result<Local> {
    let wallet = WalletKey::from_bytes(&[seed; 32])?;
    let principal = Principal(wallet.address(Network::Mainnet));
    Ok(Local::attested(
        &wallet,
        principal,
        KeyPair::from_seed(&[seed; 32])?,
        Now::get(),
    )?)
}

fn sessions() -> Result<()> {
    let (alice, bob) = (local(1)?, local(2)?);
    let primitives = Primitives::new()?;
    let [ours, sum] = per_second_in_turn(
        || drop(black_box(session(&alice, &bob).expect("both are honest"))),
        || primitives.run(),
    );
    print("snap2p: sessions", ours, "1/s");
    print("snap2p: primitives", sum, "1/s");
    Ok(())
}

/// Both ends, from the first byte to the session.
fn session(alice: &Local, bob: &Local) -> Result<(Session, Session)> {
    let now = Now::get();
    let wanted = Dial {
        expect: Some(bob.principal),
        ..Dial::default()
    };
    let mut initiator = Handshake::dial(alice, wanted, Secrets::random()?, now)?;
    let mut responder = Handshake::answer(bob, Answer::default(), Secrets::random()?, now)?;
    let (mut there, mut back) = (BytesMut::new(), BytesMut::new());
    while !(initiator.is_established() && responder.is_established()) {
        initiator.poll_transmit(&mut there);
        responder.handle_input(&mut there, now)?;
        if responder.poll_question().is_some() {
            responder.decide(true)?;
        }
        responder.poll_transmit(&mut back);
        if !initiator.is_established() {
            initiator.handle_input(&mut back, now)?;
        }
    }
    let config = session::Config::default;
    Ok((
        initiator.into_session(config(), now)?,
        responder.into_session(config(), now)?,
    ))
}

/// The operations that a session cannot do without, in the libraries that it uses, for both ends: 2 ephemeral key pairs,
/// 6 agreements, 8 key derivations of four HMACs, 18 short hashes, 8 short boxes of Noise, 6 of messages sealed and opened again, 2
/// principals recovered from signatures, 2 checked node keys, 6 times 32 random bytes.
struct Primitives {
    theirs: x25519::PublicKey,
    node: [u8; 32],
    digest: [u8; 32],
    signature: [u8; 65],
    key: LessSafeKey,
}

impl Primitives {
    fn new() -> Result<Self> {
        let keys = KeyPair::from_seed(&[1; 32])?;
        let digest = [9; 32];
        Ok(Self {
            theirs: *keys.agreement().public(),
            node: *keys.public().as_bytes(),
            digest,
            signature: WalletKey::from_bytes(&[1; 32])?.sign(&digest),
            key: raw_key(),
        })
    }

    fn run(&self) {
        for _ in 0..2 {
            let ephemeral = x25519::SecretKey::from_bytes(black_box(&[3; 32])).unwrap();
            for _ in 0..3 {
                let secret = ephemeral.agree(black_box(&self.theirs)).unwrap();
                black_box(derive(&*secret));
            }
            black_box(derive(&[]));
            for _ in 0..9 {
                black_box(digest::digest(&digest::SHA256, black_box(&[5; 64])));
            }
            for length in [48, 48, 16, 16, 120, 120, 380, 380, 110, 110] {
                black_box(self.seal(length));
            }
            let (rs, v) = self.signature.split_at(64);
            let signature = Signature::from_slice(rs).unwrap();
            let recovery = RecoveryId::from_byte(v[0]).unwrap();
            black_box(VerifyingKey::recover_from_prehash(black_box(&self.digest), &signature, recovery).unwrap());
            black_box(PublicKey::from_bytes(black_box(&self.node)).unwrap());
            for _ in 0..3 {
                let mut secret = [0; 32];
                handfast_keys::random(&mut secret).unwrap();
                black_box(secret);
            }
        }
    }

    fn seal(&self, length: usize) -> [u8; 400] {
        let mut text = [5; 400];
        let _ = black_box(seal_raw(&self.key, &mut text[..length]));
        text
    }
}

/// HKDF-SHA256 with two outputs.
fn derive(secret: &[u8]) -> hmac::Tag {
    let extract = hmac::Key::new(hmac::HMAC_SHA256, black_box(&[0; 32]));
    let expand = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&extract, &[9; 32]).as_ref());
    let first = hmac::sign(&expand, secret);
    hmac::sign(&expand, first.as_ref())
}

fn raw_key() -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &[7; 32]).unwrap())
}

fn seal_raw(key: &LessSafeKey, text: &mut [u8]) -> ring::aead::Tag {
    let nonce = Nonce::assume_unique_for_key([3; 12]);
    key.seal_in_place_separate_tag(nonce, Aad::empty(), text).unwrap()
}

/// ring's ChaCha20-Poly1305 over 64 KiB in place: one core that does nothing else.
fn raw_boxes() {
    let key = raw_key();
    let mut text = vec![5; PIECE];
    let (start, mut bytes) = (Instant::now(), 0);
    while start.elapsed() < PERIOD {
        let _ = black_box(seal_raw(&key, black_box(&mut text)));
        bytes += PIECE;
    }
    print(
        "snap2p: raw boxes",
        bytes as f64 / start.elapsed().as_secs_f64() / 1e6,
        "MB/s",
    );
}

/// A peer that takes as many sessions as come.
pub(crate) async fn peer(seed: u8, sessions: usize) -> Result<Peer> {
    let mut limits = Limits::of(Visibility::Public);
    limits.sessions = sessions;
    let peer = Peer::builder((WalletKey::from_bytes(&[seed; 32])?, Network::Mainnet))
        .visibility(Visibility::Public)
        .px1(false)
        .limits(limits);
    Ok(peer.start().await?)
}

/// One session after the other, connecting included, both ends in this thread.
async fn over_tcp() -> Result<f64> {
    let (alice, bob) = (peer(1, 64).await?, peer(2, 64).await?);
    let address = bob.listen("127.0.0.1:0").await?;
    let accepting = {
        let bob = bob.clone();
        tokio::spawn(async move { while bob.accept().await.is_some() {} })
    };
    let start = Instant::now();
    let mut stood = 0;
    while start.elapsed() < PERIOD {
        black_box(alice.dial(address).await?);
        stood += 1;
    }
    let rate = f64::from(stood) / start.elapsed().as_secs_f64();
    accepting.abort();
    Ok(rate)
}

/// One stream, one thread at each end.
fn stream() -> Result<Duration> {
    let (tell, told) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || wire::one_thread()?.block_on(receive(&tell)));
    let address = told.recv().context("the reader listens")?;
    wire::one_thread()?.block_on(send(address))?;
    reader.join().expect("the reader does not panic")
}

async fn receive(tell: &std::sync::mpsc::Sender<SocketAddr>) -> Result<Duration> {
    let bob = peer(2, 1).await?;
    tell.send(bob.listen("127.0.0.1:0").await?)?;
    let (_session, mut incoming) = bob.accept().await.context("a session")?;
    let mut stream = incoming.next().await.context("a stream")?;
    let start = Instant::now();
    let mut plain = vec![0; PIECE];
    let mut received = 0;
    loop {
        match stream.read(&mut plain).await? {
            0 => break,
            count => received += count,
        }
    }
    assert_eq!(received, TRANSFER);
    let time = start.elapsed();
    // The sender waits for this.
    stream.shutdown().await?;
    bob.close().await;
    Ok(time)
}

async fn send(address: SocketAddr) -> Result<()> {
    let alice = peer(1, 1).await?;
    let session = alice.dial(address).await?;
    let mut stream = session.open_stream("bulk").await?;
    let plain = vec![5; PIECE];
    for _ in 0..TRANSFER / PIECE {
        stream.write_all(&plain).await?;
    }
    stream.shutdown().await?;
    assert_eq!(stream.read(&mut [0; 1]).await?, 0);
    Ok(())
}
