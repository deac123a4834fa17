//! The scenes, as data.

use super::scene::Casts::{All, These};
use super::scene::Rounds::{ByHand, Every};
use super::scene::Scene;
use super::scene::Shape::{Line, Links, Mesh, Ring, Star};
use super::scene::Step::{
    AllSay, Cut, Hear, Hostile, Link, Memory, Round, Say, SayLong, SayTexts, Start, Stop,
};

/// Scenes that belong together: a row of the table.
pub(super) struct Act {
    pub(super) name: &'static str,
    pub(super) scenes: &'static [Scene],
}

/// Short, so that scenes take little; the order of events is the same as with the original's 100.
const OFTEN: super::scene::Rounds = Every(20);
/// As the original has it.
const USUAL: super::scene::Rounds = Every(100);

pub(super) const ACTS: &[Act] = &[
    Act {
        name: "in lines",
        scenes: &[
            Scene {
                name: "two, each says five at once, twice",
                shape: Line(2),
                rounds: USUAL,
                casts: All,
                steps: &[AllSay(5), Hear, AllSay(5)],
            },
            Scene {
                name: "a line of three, each says five at once, twice",
                shape: Line(3),
                rounds: OFTEN,
                casts: All,
                steps: &[AllSay(5), Hear, AllSay(5)],
            },
            Scene {
                name: "a line of four, each says five at once",
                shape: Line(4),
                rounds: OFTEN,
                casts: All,
                steps: &[AllSay(5)],
            },
            Scene {
                name: "a line of eight, bursts from its ends and its middle",
                shape: Line(8),
                rounds: OFTEN,
                casts: These(&["tttttttt", "otototot", "totototo", "ootttoot", "ttootott", "oooooooo"]),
                steps: &[Say(0, 10), Say(7, 10), Say(4, 10), Hear, AllSay(2)],
            },
            Scene {
                name: "200 at once over a line of three",
                shape: Line(3),
                rounds: OFTEN,
                casts: These(&["ttt", "tot", "oto", "oot", "too", "ooo"]),
                steps: &[Say(0, 200), Say(2, 200)],
            },
        ],
    },
    Act {
        name: "in stars",
        scenes: &[
            Scene {
                name: "a star of four, each says five at once",
                shape: Star(4),
                rounds: OFTEN,
                casts: All,
                steps: &[AllSay(5), Hear, AllSay(1)],
            },
            Scene {
                name: "a star of eight, each says three at once",
                shape: Star(8),
                rounds: OFTEN,
                casts: These(&["tttttttt", "ottttttt", "tooooooo", "oototott", "totototo", "oooooooo"]),
                steps: &[AllSay(3), Hear, AllSay(3)],
            },
            Scene {
                name: "two of ours and one of theirs on one node: the two switch to frames, and it does not",
                shape: Links(4, &[(0, 1), (0, 2), (0, 3)]),
                rounds: USUAL,
                casts: These(&["tttt", "ooot", "ooto"]),
                steps: &[Say(3, 3), Hear, AllSay(3)],
            },
        ],
    },
    Act {
        name: "in rings",
        scenes: &[
            Scene {
                name: "a ring of three, each says five at once",
                shape: Ring(3),
                rounds: OFTEN,
                casts: All,
                steps: &[AllSay(5), Hear, AllSay(5)],
            },
            Scene {
                name: "a ring of four, each says five at once",
                shape: Ring(4),
                rounds: OFTEN,
                casts: These(&["tttt", "ottt", "oott", "otot", "ooot", "oooo"]),
                steps: &[AllSay(5), Hear, AllSay(5)],
            },
            Scene {
                name: "a ring of eight, each says three at once",
                shape: Ring(8),
                rounds: OFTEN,
                casts: These(&["tttttttt", "otototot", "ootttoot", "ooootttt", "oooooooo"]),
                steps: &[AllSay(3), Hear, AllSay(3)],
            },
        ],
    },
    Act {
        name: "in meshes",
        scenes: &[
            Scene {
                name: "a mesh of four, each says five at once",
                shape: Mesh(4),
                rounds: OFTEN,
                casts: These(&["tttt", "ottt", "oott", "ooot", "oooo"]),
                steps: &[AllSay(5), Hear, AllSay(5)],
            },
            Scene {
                name: "a mesh of six, each says three at once",
                shape: Mesh(6),
                rounds: OFTEN,
                casts: These(&["tttttt", "ottttt", "ototot", "ooooot", "oooooo"]),
                steps: &[AllSay(3), Hear, AllSay(3)],
            },
            Scene {
                name: "a mesh of eight, each says two at once",
                shape: Mesh(8),
                rounds: OFTEN,
                casts: These(&["tttttttt", "otototot", "ooootttt", "oooooooo"]),
                steps: &[AllSay(2), Hear, AllSay(2)],
            },
            Scene {
                name: "two crowds of three with one link between them",
                shape: Links(6, &[(0, 1), (1, 2), (0, 2), (3, 4), (4, 5), (3, 5), (2, 3)]),
                rounds: OFTEN,
                casts: These(&["tttttt", "oooott", "ottoot", "ttotto", "oooooo"]),
                steps: &[AllSay(4), Hear, AllSay(4)],
            },
        ],
    },
    Act {
        name: "that comes and goes",
        scenes: &[
            Scene {
                name: "one comes late, and learns from ours what was said",
                shape: Links(3, &[(0, 1)]),
                rounds: OFTEN,
                casts: All,
                steps: &[Say(0, 5), Say(1, 3), Hear, Link(1, 2), Hear, AllSay(2)],
            },
            Scene {
                name: "two lines of two meet",
                shape: Links(4, &[(0, 1), (2, 3)]),
                rounds: OFTEN,
                casts: All,
                steps: &[AllSay(4), Hear, Link(1, 2), Hear, AllSay(2)],
            },
            Scene {
                name: "the end of a line starts anew with the same key",
                shape: Line(3),
                rounds: OFTEN,
                casts: All,
                steps: &[Say(0, 5), Hear, Stop(0), Start(0), Link(0, 1), Say(0, 8), Hear, AllSay(1)],
            },
            Scene {
                name: "the middle of a line starts anew with the same key",
                shape: Line(3),
                rounds: OFTEN,
                casts: All,
                steps: &[
                    AllSay(4), Hear, Stop(1), Say(0, 2), Say(2, 2), Start(1), Link(0, 1), Link(1, 2), Hear, AllSay(6),
                ],
            },
            Scene {
                name: "the link in the middle breaks, both sides speak, and it comes back",
                shape: Line(4),
                rounds: OFTEN,
                casts: All,
                steps: &[AllSay(2), Hear, Cut(1, 2), AllSay(3), Hear, Link(1, 2), Hear, AllSay(2)],
            },
            Scene {
                name: "a link breaks and comes back ten times",
                shape: Line(3),
                rounds: OFTEN,
                casts: These(&["ttt", "tot", "oto", "oot", "ooo"]),
                steps: &[
                    AllSay(1), Cut(0, 1), Link(0, 1), AllSay(1), Cut(0, 1), Link(0, 1), AllSay(1), Cut(0, 1), Link(0, 1),
                    AllSay(1), Cut(0, 1), Link(0, 1), AllSay(1), Cut(0, 1), Link(0, 1), AllSay(1), Cut(0, 1), Link(0, 1),
                    AllSay(1), Cut(0, 1), Link(0, 1), AllSay(1), Cut(0, 1), Link(0, 1), AllSay(1), Cut(0, 1), Link(0, 1),
                    AllSay(1), Cut(0, 1), Link(0, 1), AllSay(1),
                ],
            },
            Scene {
                name: "the hub of a star goes, and comes back to others of its own",
                shape: Star(4),
                rounds: OFTEN,
                casts: These(&["tttt", "ottt", "tooo", "ooto", "oooo"]),
                steps: &[
                    AllSay(2), Hear, Stop(0), Start(0), Link(0, 1), Link(0, 2), Link(0, 3), Hear, AllSay(5),
                ],
            },
        ],
    },
    Act {
        name: "with texts of every kind",
        scenes: &[
            Scene {
                name: "a line of three, texts from both ends",
                shape: Line(3),
                rounds: OFTEN,
                casts: All,
                steps: &[SayTexts(0), Hear, SayTexts(2), Hear, SayTexts(1)],
            },
            Scene {
                name: "messages of 20,000 bytes",
                shape: Line(3),
                rounds: OFTEN,
                casts: All,
                steps: &[SayLong(0, 5, 20_000), SayLong(2, 5, 20_000)],
            },
        ],
    },
    Act {
        name: "with rounds by hand",
        scenes: &[
            Scene {
                name: "a line of three",
                shape: Line(3),
                rounds: ByHand,
                casts: All,
                steps: &[Say(0, 3), Say(2, 2), Round(0), Round(1), Round(2), Round(1), Round(0), Hear],
            },
            Scene {
                name: "a ring of four",
                shape: Ring(4),
                rounds: ByHand,
                casts: These(&["tttt", "ottt", "otot", "ooot", "oooo"]),
                steps: &[
                    AllSay(2), Round(0), Round(1), Round(2), Round(3), Round(0), Round(1), Round(2), Round(3), Round(0),
                    Round(1), Hear,
                ],
            },
        ],
    },
    Act {
        name: "beside a hostile peer",
        scenes: &[
            Scene {
                name: "it says all messages again with the highest number",
                shape: Star(4),
                rounds: OFTEN,
                casts: These(&["ottt", "otot", "oooo"]),
                steps: &[Hostile("rewritten seq", 0, 1), AllSay(3), Hear, AllSay(3), Hear, AllSay(3)],
            },
            Scene {
                name: "it says all messages again and again with rising numbers",
                shape: Star(4),
                rounds: OFTEN,
                casts: These(&["ottt", "otot", "oooo"]),
                steps: &[Hostile("replay", 0, 1), AllSay(3), Hear, AllSay(3), Hear, AllSay(3)],
            },
            Scene {
                name: "it says all messages again in another order",
                shape: Star(4),
                rounds: OFTEN,
                casts: These(&["ottt", "otot", "oooo"]),
                steps: &[Hostile("reorder", 0, 1), AllSay(5), Hear, AllSay(5), Hear, AllSay(5)],
            },
            Scene {
                name: "it floods",
                shape: Star(4),
                rounds: OFTEN,
                casts: These(&["ottt", "otot", "oooo"]),
                steps: &[AllSay(2), Hostile("flood", 0, 5_000), AllSay(2), Hear, Memory(0, 200)],
            },
            Scene {
                name: "it speaks as a thousand authors",
                shape: Star(4),
                rounds: OFTEN,
                casts: These(&["ottt", "otot", "oooo"]),
                steps: &[AllSay(2), Hostile("many authors", 0, 1_000), AllSay(2), Hear, Memory(0, 200)],
            },
            Scene {
                name: "it closes in the middle of a line",
                shape: Line(3),
                rounds: OFTEN,
                casts: These(&["tot", "oot", "ooo"]),
                steps: &[AllSay(2), Hostile("closes mid-line", 1, 1), AllSay(2)],
            },
            Scene {
                name: "it sends garbage",
                shape: Line(3),
                rounds: OFTEN,
                casts: These(&["ttt", "tot", "oto", "ooo"]),
                steps: &[AllSay(2), Hostile("garbage", 1, 1), AllSay(2)],
            },
            Scene {
                name: "it sends a line of 100 MiB",
                shape: Line(3),
                rounds: OFTEN,
                casts: These(&["tot", "oot", "ooo"]),
                steps: &[AllSay(2), Hostile("huge line", 1, 100), AllSay(2), Hear, Memory(1, 100)],
            },
            Scene {
                name: "it switches to frames and sends none",
                shape: Line(3),
                rounds: OFTEN,
                casts: These(&["tot", "oot", "ooo"]),
                steps: &[AllSay(2), Hostile("broken frames", 1, 1), AllSay(2)],
            },
            Scene {
                name: "it never reads while 60 MB go by",
                shape: Line(3),
                rounds: OFTEN,
                casts: These(&["tot", "ooo"]),
                steps: &[
                    Hostile("unread", 1, 1), SayLong(0, 1_000, 30_000), Hear, SayLong(0, 1_000, 30_000), Hear,
                    Memory(1, 200),
                ],
            },
        ],
    },
];
