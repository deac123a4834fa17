//! ssb-handshake and ssb-boxstream, through the in-memory transports that they take.

use crate::{megabytes, per_second};
use futures::executor::block_on;
use futures::io::{AsyncReadExt, AsyncWriteExt, Cursor};
use ssb_boxstream::{BoxReader, BoxWriter};
use ssb_crypto::secretbox::{Key, Nonce};
use ssb_crypto::{Keypair, NetworkKey};
use std::hint::black_box;
use std::time::Instant;
use tokio_util::compat::TokioAsyncReadCompatExt;

/// Bytes that are written or read between two looks at the clock.
const PIECE: usize = 1 << 20;

/// Handshakes in memory, both sides on one core. It has no interface without I/O, so a pipe in memory is in the figure.
pub fn handshakes() -> f64 {
    let (client, server) = (Keypair::generate(), Keypair::generate());
    let network = NetworkKey::SSB_MAIN_NET;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    per_second(|| {
        runtime.block_on(async {
            let (near, far) = tokio::io::duplex(1024);
            let ends = futures::join!(
                ssb_handshake::client_side(near.compat(), &network, &client, &server.public),
                ssb_handshake::server_side(far.compat(), &network, &server),
            );
            black_box((ends.0.unwrap(), ends.1.unwrap()));
        });
    })
}

fn sealed(plain: &[u8]) -> Vec<u8> {
    let wire = Vec::with_capacity(PIECE + PIECE / 64);
    let mut writer = BoxWriter::new(wire, Key([3; 32]), Nonce([0; 24]));
    block_on(async {
        writer.write_all(plain).await.unwrap();
        writer.flush().await.unwrap();
    });
    writer.into_inner()
}

pub fn seal() -> f64 {
    let plain = vec![1; PIECE];
    megabytes(|| {
        let start = Instant::now();
        black_box(sealed(black_box(&plain)));
        (PIECE, start.elapsed())
    })
}

pub fn open() -> f64 {
    let wire = sealed(&vec![1; PIECE]);
    let mut plain = vec![0; PIECE];
    megabytes(|| {
        let mut reader = BoxReader::new(Cursor::new(wire.clone()), Key([3; 32]), Nonce([0; 24]));
        let start = Instant::now();
        block_on(reader.read_exact(&mut plain)).unwrap();
        black_box(&plain);
        (PIECE, start.elapsed())
    })
}
