//! How fast a stream is against the bare cipher, and what an idle session holds.
//!
//! `cargo run --release -p handfast-snap2p --example measure`

use handfast_snap2p::{
    Network, Peer, Visibility, WalletKey,
    tokio::{Incoming, Limits, Session},
};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const WRITE: usize = 64 << 10;
const SPAN: Duration = Duration::from_secs(2);
const SESSIONS: usize = 500;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let idle = runtime.block_on(async { tokio::spawn(idle()).await })??;
    println!("an idle session holds {:.1} KiB, mean of both ends", idle / 1024.0);
    for round in 0..3 {
        let bare = cipher()?;
        let before = busy()?;
        let (megabytes, seconds) = runtime.block_on(async { tokio::spawn(stream()).await })??;
        let spent: Vec<f64> = busy()?
            .iter()
            .zip(&before)
            .map(|(after, before)| after - before)
            .collect();
        let stream = megabytes / seconds;
        println!(
            "round {round}: ring seals {bare:.0} MB/s, a stream carries {stream:.0} MB/s: {:.2}",
            stream / bare
        );
        // On a machine that does other things besides, this is what the stream would carry if it had its cores to itself.
        let alone = megabytes / spent.iter().copied().fold(0.0, f64::max);
        println!(
            "    its threads were busy for {spent:.2?} s; alone it would carry {alone:.0} MB/s: {:.2}",
            alone / bare
        );
    }
    Ok(())
}

/// What one core seals, in writes of the same size.
fn cipher() -> Result<f64> {
    let key = UnboundKey::new(&CHACHA20_POLY1305, &[7; 32]).map_err(|_| "no key")?;
    let key = LessSafeKey::new(key);
    let mut data = vec![0; WRITE];
    let (start, mut bytes) = (Instant::now(), 0_u64);
    let before = ticks("/proc/self/stat")?;
    while start.elapsed() < SPAN / 2 {
        for _ in 0..64 {
            let nonce = Nonce::assume_unique_for_key([0; 12]);
            let tag = key
                .seal_in_place_separate_tag(nonce, Aad::empty(), &mut data)
                .map_err(|_| "no seal")?;
            std::hint::black_box((&data, &tag));
            bytes += WRITE as u64;
        }
    }
    Ok(bytes as f64 / (ticks("/proc/self/stat")? - before) / 1e6)
}

/// For how long each thread has worked, seconds.
fn busy() -> Result<Vec<f64>> {
    let mut threads: Vec<_> = std::fs::read_dir("/proc/self/task")?.collect::<std::io::Result<_>>()?;
    threads.sort_by_key(|thread| thread.file_name());
    threads.iter().map(|thread| ticks(thread.path().join("stat"))).collect()
}

fn ticks(path: impl AsRef<std::path::Path>) -> Result<f64> {
    let stat = std::fs::read_to_string(path)?;
    let rest = stat.rsplit(')').next().ok_or("no stat")?;
    let fields: Vec<_> = rest.split_whitespace().collect();
    let field = |index: usize| {
        fields
            .get(index)
            .ok_or("no field")?
            .parse::<f64>()
            .map_err(|_| "no figure")
    };
    Ok((field(11)? + field(12)?) / 100.0)
}

async fn peers() -> Result<(Peer, Peer)> {
    let mut limits = Limits::of(Visibility::Public);
    limits.sessions = 2 * SESSIONS;
    limits.waiting = 2 * SESSIONS;
    let builder = || {
        let identity = (WalletKey::generate()?, Network::Mainnet);
        let builder = Peer::builder(identity).visibility(Visibility::Public).px1(false);
        Ok::<_, handfast_snap2p::Error>(builder.limits(limits.clone()))
    };
    let (alice, bob) = (builder()?.start().await?, builder()?.start().await?);
    bob.listen("127.0.0.1:0").await?;
    Ok((alice, bob))
}

async fn session(alice: &Peer, bob: &Peer) -> Result<(Session, (Session, Incoming))> {
    let at = *bob.listening().first().ok_or("nobody listens")?;
    let dialled = alice.dial(at).await?;
    Ok((dialled, bob.accept().await.ok_or("nobody came")?))
}

/// How many megabytes went over, in how many seconds.
async fn stream() -> Result<(f64, f64)> {
    let (alice, bob) = peers().await?;
    let (session, (_other, mut incoming)) = session(&alice, &bob).await?;
    let mut stream = session.open_stream("bulk").await?;
    let writer = tokio::spawn(async move {
        let data = vec![42; WRITE];
        let start = Instant::now();
        while start.elapsed() < SPAN {
            stream.write_all(&data).await?;
        }
        stream.shutdown().await
    });
    let mut stream = incoming.next().await.ok_or("no stream")?;
    let reader = tokio::spawn(async move {
        let mut room = vec![0; WRITE];
        let (start, mut bytes) = (Instant::now(), 0_u64);
        loop {
            match stream.read(&mut room).await? {
                0 => return Ok::<_, std::io::Error>((bytes as f64 / 1e6, start.elapsed().as_secs_f64())),
                count => bytes += count as u64,
            }
        }
    });
    writer.await??;
    Ok(reader.await??)
}

/// What the process grows by for each end of a session that does nothing.
async fn idle() -> Result<f64> {
    let (alice, bob) = peers().await?;
    let mut sessions = Vec::new();
    for _ in 0..50 {
        sessions.push(session(&alice, &bob).await?);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = resident()?;
    for _ in 0..SESSIONS {
        sessions.push(session(&alice, &bob).await?);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    Ok((resident()? - before) / (2 * SESSIONS) as f64)
}

fn resident() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .ok_or("no VmRSS")?;
    let kib: f64 = line.split_whitespace().nth(1).ok_or("no figure")?.parse()?;
    Ok(kib * 1024.0)
}
