//! Measures other Rust implementations: `peers-rust handshake` or `peers-rust boxstream`. One JSON object a line.

mod kuska;
mod ssb;

use std::time::{Duration, Instant};

/// How long each case runs. `cargo xtask bench` repeats whole rounds, so this need only outlast the timer.
const PERIOD: Duration = Duration::from_millis(300);

/// Payload of one record.
const RECORD: usize = 4096;

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("handshake") => {
            print("kuska: handshake", kuska::handshakes(), "1/s");
            print("ssb-handshake: handshake", ssb::handshakes(), "1/s");
        }
        Some("boxstream") => {
            print("kuska: seal", kuska::seal(), "MB/s");
            print("kuska: open", kuska::open(), "MB/s");
            print("kuska: tcp, 4 KiB writes", kuska::tcp(4 << 10), "MB/s");
            print("kuska: tcp, 64 KiB writes", kuska::tcp(64 << 10), "MB/s");
            print("ssb-boxstream: seal", ssb::seal(), "MB/s");
            print("ssb-boxstream: open", ssb::open(), "MB/s");
        }
        _ => {
            eprintln!("usage: peers-rust handshake|boxstream");
            std::process::exit(2);
        }
    }
}

fn print(name: &str, value: f64, unit: &str) {
    println!("{}", serde_json::json!({ "name": name, "value": value, "unit": unit }));
}

/// How often `work` runs in a second, after a first run that does not count.
fn per_second(mut work: impl FnMut()) -> f64 {
    work();
    let start = Instant::now();
    let mut runs = 0;
    while start.elapsed() < PERIOD {
        work();
        runs += 1;
    }
    f64::from(runs) / start.elapsed().as_secs_f64()
}

/// Megabytes per second, for work that says how long its part to be measured took and how many bytes that was.
fn megabytes(mut work: impl FnMut() -> (usize, Duration)) -> f64 {
    work();
    let (mut bytes, mut time) = (0, Duration::ZERO);
    while time < PERIOD {
        let (more, took) = work();
        bytes += more;
        time += took;
    }
    bytes as f64 / time.as_secs_f64() / 1e6
}
