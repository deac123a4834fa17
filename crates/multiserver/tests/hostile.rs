//! Strangers who want too much, or say nothing.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use handfast_keys::PublicKey;
use handfast_multiserver::{
    Address, Arrival, Auth, Authenticate, BoxSocket, Connection, Endpoint, Error, Established, Incoming, Layer, Limits,
    Listener, Multiserver, Outgoing, Refusal, Scope, Server, Shs, Transform, Transport,
};
use std::{
    io,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use support::{NETWORK, accepted, address, connect, device, failed, incoming, key, keys, node, outgoing, talk};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
    net::TcpStream,
    sync::mpsc,
};

fn limits(change: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::for_files(1024);
    change(&mut limits);
    limits
}

async fn listen(limits: Limits) -> Server {
    node(1)
        .limits(limits)
        .listen(&incoming([("net", device("shs"))]))
        .await
        .unwrap()
}

async fn raw(server: &Server) -> TcpStream {
    let port = address(server).alternatives()[0].endpoint.port().unwrap();
    TcpStream::connect(("127.0.0.1", port)).await.unwrap()
}

/// Waits until the other end has closed the connection.
async fn closed(mut socket: impl tokio::io::AsyncRead + Unpin) {
    let mut rest = Vec::new();
    // A reset is as good an end as any.
    let _ = socket.read_to_end(&mut rest).await;
}

#[derive(Debug)]
struct Judge;

#[async_trait]
impl Authenticate for Judge {
    async fn authenticate(&self, peer: &PublicKey) -> Result<Auth, Refusal> {
        if *peer == key(66) {
            Err(Refusal::because("it is blocked"))
        } else {
            Ok(Auth::grant("friend"))
        }
    }
}

#[tokio::test]
async fn whoever_is_refused_learns_nothing_and_whoever_is_let_in_has_what_was_granted() {
    let shs = Shs::new(NETWORK, keys(1)).authenticate(Arc::new(Judge));
    let mut server = node(1)
        .transform(shs)
        .listen(&incoming([("net", device("shs"))]))
        .await
        .unwrap();
    let (to, outgoing, blocked) = (address(&server), outgoing(), node(66));
    let (error, failed) = tokio::join!(blocked.dial(&to, &outgoing), failed(&mut server));
    let error = error.unwrap_err().to_string();
    assert!(!error.contains("it is blocked"), "{error}");
    assert!(failed.error.to_string().contains("it is blocked"), "{failed}");
    assert_eq!(failed.ip, Some([127, 0, 0, 1].into()));
    let (_dialled, came) = connect(&node(2), &to, &mut server).await;
    assert_eq!(came.auth.granted::<&str>().as_deref(), Some(&"friend"));
    assert!(came.auth.granted::<String>().is_none());
}

#[tokio::test]
async fn silence_does_not_keep_others_out() {
    // Whoever is silent may stand there for long: room is made, not waited for.
    let mut server = listen(limits(|limits| {
        limits.max_half_open = 4;
        limits.handshake_timeout = Duration::from_secs(3600);
    }))
    .await;
    let mut silent = Vec::new();
    for _ in 0..4 {
        silent.push(raw(&server).await);
    }
    let to = address(&server);
    for _ in 0..3 {
        let (client, outgoing) = (node(2), outgoing());
        let dial = client.dial(&to, &outgoing);
        tokio::pin!(dial);
        // Those that were sent away are reported in between.
        let (mut dialled, mut came) = (None, None);
        while dialled.is_none() || came.is_none() {
            tokio::select! {
                result = &mut dial, if dialled.is_none() => dialled = Some(result.unwrap()),
                next = server.accept() => match next.unwrap() {
                    Ok(connection) => came = Some(connection),
                    Err(failed) => assert!(matches!(failed.error, Error::HandshakeShed), "{failed}"),
                },
            }
        }
        talk(&mut dialled.unwrap(), &mut came.unwrap()).await;
        silent.push(raw(&server).await);
    }
    closed(silent.remove(0)).await;
}

#[tokio::test]
async fn whoever_drips_bytes_is_cut_off_at_the_deadline() {
    let mut server = listen(limits(|limits| limits.handshake_timeout = Duration::from_millis(50))).await;
    let mut slow = raw(&server).await;
    let dripping = tokio::spawn(async move {
        while slow.write_all(&[0]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let failed = failed(&mut server).await;
    assert!(matches!(failed.error, Error::Timeout { .. }), "{failed}");
    dripping.await.unwrap();
}

#[cfg(feature = "ws")]
#[tokio::test]
async fn the_deadline_covers_the_upgrade_too() {
    let limits = limits(|limits| limits.handshake_timeout = Duration::from_millis(50));
    let mut server = node(1)
        .limits(limits)
        .listen(&incoming([("ws", device("shs"))]))
        .await
        .unwrap();
    let mut slow = raw(&server).await;
    slow.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n").await.unwrap();
    let failed = failed(&mut server).await;
    assert!(matches!(failed.error, Error::Timeout { .. }), "{failed}");
    closed(slow).await;
}

/// Upgrades to a WebSocket by hand, and returns the plain socket behind the answer.
#[cfg(feature = "ws")]
async fn upgraded(server: &Server) -> TcpStream {
    let mut socket = raw(server).await;
    let request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(socket.read_u8().await.unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"));
    socket
}

#[cfg(feature = "ws")]
#[tokio::test]
async fn websocket_messages_are_binary_and_bounded() {
    let mut server = node(1).listen(&incoming([("ws", device("shs"))])).await.unwrap();
    let bound = (handfast_multiserver::MAX_MESSAGE as u64 + 1).to_be_bytes();
    // A masked frame that claims one byte too many, and one of text.
    let long = [[0x82, 0xff].as_slice(), &bound, &[0; 4]].concat();
    let text = [0x81, 0x80 | 2, 0, 0, 0, 0, b'h', b'i'];
    for (frame, why) in [(long.as_slice(), "too long"), (&text, "the peer sent text")] {
        let mut socket = upgraded(&server).await;
        socket.write_all(frame).await.unwrap();
        let failed = failed(&mut server).await;
        assert!(failed.error.to_string().contains(why), "{failed}");
        closed(socket).await;
    }
}

/// Arrivals that a test brings, from wherever it likes.
#[derive(Debug, Default)]
struct Door(Mutex<Option<mpsc::Receiver<io::Result<Arrival>>>>);

struct Open(mpsc::Receiver<io::Result<Arrival>>);

fn nowhere() -> Endpoint {
    Endpoint::Other(Layer::new("door", ["front"]).unwrap())
}

#[async_trait]
impl Transport for Door {
    fn name(&self) -> &str {
        "door"
    }
    fn understands(&self, _endpoint: &Endpoint) -> bool {
        false
    }
    async fn dial(&self, _to: &Endpoint, _options: &Outgoing) -> Result<BoxSocket, Error> {
        Err(Error::other("nobody dials a door"))
    }
    async fn listen(&self, _options: &Incoming) -> Result<Box<dyn Listener>, Error> {
        Ok(Box::new(Open(self.0.lock().unwrap().take().unwrap())))
    }
}

#[async_trait]
impl Listener for Open {
    fn endpoints(&self, _scope: Scope) -> Vec<Endpoint> {
        self.bound()
    }
    fn bound(&self) -> Vec<Endpoint> {
        vec![nowhere()]
    }
    async fn accept(&mut self) -> io::Result<Arrival> {
        match self.0.recv().await {
            Some(arrival) => arrival,
            None => std::future::pending().await,
        }
    }
}

/// Whoever comes is let in; the first byte says whether it is the owner.
#[derive(Debug)]
struct Nod;

#[async_trait]
impl Transform for Nod {
    fn name(&self) -> &str {
        "nod"
    }
    fn layer(&self) -> Layer {
        Layer::new("nod", Vec::<String>::new()).unwrap()
    }
    async fn connect(&self, _socket: BoxSocket, _to: &Layer, _over: &Endpoint) -> Result<Established, Error> {
        Err(Error::other("it only nods"))
    }
    async fn accept(&self, mut socket: BoxSocket, _from: &Endpoint) -> Result<Established, Error> {
        let owner = socket.read_u8().await.map_err(Error::other)? == b'o';
        Ok(Established {
            socket,
            peer: None,
            layer: self.layer(),
            auth: if owner { Auth::Owner } else { Auth::Anonymous },
        })
    }
}

struct House {
    server: Server,
    arrivals: mpsc::Sender<io::Result<Arrival>>,
}

impl House {
    async fn new(limits: Limits) -> Self {
        let (arrivals, door) = mpsc::channel(1);
        let door = Door(Mutex::new(Some(door)));
        let node = Multiserver::new().transport(door).transform(Nod).limits(limits);
        let server = node.listen(&incoming([("door", device("nod"))])).await.unwrap();
        Self { server, arrivals }
    }

    /// Somebody stands outside, and has said nothing yet.
    async fn knock(&self, from: &str) -> DuplexStream {
        let (here, there) = duplex(64);
        let ip = from.parse::<IpAddr>().ok();
        self.arrivals
            .send(Ok(Arrival::ready(nowhere(), ip, there)))
            .await
            .unwrap();
        here
    }

    /// Somebody comes in.
    async fn visit(&mut self, from: &str) -> Result<(DuplexStream, Connection), Error> {
        self.enter(from, b'x').await
    }

    async fn enter(&mut self, from: &str, word: u8) -> Result<(DuplexStream, Connection), Error> {
        let mut here = self.knock(from).await;
        // Whoever is turned away at once may be gone before a word is said.
        let _ = here.write_all(&[word]).await;
        match self.server.accept().await.unwrap() {
            Ok(connection) => Ok((here, connection)),
            Err(failed) => Err(failed.error),
        }
    }
}

async fn is_cut(connection: &mut Connection) -> bool {
    connection
        .socket
        .read(&mut [0; 1])
        .await
        .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionAborted)
}

#[tokio::test]
async fn one_address_takes_no_more_than_its_share() {
    let mut house = House::new(limits(|limits| limits.max_connections_per_ip = 2)).await;
    let _first = house.visit("192.0.2.1").await.unwrap();
    let second = house.visit("192.0.2.1").await.unwrap();
    let error = house.visit("192.0.2.1").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "too many connections from 192.0.2.1; 2 at once are allowed"
    );
    let _other = house.visit("192.0.2.2").await.unwrap();
    drop(second);
    let _third = house.visit("192.0.2.1").await.expect("a place that was left is free");

    // One host has a /64 to itself; a mapped address is the address that it maps.
    let _v6 = (
        house.visit("2001:db8::1").await.unwrap(),
        house.visit("2001:db8::2").await.unwrap(),
    );
    let error = house.visit("2001:db8::ffff:3").await.unwrap_err();
    assert!(error.to_string().contains("2001:db8::/64"), "{error}");
    house.visit("::ffff:192.0.2.1").await.unwrap_err();

    // Everybody may come from here, by way of Tor or a proxy.
    let mut many = Vec::new();
    for _ in 0..9 {
        many.push(house.visit("127.0.0.1").await.unwrap());
        many.push(house.visit("::1").await.unwrap());
    }
}

#[tokio::test]
async fn a_full_house_makes_room_at_the_expense_of_whoever_holds_the_most() {
    let mut house = House::new(limits(|limits| limits.max_connections = 4)).await;
    let mut crowd = Vec::new();
    for _ in 0..3 {
        crowd.push(house.visit("192.0.2.1").await.unwrap());
    }
    let _single = house.visit("192.0.2.2").await.unwrap();
    // The first of the crowd is not the one that has been idle longest.
    crowd[0].0.write_all(b"!").await.unwrap();
    assert_eq!(crowd[0].1.socket.read_u8().await.unwrap(), b'!');

    let _newcomer = house.visit("192.0.2.3").await.unwrap();
    assert!(
        is_cut(&mut crowd[1].1).await,
        "the longest idle one of the largest group goes"
    );
    crowd[2].0.write_all(b"!").await.unwrap();
    assert_eq!(crowd[2].1.socket.read_u8().await.unwrap(), b'!');

    // Now nobody holds more than the newcomer would: two, one, one against one more.
    let error = house.visit("192.0.2.3").await.unwrap_err();
    assert!(matches!(error, Error::Full { limit: 4 }), "{error}");
    // And whoever is largest himself pushes nobody out.
    let error = house.visit("192.0.2.1").await.unwrap_err();
    assert!(matches!(error, Error::Full { limit: 4 }), "{error}");
    let _next = house.visit("192.0.2.4").await.unwrap();
    let error = house.visit("192.0.2.5").await.unwrap_err();
    assert!(matches!(error, Error::Full { limit: 4 }), "one each is fair: {error}");

    // The owner gets in all the same.
    let (_, owner) = house.enter("local", b'o').await.unwrap();
    assert!(owner.auth.is_owner());
}

#[tokio::test]
async fn whoever_is_cut_is_told_at_once_even_while_waiting() {
    let mut house = House::new(limits(|limits| limits.max_connections = 2)).await;
    let (mut far, mut near) = house.visit("192.0.2.1").await.unwrap();
    let waiting = tokio::spawn(async move { is_cut(&mut near).await });
    let _second = house.visit("192.0.2.1").await.unwrap();
    // The first one waits for a byte, as an idle connection does.
    tokio::task::yield_now().await;
    let _newcomer = house.visit("192.0.2.2").await.unwrap();
    assert!(waiting.await.unwrap());
    assert_eq!(far.read(&mut [0; 1]).await.unwrap(), 0, "its socket is closed");
}

#[tokio::test]
async fn one_address_sends_away_its_own_unfinished_handshakes_only() {
    let mut house = House::new(limits(|limits| limits.max_half_open_per_ip = 2)).await;
    let mut other = house.knock("192.0.2.9").await;
    let first = house.knock("192.0.2.1").await;
    let mut second = house.knock("192.0.2.1").await;
    let _third = house.knock("192.0.2.1").await;
    let error = house.server.accept().await.unwrap().unwrap_err().error;
    assert!(matches!(error, Error::HandshakeShed), "{error}");
    closed(first).await;
    for honest in [&mut other, &mut second] {
        honest.write_all(b"x").await.unwrap();
        accepted(&mut house.server).await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_error_of_accepting_ends_a_listener() {
    let mut house = House::new(limits(|limits| limits.handshake_timeout = Duration::from_secs(3600))).await;
    // A client that left before it was let in is no reason to send anybody else away.
    let mut patient = house.knock("192.0.2.1").await;
    for _ in 0..100 {
        let left = io::ErrorKind::ConnectionAborted.into();
        house.arrivals.send(Err(left)).await.unwrap();
    }
    patient.write_all(b"x").await.unwrap();
    accepted(&mut house.server).await;

    let silent = house.knock("192.0.2.1").await;
    const TOO_MANY_OPEN_FILES: i32 = 24;
    for _ in 0..20 {
        let error = io::Error::from_raw_os_error(TOO_MANY_OPEN_FILES);
        house.arrivals.send(Err(error)).await.unwrap();
    }
    // Out of files, the oldest handshake gives its own back.
    closed(silent).await;
    let error = house.server.accept().await.unwrap().unwrap_err().error;
    assert!(matches!(error, Error::HandshakeShed), "{error}");
    house.visit("192.0.2.2").await.unwrap();
}

#[tokio::test]
async fn whoever_leaves_before_being_accepted_costs_others_nothing() {
    let mut house = House::new(limits(|_| {})).await;
    let mut slow = house.knock("192.0.2.1").await;
    for _ in 0..100 {
        let left = io::ErrorKind::ConnectionAborted.into();
        house.arrivals.send(Err(left)).await.unwrap();
    }
    slow.write_all(b"x").await.unwrap();
    accepted(&mut house.server).await;
}

#[tokio::test]
async fn a_connection_that_is_cut_while_nobody_fetches_it_gives_its_file_back() {
    // So many wait to be fetched; those behind them wait in their tasks.
    const INBOX: usize = 64;
    let mut house = House::new(limits(|limits| limits.max_connections = INBOX + 2)).await;
    let mut crowd = Vec::new();
    for _ in 0..INBOX + 2 {
        let mut here = house.knock("127.0.0.1").await;
        here.write_all(b"x").await.unwrap();
        crowd.push(here);
    }
    let mut others = Vec::new();
    for n in 0..INBOX + 1 {
        let mut here = house.knock(&format!("192.0.2.{n}")).await;
        here.write_all(b"x").await.unwrap();
        others.push(here);
    }
    // All of the crowd but one have made room, and one of them waited in its task.
    let gone = crowd.into_iter().map(|here| Box::pin(closed(here)));
    futures_util::future::select_all(gone).await;
    assert!(house.server.accept().await.unwrap().is_ok());
}

#[tokio::test]
async fn the_owner_gets_in_where_nobody_else_does() {
    let mut house = House::new(limits(|limits| limits.max_connections = 0)).await;
    let error = house.visit("192.0.2.1").await.unwrap_err();
    assert!(matches!(error, Error::Full { limit: 0 }), "{error}");
    let (_, owner) = house.enter("local", b'o').await.unwrap();
    assert!(owner.auth.is_owner());
}

#[tokio::test]
async fn a_transform_that_panics_harms_nobody_else() {
    #[derive(Debug)]
    struct Trap;
    #[async_trait]
    impl Transform for Trap {
        fn name(&self) -> &str {
            "nod"
        }
        fn layer(&self) -> Layer {
            Nod.layer()
        }
        async fn connect(&self, socket: BoxSocket, to: &Layer, over: &Endpoint) -> Result<Established, Error> {
            Nod.connect(socket, to, over).await
        }
        async fn accept(&self, mut socket: BoxSocket, from: &Endpoint) -> Result<Established, Error> {
            assert_ne!(socket.read_u8().await.map_err(Error::other)?, b'!', "this is the test");
            Nod.accept(socket, from).await
        }
    }
    let (arrivals, door) = mpsc::channel(1);
    let door = Door(Mutex::new(Some(door)));
    let node = Multiserver::new().transport(door).transform(Trap);
    let server = node.listen(&incoming([("door", device("nod"))])).await.unwrap();
    let mut house = House { server, arrivals };
    let mut unlucky = house.knock("192.0.2.1").await;
    unlucky.write_all(b"!").await.unwrap();
    closed(unlucky).await;
    let mut here = house.knock("192.0.2.1").await;
    here.write_all(b"-x").await.unwrap();
    accepted(&mut house.server).await;
}

#[tokio::test]
async fn failures_that_nobody_fetches_are_counted_and_forgotten() {
    let mut house = House::new(limits(|limits| limits.max_connections_per_ip = 0)).await;
    const MANY: u64 = 1000;
    for _ in 0..MANY {
        house.knock("192.0.2.1").await;
    }
    let (mut reported, mut known) = (0, 0);
    while known < MANY {
        match house.server.accept().now_or_never() {
            Some(failed) => {
                reported += 1;
                known += 1 + failed.unwrap().unwrap_err().unreported;
            }
            // The next failure brings the number of those before it.
            None => drop(house.knock("192.0.2.1").await),
        }
    }
    assert!(reported < 200, "{reported} were kept");
}

#[tokio::test]
async fn closing_ends_handshakes_and_leaves_connections() {
    let mut server = listen(limits(|_| {})).await;
    let to: Address = address(&server);
    let (mut dialled, mut came) = connect(&node(2), &to, &mut server).await;
    let silent = raw(&server).await;
    server.close().await;
    closed(silent).await;
    talk(&mut dialled, &mut came).await;
    node(2).dial(&to, &outgoing()).await.unwrap_err();
}
