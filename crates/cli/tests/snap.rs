//! `handfast snap` among processes: who comes in, what is said, and what is refused.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use support::{
    printed,
    snap::{ADDRESS, Going, PASSWORD, WORDS, complains, snap},
    text,
};
use tempfile::TempDir;

/// A directory with the wallet of [`WORDS`], called anna.
fn with_anna() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let args = ["wallet", "restore", "anna", "--seed-fd", "0", "--password-fd", "0"];
    printed(&snap(dir.path(), &args, &format!("{WORDS}\n{PASSWORD}\n")), 0);
    dir
}

fn nobody() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Somebody else than anna.
const STRANGER: &str = "stacks:SP2J6ZY48GV1EZ5V2V5RB9MP66SW86PYKKNRV9EJ7";
const ANNA: [&str; 4] = ["-w", "anna", "--password-fd", "0"];

#[test]
fn a_message_comes_back_from_an_echo_and_both_ends_are_proved() {
    let dir = with_anna();
    let args = [&["listen", "0", "--echo"], &ANNA[..]].concat();
    let (echo, place, who) = Going::listening(dir.path(), &args, &format!("{PASSWORD}\n"));
    assert_eq!(who, format!("stacks:{ADDRESS}"));
    let ben = nobody();
    let dial = snap(ben.path(), &["dial", &place, "--message", "kia ora\nhaere mai"], "");
    assert_eq!(printed(&dial, 0), "kia ora\nhaere mai\n");
    complains(&dial, 0, &[&format!("connected {who} {place}")]);
    let usual = snap(ben.path(), &["dial", &place, "--expect", &who], "");
    assert_eq!(printed(&usual, 0), "Hello from SNaP2P!\n");
    // An empty message has an empty answer, which is one.
    let empty = snap(ben.path(), &["dial", &place, "--message", ""], "");
    assert_eq!(printed(&empty, 0), "");
    echo.signal("INT");
    assert_eq!(echo.ended(), (Some(0), String::new(), String::new()));
}

#[test]
fn who_listens_sees_sessions_streams_and_text_and_nothing_steers_the_terminal() {
    let dir = nobody();
    let (mut listener, place, _) = Going::listening(dir.path(), &["listen", "0"], "");
    let anna = with_anna();
    let evil = "kia ora\u{1b}[2J\u{202e}";
    let dial = ["dial", &place, "--message", evil, "--label", "a\u{9b}label"];
    let output = snap(anna.path(), &[&dial, &ANNA[..]].concat(), PASSWORD);
    assert_eq!(printed(&output, 0), "");
    complains(&output, 0, &["answer nothing"]);
    let who = format!("stacks:{ADDRESS}");
    let session = listener.line();
    assert!(session.starts_with(&format!("session {who} 127.0.0.1:")), "{session}");
    assert_eq!(listener.line(), format!("stream {who} a\\u{{9b}}label"));
    assert_eq!(listener.line(), format!("text {who} kia ora\\u{{1b}}[2J\\u{{202e}}"));
    assert_eq!(listener.line(), format!("left {who}"));
    listener.signal("TERM");
    assert_eq!(listener.ended().0, Some(0));
}

#[test]
fn whoever_says_how_to_be_called_is_shown_with_it() {
    let dir = nobody();
    let (mut listener, place, who) = Going::listening(dir.path(), &["listen", "0", "--alias", "The Desk"], "");
    let (mut desk, desk_place, _) = Going::listening(dir.path(), &["chat", "--listen", "0", "--alias", "Anna"], "");
    let mut ben = Going::start(dir.path(), &["chat", &desk_place, "--alias", "Ben"], "");
    assert!(desk.behind("* stacks:").ends_with(" is here"));
    assert!(desk.behind("* stacks:").ends_with(" is called Ben"));
    assert!(ben.behind("* stacks:").ends_with(" is here"));
    assert!(ben.behind("* stacks:").ends_with(" is called Anna"));
    ben.say("quit");
    assert_eq!(ben.ended().0, Some(0));

    // Who listens sees it in a line of its own.
    let mut caller = Going::start(dir.path(), &["chat", &place, "--alias", "Ben"], "");
    assert!(caller.behind("* stacks:").ends_with(" is here"));
    assert_eq!(caller.behind(&format!("* {who} ")), "is called The Desk");
    assert!(listener.behind("alias stacks:").ends_with(" Ben"));

    let unfit = snap(dir.path(), &["listen", "0", "--alias", "a\u{1b}[2J"], "");
    complains(&unfit, 2, &["alias"]);
}

#[test]
fn another_principal_than_the_expected_one_is_an_error_before_anything_is_said() {
    let dir = nobody();
    let (mut listener, place, who) = Going::listening(dir.path(), &["listen", "0"], "");
    let output = snap(dir.path(), &["dial", &place, "--expect", STRANGER], "");
    assert_eq!(printed(&output, 3), "");
    complains(&output, 3, &[STRANGER, "was dialled", &who]);
    // Whoever dials allows nobody else, either.
    let output = snap(dir.path(), &["dial", &place, "--allow", STRANGER], "");
    complains(&output, 3, &["is not on the allowlist", "--allow"]);
    // It also can be said in the address.
    let output = snap(dir.path(), &["dial", &format!("{STRANGER}@{place}")], "");
    complains(&output, 3, &[STRANGER, &who]);
    // The first line is of somebody who was let in.
    printed(&snap(dir.path(), &["dial", &format!("{who}@{place}")], ""), 0);
    assert!(listener.line().starts_with("session "));
    assert!(listener.line().ends_with(" message"));
}

#[test]
fn only_the_allowed_come_in_and_strangers_learn_why_not() {
    let anna = with_anna();
    let allowed = format!("stacks:{ADDRESS}");
    let dir = nobody();
    let args = ["listen", "0", "--echo", "--allow", &allowed];
    let (listener, place, _) = Going::listening(dir.path(), &args, "");
    let dial = ["dial", &place, "--message", "kia ora"];
    let output = snap(dir.path(), &dial, "");
    assert_eq!(printed(&output, 1), "");
    complains(&output, 1, &["the peer refused: not allowed", "-w NAME"]);
    let output = snap(anna.path(), &[&dial, &ANNA[..]].concat(), PASSWORD);
    assert_eq!(printed(&output, 0), "kia ora\n");
    listener.signal("INT");
    let (code, _, said) = listener.ended();
    assert_eq!(code, Some(0));
    assert!(
        said.contains("turned away 127.0.0.1:") && said.contains("not on the allowlist"),
        "{said}"
    );
}

#[test]
fn a_stderr_that_is_gone_ends_no_node() {
    let anna = with_anna();
    let args = [&["listen", "0", "--allow", STRANGER], &ANNA[..]].concat();
    let (mut listener, place, _) = Going::listening(anna.path(), &args, &format!("{PASSWORD}\n"));
    drop(listener.child.stderr.take());
    for _ in 0..2 {
        // What it says of those whom it turns away, nobody hears.
        complains(&snap(nobody().path(), &["dial", &place], ""), 1, &["not allowed"]);
    }
    listener.signal("INT");
    assert_eq!(listener.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_stealth_node_opens_to_whoever_brings_the_invite_and_only_as_often_as_it_says() {
    let dir = with_anna();
    let args = [
        "listen",
        "0",
        "--echo",
        "--visibility",
        "stealth",
        "--invite",
        "--uses",
        "2",
    ];
    let mut listener = Going::start(dir.path(), &[&args, &ANNA[..]].concat(), &format!("{PASSWORD}\n"));
    let invite = listener.behind("invite ");
    let line = listener.behind("listening ");
    let (place, who) = line.split_once(' ').unwrap();
    assert!(invite.starts_with("snap2p-invite:"), "{invite}");

    let ben = nobody();
    let without = snap(ben.path(), &["dial", place], "");
    assert_eq!(printed(&without, 3), "");
    complains(&without, 3, &["closed the connection", "a stealth node", "invite"]);
    let wrong = snap(ben.path(), &["dial", place, "--invite", &"00".repeat(32)], "");
    complains(
        &wrong,
        1,
        &["the invite is unknown, used up or expired", "ask for a new invite"],
    );
    let dialled = snap(ben.path(), &["dial", &invite, "--message", "kia ora"], "");
    assert_eq!(printed(&dialled, 0), "kia ora\n");
    complains(&dialled, 0, &[who]);
    let beside = snap(
        ben.path(),
        &["dial", place, "--invite", &invite, "--message", "again"],
        "",
    );
    assert_eq!(printed(&beside, 0), "again\n");
    let third = snap(ben.path(), &["dial", &invite], "");
    complains(&third, 1, &["used up"]);
}

#[test]
fn an_invite_of_a_node_that_hides_nothing_tells_the_way_and_who_is_there() {
    let dir = nobody();
    let mut listener = Going::start(dir.path(), &["listen", "0", "--echo", "--invite"], "");
    let invite = listener.behind("invite ");
    listener.behind("listening ");
    assert_eq!(
        printed(&snap(dir.path(), &["dial", &invite, "-m", "hi"], ""), 0),
        "hi\n"
    );
    let forged = format!("{}A", &invite[..invite.len() - 1]);
    let output = snap(dir.path(), &["dial", &forged], "");
    assert!(matches!(output.status.code(), Some(2)), "{}", text(&output.stderr));
}

#[test]
fn a_principal_is_found_through_a_public_node_that_knows() {
    let dir = nobody();
    let (_hub, hub, _) = Going::listening(dir.path(), &["listen", "0", "--visibility", "public"], "");
    let output = snap(dir.path(), &["dial", STRANGER], "");
    complains(&output, 3, &[STRANGER]);
    let there = ["listen", "0", "--echo", "--visibility", "public", "--announce", &hub];
    let (_there, _, who) = Going::listening(dir.path(), &there, "");
    // When the hub has heard of it nobody here can see.
    let found = (0..100)
        .map(|_| snap(dir.path(), &["dial", &who, "--via", &hub, "--message", "found"], ""))
        .find(|output| output.status.success());
    assert_eq!(text(&found.expect("it is found").stdout), "found\n");
}

#[test]
fn the_two_networks_never_meet() {
    let dir = nobody();
    let (_listener, place, who) = Going::listening(dir.path(), &["listen", "0", "--testnet"], "");
    assert!(who.starts_with("stacks:ST"), "{who}");
    let output = snap(dir.path(), &["dial", &place], "");
    assert_ne!(output.status.code(), Some(0));
    printed(&snap(dir.path(), &["dial", &place, "--testnet"], ""), 0);
}

#[test]
fn two_people_chat_until_one_leaves() {
    let anna = with_anna();
    let args = [&["chat", "--listen", "0"], &ANNA[..]].concat();
    let (mut at_anna, place, who) = Going::listening(anna.path(), &args, &format!("{PASSWORD}\n"));
    let ben = nobody();
    let mut at_ben = Going::start(ben.path(), &["chat", &place], "");
    assert_eq!(at_ben.line(), format!("* {who} is here"));
    let here = at_anna.line();
    let bens = here.strip_prefix("* ").unwrap().strip_suffix(" is here").unwrap();
    at_ben.say("kia ora");
    at_ben.say("");
    at_ben.say("\u{1b}[2J");
    assert!(at_anna.line().ends_with(": kia ora"));
    assert!(at_anna.line().ends_with(": \\u{1b}[2J"));
    at_anna.say("haere mai");
    let line = at_ben.line();
    assert!(
        line.starts_with(&ADDRESS[..6]) && line.ends_with(": haere mai"),
        "{line}"
    );
    // The end of stdin ends one half only.
    drop(at_anna.stdin.take());
    assert_eq!(at_ben.line(), format!("* {who} says nothing more"));
    at_ben.say("still there?");
    assert!(at_anna.line().ends_with(": still there?"));
    at_ben.say("quit");
    assert_eq!(at_anna.line(), format!("* {bens} says nothing more"));
    assert_eq!(at_anna.ended().0, Some(0));
    let (code, _, said) = at_ben.ended();
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_third_one_is_refused_while_two_chat() {
    let dir = nobody();
    let (mut one, place, _) = Going::listening(dir.path(), &["chat", "--listen", "0"], "");
    let mut other = Going::start(dir.path(), &["chat", &place], "");
    one.behind("* ");
    other.behind("* ");
    let third = snap(dir.path(), &["dial", &place, "--label", "chat", "--timeout", "30"], "");
    complains(&third, 1, &["the stream is not wanted"]);
    other.say("undisturbed");
    assert!(one.line().ends_with(": undisturbed"));
}

#[test]
fn a_peer_that_dies_is_told_from_one_that_leaves() {
    let dir = nobody();
    let (mut one, place, _) = Going::listening(dir.path(), &["chat", "--listen", "0"], "");
    let mut other = Going::start(dir.path(), &["chat", &place], "");
    other.behind("* ");
    one.behind("* ");
    other.signal("KILL");
    let (code, printed, said) = one.ended();
    assert_eq!(code, Some(3), "{printed}");
    assert!(said.contains("the connection broke"), "{said}");
}

#[test]
fn mistakes_on_the_command_line_are_usage_errors_with_a_remedy() {
    let dir = with_anna();
    for (args, parts) in [
        (&["dial", "9000"][..], &["no place to dial", "HOST:PORT"][..]),
        (&["dial", ADDRESS], &["stacks:", ADDRESS]),
        (&["dial", "snap2p-invite:x"], &["invite"]),
        (&["dial", "quic://127.0.0.1:1"], &["127.0.0.1:1"]),
        (&["dial", "127.0.0.1:1", "--expect", "anna"], &["begin with stacks:"]),
        (&["dial", "127.0.0.1:1", "--invite", "00"], &["16 to 32 bytes in hex"]),
        (&["listen", "0", "--visibility", "stealth"], &["--invite"]),
        (
            &["listen", "0", "--visibility", "hidden"],
            &["public, private or stealth"],
        ),
        (&["listen", "0", "--uses", "1"], &["--invite"]),
        (&["listen", "0", "--invite", "--uses", "1"], &["--visibility stealth"]),
        (
            &["listen", "0", "--host", "0.0.0.0", "--invite"],
            &["--reached-at HOST:PORT"],
        ),
        (&["listen", "0", "--announce", "127.0.0.1:1"], &["--visibility public"]),
        (&["listen", "0", "--account", "1"], &["--wallet"]),
        (&["chat"], &["--listen"]),
        (&["chat", "127.0.0.1:1", "--listen", "0"], &["--listen"]),
        (&["chat", "127.0.0.1:1", "--invite"], &["--token"]),
        (&["receive", "0"], &["--allow PRINCIPAL", "--yes"]),
        (
            &["receive", "0", "--yes", "--into", "/nonexistent"],
            &["/nonexistent", "--into"],
        ),
        (&["send", "/", "127.0.0.1:1"], &["no file", "archive"]),
        (
            &["listen", "0", "-w", "anna", "--testnet", "--password-fd", "0"],
            &["mainnet", "--testnet"],
        ),
    ] {
        complains(&snap(dir.path(), args, PASSWORD), 2, parts);
    }
    for (args, code, parts) in [
        (&["dial", "127.0.0.1:1"][..], 3, &["127.0.0.1:1"][..]),
        (
            &["listen", "0", "-w", "anna", "--password-fd", "0"],
            1,
            &["wrong password"],
        ),
        (
            &["send", "/nonexistent", "127.0.0.1:1"],
            1,
            &["cannot read /nonexistent"],
        ),
        (&["listen", "0", "--host", "192.0.2.7"], 1, &["192.0.2.7"]),
    ] {
        complains(&snap(dir.path(), args, "wrong password"), code, parts);
    }
}
