//! What came out: lines on standard output, counts, and the pages docs/interop.md and docs/stack-parity.md.

use super::cases::Verdict;
use super::suites::{Group, List, parity};
use crate::shell;
use anyhow::{Context as _, Result, bail};
use std::fmt::Write as _;

/// Where the table goes, from the root of the workspace.
const PAGE: &str = "docs/interop.md";

/// Where it stands what of that holds which behaviour of secret-stack.
const PARITY: &str = "docs/stack-parity.md";

/// Prints one line for the group, and one for each case that failed.
pub(super) fn print(group: &Group) {
    let (passed, all) = (passed(&group.verdicts), group.verdicts.len());
    let mark = if passed == all { "ok    " } else { "FAILED" };
    println!("{mark} {}: {}: {passed} of {all}", group.title.list, group.title);
    for verdict in &group.verdicts {
        if let Some(complaint) = &verdict.complaint {
            println!("       - {}: {complaint}", verdict.name);
        }
    }
}

fn passed(verdicts: &[Verdict]) -> usize {
    verdicts.iter().filter(|verdict| verdict.complaint.is_none()).count()
}

/// Cases passed and failed. Peers that meet themselves prove nothing of us, so what they pass is not counted; what they fail
/// is, because the cases are then not true.
pub(super) fn count<'a>(groups: impl IntoIterator<Item = &'a Group> + Clone) -> (usize, usize) {
    let ours = groups
        .clone()
        .into_iter()
        .filter(|group| !group.title.direction.is_control());
    let failed = groups
        .into_iter()
        .map(|group| group.verdicts.len() - passed(&group.verdicts))
        .sum();
    (ours.map(|group| passed(&group.verdicts)).sum(), failed)
}

/// Writes the pages; with `check`, compares them instead.
///
/// # Errors
/// If a page cannot be written, or with `check` is not what it should be.
pub(super) fn write(groups: &[Group], check: bool) -> Result<()> {
    for (name, page) in [(PAGE, page(groups)), (PARITY, parity()?)] {
        let path = shell::root().join(name);
        if !check {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::write(&path, page).with_context(|| format!("cannot write {name}"))?;
        } else if std::fs::read_to_string(&path).unwrap_or_default() != page {
            bail!("{name} does not say what was found: run `cargo xtask interop` and submit the page that it writes");
        }
    }
    Ok(())
}

const HEAD: &str = "\
# Interoperability

`cargo xtask interop` wrote this page, after all that it says had passed; CI runs it again and compares. It installs the
JavaScript packages at the versions below, starts them on the loopback interface, and runs every case both ways.

Each case says exactly what the caller must see: values, order, names and texts of errors, and how the connection ends. The
cases of JavaScript peers among themselves (*with itself*, *with each other*) are the control: they show that what is
expected of us is what JavaScript does. They do not count towards the total.

The reference of SNaP2P is not on npm. In its place stands a script of ours (`xtask/peers/lib/snap2p`): Node's cryptography, and
our reading of conversations that were recorded with the reference. It repeats those byte for byte, which is one of its cases
*with itself*, and has the reference's faults as they were seen; beyond the recordings it says what we think of the reference,
not what the reference does. Its cases are counted apart.

";

/// The page: no dates and no times, so that it changes only when what passes changes.
fn page(groups: &[Group]) -> String {
    let mut page = HEAD.to_owned();
    let _ = writeln!(page, "| what | peer | direction | cases passed |\n|---|---|---|---:|");
    for Group { title, verdicts } in groups {
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} |",
            title.list,
            title.peer,
            title.direction,
            passed(verdicts)
        );
    }
    let (total, _) = count(groups);
    let stand_in = count(groups.iter().filter(|group| group.title.list.is_stand_in())).0;
    let _ = writeln!(
        page,
        "\n**{} cases pass** against JavaScript peers, and {stand_in} against the stand-in for one.",
        total - stand_in
    );
    for list in [
        List::Handshakes,
        List::Misbehaviour,
        List::Calls,
        List::Nodes,
        List::Gossip,
        List::Texts,
        List::Json,
        List::Wallets,
        List::Snap2p,
        List::Program,
    ] {
        let groups: Vec<&Group> = groups.iter().filter(|group| group.title.list == list).collect();
        let _ = writeln!(page, "\n## Cases: {list}\n");
        let mut names: Vec<&str> = Vec::new();
        for group in &groups {
            insert(&mut names, &group.verdicts);
        }
        for name in names {
            let _ = writeln!(page, "- {}", escaped(name));
        }
    }
    page
}

/// Adds the names that are not there yet, each behind the one that it follows in its own group.
fn insert<'a>(names: &mut Vec<&'a str>, verdicts: &'a [Verdict]) {
    let mut place = 0;
    for verdict in verdicts {
        place = match names.iter().position(|name| *name == verdict.name) {
            Some(known) => known + 1,
            None => {
                names.insert(place, &verdict.name);
                place + 1
            }
        };
    }
}

/// Keeps Markdown from reading signs in names as its own.
fn escaped(name: &str) -> String {
    let mut escaped = String::new();
    for sign in name.chars() {
        if "*_<>`[]&\\".contains(sign) {
            escaped.push('\\');
        }
        escaped.push(sign);
    }
    escaped
}

impl List {
    /// Whether the peer is a script of ours in place of one that cannot be installed.
    fn is_stand_in(self) -> bool {
        self == Self::Snap2p
    }
}

impl std::fmt::Display for List {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Handshakes => "handshake and Box Stream",
            Self::Misbehaviour => "handshakes with peers that misbehave",
            Self::Calls => "calls",
            Self::Nodes => "nodes",
            Self::Gossip => "gossip",
            Self::Texts => "references and secret files",
            Self::Json => "JSON",
            Self::Wallets => "Stacks wallets",
            Self::Snap2p => "SNaP2P",
            Self::Program => "the program",
        })
    }
}
