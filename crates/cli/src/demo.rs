//! `handfast demo`: two nodes on this machine meet, talk, and turn strangers away. Each line says what was proved.

use crate::{example_api, exit::Failure};
use anyhow::{Context, Result, anyhow, ensure};
use futures_util::TryStreamExt;
use handfast_boxstream::tokio::BoxStream;
use handfast_gossip::{Gossip, Options, secure};
use handfast_keys::{KeyPair, NetworkIdentifier, x25519};
use handfast_mux::tokio::{Config, Peer, connection_with};
use handfast_shs::{self as shs, Client, Outcome, Server};
use handfast_snap2p::{self as snap2p, Locator, Network, tokio::DialOptions, wallet::Wallet};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    net::{TcpListener, TcpStream},
};

pub(crate) async fn run() -> Result<(), Failure> {
    play().await.map_err(Failure::local)
}

/// `println!` that does not mind when nobody reads any more.
macro_rules! say {
    ($($text:tt)*) => {
        // A terminal that takes no more lines is no reason to stop proving.
        drop(crate::out::line(format_args!($($text)*)))
    };
}

/// A step of the play: what happens next.
fn scene(title: &str) {
    say!("\n{title}");
}

/// Something that happened before our eyes.
fn proved(what: impl std::fmt::Display) {
    say!("  ✓ {what}");
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>()
        + "…"
}

async fn play() -> Result<()> {
    say!("Two nodes on this machine, over TCP on 127.0.0.1. Nothing leaves it, nothing is stored.");

    scene("Identities");
    let (alice, bob) = (KeyPair::generate()?, KeyPair::generate()?);
    let network = NetworkIdentifier::generate()?;
    say!("  alice   {}", alice.public());
    say!("  bob     {}", bob.public());
    say!("  network {network} (made for this demo; whoever does not know it stays outside)");

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;

    scene("The Secret Handshake, message by message");
    let (alices, bobs) = shake_hands(&listener, address, &network, &alice, &bob).await?;

    scene("The encrypted stream");
    sealed_records_hide_what_they_carry().await?;

    scene("Calls, of every kind and in both directions");
    talk(alices, bobs, &alice, &bob).await?;

    scene("Gossip, through somebody in the middle");
    gossip(&alice, &bob).await?;

    scene("SNaP2P: wallets instead of keys");
    snap2p().await?;

    scene("Strangers");
    strangers(&listener, address, &network, &bob).await?;

    say!("\nThat is what runs in a node. Your own:\n");
    say!("  handfast init && handfast serve");
    say!("  handfast call ADDRESS whoami        in another terminal, with the address that serve printed");
    Ok(())
}

type Side = (TcpStream, Outcome);

/// Plays both sides of the handshake by hand, over a real connection.
async fn shake_hands(
    listener: &TcpListener,
    address: SocketAddr,
    network: &NetworkIdentifier,
    alice: &KeyPair,
    bob: &KeyPair,
) -> Result<(Side, Side)> {
    let (dialled, accepted) = tokio::try_join!(TcpStream::connect(address), listener.accept())?;
    let (mut at_alice, (mut at_bob, _)) = (dialled, accepted);
    at_alice.set_nodelay(true)?;
    at_bob.set_nodelay(true)?;

    let (hello, client) = Client::new(network, alice, bob.public()).hello(x25519::SecretKey::generate()?);
    let hello: [u8; 64] = travel(&mut at_alice, &mut at_bob, hello).await?;
    say!(
        "  1 alice → bob   64 bytes {}   her ephemeral key, marked with the network identifier",
        hex(&hello)
    );
    let (hello, server) = Server::new(network, bob).receive(hello, x25519::SecretKey::generate()?)?;
    proved("bob: whoever this is knows our network");

    let hello: [u8; 64] = travel(&mut at_bob, &mut at_alice, hello).await?;
    say!(
        "  2 bob → alice   64 bytes {}   his ephemeral key, marked likewise",
        hex(&hello)
    );
    let (auth, client) = client.receive(hello)?;
    proved("alice: so does the other side; from here on the two share a secret that nobody recorded");

    let auth: [u8; 112] = travel(&mut at_alice, &mut at_bob, auth).await?;
    say!(
        "  3 alice → bob  112 bytes {}   her name and signature, in a box that only bob can open",
        hex(&auth)
    );
    let authenticated = server.receive(auth)?;
    ensure!(authenticated.peer() == alice.public(), "bob was told another name");
    proved(format!("bob: this is {}, and she means me", authenticated.peer()));

    let (accept, bobs) = authenticated.accept()?;
    let accept: [u8; 80] = travel(&mut at_bob, &mut at_alice, accept).await?;
    say!("  4 bob → alice   80 bytes {}   his signature: welcome", hex(&accept));
    let alices = client.receive(accept)?;
    ensure!(alices.peer == *bob.public(), "alice reached somebody else");
    ensure!(
        alices.encrypt.key == bobs.decrypt.key && alices.decrypt.key == bobs.encrypt.key,
        "the keys differ"
    );
    proved("alice: this is bob, and nobody in between; both now hold the same two keys, one for each direction");
    Ok(((at_alice, alices), (at_bob, bobs)))
}

/// Sends a message over the wire, and returns what arrived.
async fn travel<const N: usize>(from: &mut TcpStream, to: &mut TcpStream, message: [u8; N]) -> Result<[u8; N]> {
    from.write_all(&message).await?;
    let mut arrived = [0; N];
    to.read_exact(&mut arrived).await?;
    Ok(arrived)
}

/// Keys as a handshake leaves them, from a handshake in memory.
async fn fresh_outcomes() -> Result<(Outcome, Outcome)> {
    let network = NetworkIdentifier::generate()?;
    let (one, other) = (KeyPair::generate()?, KeyPair::generate()?);
    let (mut a, mut b) = duplex(256);
    let (at_client, at_server) = tokio::try_join!(
        shs::tokio::connect(&mut a, &network, &one, other.public()),
        shs::tokio::accept(&mut b, &network, &other, |_| async { Ok(Some(())) })
    )?;
    let at_server = Outcome {
        peer: at_server.peer,
        encrypt: at_server.encrypt,
        decrypt: at_server.decrypt,
    };
    Ok((at_client, at_server))
}

async fn sealed_records_hide_what_they_carry() -> Result<()> {
    let words = b"kia ora, bob";
    for meddle in [false, true] {
        let (sender, receiver) = fresh_outcomes().await?;
        let (near, mut tap) = duplex(4096);
        let mut out = BoxStream::new(near, sender.encrypt, sender.decrypt);
        out.write_all(words).await?;
        out.shutdown().await?;
        let mut wire = Vec::new();
        tap.read_to_end(&mut wire).await?;
        ensure!(
            !wire.windows(words.len()).any(|window| window == words),
            "the words can be read on the wire"
        );
        if meddle && let Some(byte) = wire.get_mut(40) {
            *byte ^= 1;
        }
        let (near, mut feed) = duplex(4096);
        let mut into = BoxStream::new(near, receiver.encrypt, receiver.decrypt);
        feed.write_all(&wire).await?;
        drop(feed);
        let mut read = Vec::new();
        let result = into.read_to_end(&mut read).await;
        if meddle {
            let error = result.err().context("a changed byte went unnoticed")?;
            proved(format!("one bit changed on the way: {error}"));
        } else {
            result?;
            ensure!(read == words, "something else arrived");
            proved(format!(
                "{} bytes of text are {} on the wire, and none can be read there",
                words.len(),
                wire.len()
            ));
        }
    }
    Ok(())
}

async fn talk(alices: Side, bobs: Side, alice: &KeyPair, bob: &KeyPair) -> Result<()> {
    let (to_bob, at_alice) = start(alices, alice);
    let (to_alice, at_bob) = start(bobs, bob);

    let who: Value = to_bob.call("whoami", ()).await?;
    ensure!(who == json!({ "id": bob.public() }));
    proved("sync    alice asks bob: whoami → his id");
    let sum: f64 = to_bob.call("add", (19, 23)).await?;
    ensure!(sum == 42.0);
    proved("sync    alice asks bob: add 19 23 → 42");
    let who: Value = to_alice.call("whoareyou", ()).await?;
    ensure!(who == json!({ "id": bob.public() }));
    proved("sync    bob asks alice over the same connection: who am I to you? → his id, as the handshake proved it");
    let numbers: Vec<u64> = to_bob.source::<u64>("count", (5,)).await?.try_collect().await?;
    ensure!(numbers == [0, 1, 2, 3, 4]);
    proved("source  bob counts for alice: 0 1 2 3 4");
    let mut notes = to_bob.sink("notes.add", ()).await?;
    for note in ["bring bread", "and honey"] {
        notes.send(note).await?;
    }
    notes.close().await?;
    let kept: Vec<String> = to_bob.source::<String>("notes.list", ()).await?.try_collect().await?;
    ensure!(kept == ["bring bread", "and honey"]);
    proved("sink    alice leaves two notes with bob, and he has them both, in order");
    let (mut words, shouted) = to_bob.duplex::<String>("shout", ()).await?;
    words.send("haere mai").await?;
    words.end();
    let shouted: Vec<String> = shouted.try_collect().await?;
    ensure!(shouted == ["HAERE MAI"]);
    proved("duplex  alice whispers, bob shouts back: HAERE MAI");
    let error = to_bob
        .call::<()>("fail", ("no honey today",))
        .await
        .err()
        .context("no error came")?;
    ensure!(error.to_string().contains("no honey today"));
    proved("errors  a method that fails says why, and the connection lives on");

    to_bob.close().await?;
    at_alice.await?.context("alice's connection")?;
    at_bob.await?.context("bob's connection")?;
    proved("goodbye said and heard on both sides: nothing was cut off");
    Ok(())
}

type Driving = tokio::task::JoinHandle<Result<(), handfast_mux::Error>>;

fn start((tcp, outcome): Side, identity: &KeyPair) -> (Peer, Driving) {
    let stream = BoxStream::new(tcp, outcome.encrypt, outcome.decrypt);
    let mut config = Config::default();
    config.peer = Some(outcome.peer);
    let (peer, driver) = connection_with(stream, example_api::router(*identity.public()), config);
    (peer, tokio::spawn(driver))
}

/// Alice and carol both know bob, and not each other.
async fn gossip(alice: &KeyPair, bob: &KeyPair) -> Result<()> {
    let carol = KeyPair::generate()?;
    say!("  carol   {}", carol.public());
    let node = |keys: &KeyPair| Gossip::new(Options::new(keys.clone()));
    let (at_alice, at_bob, at_carol) = (node(alice)?, node(bob)?, node(&carol)?);
    let mut heard_by_carol = at_carol.messages();
    let mut heard_by_alice = at_alice.messages();
    let join = |one: &Gossip, other: &Gossip| {
        let (here, there) = duplex(64 * 1024);
        tokio::spawn(one.create_peer_stream(here));
        tokio::spawn(other.create_peer_stream(there));
    };
    join(&at_alice, &at_bob);

    at_alice.publish(json!({ "text": "the beans are up" }))?;
    join(&at_bob, &at_carol);
    let (message, info) = heard_by_carol.next().await.context("carol heard nothing")?;
    ensure!(
        info.public.as_bytes() == alice.public().as_bytes(),
        "carol heard somebody else"
    );
    proved(format!(
        "carol hears {message}, signed by alice, although bob brings it and carol came later"
    ));
    at_carol.publish(json!({ "text": "here too" }))?;
    let (message, _) = heard_by_alice.next().await.context("alice heard nothing")?;
    proved(format!("alice hears {message} from carol, and each of it once"));

    let signed = secure::Message::sign(alice, &handfast_json::parse(r#"{"text":"yes"}"#)?, 1)?;
    let meddled = String::from_utf8(signed.line().to_vec())?.replace("yes", "no!");
    ensure!(
        secure::Message::parse(meddled.as_bytes()).is_err(),
        "bob put words into alice's mouth"
    );
    proved("a word changed on the way: nobody takes it for alice's, and nobody passes it on");
    tokio::join!(at_alice.stop(), at_bob.stop(), at_carol.stop());
    Ok(())
}

/// Alice and bob again, as SNaP2P knows them: by the addresses of their wallets.
async fn snap2p() -> Result<()> {
    let [alice, bob, mallory] = [(); 3].map(|()| Wallet::ephemeral(Network::Mainnet));
    let (alice, bob, mallory) = (alice?, bob?, mallory?);
    let [principal_of_alice, principal_of_bob] = [alice.account(0)?.principal(), bob.account(0)?.principal()];
    say!("  alice   {principal_of_alice}");
    say!("  bob     {principal_of_bob}");

    let at_alice = snap2p::Peer::builder(&alice).allow([principal_of_bob]).start().await?;
    let place = at_alice.listen("127.0.0.1:0").await?;
    let place = Locator::try_from(place)?;
    let serving = async {
        let (session, mut incoming) = at_alice.accept().await.context("alice hears nobody")?;
        ensure!(*session.principal() == principal_of_bob, "alice was told another name");
        let mut stream = incoming.next().await.context("bob opens no stream")?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        stream.write_all(text.to_uppercase().as_bytes()).await?;
        stream.shutdown().await?;
        anyhow::Ok(session)
    };
    let at_bob = snap2p::Peer::builder(&bob).start().await?;
    let dialling = async {
        let session = at_bob.dial(place.clone()).await?;
        ensure!(*session.principal() == principal_of_alice, "bob reached somebody else");
        let mut stream = session.open_stream("shout").await?;
        stream.write_all(b"haere mai").await?;
        stream.shutdown().await?;
        let mut shouted = String::new();
        stream.read_to_string(&mut shouted).await?;
        ensure!(shouted == "HAERE MAI");
        anyhow::Ok(session)
    };
    let (alices, bobs) = tokio::try_join!(serving, dialling)?;
    ensure!(
        alices.peer_info().session_id == bobs.peer_info().session_id,
        "they are in different sessions"
    );
    proved("each has shown the other a node key that its wallet signed, good for a day, and speaks with that");
    proved("bob whispers on a stream with the label shout, and alice shouts back: HAERE MAI");

    let expecting = DialOptions {
        expect: Some(mallory.account(0)?.principal()),
        ..DialOptions::default()
    };
    let error = at_bob.dial_with(place.clone(), expecting).await.err();
    proved(format!(
        "bob dials somebody else at the same place: {}",
        error.context("bob was deceived")?
    ));

    let at_mallory = snap2p::Peer::builder(&mallory).start().await?;
    let seen = at_mallory
        .dial(place)
        .await
        .err()
        .context("alice let the stranger in")?;
    let known = loop {
        let failed = at_alice.failed().await.context("alice noticed nothing")?;
        if let snap2p::Error::NotAllowed(_) = failed.error {
            break failed.error;
        }
    };
    proved("a stranger with a good wallet, who is not on alice's list, is turned away");
    say!("      alice knows:   {known}");
    say!("      stranger sees: {seen}");
    tokio::join!(at_alice.close(), at_bob.close(), at_mallory.close());
    Ok(())
}

/// What a stranger sees and what bob learns.
async fn strangers(
    listener: &TcpListener,
    address: SocketAddr,
    network: &NetworkIdentifier,
    bob: &KeyPair,
) -> Result<()> {
    let mallory = KeyPair::generate()?;
    let someone_else = KeyPair::generate()?;
    let other_network = NetworkIdentifier::generate()?;
    let cases = [
        ("with another network key", &other_network, bob.public(), true),
        ("who takes bob for somebody else", network, someone_else.public(), true),
        ("whom bob has blocked", network, bob.public(), false),
    ];
    for (who, network_used, server_meant, welcome) in cases {
        let stranger = async {
            let mut tcp = TcpStream::connect(address).await?;
            let error = shs::tokio::connect(&mut tcp, network_used, &mallory, server_meant)
                .await
                .err();
            let mut rest = Vec::new();
            let heard = tcp.read_to_end(&mut rest).await.unwrap_or(0);
            ensure!(heard == 0, "the stranger heard something");
            error.context("the stranger came in")
        };
        let door = async {
            let (mut tcp, _) = listener.accept().await?;
            let result = shs::tokio::accept(&mut tcp, network, bob, |_| async move { Ok(welcome.then_some(())) }).await;
            drop(tcp);
            result.err().ok_or_else(|| anyhow!("bob let the stranger in"))
        };
        let (seen, known) = tokio::try_join!(stranger, door)?;
        proved(format!("a stranger {who} is turned away"));
        say!("      bob knows:     {known}");
        say!("      stranger sees: {seen}");
    }
    Ok(())
}
