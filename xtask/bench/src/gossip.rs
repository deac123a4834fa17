//! One relay of gossip in a process of its own, between a peer that sends and a peer that hears: messages a second, ours and
//! secure-gossip's. The two peers are the same for both, speak the bare lines of secure-gossip, and cost next to nothing.

use crate::{per_second_in_turn, print};
use anyhow::{Context, Result, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use handfast_gossip::secure::read_batch;
use handfast_gossip::{Gossip, Options};
use handfast_keys::KeyPair;
use handfast_keys::batch::{self, Claim};
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// The argument that makes this program the relay.
pub(crate) const RELAY: &str = "gossip-relay";

/// A node of ours that listens and does nothing else.
#[tokio::main]
pub(crate) async fn relay() -> Result<()> {
    let gossip = Gossip::new(Options::new(KeyPair::from_seed(&[9; 32])?))?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening {}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(gossip.create_peer_stream(stream));
    }
}

/// Who speaks. Numbers rise per author, so several are nearer to life, and to what a relay has to look up.
const AUTHORS: u8 = 8;
/// Bytes of a message as its author publishes it, in compact JSON.
const MESSAGE_BYTES: usize = 500;
/// Messages before the clock starts: the JavaScript engine compiles what it finds to be hot.
const WARM_UP: usize = 4_000;
/// Messages on the clock: seconds of work for each.
const MEASURED: Measured = Measured {
    theirs: 16_000,
    ours: 48_000,
};
/// How many signatures are checked at once in memory: as many messages of this length as a relay reads at a time.
const BATCH: usize = 128;
/// Linux tells processor time in hundredths of a second.
const TICKS: f64 = 100.0;
/// How long nothing may arrive before a run is given up.
const SILENCE: Duration = Duration::from_secs(20);

struct Measured {
    theirs: usize,
    ours: usize,
}

pub(crate) fn run() -> Result<()> {
    let load = Load::make(WARM_UP + MEASURED.ours.max(MEASURED.theirs))?;
    let [theirs, theirs_busy] = Relay::theirs()?.through(&load, MEASURED.theirs)?;
    print("js: gossip: one relay", theirs, "1/s");
    print("js: gossip: one relay, processor", theirs_busy, "1/s");
    let relay = Relay::ours()?;
    let [ours, ours_busy] = relay.through(&load, MEASURED.ours)?;
    print("gossip: one relay", ours, "1/s");
    print("gossip: one relay, processor", ours_busy, "1/s");
    let alone = relay.resident()?;
    drop(relay);

    // What a peer that never reads costs, beside what the same messages cost without it.
    let relay = Relay::ours()?;
    let _unread = relay.dial()?;
    relay.through(&load, MEASURED.ours)?;
    print("gossip: unread peer", relay.resident()? - alone, "KiB");
    drop(relay);
    in_memory(&load)
}

/// The checks of the relay without its sockets: whole lines, and signatures, one by one and many at once.
fn in_memory(load: &Load) -> Result<()> {
    let lines: Vec<Bytes> = load
        .lines
        .iter()
        .take(BATCH)
        .map(|line| Bytes::from(line.trim_end().to_owned()))
        .collect();
    let texts: Vec<Vec<u8>> = lines.iter().map(|line| signed_text(line)).collect::<Result<_>>()?;
    let authors = authors()?;
    let signed = texts.iter().enumerate().map(|(number, text)| {
        let author = &authors[number % authors.len()];
        Ok((author.public(), text, author.sign(text)?))
    });
    let signed = signed.collect::<Result<Vec<_>>>()?;
    let claims: Vec<Claim<'_>> = signed
        .iter()
        .map(|(key, message, signature)| Claim {
            key,
            message,
            signature,
        })
        .collect();
    ensure!(read_batch(&lines).iter().all(Result::is_ok), "the lines are sound");
    let [single, batched] = per_second_in_turn(
        || {
            assert!(
                claims
                    .iter()
                    .all(|claim| claim.key.verify(claim.message, claim.signature))
            )
        },
        || assert!(batch::verify(&claims).iter().all(|sound| *sound)),
    );
    let [whole, _] = per_second_in_turn(|| assert_eq!(read_batch(&lines).len(), BATCH), || ());
    for (name, rate) in [
        ("signatures, one by one", single),
        ("signatures, batched", batched),
        ("lines", whole),
    ] {
        print(&format!("gossip: {name}"), rate * BATCH as f64, "1/s");
    }
    Ok(())
}

/// What the author of a line signed.
fn signed_text(line: &[u8]) -> Result<Vec<u8>> {
    let line = handfast_json::parse(line)?;
    let mut data = line.get("data").context("a message")?.clone();
    let handfast_json::Value::Object(fields) = &mut data else {
        bail!("data is an object")
    };
    fields.remove("signature");
    Ok(data.to_pretty().into_bytes())
}

fn authors() -> Result<Vec<KeyPair>> {
    (0..AUTHORS)
        .map(|author| Ok(KeyPair::from_seed(&[author + 10; 32])?))
        .collect()
}

/// The lines, signed beforehand.
struct Load {
    lines: Vec<String>,
}

impl Load {
    fn make(count: usize) -> Result<Self> {
        let authors = authors()?;
        let mut lines = Vec::with_capacity(count);
        for number in 0..count {
            let author = &authors[number % authors.len()];
            // What the package signs is the message with two spaces of indentation and without the signature.
            let start = format!("{{\"number\":{number},\"text\":\"");
            let text = "kia ora "
                .chars()
                .cycle()
                .take(MESSAGE_BYTES - start.len() - 2)
                .collect::<String>();
            let pretty = format!("{{\n  \"number\": {number},\n  \"text\": \"{text}\"\n}}");
            let signature = STANDARD.encode(author.sign(pretty.as_bytes())?.as_bytes());
            lines.push(format!(
                "{start}{text}\",\"signature\":\"{signature}.sig.ed25519\"}},\"public\":\"{}.ed25519\",\"seq\":{}}}\n",
                author.public().to_base64(),
                number / authors.len()
            ));
            let line = lines.last_mut().context("a line was pushed")?;
            line.insert_str(0, "{\"data\":");
        }
        Ok(Self { lines })
    }
}

/// The sum of the hashes of lines: the same in whatever order they come.
fn fingerprint<'a>(lines: impl Iterator<Item = &'a [u8]>) -> u64 {
    lines.fold(0_u64, |sum, line| {
        let mut hasher = DefaultHasher::new();
        line.hash(&mut hasher);
        sum.wrapping_add(hasher.finish())
    })
}

/// The process in the middle.
struct Relay {
    child: Child,
    address: SocketAddr,
}

impl Drop for Relay {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Relay {
    fn theirs() -> Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../peers/gossip.js");
        let mut command = Command::new("node");
        command.arg(script);
        command.args(["--listen", "127.0.0.1:0", "--quiet", "yes"]);
        Self::start(&mut command)
    }

    fn ours() -> Result<Self> {
        Self::start(Command::new(std::env::current_exe()?).arg(RELAY))
    }

    fn start(command: &mut Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let mut lines = BufReader::new(stdout).lines();
        for line in lines.by_ref() {
            let line = line?;
            // `listening HOST:PORT`, bare or as a fact in JSON.
            if let Some((_, address)) = line.split_once("127.0.0.1:") {
                let port: String = address.chars().take_while(char::is_ascii_digit).collect();
                let address = SocketAddr::from(([127, 0, 0, 1], port.parse()?));
                // Whatever else it says is of no interest, but it must be able to say it.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(Self { child, address });
            }
        }
        bail!("{command:?} does not say where it listens")
    }

    fn dial(&self) -> Result<TcpStream> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE))?;
        Ok(stream)
    }

    /// Sends `count` messages through after the warm-up, and says how many a second came out, and how many for each second
    /// that processors spent on them.
    fn through(&self, load: &Load, count: usize) -> Result<[f64; 2]> {
        let mut hearing = Hearing::of(self.dial()?);
        let sending = self.dial()?;
        // What is sent back, as the package does, must not fill the pipe.
        let mut echoes = sending.try_clone()?;
        std::thread::spawn(move || std::io::copy(&mut echoes, &mut std::io::sink()));
        let (warm_up, rest) = load.lines.split_at(WARM_UP);
        send(&sending, warm_up)?;
        hearing.hear(warm_up)?;
        let measured = rest.get(..count).context("there are as many lines")?;
        let busy = self.busy()?;
        let start = Instant::now();
        std::thread::scope(|scope| {
            let sender = scope.spawn(|| send(&sending, measured));
            hearing.hear(measured)?;
            sender.join().map_err(|_| anyhow::anyhow!("the sender panicked"))?
        })?;
        let rate = |time: f64| count as f64 / time;
        Ok([rate(start.elapsed().as_secs_f64()), rate(self.busy()? - busy)])
    }

    /// Memory of the process, in KiB.
    fn resident(&self) -> Result<f64> {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).context("this case needs Linux")?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .context("VmRSS")?;
        Ok(line.split_whitespace().next().context("a number")?.parse()?)
    }

    /// Seconds of processors that the process has used.
    fn busy(&self) -> Result<f64> {
        let stat =
            std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).context("this case needs Linux")?;
        // Behind the name, which may hold anything, the 12th and 13th field: time in user and in kernel mode.
        let (_, fields) = stat.rsplit_once(") ").context("the name stands in parentheses")?;
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
        Ok(ticks.sum::<Result<f64, _>>()? / TICKS)
    }
}

fn send(mut stream: &TcpStream, lines: &[String]) -> Result<()> {
    for lines in lines.chunks(64) {
        stream.write_all(lines.concat().as_bytes())?;
    }
    Ok(())
}

/// The peer that hears.
struct Hearing {
    lines: BufReader<TcpStream>,
}

impl Hearing {
    fn of(stream: TcpStream) -> Self {
        Self {
            lines: BufReader::with_capacity(1 << 18, stream),
        }
    }

    /// Waits for as many messages as there are lines, which must be these.
    fn hear(&mut self, lines: &[String]) -> Result<()> {
        let mut heard = Vec::with_capacity(lines.len());
        while heard.len() < lines.len() {
            let mut line = Vec::new();
            let length = self.lines.by_ref().read_until(b'\n', &mut line);
            let length = length.with_context(|| format!("{} of {} messages came", heard.len(), lines.len()))?;
            ensure!(length > 0, "the relay hung up after {} messages", heard.len());
            if line.starts_with(b"{\"data\"") {
                heard.push(line);
            }
        }
        let sent = fingerprint(lines.iter().map(String::as_bytes));
        ensure!(
            fingerprint(heard.iter().map(Vec::as_slice)) == sent,
            "what came is not what was sent"
        );
        Ok(())
    }
}
