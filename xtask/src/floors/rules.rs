//! The rules about crates, over plain values: what is read from the disk stands in the module above.

use std::collections::{BTreeMap, BTreeSet};

/// What a rule needs to know of one crate of the workspace.
#[derive(Clone, Debug)]
pub(super) struct Crate {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) publishable: bool,
    pub(super) uses: Vec<Use>,
    pub(super) features: BTreeSet<String>,
    pub(super) readme: bool,
    pub(super) changelog: Option<String>,
    pub(super) keywords: usize,
    pub(super) categories: usize,
    pub(super) documentation: Option<String>,
    pub(super) license: Option<String>,
    pub(super) rust_version: Option<String>,
    pub(super) inherits_lints: bool,
}

/// One entry of a crate's dependencies.
#[derive(Clone, Debug)]
pub(super) struct Use {
    pub(super) name: String,
    pub(super) kind: UseKind,
    /// Whether it is a crate of this workspace.
    pub(super) ours: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UseKind {
    Normal,
    Dev,
    Build,
}

/// The meta-crate: everything for its users, nothing for its siblings.
const META: &str = "handfast";
const TESTKIT: &str = "testkit";
/// Where products of the workspace begin: these may see everything below, and their tests each other.
const TOP: u8 = 5;
/// Above every product.
const XTASK: u8 = 6;

/// The floor of each crate. A crate imports only from lower floors, never a sibling, never upward.
const FLOORS: &[(&str, u8)] = &[
    ("handfast-keys", 0),
    ("handfast-json", 0),
    ("handfast-shs", 1),
    ("handfast-boxstream", 1),
    ("handfast-mux", 1),
    ("handfast-envelope", 1),
    ("handfast-snap2p", 1),
    ("handfast-feed", 1),
    ("handfast-multiserver", 2),
    ("handfast-store", 2),
    ("handfast-stack", 3),
    ("handfast-gossip", 4),
    ("handfast-replicate", 4),
    ("handfast-conn", 4),
    ("handfast-tribes", 4),
    (META, TOP),
    ("handfast-cli", TOP),
    ("bench-ours", XTASK),
    ("simulate", XTASK),
    ("soak", XTASK),
    ("xtask", XTASK),
];

/// Dependencies that only some crates may have, and what the others do instead.
struct Reserved {
    name: &'static str,
    allowed: fn(&Crate, UseKind) -> bool,
    instead: &'static str,
}

const RESERVED: &[Reserved] = &[
    Reserved {
        name: "anyhow",
        allowed: |krate, _| floor(&krate.name) == Some(XTASK) || krate.name == "handfast-cli",
        instead: "give the crate an error enum of its own (thiserror)",
    },
    Reserved {
        name: "sodiumoxide",
        allowed: |_, kind| kind == UseKind::Dev,
        instead: "libsodium is for comparison in tests: move it to [dev-dependencies]",
    },
];

/// Every broken rule, as a sentence that says what to do.
pub(super) fn check(crates: &[Crate]) -> Vec<String> {
    let mut problems = Vec::new();
    for krate in crates {
        check_floor(krate, &mut problems);
        check_reserved(krate, &mut problems);
        if !krate.inherits_lints {
            problems.push(format!(
                "{}: add `[lints] workspace = true` to its Cargo.toml",
                krate.name
            ));
        }
        if krate.publishable {
            check_product(krate, &mut problems);
        }
    }
    check_meta(crates, &mut problems);
    problems
}

fn floor(name: &str) -> Option<u8> {
    FLOORS.iter().find(|(known, _)| *known == name).map(|(_, floor)| *floor)
}

fn check_floor(krate: &Crate, problems: &mut Vec<String>) {
    let name = &krate.name;
    // The test kit serves tests only, so it may use what they test.
    let own = if name == TESTKIT { Some(TOP) } else { floor(name) };
    let Some(own) = own else {
        problems.push(format!(
            "{name}: has no floor; give it one in FLOORS of xtask/src/floors/rules.rs"
        ));
        return;
    };
    for dependency in krate.uses.iter().filter(|dependency| dependency.ours) {
        let other = &dependency.name;
        if other == TESTKIT {
            if dependency.kind != UseKind::Dev {
                problems.push(format!("{name}: {TESTKIT} is for tests; move it to [dev-dependencies]"));
            }
            continue;
        }
        if other == META {
            problems.push(format!(
                "{name}: depends on the meta-crate {META}; depend on the crate itself that you need"
            ));
            continue;
        }
        let Some(below) = floor(other) else { continue };
        let siblings_meet_in_tests = dependency.kind == UseKind::Dev && own >= TOP;
        if below > own || (below == own && !siblings_meet_in_tests) {
            let relation = if below > own { "stands above it" } else { "is a sibling" };
            problems.push(format!(
                "{name} (floor {own}): must not use {other} (floor {below}), which {relation}; move what both need to a \
                 lower floor, or join the two where both are below (a test that needs both belongs into xtask or floor {TOP})"
            ));
        }
    }
}

fn check_reserved(krate: &Crate, problems: &mut Vec<String>) {
    for dependency in &krate.uses {
        let rule = RESERVED.iter().find(|rule| rule.name == dependency.name);
        if let Some(rule) = rule.filter(|rule| !(rule.allowed)(krate, dependency.kind)) {
            problems.push(format!(
                "{}: must not depend on {}; {}",
                krate.name, rule.name, rule.instead
            ));
        }
    }
}

/// What every crate needs that somebody may take alone.
fn check_product(krate: &Crate, problems: &mut Vec<String>) {
    let name = &krate.name;
    let mut want = |present: bool, remedy: &str| {
        if !present {
            problems.push(format!("{name}: {remedy}"));
        }
    };
    want(
        krate.readme,
        "has no README.md; write its page and name it as `readme` in Cargo.toml",
    );
    want(
        krate.keywords > 0,
        "has no `keywords` in Cargo.toml; give it up to five",
    );
    want(
        krate.categories > 0,
        "has no `categories` in Cargo.toml; choose from the registry's list",
    );
    want(
        krate.documentation.is_some(),
        "has no `documentation` link in Cargo.toml",
    );
    want(
        krate.license.is_some(),
        "has no `license`; write `license.workspace = true`",
    );
    want(
        krate.rust_version.is_some(),
        "has no `rust-version`; write `rust-version.workspace = true`",
    );
    match krate.changelog.as_deref().map(newest_version) {
        None => want(false, "has no CHANGELOG.md; write one with a heading `## VERSION`"),
        Some(None) => want(false, "its CHANGELOG.md has no heading `## VERSION`"),
        Some(Some(newest)) => want(
            newest == krate.version,
            &format!(
                "its CHANGELOG.md speaks of {newest} first and Cargo.toml of {}; make the two agree",
                krate.version
            ),
        ),
    }
}

/// The version that the first heading of the second level names: `## 0.1.0`, `## [0.1.0] - 2026-01-01`.
fn newest_version(changelog: &str) -> Option<&str> {
    let heading = changelog.lines().find_map(|line| line.strip_prefix("## "))?;
    let word = heading.split_whitespace().next()?;
    Some(word.trim_matches(['[', ']']))
}

/// The meta-crate has a feature for each crate of the floors 1 to 4.
fn check_meta(crates: &[Crate], problems: &mut Vec<String>) {
    let Some(meta) = crates.iter().find(|krate| krate.name == META) else {
        return;
    };
    for krate in crates
        .iter()
        .filter(|krate| floor(&krate.name).is_some_and(|floor| (1..TOP).contains(&floor)))
    {
        let feature = krate.name.trim_start_matches("handfast-");
        if !meta.features.contains(feature) {
            problems.push(format!(
                "{META}: has no feature `{feature}`; re-export {} behind it",
                krate.name
            ));
        }
    }
}

/// No shipped dependency may ask for a newer compiler than we promise.
pub(super) fn check_rust_versions(workspace: &str, shipped: &BTreeMap<String, String>) -> Vec<String> {
    let newer = shipped
        .iter()
        .filter(|(_, version)| number(version) > number(workspace));
    newer
        .map(|(package, version)| {
            format!(
                "{package} needs Rust {version}, the workspace promises {workspace}: raise `rust-version` in the root \
                 Cargo.toml (and say so in the changelogs), or take an older release of it"
            )
        })
        .collect()
}

/// `1.89` and `1.89.0` compare as equal.
fn number(version: &str) -> [u32; 3] {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound(name: &str) -> Crate {
        Crate {
            name: name.into(),
            version: "0.1.0".into(),
            publishable: name.starts_with("handfast"),
            uses: Vec::new(),
            features: BTreeSet::new(),
            readme: true,
            changelog: Some("# Changelog\n\n## 0.1.0 (unreleased)\n".into()),
            keywords: 3,
            categories: 1,
            documentation: Some("https://docs.rs/x".into()),
            license: Some("MIT".into()),
            rust_version: Some("1.89".into()),
            inherits_lints: true,
        }
    }

    fn using(name: &str, other: &str, kind: UseKind) -> Crate {
        let ours = other.starts_with("handfast") || other == TESTKIT;
        Crate {
            uses: vec![Use {
                name: other.into(),
                kind,
                ours,
            }],
            ..sound(name)
        }
    }

    fn problems_of(krate: Crate) -> Vec<String> {
        check(&[krate])
    }

    #[track_caller]
    fn assert_one(problems: &[String], part: &str) {
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains(part), "{problems:?}");
    }

    #[test]
    fn a_crate_may_use_lower_floors() {
        assert_eq!(
            problems_of(using("handfast-shs", "handfast-keys", UseKind::Normal)),
            Vec::<String>::new()
        );
        assert_eq!(
            problems_of(using("handfast-cli", "handfast-mux", UseKind::Normal)),
            Vec::<String>::new()
        );
        assert_eq!(
            problems_of(using("handfast-stack", "handfast-mux", UseKind::Dev)),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_crate_may_not_use_a_sibling_or_look_up() {
        assert_one(
            &problems_of(using("handfast-shs", "handfast-boxstream", UseKind::Normal)),
            "sibling",
        );
        assert_one(
            &problems_of(using("handfast-keys", "handfast-shs", UseKind::Normal)),
            "stands above",
        );
        assert_one(
            &problems_of(using("handfast-shs", "handfast-boxstream", UseKind::Build)),
            "sibling",
        );
    }

    #[test]
    fn tests_of_siblings_meet_only_on_the_top_floor() {
        assert_one(
            &problems_of(using("handfast-shs", "handfast-boxstream", UseKind::Dev)),
            "sibling",
        );
        assert!(problems_of(using("xtask", "handfast-cli", UseKind::Normal)).is_empty());
    }

    #[test]
    fn only_tests_use_the_test_kit() {
        assert!(problems_of(using("handfast-shs", TESTKIT, UseKind::Dev)).is_empty());
        assert_one(
            &problems_of(using("handfast-shs", TESTKIT, UseKind::Normal)),
            "[dev-dependencies]",
        );
        assert!(problems_of(using(TESTKIT, "handfast-mux", UseKind::Normal)).is_empty());
        assert_one(&problems_of(using(TESTKIT, "handfast-cli", UseKind::Normal)), "sibling");
    }

    #[test]
    fn nobody_uses_the_meta_crate() {
        assert_one(&problems_of(using("handfast-cli", META, UseKind::Normal)), "meta-crate");
        assert_one(&problems_of(using("handfast-stack", META, UseKind::Dev)), "meta-crate");
    }

    #[test]
    fn anyhow_is_for_programs_and_libsodium_for_tests() {
        assert!(problems_of(using("handfast-cli", "anyhow", UseKind::Normal)).is_empty());
        assert!(problems_of(using("xtask", "anyhow", UseKind::Normal)).is_empty());
        assert_one(
            &problems_of(using("handfast-mux", "anyhow", UseKind::Normal)),
            "error enum",
        );
        assert!(problems_of(using("handfast-keys", "sodiumoxide", UseKind::Dev)).is_empty());
        assert_one(
            &problems_of(using("handfast-keys", "sodiumoxide", UseKind::Normal)),
            "[dev-dependencies]",
        );
    }

    #[test]
    fn a_crate_without_a_floor_is_told_where_to_get_one() {
        assert_one(&problems_of(sound("handfast-attic")), "FLOORS");
    }

    #[test]
    fn a_product_needs_its_papers() {
        let bare = Crate {
            readme: false,
            changelog: None,
            keywords: 0,
            categories: 0,
            documentation: None,
            license: None,
            rust_version: None,
            inherits_lints: false,
            ..sound("handfast-keys")
        };
        assert_eq!(check(std::slice::from_ref(&bare)).len(), 8);
        // What is never published needs the lints and no papers.
        assert_one(
            &problems_of(Crate {
                publishable: false,
                ..bare
            }),
            "[lints]",
        );
    }

    #[test]
    fn the_newest_entry_of_the_changelog_is_the_manifests_version() {
        let behind = Crate {
            version: "0.2.0".into(),
            ..sound("handfast-keys")
        };
        assert_one(&problems_of(behind), "speaks of 0.1.0 first");
        let empty = Crate {
            changelog: Some("# Changelog\n".into()),
            ..sound("handfast-keys")
        };
        assert_one(&problems_of(empty), "no heading");
        assert_eq!(
            newest_version("# x\n\n## [1.2.3] - 2026-01-01\n\n## 1.2.2\n"),
            Some("1.2.3")
        );
    }

    #[test]
    fn the_meta_crate_offers_every_crate() {
        let crates = [sound(META), sound("handfast-keys"), sound("handfast-mux")];
        assert_one(&check(&crates), "feature `mux`");
        let meta = Crate {
            features: BTreeSet::from(["mux".to_string()]),
            ..sound(META)
        };
        assert!(check(&[meta, sound("handfast-mux")]).is_empty());
    }

    #[test]
    fn no_dependency_asks_for_a_newer_compiler() {
        let shipped = BTreeMap::from([
            ("old 1.0.0".into(), "1.89.0".into()),
            ("new 1.0.0".into(), "1.90".into()),
        ]);
        assert_one(&check_rust_versions("1.89", &shipped), "new 1.0.0 needs Rust 1.90");
    }
}
