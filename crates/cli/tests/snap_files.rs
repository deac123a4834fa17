//! `handfast snap send` and `receive`: files arrive whole, once, and where they should, whatever breaks in between.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::{
    fs::File,
    io::{Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};
use support::{
    printed,
    snap::{Going, complains, snap},
    text,
};
use tempfile::TempDir;

/// A file of this size, of which no two parts are alike.
fn file_of(dir: &Path, name: &str, size: u64) -> PathBuf {
    let path = dir.join(name);
    let mut out = std::io::BufWriter::new(File::create(&path).unwrap());
    for number in 0..size / 8 {
        out.write_all(&(number ^ 0x5bd1_e995).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())
            .unwrap();
    }
    out.write_all(&vec![7; usize::try_from(size % 8).unwrap()]).unwrap();
    path
}

/// Where files come from and where they go.
struct Two {
    from: TempDir,
    to: TempDir,
}

impl Two {
    fn new() -> Self {
        Self {
            from: tempfile::tempdir().unwrap(),
            to: tempfile::tempdir().unwrap(),
        }
    }

    fn receive(&self, more: &[&str]) -> (Going, String) {
        let into = self.to.path().to_str().unwrap();
        // Public, because a private one takes only so many connections a minute.
        let args = [&["receive", "0", "--visibility", "public", "--into", into], more].concat();
        let (going, place, _) = Going::listening(self.to.path(), &args, "");
        (going, place)
    }

    fn send(&self, file: &Path, place: &str) -> std::process::Output {
        snap(self.from.path(), &["send", file.to_str().unwrap(), place], "")
    }

    fn there(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.to.path().join(name)).unwrap()
    }

    /// The files that have arrived, or not quite.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.to.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "wallets")
            .collect();
        names.sort();
        names
    }

    /// Waits until some of the file is there, and gives the name of the part.
    fn part(&self) -> String {
        loop {
            let part = self.names().into_iter().find(|name| name.ends_with(".part"));
            if let Some(part) = part
                && self.to.path().join(&part).metadata().is_ok_and(|part| part.len() > 0)
            {
                return part;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn a_file_arrives_whole_and_is_not_taken_twice() {
    let two = Two::new();
    let file = file_of(two.from.path(), "holiday plan.txt", 1_000_003);
    let (mut receiver, place) = two.receive(&["--yes"]);
    let sent = printed(&two.send(&file, &place), 0);
    assert!(sent.starts_with("sent ") && sent.contains(" 1000003 stacks:"), "{sent}");
    let path = receiver.behind("received ");
    assert_eq!(Path::new(&path), two.to.path().join("holiday plan.txt"));
    assert!(two.there("holiday plan.txt") == std::fs::read(&file).unwrap());

    // The same file again is there already; another one of the same name is not taken.
    printed(&two.send(&file, &place), 0);
    receiver.behind("received ");
    file_of(two.from.path(), "holiday plan.txt", 5);
    let output = two.send(&file, &place);
    complains(&output, 1, &["does not take it", "another file of this name"]);
    assert_eq!(two.there("holiday plan.txt").len(), 1_000_003);
    assert_eq!(two.names(), ["holiday plan.txt"]);
    receiver.signal("INT");
    let (code, _, said) = receiver.ended();
    assert_eq!(code, Some(0));
    assert!(
        said.contains("was not overwritten") && said.contains("--force"),
        "{said}"
    );
}

#[test]
fn with_force_a_file_is_replaced_and_with_once_the_receiver_ends() {
    let two = Two::new();
    std::fs::write(two.to.path().join("x"), "old").unwrap();
    let file = file_of(two.from.path(), "x", 100);
    let (receiver, place) = two.receive(&["--yes", "--force", "--once"]);
    printed(&two.send(&file, &place), 0);
    let (code, shown, said) = receiver.ended();
    assert_eq!(code, Some(0), "{said}");
    assert!(shown.starts_with("received "), "{shown}");
    assert_eq!(two.there("x").len(), 100);
}

#[test]
fn an_empty_file_is_a_file() {
    let two = Two::new();
    let file = file_of(two.from.path(), "nothing", 0);
    let (_receiver, place) = two.receive(&["--yes"]);
    printed(&two.send(&file, &place), 0);
    assert_eq!(two.there("nothing"), b"");
}

#[test]
fn a_sender_that_dies_in_the_middle_goes_on_where_it_was() {
    let two = Two::new();
    let file = file_of(two.from.path(), "big", 64 << 20);
    let (mut receiver, place) = two.receive(&["--yes"]);
    let sender = Going::start(two.from.path(), &["send", file.to_str().unwrap(), &place], "");
    let part = two.part();
    sender.signal("KILL");
    drop(sender);
    assert!(
        two.names().iter().all(|name| name.ends_with(".part")),
        "{:?}",
        two.names()
    );
    assert!(part.starts_with("big."), "{part}");

    // The first transfer may hold the part for a moment, until its end is noticed.
    let again = (0..1000)
        .map(|_| two.send(&file, &place))
        .find(|output| !text(&output.stderr).contains("being received right now"))
        .unwrap();
    printed(&again, 0);
    complains(&again, 0, &["were there already"]);
    receiver.behind("received ");
    assert!(two.there("big") == std::fs::read(&file).unwrap());
    assert_eq!(two.names(), ["big"]);
}

#[test]
fn a_receiver_that_dies_in_the_middle_goes_on_where_it_was() {
    let two = Two::new();
    let file = file_of(two.from.path(), "big", 64 << 20);
    let (receiver, place) = two.receive(&["--yes"]);
    let sender = Going::start(two.from.path(), &["send", file.to_str().unwrap(), &place], "");
    two.part();
    receiver.signal("KILL");
    let (code, _, said) = sender.ended();
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("send the same file again"), "{said}");
    drop(receiver);

    let (_receiver, place) = two.receive(&["--yes"]);
    let again = two.send(&file, &place);
    printed(&again, 0);
    complains(&again, 0, &["were there already"]);
    assert!(two.there("big") == std::fs::read(&file).unwrap());
    assert_eq!(two.names(), ["big"]);
}

#[test]
fn a_part_that_is_not_the_beginning_is_found_out_and_the_next_try_is_whole() {
    let two = Two::new();
    let file = file_of(two.from.path(), "big", 16 << 20);
    let (_receiver, place) = two.receive(&["--yes"]);
    let sender = Going::start(two.from.path(), &["send", file.to_str().unwrap(), &place], "");
    let part = two.to.path().join(two.part());
    sender.signal("KILL");
    drop(sender);
    std::fs::write(&part, "not the beginning").unwrap();
    let output = (0..1000)
        .map(|_| two.send(&file, &place))
        .find(|output| !text(&output.stderr).contains("being received right now"))
        .unwrap();
    // Whatever the receiver had open it may have written behind it; what counts is that nothing wrong is taken for the file.
    complains(&output, 1, &["checksum differs"]);
    assert_eq!(two.names(), [""; 0]);
    printed(&two.send(&file, &place), 0);
    assert!(two.there("big") == std::fs::read(&file).unwrap());
}

#[test]
fn only_the_allowed_may_send() {
    let two = Two::new();
    let file = file_of(two.from.path(), "x", 10);
    let somebody = "stacks:SP2J6ZY48GV1EZ5V2V5RB9MP66SW86PYKKNRV9EJ7";
    let (_receiver, place) = two.receive(&["--allow", somebody]);
    complains(&two.send(&file, &place), 1, &["the peer refused: not allowed"]);
    assert_eq!(two.names(), [""; 0]);
}

#[test]
fn what_is_longer_than_wanted_and_what_is_no_file_is_refused() {
    let two = Two::new();
    let file = file_of(two.from.path(), "x", 11);
    let (_receiver, place) = two.receive(&["--yes", "--max-size", "10"]);
    complains(&two.send(&file, &place), 1, &["11 bytes, and at most 10"]);
    let nonsense = ["dial", &place, "--label", "file", "--message", "kia ora\n"];
    let output = snap(two.from.path(), &nonsense, "");
    assert_ne!(output.status.code(), Some(0));
    let other = ["dial", &place, "--message", "kia ora"];
    complains(&snap(two.from.path(), &other, ""), 1, &["the stream is not wanted"]);
    assert_eq!(two.names(), [""; 0]);
}

#[test]
fn names_that_lead_elsewhere_stay_in_the_folder() {
    let two = Two::new();
    let (mut receiver, place) = two.receive(&["--yes"]);
    let checksum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let offer = format!("{{\"name\":\"../../.e\\u001b[2Jvil\",\"size\":0,\"sha256\":\"{checksum}\"}}\n");
    let output = snap(
        two.from.path(),
        &["dial", &place, "--label", "file", "--message", &offer],
        "",
    );
    assert_eq!(printed(&output, 0), "{\"from\":0}\n{\"done\":true}\n");
    let path = receiver.behind("received ");
    assert_eq!(Path::new(&path), two.to.path().join("_e_[2Jvil"));
    assert_eq!(two.names(), ["_e_[2Jvil"]);
}

#[test]
fn an_interrupted_sender_says_how_to_go_on() {
    let two = Two::new();
    let file = file_of(two.from.path(), "big", 64 << 20);
    let (_receiver, place) = two.receive(&["--yes"]);
    let sender = Going::start(two.from.path(), &["send", file.to_str().unwrap(), &place], "");
    two.part();
    sender.signal("INT");
    let (code, _, said) = sender.ended();
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("send the same file again"), "{said}");
    let mut part = Vec::new();
    let path = two.to.path().join(two.part());
    File::open(path).unwrap().read_to_end(&mut part).unwrap();
    let all = std::fs::read(&file).unwrap();
    assert!(part.len() < all.len() && all.starts_with(&part));
}
