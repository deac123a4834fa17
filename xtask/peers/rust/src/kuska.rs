//! kuska-handshake: the handshake and the box stream, with its own threaded adapter for the latter.

use crate::{RECORD, megabytes, per_second};
use kuska_handshake::sync::BoxStream;
use kuska_handshake::{BoxStreamRecv, BoxStreamSend, Handshake, HandshakeComplete, KeyNonce};
use kuska_sodiumoxide::crypto::{auth, sign::ed25519};
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

/// Records that are opened between two looks at the clock.
const BATCH: usize = 16;
/// Bytes of the transfer through TCP.
const TRANSFER: usize = 128 << 20;

struct Keys {
    network: auth::Key,
    client: (ed25519::PublicKey, ed25519::SecretKey),
    server: (ed25519::PublicKey, ed25519::SecretKey),
}

impl Keys {
    fn new() -> Self {
        kuska_sodiumoxide::init().unwrap();
        Self {
            network: auth::Key([5; 32]),
            client: ed25519::gen_keypair(),
            server: ed25519::gen_keypair(),
        }
    }

    /// Both sides of a handshake, the message handed over in a buffer.
    fn shake(&self) -> (HandshakeComplete, HandshakeComplete) {
        let mut message = [0; 128];
        let client = Handshake::new_client(self.network.clone(), self.client.0, self.client.1.clone());
        let server = Handshake::new_server(self.network.clone(), self.server.0, self.server.1.clone());

        let hello = &mut message[..client.send_bytes()];
        let client = client.send_client_hello(hello);
        let server = server.recv_client_hello(hello).unwrap();

        let hello = &mut message[..server.send_bytes()];
        let server = server.send_server_hello(hello);
        let client = client.recv_server_hello(hello).unwrap();

        let auth = &mut message[..client.send_bytes()];
        let client = client.send_client_auth(auth, self.server.0).unwrap();
        let server = server.recv_client_auth(auth).unwrap();

        let accept = &mut message[..server.send_bytes()];
        let server = server.send_server_accept(accept);
        let client = client.recv_server_accept(accept).unwrap();
        (client.complete(), server.complete())
    }

    /// What seals, and what opens that.
    fn direction(&self) -> (BoxStreamSend, BoxStreamRecv) {
        let (client, server) = self.shake();
        let (send, _) = KeyNonce::from_handshake(client);
        let (_, receive) = KeyNonce::from_handshake(server);
        (BoxStreamSend::new(send), BoxStreamRecv::new(receive))
    }
}

/// Handshakes in memory, both sides on one core.
pub fn handshakes() -> f64 {
    let keys = Keys::new();
    per_second(|| drop(black_box(keys.shake())))
}

pub fn seal() -> f64 {
    let (mut send, _) = Keys::new().direction();
    let plain = [1; RECORD];
    let mut sealed = [0; RECORD + 100];
    megabytes(|| {
        let start = Instant::now();
        for _ in 0..BATCH {
            black_box(send.encrypt(black_box(&plain), &mut sealed).unwrap());
        }
        (BATCH * RECORD, start.elapsed())
    })
}

pub fn open() -> f64 {
    let (mut send, mut receive) = Keys::new().direction();
    let mut sealed = vec![[0; RECORD + 34]; BATCH];
    let mut plain = [0; RECORD + 100];
    megabytes(|| {
        for record in &mut sealed {
            send.encrypt(&[1; RECORD], record).unwrap();
        }
        let start = Instant::now();
        for record in &sealed {
            receive.decrypt(black_box(&record[..34]), &mut plain).unwrap();
            receive.decrypt(black_box(&record[34..]), &mut plain).unwrap();
        }
        black_box(&plain);
        (BATCH * RECORD, start.elapsed())
    })
}

/// Through TCP on the loopback interface in writes of `piece` bytes, one thread at each end.
pub fn tcp(piece: usize) -> f64 {
    let (client, server) = Keys::new().shake();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let writer = std::thread::spawn(move || {
        let tcp = TcpStream::connect(address).unwrap();
        tcp.set_nodelay(true).unwrap();
        let (_, mut writer) = BoxStream::from_handshake(tcp.try_clone().unwrap(), tcp, client).split_read_write();
        let plain = vec![1; piece];
        for _ in 0..TRANSFER / piece {
            writer.write_all(&plain).unwrap();
        }
        writer.goodbye().unwrap();
    });
    let (tcp, _) = listener.accept().unwrap();
    let start = Instant::now();
    let (mut reader, _) = BoxStream::from_handshake(tcp.try_clone().unwrap(), tcp, server).split_read_write();
    let mut received = 0;
    let mut plain = [0; RECORD];
    loop {
        match reader.read(&mut plain).unwrap() {
            0 => break,
            count => received += count,
        }
    }
    let time = start.elapsed();
    writer.join().unwrap();
    assert_eq!(received, TRANSFER);
    TRANSFER as f64 / time.as_secs_f64() / 1e6
}
