//! What came of the cases: on the terminal, and as the page `docs/interop.md`.

use super::node;
use crate::shell;
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::fmt::Write as _;

/// Two peers, and what came of their cases.
pub(crate) struct Pairing {
    /// What is spoken, as in `muxrpc over TCP`.
    pub(crate) protocol: &'static str,
    /// The other side with its version, as in `muxrpc 8.0.0`.
    pub(crate) peer: String,
    pub(crate) client: String,
    pub(crate) server: String,
    pub(crate) results: Vec<Case>,
}

/// One case.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) passed: bool,
}

impl Pairing {
    /// Notes one outcome, and says what was expected if it is another.
    pub(crate) fn note(&mut self, name: &str, expected: &Value, outcome: &Value) {
        let passed = super::cases::matches(expected, outcome);
        if !passed {
            eprintln!("interop: {} calls {}: {name}", self.client, self.server);
            eprintln!("    expected {}", short(expected));
            eprintln!("    but got  {}", short(outcome));
        }
        self.results.push(Case {
            name: name.to_string(),
            passed,
        });
    }

    fn passed(&self) -> usize {
        self.results.iter().filter(|case| case.passed).count()
    }

    pub(crate) fn print(&self) {
        println!(
            "interop: {:<22} calls {:<22} {:>3} of {} cases passed ({})",
            self.client,
            self.server,
            self.passed(),
            self.results.len(),
            self.protocol
        );
    }
}

/// Prints the sums in the form that counters of tests read; fails if any case did.
pub(crate) fn conclude(pairings: &[Pairing]) -> Result<()> {
    let all: usize = pairings.iter().map(|pairing| pairing.results.len()).sum();
    let passed: usize = pairings.iter().map(Pairing::passed).sum();
    if all == 0 {
        bail!("no interoperability case ran, so nothing is proved");
    }
    println!("{passed} passed, {} failed", all - passed);
    if passed < all {
        bail!("{} interoperability case(s) failed; see above", all - passed);
    }
    Ok(())
}

/// The page as it should be.
pub(crate) fn page(pairings: &[Pairing]) -> Result<String> {
    let mut page = String::from(
        "# Interoperability\n\n\
         `cargo xtask interop` writes this page. It starts the real JavaScript packages at pinned versions on this machine, \
         lets them call us and us call them, and compares what each side saw.\n\n\
         | protocol | peer | its cases as our client | our cases as its client |\n|---|---|---|---|\n",
    );
    let mut peers: Vec<(&str, &str)> = Vec::new();
    for pairing in pairings {
        let peer = (pairing.protocol, pairing.peer.as_str());
        if !peers.contains(&peer) {
            peers.push(peer);
        }
    }
    for (protocol, peer) in peers {
        let of_peer = || pairings.iter().filter(|p| p.protocol == protocol && p.peer == peer);
        let cell = |pairing: Option<&Pairing>| {
            pairing.map_or("-".into(), |p| format!("{} of {} passed", p.passed(), p.results.len()))
        };
        let (as_client, as_server) = (
            cell(of_peer().find(|p| p.client == peer)),
            cell(of_peer().find(|p| p.server == peer)),
        );
        writeln!(page, "| {protocol} | {peer} | {as_client} | {as_server} |")?;
    }
    writeln!(page, "\nUnder the hood of those peers: {}.\n", beneath()?)?;
    page.push_str("## Cases\n");
    let mut protocols: Vec<(&str, Vec<&str>)> = Vec::new();
    for pairing in pairings {
        let names: Vec<&str> = pairing.results.iter().map(|case| case.name.as_str()).collect();
        match protocols.iter_mut().find(|(protocol, _)| *protocol == pairing.protocol) {
            Some((_, known)) => names.iter().for_each(|name| {
                if !known.contains(name) {
                    known.push(name)
                }
            }),
            None => protocols.push((pairing.protocol, names)),
        }
    }
    for (protocol, names) in protocols {
        writeln!(page, "\n### {protocol}\n")?;
        names.iter().try_for_each(|name| writeln!(page, "- {name}"))?;
    }
    Ok(page)
}

/// Writes the page; or, to check, fails when the written one is another.
pub(crate) fn write(page: &str, check: bool) -> Result<()> {
    let path = shell::root().join("docs/src/interop.md");
    if !check {
        std::fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
        println!("interop: wrote {}", path.display());
    } else if std::fs::read_to_string(&path).unwrap_or_default() != page {
        bail!(
            "{} is not what this run shows; run `cargo xtask interop` and commit the page",
            path.display()
        );
    }
    Ok(())
}

/// The packages that the peers bring along and that put the bytes on the wire.
fn beneath() -> Result<String> {
    let packages = ["pull-box-stream", "packet-stream", "packet-stream-codec", "multiserver"];
    let named = packages
        .iter()
        .map(|package| Ok(format!("{package} {}", node::version("core", package)?)));
    Ok(named.collect::<Result<Vec<_>>>()?.join(", "))
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() > 400 {
        text.chars().take(400).chain("...".chars()).collect()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairing(results: &[bool]) -> Pairing {
        let case = |(number, passed): (usize, &bool)| Case {
            name: format!("case {number}"),
            passed: *passed,
        };
        Pairing {
            protocol: "muxrpc over TCP",
            peer: "muxrpc 8.0.0".into(),
            client: "ours".into(),
            server: "muxrpc 8.0.0".into(),
            results: results.iter().enumerate().map(case).collect(),
        }
    }

    #[test]
    fn a_run_without_cases_is_no_success() {
        assert!(conclude(&[]).is_err());
        assert!(conclude(&[pairing(&[])]).is_err());
    }

    #[test]
    fn one_failed_case_fails_the_run() {
        assert!(conclude(&[pairing(&[true, true])]).is_ok());
        assert!(conclude(&[pairing(&[true, false])]).is_err());
    }
}
