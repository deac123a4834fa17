//! What is compared with what, and the table of the outcome.

use super::{Figures, Section};
use anyhow::{Context, Result};
use std::fmt::Write;

/// One row to be: names of figures as the programs print them.
pub(super) struct Comparison {
    pub(super) section: Section,
    what: &'static str,
    ours: &'static str,
    against: Against,
    unit: &'static str,
}

enum Against {
    /// Ours must be at least `floor` times theirs; without a floor it is for information.
    Rate {
        with: &'static str,
        theirs: &'static str,
        floor: Option<f64>,
    },
    /// As `Rate`, with a figure that was measured once: the peer cannot be installed.
    Noted {
        with: &'static str,
        theirs: f64,
        floor: f64,
    },
    /// Ours must be at most this.
    AtMost(f64),
}

const fn rate(
    section: Section,
    what: &'static str,
    ours: &'static str,
    with: &'static str,
    theirs: &'static str,
    floor: Option<f64>,
) -> Comparison {
    let unit = match section {
        Section::Boxstream => "MB/s",
        _ => "1/s",
    };
    Comparison {
        section,
        what,
        ours,
        against: Against::Rate { with, theirs, floor },
        unit,
    }
}

/// Beside the best figure of the reference of SNaP2P.
const fn noted(what: &'static str, ours: &'static str, unit: &'static str, theirs: f64, floor: f64) -> Comparison {
    Comparison {
        section: Snap2p,
        what,
        ours,
        against: Against::Noted {
            with: "the reference, as noted",
            theirs,
            floor,
        },
        unit,
    }
}

const fn megabytes(comparison: Comparison) -> Comparison {
    Comparison {
        unit: "MB/s",
        ..comparison
    }
}

/// Memory, in KiB.
const fn at_most(section: Section, what: &'static str, ours: &'static str, most: f64) -> Comparison {
    Comparison {
        section,
        what,
        ours,
        against: Against::AtMost(most),
        unit: "KiB",
    }
}

use Section::{Boxstream, Gossip, Handshake, Memory, Mux, Node, Snap2p};

/// The best that was seen of the reference of SNaP2P, in its state of January 2026: 24 to 65 sessions a second, and 14 to 20 MB/s
/// through one stream.
const REFERENCE_SESSIONS: f64 = 65.0;
const REFERENCE_MEGABYTES: f64 = 20.0;

/// The table. A floor is what the project promises.
#[rustfmt::skip]
pub(super) const COMPARISONS: &[Comparison] = &[
    rate(Handshake, "handshakes, both sides, in memory", "handshake", "sum of its primitives", "primitives", Some(0.85)),
    rate(Handshake, "handshakes, both sides, in memory", "handshake", "kuska-handshake", "kuska: handshake", Some(1.4)),
    rate(Handshake, "handshakes, both sides, in memory", "handshake", "ssb-handshake, in a pipe", "ssb-handshake: handshake", None),
    rate(Handshake, "connections and handshakes, TCP", "handshake over TCP", "JavaScript, TCP", "js: handshake over TCP", Some(2.8)),
    rate(Boxstream, "seal 4096-byte records", "seal", "the raw boxes", "seal, raw boxes", Some(0.85)),
    rate(Boxstream, "open 4096-byte records", "open", "the raw boxes", "open, raw boxes", Some(0.85)),
    rate(Boxstream, "seal 4096-byte records", "seal", "kuska-handshake", "kuska: seal", Some(2.0)),
    rate(Boxstream, "open 4096-byte records", "open", "kuska-handshake", "kuska: open", Some(2.0)),
    rate(Boxstream, "seal 4096-byte records", "seal", "boxes of libsodium", "libsodium: seal", Some(1.5)),
    rate(Boxstream, "open 4096-byte records", "open", "boxes of libsodium", "libsodium: open", Some(1.5)),
    rate(Boxstream, "seal 4096-byte records", "seal", "ssb-boxstream", "ssb-boxstream: seal", None),
    rate(Boxstream, "open 4096-byte records", "open", "ssb-boxstream", "ssb-boxstream: open", None),
    rate(Boxstream, "TCP, two threads, 64 KiB writes", "tcp, 64 KiB writes", "kuska-handshake", "kuska: tcp, 64 KiB writes", Some(2.0)),
    rate(Boxstream, "TCP, two threads, 64 KiB writes", "tcp, 64 KiB writes", "JavaScript, one thread", "js: tcp, 64 KiB writes", Some(7.0)),
    rate(Boxstream, "TCP, two threads, 4 KiB writes, BufWriter", "tcp, 4 KiB writes gathered", "kuska-handshake", "kuska: tcp, 4 KiB writes", Some(2.0)),
    rate(Boxstream, "TCP, two threads, 4 KiB writes, BufWriter", "tcp, 4 KiB writes gathered", "JavaScript, one thread", "js: tcp, 4 KiB writes", Some(7.0)),
    rate(Boxstream, "TCP, two threads, 4 KiB writes, bare", "tcp, 4 KiB writes", "kuska-handshake", "kuska: tcp, 4 KiB writes", None),
    rate(Boxstream, "TCP, two threads, 4 KiB writes, bare", "tcp, 4 KiB writes", "JavaScript, one thread", "js: tcp, 4 KiB writes", None),
    rate(Mux, "sequential calls", "sequential calls", "bare TCP ping-pong", "ping-pong", Some(0.7)),
    rate(Mux, "sequential calls, thread each", "sequential calls, two threads", "bare TCP ping-pong", "ping-pong, two threads", Some(0.7)),
    rate(Mux, "sequential calls", "sequential calls", "JavaScript", "js: sequential calls", None),
    rate(Mux, "calls, 64 in flight", "calls, 64 in flight", "JavaScript", "js: calls, 64 in flight", Some(8.0)),
    rate(Mux, "calls, 64 in flight, thread each", "calls, 64 in flight, two threads", "JavaScript", "js: calls, 64 in flight", None),
    rate(Mux, "source items", "source items", "JavaScript", "js: source items", Some(15.0)),
    rate(Mux, "source items, thread each", "source items, two threads", "JavaScript", "js: source items", None),
    rate(Mux, "sequential calls to secret-stack 8", "calls to secret-stack", "a socket without quick ACKs", "calls to secret-stack, plain socket", None),
    rate(Node, "connections, one call each", "node: connections", "secret-stack 8", "js: node: connections", Some(2.8)),
    rate(Node, "calls, 64 in flight", "node: calls, 64 in flight", "muxrpc without a node", "node: calls, 64 in flight, bare mux", Some(0.8)),
    rate(Node, "calls, 64 in flight, three hooks", "node: calls, 64 in flight, three hooks", "muxrpc without a node", "node: calls, 64 in flight, bare mux", Some(0.65)),
    rate(Node, "calls, 64 in flight", "node: calls, 64 in flight", "secret-stack 8", "js: node: calls, 64 in flight", Some(28.0)),
    rate(Node, "calls, 64 in flight", "node: calls, 64 in flight", "secret-stack 8 as it comes", "js: node: calls, 64 in flight, as it comes", None),
    rate(Node, "calls, 64 in flight, three hooks", "node: calls, 64 in flight, three hooks", "secret-stack 8, three hooks", "js: node: calls, 64 in flight, three hooks", Some(25.0)),
    rate(Node, "source items", "node: source items", "secret-stack 8", "js: node: source items", Some(36.0)),
    at_most(Node, "idle connection, calling end, of 2,000", "node: idle connection, calling end", 5.6),
    at_most(Node, "idle connection, serving end, of 2,000", "node: idle connection, serving end", 6.4),
    rate(Gossip, "messages of 500 bytes through a relay", "gossip: one relay", "secure-gossip", "js: gossip: one relay", Some(6.0)),
    rate(Gossip, "the same, for a second of processor time", "gossip: one relay, processor", "secure-gossip", "js: gossip: one relay, processor", Some(3.5)),
    rate(Gossip, "lines read and verified, in memory", "gossip: lines", "signatures alone, one by one", "gossip: signatures, one by one", Some(1.2)),
    rate(Gossip, "signatures of 8 authors, 128 at once", "gossip: signatures, batched", "one by one", "gossip: signatures, one by one", Some(1.7)),
    at_most(Gossip, "what a peer that never reads costs a relay", "gossip: unread peer", 12.0 * 1024.0),
    rate(Snap2p, "sessions, both ends, in memory", "snap2p: sessions", "sum of their primitives", "snap2p: primitives", Some(0.8)),
    noted("sessions and connections, TCP, one thread", "snap2p: sessions over TCP", "1/s", REFERENCE_SESSIONS, 15.0),
    megabytes(rate(Snap2p, "one stream, TCP, two threads, 64 KiB writes", "snap2p: one stream, TCP", "raw ChaCha20-Poly1305", "snap2p: raw boxes", Some(0.55))),
    noted("one stream, TCP, two threads, 64 KiB writes", "snap2p: one stream, TCP", "MB/s", REFERENCE_MEGABYTES, 30.0),
    at_most(Snap2p, "idle session, both ends, of 2,000", "snap2p: idle session", 24.0),
    at_most(Memory, "idle connection, both ends, of 10,000", "idle connection", 16.0),
];

/// One row of the table.
pub(super) struct Row {
    pub(super) section: Section,
    cells: [String; 6],
    /// Whether the floor is kept, if there is one.
    pub(super) ok: Option<bool>,
}

impl Comparison {
    pub(super) fn row(&self, figures: &Figures) -> Result<Row> {
        let values = |name: &str| {
            let values = figures.get(name).map(Vec::as_slice);
            values.with_context(|| format!("no program printed the figure {name:?}"))
        };
        let ours = values(self.ours)?;
        let figure = |value: f64| format!("{} {}", grouped(value), self.unit);
        let (with, theirs, ratio, floor, ok) = match self.against {
            Against::AtMost(most) => {
                let ok = median(ours) <= most;
                (
                    "the limit".into(),
                    figure(most),
                    median(ours) / most,
                    "at most".into(),
                    Some(ok),
                )
            }
            Against::Noted { with, theirs, floor } => {
                let ratio = median(ours) / theirs;
                let text = format!("{floor:.2}");
                (with.to_owned(), figure(theirs), ratio, text, Some(ratio >= floor))
            }
            Against::Rate { with, theirs, floor } => {
                let theirs = values(theirs)?;
                let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
                let ratio = median(&ratios);
                let text = floor.map_or("".into(), |floor| format!("{floor:.2}"));
                (
                    with.to_owned(),
                    figure(median(theirs)),
                    ratio,
                    text,
                    floor.map(|floor| ratio >= floor),
                )
            }
        };
        Ok(Row {
            section: self.section,
            cells: [
                self.what.into(),
                figure(median(ours)),
                with,
                theirs,
                format!("{ratio:.2}"),
                floor,
            ],
            ok,
        })
    }
}

/// The table as Markdown, which is as good in a terminal.
pub(super) fn render(rows: &[Row]) -> String {
    let mut lines = vec![["what", "ours", "compared with", "theirs", "ratio", "floor", ""].map(String::from)];
    for row in rows {
        let [what, ours, with, theirs, ratio, floor] = row.cells.clone();
        let verdict = row.ok.map_or("", |ok| if ok { "ok" } else { "BELOW" });
        lines.push([what, ours, with, theirs, ratio, floor, verdict.into()]);
    }
    let widths: [usize; 7] = std::array::from_fn(|column| {
        let width = |line: &[String; 7]| line.get(column).map_or(0, String::len);
        lines.iter().map(width).max().unwrap_or(0)
    });
    // Texts to the left, numbers to the right.
    let right = [false, true, false, true, true, true, false];
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        for ((cell, width), right) in line.iter().zip(widths).zip(right) {
            let _ = match right {
                true => write!(text, "| {cell:>width$} "),
                false => write!(text, "| {cell:<width$} "),
            };
        }
        text.push_str("|\n");
        if number == 0 {
            for (width, right) in widths.iter().zip(right) {
                let _ = write!(text, "|{}{}", "-".repeat(width + 1), if right { ":" } else { "-" });
            }
            text.push_str("|\n");
        }
    }
    text
}

/// The middle one of `values`; of an even number the mean of the middle two.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = |from_middle: usize| sorted.get(from_middle).copied().unwrap_or(f64::NAN);
    (middle(sorted.len() / 2) + middle(sorted.len().saturating_sub(1) / 2)) / 2.0
}

/// Three digits that count, and commas between thousands.
fn grouped(value: f64) -> String {
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(grouped(7.25), "7.2");
        assert_eq!(grouped(999.6), "1,000");
        assert_eq!(grouped(1_234_567.0), "1,234,567");
    }

    #[test]
    fn a_ratio_is_the_median_of_the_ratios_of_rounds() {
        let comparison = rate(Handshake, "", "ours", "", "theirs", Some(2.0));
        let figures = Figures::from([
            ("ours".into(), vec![10.0, 20.0, 30.0]),
            ("theirs".into(), vec![5.0, 5.0, 20.0]),
        ]);
        let row = comparison.row(&figures).ok();
        assert_eq!(
            row.map(|row| (row.cells[4].clone(), row.ok)),
            Some(("2.00".into(), Some(true)))
        );
    }
}
