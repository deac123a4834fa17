//! Ours beside serde_json and Node, taking turns, as a table of ratios.
//!
//! What is measured is the way from a compact text to the pretty one that is signed. Node has its texts as strings
//! already and hands strings out; ours are bytes, checked to be UTF-8, and bytes. A figure is the best of many short passes,
//! which a busy machine disturbs least, and which leaves out the pauses of Node's collector.
//!
//! `cargo bench -p handfast-json --bench ratios`
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod work;

use handfast_json::{Tape, parse};
use std::hint::black_box;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 15;

/// How long each side works in a round.
const PERIOD: Duration = Duration::from_millis(50);

const NODE: &str = "
const rl = require('readline').createInterface({ input: process.stdin })
let texts
rl.on('line', line => {
  if (!texts) { texts = JSON.parse(line); return }
  const task = line === 'parse' ? t => JSON.parse(t) : t => JSON.stringify(JSON.parse(t), null, 2)
  let best = Infinity, kept = 0
  const end = performance.now() + 50
  do { const start = performance.now()
       for (const text of texts) { const made = task(text); if (made) kept++ }
       best = Math.min(best, performance.now() - start) } while (performance.now() < end)
  console.log(best / 1000)
})
";

/// Seconds that the best pass takes.
fn pass(mut task: impl FnMut()) -> f64 {
    let end = Instant::now() + PERIOD;
    let mut best = f64::INFINITY;
    while Instant::now() < end {
        let start = Instant::now();
        task();
        best = best.min(start.elapsed().as_secs_f64());
    }
    best
}

fn main() {
    println!("MB/s of compact text, the best pass of {ROUNDS} rounds in which the sides take turns\n");
    println!("| texts | task | ours | serde_json | Node | ours : serde_json | ours : Node |");
    println!("|---|---|---:|---:|---:|---:|---:|");
    for corpus in work::corpora() {
        let texts = &corpus.texts;
        let mut node = Command::new("node")
            .args(["-e", NODE])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node must be installed");
        let mut to_node = node.stdin.take().unwrap();
        let mut from_node = BufReader::new(node.stdout.take().unwrap());
        writeln!(to_node, "{}", serde_json::to_string(texts).unwrap()).unwrap();
        let mut node_pass = |task: &str| -> f64 {
            writeln!(to_node, "{task}").unwrap();
            let mut line = String::new();
            from_node.read_line(&mut line).unwrap();
            line.trim().parse().unwrap()
        };
        let (mut tape, mut out) = (Tape::new(), Vec::new());
        let tasks: [(&str, &str); 3] = [
            ("parse to values", "parse"),
            ("compact to pretty, by values", "pretty"),
            ("compact to pretty, by a tape", "pretty"),
        ];
        for (place, (name, node_task)) in tasks.into_iter().enumerate() {
            let mut times: [Vec<f64>; 3] = Default::default();
            for _ in 0..ROUNDS {
                times[0].push(match place {
                    0 => pass(|| texts.iter().for_each(|text| drop(black_box(parse(text).unwrap())))),
                    1 => pass(|| {
                        for text in texts {
                            out.clear();
                            parse(text).unwrap().write_pretty(&mut out);
                            black_box(&out);
                        }
                    }),
                    _ => pass(|| {
                        for text in texts {
                            out.clear();
                            tape.read(text).unwrap().write_pretty(&mut out);
                            black_box(&out);
                        }
                    }),
                });
                let theirs = |text: &str| serde_json::from_slice::<serde_json::Value>(text.as_bytes()).unwrap();
                times[1].push(if place == 0 {
                    pass(|| texts.iter().for_each(|text| drop(black_box(theirs(text)))))
                } else {
                    pass(|| {
                        for text in texts {
                            out.clear();
                            serde_json::to_writer_pretty(&mut out, &theirs(text)).unwrap();
                            black_box(&out);
                        }
                    })
                });
                times[2].push(node_pass(node_task));
            }
            let best = times.map(|times| times.into_iter().fold(f64::INFINITY, f64::min));
            let rate = |side: usize| corpus.bytes() as f64 / 1e6 / best[side];
            let ratio = |side: usize| best[side] / best[0];
            println!(
                "| {} | {name} | {:.0} | {:.0} | {:.0} | {:.2} | {:.2} |",
                corpus.name,
                rate(0),
                rate(1),
                rate(2),
                ratio(1),
                ratio(2)
            );
        }
        drop(to_node);
        node.wait().unwrap();
    }
}
