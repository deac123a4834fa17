//! One round of measurements of the Rust peers: one JSON line each, `{"name": "WHAT/WHO", "value": .., "unit": ".."}`.

use futures::executor::block_on;
use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use kuska_handshake::{BoxStreamRecv, BoxStreamSend, Handshake, HandshakeComplete, KeyNonce};
use kuska_sodiumoxide::crypto::{auth, secretbox, sign::ed25519};
use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};
use tokio_util::compat::TokioAsyncReadCompatExt as _;

/// How long each measurement in memory runs.
const TIME: Duration = Duration::from_millis(500);
/// What goes over TCP in one measurement.
const TCP_BYTES: usize = 64 << 20;
const RECORD: usize = 4096;

fn main() {
    kuska_sodiumoxide::init().expect("libsodium starts");
    let keys = Keys::new();
    report("handshakes/kuska-handshake", rate(|| drop(black_box(kuska_pair(&keys)))), "/s");
    report("handshakes/ssb-handshake", ssb_handshakes(), "/s");
    report("seal_open_4096/kuska-handshake", records(kuska_records(&keys)), "GB/s");
    report("seal_open_4096/ssb-boxstream", ssb_records(), "GB/s");
    report("seal_open_4096/libsodium", records(libsodium_records()), "GB/s");
    report("boxstream_tcp/kuska-handshake", kuska_tcp(&keys), "GB/s");
}

fn report(name: &str, value: f64, unit: &str) {
    println!("{{\"name\":\"{name}\",\"value\":{value},\"unit\":\"{unit}\"}}");
}

/// How often a second an operation runs, after a tenth of the time to warm up.
fn rate(mut operation: impl FnMut()) -> f64 {
    let warm = Instant::now();
    while warm.elapsed() < TIME / 10 {
        operation();
    }
    let (start, mut count) = (Instant::now(), 0u32);
    while start.elapsed() < TIME {
        operation();
        count += 1;
    }
    f64::from(count) / start.elapsed().as_secs_f64()
}

/// A rate of whole records, as gigabytes a second.
fn records(operation: impl FnMut()) -> f64 {
    rate(operation) * RECORD as f64 / 1e9
}

struct Keys {
    network: auth::Key,
    client: (ed25519::PublicKey, ed25519::SecretKey),
    server: (ed25519::PublicKey, ed25519::SecretKey),
}

impl Keys {
    fn new() -> Self {
        let network = auth::Key::from_slice(&[5; 32]).expect("32 bytes");
        Self { network, client: ed25519::gen_keypair(), server: ed25519::gen_keypair() }
    }
}

/// Both sides of one handshake of kuska, in memory.
fn kuska_pair(keys: &Keys) -> (HandshakeComplete, HandshakeComplete) {
    let mut wire = [0; 128];
    let client = Handshake::new_client(keys.network.clone(), keys.client.0, keys.client.1.clone());
    let server = Handshake::new_server(keys.network.clone(), keys.server.0, keys.server.1.clone());
    let n = client.send_bytes();
    let client = client.send_client_hello(&mut wire[..n]);
    let server = server.recv_client_hello(&wire[..n]).expect("client hello");
    let n = server.send_bytes();
    let server = server.send_server_hello(&mut wire[..n]);
    let client = client.recv_server_hello(&wire[..n]).expect("server hello");
    let n = client.send_bytes();
    let client = client.send_client_auth(&mut wire[..n], keys.server.0).expect("client auth");
    let server = server.recv_client_auth(&mut wire[..n]).expect("client auth");
    let n = server.send_bytes();
    let server = server.send_server_accept(&mut wire[..n]);
    let client = client.recv_server_accept(&mut wire[..n]).expect("server accept");
    (client.complete(), server.complete())
}

fn kuska_records(keys: &Keys) -> impl FnMut() {
    let (client, server) = kuska_pair(keys);
    let mut seal = BoxStreamSend::new(KeyNonce::from_handshake(client).0);
    let mut open = BoxStreamRecv::new(KeyNonce::from_handshake(server).1);
    let (plain, mut sealed, mut opened) = (vec![1; RECORD], vec![0; RECORD + 100], vec![0; RECORD + 100]);
    move || {
        let (_, n) = seal.encrypt(black_box(&plain), &mut sealed).expect("room");
        open.decrypt(&sealed[..34], &mut opened).expect("header");
        open.decrypt(&sealed[34..n], &mut opened).expect("body");
        black_box(&opened);
    }
}

/// The two secretboxes of a record, sealed and opened in place: what any box stream over libsodium must at least do.
fn libsodium_records() -> impl FnMut() {
    let (key, nonce) = (secretbox::gen_key(), secretbox::gen_nonce());
    let (mut body, mut header) = (vec![1; RECORD], [2; 18]);
    move || {
        for text in [&mut body[..], &mut header[..]] {
            let tag = secretbox::seal_detached(black_box(text), &nonce, &key);
            secretbox::open_detached(black_box(text), &tag, &nonce, &key).expect("just sealed");
        }
    }
}

fn ssb_handshakes() -> f64 {
    use ssb_crypto::{Keypair, NetworkKey};
    let (client, server, network) = (Keypair::generate(), Keypair::generate(), NetworkKey::SSB_MAIN_NET);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    rate(|| {
        runtime.block_on(async {
            let (a, b) = tokio::io::duplex(1024);
            let (a, b) = tokio::join!(
                ssb_handshake::client_side(a.compat(), &network, &client, &server.public),
                ssb_handshake::server_side(b.compat(), &network, &server)
            );
            black_box((a.expect("client"), b.expect("server")));
        });
    })
}

/// Written in records of 4096 bytes by the crate itself, and read again.
fn ssb_records() -> f64 {
    use ssb_crypto::secretbox::{Key, Nonce};
    const BYTES: usize = 1 << 20;
    let (plain, mut opened) = (vec![1; BYTES], vec![0; BYTES]);
    let per_second = rate(|| {
        let mut writer = ssb_boxstream::BoxWriter::new(Vec::with_capacity(BYTES + BYTES / 50), Key([3; 32]), Nonce([0; 24]));
        block_on(async {
            writer.write_all(black_box(&plain)).await.expect("memory takes it");
            writer.flush().await.expect("memory takes it");
        });
        let sealed = futures::io::Cursor::new(writer.into_inner());
        let mut reader = ssb_boxstream::BoxReader::new(sealed, Key([3; 32]), Nonce([0; 24]));
        block_on(reader.read_exact(&mut opened)).expect("just sealed");
        black_box(&opened);
    });
    per_second * BYTES as f64 / 1e9
}

/// One writing and one reading thread over loopback.
fn kuska_tcp(keys: &Keys) -> f64 {
    let (client, server) = kuska_pair(keys);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let reader = std::thread::spawn(move || {
        let (socket, _) = listener.accept().expect("a connection");
        let mut stream = kuska_handshake::sync::BoxStream::from_handshake(&socket, &socket, server).split_read_write().0;
        let (mut buffer, mut total) = (vec![0; 65536], 0);
        while total < TCP_BYTES {
            total += stream.read(&mut buffer).expect("data");
        }
    });
    let socket = TcpStream::connect(address).expect("the listener");
    socket.set_nodelay(true).expect("a socket option");
    let mut stream = kuska_handshake::sync::BoxStream::from_handshake(&socket, &socket, client).split_read_write().1;
    let (chunk, start) = (vec![1; 65536], Instant::now());
    for _ in 0..TCP_BYTES / chunk.len() {
        stream.write_all(&chunk).expect("the reader reads");
    }
    stream.flush().expect("the reader reads");
    reader.join().expect("the reader ends");
    TCP_BYTES as f64 / start.elapsed().as_secs_f64() / 1e9
}
