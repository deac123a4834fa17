//! `handfast snap wallet`: what it prints, what it leaves behind, and how it exits.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::{os::unix::fs::PermissionsExt, path::Path};
use support::{
    printed,
    snap::{ADDRESS, PASSWORD, WORDS, complains, snap},
    text,
};

fn create(dir: &Path, name: &str, more: &[&str]) -> String {
    let args = [&["wallet", "create", name, "--password-fd", "0"], more].concat();
    printed(&snap(dir, &args, PASSWORD), 0)
}

fn restore(dir: &Path, name: &str, more: &[&str]) -> String {
    let args = [
        &["wallet", "restore", name, "--seed-fd", "0", "--password-fd", "0"],
        more,
    ]
    .concat();
    printed(&snap(dir, &args, &format!("{WORDS}\n{PASSWORD}\n")), 0)
}

#[test]
fn a_wallet_is_created_listed_shown_exported_and_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let none = snap(dir, &["wallet", "list"], "");
    assert_eq!(printed(&none, 0), "");
    complains(&none, 0, &["no wallet yet", "wallet create NAME"]);

    let made = create(dir, "anna", &["--seed"]);
    let lines: Vec<&str> = made.lines().collect();
    let principal = lines[0].strip_suffix(" anna").unwrap();
    assert!(principal.starts_with("stacks:SP"), "{made}");
    assert_eq!(lines[1].split(' ').count(), 24);

    let listed = printed(&snap(dir, &["wallet", "list"], ""), 0);
    assert!(
        listed.contains("anna") && listed.contains(principal) && listed.contains("mainnet"),
        "{listed}"
    );
    let json = printed(&snap(dir, &["wallet", "list", "--json"], ""), 0);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["name"], &json["principal"]), (&"anna".into(), &principal.into()));

    let show = ["wallet", "show", "anna", "--seed", "--password-fd", "0"];
    let shown = printed(&snap(dir, &show, PASSWORD), 0);
    assert_eq!(shown, format!("{principal}\n{}\n", lines[1]));
    let show = ["wallet", "show", "anna", "--accounts", "3", "--password-fd", "0"];
    let shown = printed(&snap(dir, &show, PASSWORD), 0);
    assert_eq!(shown.lines().count(), 3);
    assert!(shown.starts_with(&format!("0 {principal}\n1 stacks:SP")), "{shown}");

    let exported = printed(&snap(dir, &["wallet", "export", "anna"], ""), 0);
    let copy = dir.join("copy.json");
    let out = ["wallet", "export", "anna", "--out", copy.to_str().unwrap()];
    printed(&snap(dir, &out, ""), 0);
    assert_eq!(std::fs::read_to_string(&copy).unwrap(), exported);
    assert_eq!(copy.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(
        !exported.contains(lines[1]) && exported.contains("\"displayName\": \"anna\""),
        "{exported}"
    );
    complains(&snap(dir, &out, ""), 1, &["cannot write", "copy.json"]);

    // Nobody is there to be asked.
    complains(&snap(dir, &["wallet", "delete", "anna"], ""), 2, &["--yes", principal]);
    printed(&snap(dir, &["wallet", "delete", "anna", "--yes"], ""), 0);
    assert_eq!(printed(&snap(dir, &["wallet", "list"], ""), 0), "");
}

#[test]
fn words_bring_a_wallet_back_on_either_network() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(restore(dir.path(), "main", &[]), format!("stacks:{ADDRESS} main\n"));
    assert!(restore(dir.path(), "test", &["--testnet"]).starts_with("stacks:ST"));
}

#[test]
fn words_are_never_on_a_pipe_unless_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let args = ["wallet", "create", "anna", "--password-fd", "0"];
    let output = snap(dir.path(), &args, PASSWORD);
    assert_eq!(printed(&output, 0).lines().count(), 1);
    complains(&output, 0, &["no terminal", "wallet show 'anna' --seed"]);
}

#[test]
fn each_mistake_is_told_with_its_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    restore(dir, "anna", &[]);
    let password = ["--password-fd", "0"];
    let fails = |args: &[&str], input: &str, code: i32, parts: &[&str]| {
        complains(&snap(dir, &[&["wallet"], args].concat(), input), code, parts);
    };
    let show = [&["show", "anna"], &password[..]].concat();
    fails(
        &show,
        "wrong password",
        1,
        &["wrong password, or a damaged wallet file", "the words restore"],
    );
    fails(
        &["show", "ben", "--password-fd", "0"],
        PASSWORD,
        1,
        &["no wallet `ben`", "anna"],
    );
    fails(&["delete", "ben", "--yes"], "", 1, &["no wallet `ben`"]);
    fails(&["export", "ben"], "", 1, &["no wallet `ben`"]);
    let create = |name| [&["create", name], &password[..]].concat();
    fails(
        &create("anna"),
        PASSWORD,
        1,
        &["a wallet `anna` already", "another name"],
    );
    fails(&create("short"), "too short", 1, &["9 characters", "12"]);
    fails(&create("empty"), "", 2, &["no password on file descriptor 0"]);
    fails(
        &["create", "x", "--password-fd", "99"],
        "",
        2,
        &["file descriptor 99", "99< FILE"],
    );
    fails(&["create", "x"], "", 2, &["no terminal", "--password-fd"]);
    let restore = ["restore", "x", "--seed-fd", "0", "--password-fd", "0"];
    fails(&restore, "abandon about\nx", 1, &["it has 2 words", "12 or 24"]);
    let mistyped = WORDS.replace("art", "arrt");
    fails(&restore, &format!("{mistyped}\n{PASSWORD}"), 1, &["24", "art"]);
    let (list, _) = (snap(dir, &["wallet", "list"], ""), ());
    assert_eq!(printed(&list, 0).lines().count(), 2, "nothing was left behind");
    // A password on the command line is no option.
    complains(
        &snap(dir, &["wallet", "create", "x", "--password", "y"], ""),
        2,
        &["--password"],
    );
}

#[test]
fn a_file_that_somebody_changed_is_found_out_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    restore(dir, "anna", &[]);
    let wallets = dir.join("wallets");
    let file = std::fs::read_dir(&wallets)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_str().unwrap().ends_with(".wallet.json"))
        .unwrap();
    assert_eq!(wallets.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let told = std::fs::read_to_string(&file).unwrap();
    let other = "SP2J6ZY48GV1EZ5V2V5RB9MP66SW86PYKKNRV9EJ7";
    std::fs::write(&file, told.replace(ADDRESS, other)).unwrap();
    let output = snap(dir, &["wallet", "show", "anna", "--password-fd", "0"], PASSWORD);
    complains(&output, 1, &[ADDRESS, other, "somebody changed the file"]);
    std::fs::write(&file, "{").unwrap();
    complains(&snap(dir, &["wallet", "list"], ""), 0, &[file.to_str().unwrap()]);
}

#[test]
fn signing_in_needs_a_terminal_and_says_what_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let output = snap(dir.path(), &["signin"], "");
    complains(&output, 2, &["needs a terminal", "wallet create", "--password-fd"]);
}

#[test]
fn every_command_teaches_by_example() {
    let dir = tempfile::tempdir().unwrap();
    for command in [
        &["--help"][..],
        &["wallet", "--help"],
        &["wallet", "create", "--help"],
        &["wallet", "restore", "--help"],
        &["wallet", "show", "--help"],
        &["wallet", "delete", "--help"],
        &["wallet", "export", "--help"],
        &["signin", "--help"],
        &["listen", "--help"],
        &["dial", "--help"],
        &["chat", "--help"],
        &["send", "--help"],
        &["receive", "--help"],
    ] {
        let help = printed(&snap(dir.path(), command, ""), 0);
        assert!(
            help.contains("Example") && help.contains("handfast snap"),
            "{command:?}: {help}"
        );
    }
    let page = support::run(dir.path(), &["completions", "bash"]);
    assert!(text(&page.stdout).contains("--password-fd"));
}
