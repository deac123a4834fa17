//! `handfast gossip simulate`: scenarios by name and by file, tables, JSON, pictures.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::path::Path;
use support::{printed, run, text};

const SMALL: &str = "mode = \"original\"\nnodes = 20\nwarm_up = \"1s\"\n";

/// A directory with a scenario in `small.toml`.
fn with_scenario(toml: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("small.toml");
    std::fs::write(&path, toml).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (dir, path)
}

fn simulate(dir: &Path, args: &[&str]) -> std::process::Output {
    run(dir, &[&["gossip", "simulate"], args].concat())
}

#[test]
fn a_scenario_prints_a_table_and_what_it_comes_to() {
    let (dir, path) = with_scenario(SMALL);
    let table = printed(&simulate(dir.path(), &[&path]), 0);
    for part in [
        "20 nodes",
        "round",
        "reliability            100.00 %",
        "redundancy",
        "last-delivery hop",
    ] {
        assert!(table.contains(part), "{part}: {table}");
    }
    assert_eq!(table, printed(&simulate(dir.path(), &[&path, "--seed", "1"]), 0));
}

#[test]
fn each_seed_is_a_run_and_json_has_one_line_for_each() {
    let (dir, path) = with_scenario(SMALL);
    let table = printed(&simulate(dir.path(), &[&path, "--seed", "7", "--seed", "8"]), 0);
    for part in ["seed", " 7 ", " 8 ", "mean", "worst"] {
        assert!(table.contains(part), "{part}: {table}");
    }
    let json = printed(
        &simulate(dir.path(), &[&path, "--json", "--seed", "7", "--seed", "8"]),
        0,
    );
    let runs: Vec<serde_json::Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(runs.len(), 2);
    for (run, seed) in runs.iter().zip([7, 8]) {
        assert_eq!(run["seed"], seed);
        assert_eq!(run["summary"]["reliability"], 1.0);
        assert_eq!(run["rounds"][0]["expected"], 19);
        assert!(run["rounds"][0]["delays"]["p100"].as_f64().unwrap() > 0.0);
    }
}

#[test]
fn a_picture_is_drawn_where_one_is_wanted() {
    let (dir, path) = with_scenario(SMALL);
    let picture = dir.path().join("out.svg");
    printed(&simulate(dir.path(), &[&path, "--plot", picture.to_str().unwrap()]), 0);
    assert!(std::fs::read_to_string(picture).unwrap().starts_with("<svg"));
    let nowhere = simulate(dir.path(), &[&path, "--plot", "/nonexistent/out.svg"]);
    printed(&nowhere, 1);
    assert!(text(&nowhere.stderr).contains("cannot write /nonexistent/out.svg"));
}

#[test]
fn scenarios_are_brought_along_listed_and_copied() {
    let dir = tempfile::tempdir().unwrap();
    let list = printed(&simulate(dir.path(), &["--list"]), 0);
    assert!(list.contains("crowd-100 ") && list.contains("half-vanish"), "{list}");
    let example = printed(&simulate(dir.path(), &["--example", "half-vanish"]), 0);
    assert!(example.contains("[[failure]]"), "{example}");
    // What is printed is a scenario; a smaller one takes less time.
    let (dir, path) = with_scenario(&format!("{}\n[links]", example.replace("nodes = 1000", "nodes = 20")));
    assert!(printed(&simulate(dir.path(), &[&path]), 0).contains("20 nodes"));
    assert!(printed(&simulate(dir.path(), &["catch-up"]), 0).contains("1000 of 1000"));
}

#[test]
fn mistakes_are_usage_errors_that_name_the_remedy() {
    let (dir, path) = with_scenario("nodes = 20\n[network]\nlos = 0.1\n");
    let wrong = simulate(dir.path(), &[&path]);
    printed(&wrong, 2);
    let expected = format!("{path}: line 3: there is no key los; the nearest one is loss");
    assert!(text(&wrong.stderr).contains(&expected), "{}", text(&wrong.stderr));
    for (args, part) in [
        (&["crowd-1o0"][..], "the nearest one is crowd-100"),
        (&["--example", "half-vanis"], "the nearest one is half-vanish"),
        (&[], "SCENARIO.toml|NAME"),
        (&["crowd-100", "--live", "--json"], "cannot be used with"),
    ] {
        let wrong = simulate(dir.path(), args);
        printed(&wrong, 2);
        assert!(text(&wrong.stderr).contains(part), "{args:?}: {}", text(&wrong.stderr));
    }
    let gone = simulate(dir.path(), &["/nonexistent/mine.toml"]);
    printed(&gone, 1);
    assert!(text(&gone.stderr).contains("cannot read /nonexistent/mine.toml"));
}

#[test]
fn without_a_terminal_live_is_the_table() {
    let (dir, path) = with_scenario(SMALL);
    let live = printed(&simulate(dir.path(), &[&path, "--live"]), 0);
    assert_eq!(live, printed(&simulate(dir.path(), &[&path]), 0));
}
