//! What the program writes about itself: its configuration, completions and manual pages.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use support::{printed, run, text};

#[test]
fn the_configuration_is_printed_and_written_once() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("new");
    let shown = printed(&run(&home, &["config"]), 0);
    assert!(!home.exists(), "printing leaves nothing behind");
    let path = home.join("config.toml");
    assert_eq!(
        printed(&run(&home, &["config", "--write"]), 0),
        format!("{}\n", path.display())
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), shown);

    std::fs::write(&path, "# mine").unwrap();
    let again = run(&home, &["config", "--write"]);
    printed(&again, 1);
    assert!(
        text(&again.stderr).contains("not overwritten"),
        "{}",
        text(&again.stderr)
    );
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "# mine");
}

#[test]
fn a_mistake_in_the_configuration_is_a_usage_error_that_names_file_line_and_remedy() {
    let dir = support::initialised();
    let path = dir.path().join("config.toml");
    std::fs::write(&path, "\nnetwrok = \"x\"\n").unwrap();
    let output = run(dir.path(), &["start"]);
    printed(&output, 2);
    let expected = format!(
        "{}: line 2: there is no key netwrok; the nearest one is network",
        path.display()
    );
    assert!(text(&output.stderr).contains(&expected), "{}", text(&output.stderr));
    let named = run(dir.path(), &["start", "--config", "/nonexistent/config.toml"]);
    printed(&named, 1);
    assert!(text(&named.stderr).contains("/nonexistent/config.toml"));
}

#[test]
fn completions_know_the_commands_in_every_shell() {
    let dir = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = printed(&run(dir.path(), &["completions", shell]), 0);
        for word in [
            "handfast",
            "start",
            "disconnect",
            "completions",
            "listen",
            "snap",
            "signin",
        ] {
            assert!(script.contains(word), "{word} is missing for {shell}");
        }
    }
    printed(&run(dir.path(), &["completions", "abacus"]), 2);
}

#[test]
fn there_is_a_manual_page_for_the_program_and_each_command() {
    let dir = tempfile::tempdir().unwrap();
    let page = printed(&run(dir.path(), &["man"]), 0);
    assert!(page.contains(".TH handfast 1") && page.contains("Exit codes"), "{page}");

    let out = dir.path().join("share/man1");
    printed(&run(dir.path(), &["man", "--out", out.to_str().unwrap()]), 0);
    for name in [
        "handfast",
        "handfast-start",
        "handfast-perms",
        "handfast-call",
        "handfast-snap-dial",
        "handfast-snap-wallet-create",
    ] {
        let page = std::fs::read_to_string(out.join(format!("{name}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{page}");
    }
}

#[test]
fn no_page_names_a_secret_of_the_environment() {
    let dir = tempfile::tempdir().unwrap();
    let seed = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    for args in [&["man"][..], &["completions", "bash"], &["call", "--help"]] {
        let output = support::program(dir.path())
            .args(args)
            .env("HANDFAST_SEED", seed)
            .output()
            .unwrap();
        assert!(!printed(&output, 0).contains(seed));
    }
}
