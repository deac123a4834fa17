//! What the tests in secret-stack's repository are about, and what of ours holds it: docs/stack-parity.md.

use super::scenes;
use crate::shell;
use anyhow::{Result, ensure};
use std::fmt::Write as _;

/// One test file of the original.
struct Original {
    name: &'static str,
    /// The files of `crates/stack/tests` that hold it without the original.
    alone: &'static [&'static str],
    behaviours: &'static [(&'static str, &'static [&'static str])],
}

/// Behaviours in our words, and the scenes that hold them.
const ORIGINALS: &[Original] = &[
    Original {
        name: "api",
        alone: &["plugins", "hooks", "api"],
        behaviours: &[
            (
                "the methods of a plugin without a name stand at the root, those of a named one below its name, which is \
                 put in camel case",
                &["the manifest, fetched and called"],
            ),
            (
                "a plugin may wrap a method of another, see and change what goes in and what comes out, or answer itself",
                &[
                    "calls from outside go through the hooks",
                    "a node's own calls go through the hooks, and need no rights",
                ],
            ),
            (
                "a sync method can be called as an async one",
                &["the manifest, fetched and called"],
            ),
        ],
    },
    Original {
        name: "app-key",
        alone: &["auth", "config"],
        behaviours: &[
            (
                "nodes of different networks do not connect",
                &["who is of another network gets nowhere, and is nobody to the node that was dialled"],
            ),
            (
                "nodes of one network do",
                &["both know who the other is, which of them dialled, and what carries the connection"],
            ),
        ],
    },
    Original {
        name: "auth",
        alone: &["auth", "hooks"],
        behaviours: &[
            (
                "who is granted a method may call it",
                &[
                    "auth grants some methods, and denies some below them",
                    "auth grants everything but what it denies",
                    "auth grants everything",
                ],
            ),
            (
                "who is not has the rights that everybody has",
                &[
                    "nobody in particular has anonymous rights",
                    "auth that decides nothing leaves anonymous rights",
                ],
            ),
            (
                "who dialled gives anonymous rights when it is called back, whoever was dialled",
                &["who dials gives anonymous rights, and never asks auth"],
            ),
            (
                "hooks around `auth` decide together",
                &["the hook around auth that was added last decides first"],
            ),
        ],
    },
    Original {
        name: "auth2",
        alone: &["auth", "server", "close"],
        behaviours: &[
            (
                "the node tells its address",
                &["an address is told in the scopes that are listened in, and in no other"],
            ),
            (
                "calls in both directions over one connection, each with the rights of its direction",
                &[
                    "who dials gives anonymous rights, and never asks auth",
                    "300 calls and 30 sources at once in each direction",
                ],
            ),
            (
                "either side closes the connection, and the other can be dialled again",
                &[
                    "who dialled closes gracefully: what it waits for is answered first",
                    "who was dialled closes gracefully: what it waits for is answered first",
                    "who dialled closes with an error: nobody waits",
                    "who was dialled closes with an error: nobody waits",
                ],
            ),
            (
                "a key that is turned away does not get in",
                &["auth turns one away and lets another in"],
            ),
        ],
    },
    Original {
        name: "close",
        alone: &["close"],
        behaviours: &[
            (
                "a node that ends with an error ends what it accepted and what it dialled, streams and all",
                &[
                    "a node that ends with an error takes all its connections along, dialled or accepted, with all open \
                     streams",
                    "the node that dialled ends with an error: its connections go",
                    "the node that was dialled ends with an error: its connections go",
                ],
            ),
            (
                "a node that ends stops listening",
                &[
                    "a node that ends without an error lets nobody in; JavaScript keeps the connections it has, we finish them",
                ],
            ),
        ],
    },
    Original {
        name: "flood",
        alone: &["close"],
        behaviours: &[
            (
                "a plugin reads a source of whoever connects, and what one node says reaches all",
                &["messages flood through a chain of three nodes"],
            ),
            (
                "much at once",
                &[
                    "300 calls and 30 sources at once in each direction",
                    "ten connections of ten clients at once",
                ],
            ),
        ],
    },
    Original {
        name: "local",
        alone: &["close"],
        behaviours: &[(
            "a connection of a node with itself is not closed for being idle",
            &["a connection of a node with itself may be silent for ever"],
        )],
    },
    Original {
        name: "merge",
        alone: &["permissions", "plugins", "config"],
        behaviours: &[
            (
                "what plugins let everybody do and what they deny adds up, each below the name of its plugin",
                &["nobody in particular has anonymous rights"],
            ),
            (
                "the manifests of plugins add up, each below the name of its plugin",
                &["the manifest, fetched and called"],
            ),
        ],
    },
    Original {
        name: "seeds",
        alone: &["auth"],
        behaviours: &[
            (
                "a seed of 32 bytes makes the same identity everywhere",
                &["both know who the other is, which of them dialled, and what carries the connection"],
            ),
            (
                "who dials with a seed in the address comes as that identity",
                &["who comes as the identity of a seed has the rights of that identity"],
            ),
        ],
    },
    Original {
        name: "server",
        alone: &["server"],
        behaviours: &[
            ("one node calls another", &["every case of the calls above"]),
            (
                "both learn of the connection, which of them dialled, and the other's address",
                &["both know who the other is, which of them dialled, and what carries the connection"],
            ),
        ],
    },
    Original {
        name: "timeout",
        alone: &["close"],
        behaviours: &[
            (
                "a connection on which nothing happens is closed",
                &[
                    "a connection on which nothing happens is closed by who dialled",
                    "a connection on which nothing happens is closed by who was dialled",
                    "a connection on which something happens outlives one on which nothing does",
                ],
            ),
            ("a time of nothing is never", &["an inactivity of nothing is never"]),
            (
                "a handshake that does not come is not waited for",
                &[
                    "who connects and does not shake hands is sent away",
                    "who is dialled and does not shake hands is given up",
                ],
            ),
        ],
    },
];

const HEAD: &str = "\
# What secret-stack's own tests are about

The package that npm delivers has no tests; its repository has eleven files of them. This is what they ask for, in our
words, and the scenes under *nodes* in [the table of interoperability](interop.md) that hold it. Each scene is played with
releases 8 and 6 on either side, over TCP, WebSockets and Unix sockets, wherever that makes a difference; and once more by
our nodes alone. The last column has the files of `crates/stack/tests` in which we test the same without secret-stack.
`cargo xtask interop` writes this page when all scenes have passed.

";

/// The page.
///
/// # Errors
/// If it names a scene that there is not.
pub(crate) fn page() -> Result<String> {
    let mut page = HEAD.to_owned();
    let _ = writeln!(page, "| test | behaviour | held by | alone |\n|---|---|---|---|");
    for original in ORIGINALS {
        for (place, (behaviour, held_by)) in original.behaviours.iter().enumerate() {
            for name in *held_by {
                let exists = scenes().any(|scene| scene.name == *name);
                ensure!(exists, "no scene is called {name:?}, as {} wants", original.name);
            }
            let (name, alone) = match place {
                0 => (original.name, alone(original)?),
                _ => ("", String::new()),
            };
            let _ = writeln!(page, "| {name} | {behaviour} | {} | {alone} |", held_by.join("; "));
        }
    }
    Ok(page)
}

/// The files of our own tests.
fn alone(original: &Original) -> Result<String> {
    let mut files = Vec::new();
    for name in original.alone {
        let file = format!("{name}.rs");
        let exists = shell::root().join("crates/stack/tests").join(&file).exists();
        ensure!(exists, "crates/stack/tests has no {file}, as {} wants", original.name);
        files.push(format!("`{file}`"));
    }
    Ok(files.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_behaviour_is_held_by_scenes_that_exist() {
        page().unwrap();
        let held = |original: &Original| original.behaviours.iter().all(|(_, held_by)| !held_by.is_empty());
        assert!(ORIGINALS.iter().all(held));
    }

    #[test]
    fn no_two_scenes_have_one_name() {
        let mut names: Vec<_> = scenes().map(|scene| scene.name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
