//! The record layer: in memory against bare secretboxes, and through TCP.

// The same work as in the crate's own benchmark.
#[path = "../../../crates/boxstream/benches/work/mod.rs"]
mod work;

use crate::{PERIOD, print, wire};
use anyhow::Result;
use handfast_boxstream::MAX_RECORD;
use handfast_boxstream::tokio::{BoxReader, BoxWriter, WRITE_BUFFER};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, BufWriter};
use tokio::net::{TcpListener, TcpStream};
use work::{RECORDS, Run, key, our_open, our_seal, raw_open, raw_seal};

/// Bytes of the transfer through TCP.
const TRANSFER: usize = 256 << 20;

pub(crate) fn run() -> Result<()> {
    in_turn([("seal", our_seal()), ("seal, raw boxes", raw_seal())]);
    in_turn([("open", our_open()), ("open, raw boxes", raw_open())]);
    for (name, piece, gather) in [
        ("tcp, 4 KiB writes", 4 << 10, false),
        ("tcp, 4 KiB writes gathered", 4 << 10, true),
        ("tcp, 64 KiB writes", 64 << 10, false),
    ] {
        print(name, TRANSFER as f64 / tcp(piece, gather)?.as_secs_f64() / 1e6, "MB/s");
    }
    Ok(())
}

fn in_turn(mut sides: [(&str, Run); 2]) {
    let mut times = [Duration::ZERO; 2];
    let mut runs = 0_u32;
    while times[0] < PERIOD {
        for ((_, run), time) in sides.iter_mut().zip(&mut times) {
            *time += run();
        }
        runs += 1;
    }
    for ((name, _), time) in sides.iter().zip(times) {
        let bytes = f64::from(runs) * (RECORDS * MAX_RECORD) as f64;
        print(name, bytes / time.as_secs_f64() / 1e6, "MB/s");
    }
}

/// Writes of `piece` bytes, one thread at each end. With `gather`, tokio's `BufWriter` stands before the stream.
fn tcp(piece: usize, gather: bool) -> Result<Duration> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let writer = std::thread::spawn(move || wire::one_thread()?.block_on(send(address, piece, gather)));
    let time = wire::one_thread()?.block_on(async {
        let (tcp, _) = TcpListener::from_std(listener)?.accept().await?;
        let start = Instant::now();
        let mut reader = BoxReader::new(tcp, key());
        let mut plain = vec![0; 64 * 1024];
        let mut received = 0;
        loop {
            match reader.read(&mut plain).await? {
                0 => break,
                count => received += count,
            }
        }
        assert_eq!(received, TRANSFER);
        anyhow::Ok(start.elapsed())
    })?;
    writer.join().expect("the writer does not panic")?;
    Ok(time)
}

async fn send(address: SocketAddr, piece: usize, gather: bool) -> Result<()> {
    let tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    let mut writer: Box<dyn AsyncWrite + Unpin> = match gather {
        true => Box::new(BufWriter::with_capacity(WRITE_BUFFER, BoxWriter::new(tcp, key()))),
        false => Box::new(BoxWriter::new(tcp, key())),
    };
    let plain = vec![5; piece];
    for _ in 0..TRANSFER / piece {
        writer.write_all(&plain).await?;
    }
    writer.shutdown().await?;
    Ok(())
}
