//! `handfast start` with a wallet: nodes that call each other over SNaP2P.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::{fs::File, path::Path, process::Command};
use support::{
    NETWORK, Running, initialised, printed, program, run,
    snap::{ADDRESS, PASSWORD, WORDS, complains, snap},
    text,
};
use tempfile::TempDir;

/// A node's directory with the wallet of [`WORDS`], called anna, or a new one, and the password in a file.
fn with_wallet(words: Option<&str>) -> TempDir {
    let dir = initialised();
    std::fs::write(dir.path().join("password"), PASSWORD).unwrap();
    let password = ["--password-fd", "0"];
    let made = match words {
        Some(words) => {
            let restore = [&["wallet", "restore", "anna", "--seed-fd", "0"], &password[..]].concat();
            snap(dir.path(), &restore, &format!("{words}\n{PASSWORD}\n"))
        }
        None => snap(
            dir.path(),
            &[&["wallet", "create", "anna"], &password[..]].concat(),
            PASSWORD,
        ),
    };
    printed(&made, 0);
    dir
}

/// A command that finds the wallets of this directory, and the password on stdin.
fn with_password(dir: &Path) -> Command {
    let mut command = program(dir);
    command
        .env("HANDFAST_WALLETS", dir.join("wallets"))
        .env("HANDFAST_NETWORK", NETWORK)
        .stdin(File::open(dir.join("password")).unwrap());
    command
}

fn node(dir: TempDir, args: &[&str]) -> Running {
    let mut command = with_password(dir.path());
    command.args(["serve", "--password-fd", "0"]).args(args);
    Running::of(command, dir, 1)
}

#[test]
fn two_nodes_meet_by_their_wallets_and_call_each_other() {
    let here = "net:127.0.0.1:0~snap2p";
    let anna = node(with_wallet(Some(WORDS)), &["--listen", here, "-w", "anna"]);
    let who = format!("~snap2p:stacks:{ADDRESS}");
    assert!(anna.address().ends_with(&who), "{}", anna.address());

    // The other one has it in its configuration.
    let dir = with_wallet(None);
    let config = "wallet = \"anna\"\n[[global.connections.incoming.net]]\ntransform = \"snap2p\"\nscope = \"device\"\n\
                  host = \"127.0.0.1\"\nport = 0\n";
    std::fs::write(dir.path().join("config.toml"), config).unwrap();
    let ben = node(dir, &[]);
    assert!(ben.address().contains("~snap2p:stacks:SP"), "{}", ben.address());

    let id = |node: &Running| printed(&node.run(&["id"]), 0).trim().to_owned();
    let connected = printed(&ben.run(&["connect", anna.address()]), 0);
    assert_eq!(
        connected,
        format!("connected {}\n", id(&anna)),
        "the key for which the wallet vouches"
    );
    assert!(printed(&anna.run(&["peers"]), 0).contains(&id(&ben)));

    // Whoever calls may come as a saved wallet, or as one that is used once.
    let anonymous = anna.call(&["count", "2"]);
    assert_eq!(printed(&anonymous, 0), "0\n1\n");
    let mut call = with_password(ben.dir.path());
    call.args([
        "call",
        anna.address(),
        "echo",
        "\"kia ora\"",
        "-w",
        "anna",
        "--password-fd",
        "0",
    ]);
    assert_eq!(printed(&call.output().unwrap(), 0), "\"kia ora\"\n");
    let back = anna.dir.path();
    assert_eq!(printed(&run(back, &["call", ben.address(), "count", "1"]), 0), "0\n");
}

#[test]
fn another_wallet_than_the_one_that_was_dialled_is_refused() {
    let anna = node(
        with_wallet(Some(WORDS)),
        &["--listen", "net:127.0.0.1:0~snap2p", "-w", "anna"],
    );
    let other = anna
        .address()
        .replace(ADDRESS, "SP2J6ZY48GV1EZ5V2V5RB9MP66SW86PYKKNRV9EJ7");
    let refused = run(anna.dir.path(), &["call", &other, "count", "1"]);
    complains(&refused, 3, &["was dialled", ADDRESS]);
    let (place, _) = anna.address().split_once('~').unwrap();
    let nobody = run(
        anna.dir.path(),
        &["call", &format!("{place}~snap2p:nonsense"), "count", "1"],
    );
    complains(&nobody, 2, &["principal"]);
    // A wallet of the one network never meets one of the other.
    let testnet = format!("{place}~snap2p:stacks:ST2SMYBS9BF45PGD22FYEMAS855NP6AWN6FTV8RTW");
    let mut call = with_password(anna.dir.path());
    call.args(["call", &testnet, "count", "1", "-w", "anna", "--password-fd", "0"]);
    complains(&call.output().unwrap(), 2, &["never meet"]);
    let plain = Running::serve();
    complains(&plain.run(&["connect", anna.address()]), 1, &["needs a wallet"]);
}

#[test]
fn snap2p_without_a_wallet_is_a_mistake_with_a_remedy() {
    let dir = initialised();
    let bare = run(dir.path(), &["start", "--listen", "net:127.0.0.1:0~snap2p"]);
    complains(&bare, 2, &["-w NAME", "wallet create"]);
    let config = "[[global.connections.outgoing.net]]\ntransform = \"snap2p\"\n";
    std::fs::write(dir.path().join("config.toml"), config).unwrap();
    complains(&run(dir.path(), &["start"]), 2, &["-w NAME"]);
    let pipe = run(dir.path(), &["pipe", "--listen", "net:127.0.0.1:0~snap2p"]);
    complains(&pipe, 2, &["snap send"]);
    let explained = text(&run(dir.path(), &["config"]).stdout);
    assert!(explained.contains("# wallet = \"anna\""), "{explained}");
}
