//! Gossip: networks that mix real secure-gossip processes and ours, in every position.
//!
//! ```text
//!   scenes.rs    who is linked to whom, whose node stands where, and what happens
//!       |
//!   play.rs      starts the processes, links them by wires that keep what passes, takes the steps
//!       |   \
//!   node.rs  wire.rs        model.rs says who must have heard what; bytes.rs what ours may send
//! ```

mod bytes;
mod model;
mod node;
mod play;
mod scene;
mod scenes;
mod wire;

use super::super::cases::Verdict;
use super::program::program;
use super::{Add, Direction, List, Title};
use anyhow::Result;
use node::{Maker, Node};
use scenes::{ACTS, Act};

pub(super) fn add(add: &mut Add<'_>) -> Result<()> {
    let theirs = format!("secure-gossip {}", super::node::version("sg", "secure-gossip")?);
    for act in ACTS {
        for mix in [Mix::Theirs, Mix::Both, Mix::Ours] {
            if !performances(act, mix).any(|_| true) {
                continue;
            }
            let (peer, direction) = match mix {
                Mix::Theirs => (&*theirs, Direction::Reference),
                Mix::Both => (&*theirs, Direction::Both),
                Mix::Ours => ("our own gossip", Direction::Reference),
            };
            let title = Title {
                peer: format!("{peer} {}", act.name),
                list: List::Gossip,
                direction,
            };
            add(title, Box::pin(perform(act, mix)));
        }
    }
    Ok(())
}

/// Whose nodes take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mix {
    Theirs,
    Both,
    Ours,
}

impl Mix {
    fn of(cast: &[Maker]) -> Self {
        match (cast.contains(&Maker::Theirs), cast.contains(&Maker::Ours)) {
            (true, false) => Self::Theirs,
            (false, _) => Self::Ours,
            (true, true) => Self::Both,
        }
    }
}

/// Every scene of an act with every cast of this kind.
fn performances(act: &Act, mix: Mix) -> impl Iterator<Item = (&'static scene::Scene, Vec<Maker>)> {
    act.scenes.iter().flat_map(move |scene| {
        let casts = scene.casts().into_iter().filter(move |cast| Mix::of(cast) == mix);
        casts.map(move |cast| (scene, cast))
    })
}

async fn perform(act: &'static Act, mix: Mix) -> Result<Vec<Verdict>> {
    // Building takes longer than a scene may.
    program().await?;
    let folder = tempfile::tempdir()?;
    let scribe = Node::start(Maker::Theirs, &[0xcc; 32], -1, folder.path()).await?;
    let mut verdicts = Vec::new();
    for (scene, cast) in performances(act, mix) {
        verdicts.push(Verdict {
            name: name(scene, &cast, mix),
            complaint: play::play(scene, &cast, &scribe).await,
        });
    }
    Ok(verdicts)
}

/// The scene and, where it makes a difference, whose node is where.
fn name(scene: &scene::Scene, cast: &[Maker], mix: Mix) -> String {
    if mix != Mix::Both {
        return scene.name.to_owned();
    }
    let cast = cast.iter().map(|maker| match maker {
        Maker::Theirs => "theirs",
        Maker::Ours => "ours",
    });
    format!("{} ({})", scene.name, cast.collect::<Vec<_>>().join(", "))
}
