//! SNaP2P: wallets against the packages of Stacks, and sessions against a stand-in for the reference.
//!
//! The reference is not on npm. `xtask/peers/lib/snap2p` is our reading of recorded conversations with it, in Node and its own
//! cryptography; that it repeats those conversations byte for byte is a case here.
//!
//! ```text
//!   wallets.rs    keys, addresses, signatures, mnemonics, wallet files: thousands, made up anew in each run
//!   meetings.rs   who lets whom in, and what the other one learns of it
//!   streams.rs    what passes over a session
//!   programs.rs   the same with our program
//!       |   \
//!   ours.rs   theirs.rs   the two sides
//! ```

mod meetings;
mod ours;
mod programs;
mod streams;
mod theirs;
mod wallets;

use super::{Add, Direction, List, Title};
use anyhow::Result;

pub(super) fn add(add: &mut Add<'_>) -> Result<()> {
    wallets::add(add)?;
    meetings::add(add);
    streams::add(add);
    programs::add(add);
    Ok(())
}

/// The title of a suite against the stand-in.
fn title(what: &str) -> Title {
    Title {
        peer: format!("a stand-in for the SNaP2P reference, {what}"),
        list: List::Snap2p,
        direction: Direction::Both,
    }
}
