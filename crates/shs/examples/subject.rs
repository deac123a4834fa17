//! A peer on stdin and stdout, as the language-independent test suite shs1-test runs it; also the shortest use of the
//! core without tokio.
//!
//! ```text
//! subject NETWORK SERVER_PUBLIC                 the client's side
//! subject NETWORK SERVER_SECRET SERVER_PUBLIC   the server's side      (all in hexadecimal)
//! ```
//!
//! After the handshake it writes 112 bytes: key and nonce for sending, key and nonce for receiving. A peer that
//! misbehaves gets no further byte, and the exit code is not zero.

use handfast_keys::{KeyPair, NetworkIdentifier, PublicKey, x25519};
use handfast_shs::{Client, Outcome, Server};
use std::{
    error::Error,
    io::{Read, Write, stdin, stdout},
};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<Vec<u8>> = std::env::args()
        .skip(1)
        .map(|arg| unhex(&arg))
        .collect::<Option<_>>()
        .ok_or("not hex")?;
    let ephemeral = x25519::SecretKey::generate()?;
    let outcome = match args.as_slice() {
        [network, server] => {
            let server = PublicKey::from_bytes(&array(server)?)?;
            let network = NetworkIdentifier::from_bytes(array(network)?);
            let (hello, client) = Client::new(&network, &KeyPair::generate()?, &server).hello(ephemeral);
            send(&hello)?;
            let (auth, client) = client.receive(receive()?)?;
            send(&auth)?;
            client.receive(receive()?)?
        }
        [network, secret, _public] => {
            let network = NetworkIdentifier::from_bytes(array(network)?);
            let server = KeyPair::from_libsodium(&array(secret)?)?;
            let (hello, server) = Server::new(&network, &server).receive(receive()?, ephemeral)?;
            send(&hello)?;
            let (accept, outcome) = server.receive(receive()?)?.accept()?;
            send(&accept)?;
            outcome
        }
        _ => return Err("usage: subject NETWORK SERVER_PUBLIC | NETWORK SERVER_SECRET SERVER_PUBLIC".into()),
    };
    let Outcome { encrypt, decrypt, .. } = outcome;
    send(&[&encrypt.key[..], &encrypt.nonce, &decrypt.key, &decrypt.nonce].concat())?;
    Ok(())
}

fn receive<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut message = [0; N];
    stdin().read_exact(&mut message)?;
    Ok(message)
}

fn send(message: &[u8]) -> std::io::Result<()> {
    let mut out = stdout().lock();
    out.write_all(message)?;
    out.flush()
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], &'static str> {
    bytes.try_into().map_err(|_| "an argument has the wrong length")
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok())
        .collect()
}
