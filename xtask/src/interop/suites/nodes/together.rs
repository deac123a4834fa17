//! Much at once: calls, streams, nodes, and two that dial each other.

use super::super::super::cases::Make;
use super::super::super::nodes::{Link, Node};
use super::super::{CLIENT_SEED, SERVER_SEED};
use super::{ALL, Outcome, Scene, Stage};
use anyhow::Result;
use futures_util::future::{join_all, try_join_all};
use handfast_mux::CallType;
use serde_json::{Value, json};

pub(super) const SCENES: &[Scene] = &[
    Scene {
        name: "300 calls and 30 sources at once in each direction",
        over: ALL,
        play: |stage| Box::pin(flood_of_calls(stage)),
    },
    Scene {
        name: "ten connections of ten clients at once",
        over: ALL,
        play: |stage| Box::pin(crowd(stage)),
    },
    Scene {
        name: "messages flood through a chain of three nodes",
        over: ALL,
        play: |stage| Box::pin(flood_of_messages(stage)),
    },
    Scene {
        name: "two that dial each other at once, the key of the first smaller: JavaScript keeps both, we keep one",
        over: ALL,
        play: |stage| Box::pin(both_dial(stage, [CLIENT_SEED, SERVER_SEED])),
    },
    Scene {
        name: "two that dial each other at once, the key of the first larger: JavaScript keeps both, we keep one",
        over: ALL,
        play: |stage| Box::pin(both_dial(stage, [SERVER_SEED, CLIENT_SEED])),
    },
    Scene {
        name: "who dials twice: JavaScript has two connections, we have the one that there was",
        over: ALL,
        play: |stage| Box::pin(dialled_twice(stage)),
    },
];

async fn flood_of_calls(stage: &Stage<'_>) -> Outcome {
    let server = stage.server(|_| {}).await?;
    let client = stage.client(|_| {}).await?;
    let here = client.connect(server.here().await?).await?;
    server.until("connected", 1).await?;
    let there = server.link(0);
    let (mine, theirs) = tokio::join!(flood(&here), flood(&there));
    Ok((json!([[], []]), json!([mine?, theirs?])))
}

/// What came out wrong.
async fn flood(link: &Link) -> Result<Vec<Value>> {
    let calls = (0..300).map(|i| async move {
        let seen = link.call("test.echo", json!([i])).await?;
        anyhow::Ok((json!({ "value": i }), seen))
    });
    let sources = (0..30).map(|i| async move {
        let seen = link.source("test.count", json!([i])).await?;
        let items: Value = (0..i).collect();
        anyhow::Ok((json!({ "items": items, "end": true }), seen))
    });
    let (calls, sources) = tokio::join!(try_join_all(calls), try_join_all(sources));
    let wrong = calls?
        .into_iter()
        .chain(sources?)
        .filter(|(expected, seen)| expected != seen);
    Ok(wrong.map(|(_, seen)| seen).take(3).collect())
}

async fn crowd(stage: &Stage<'_>) -> Outcome {
    let server = stage.server(|_| {}).await?;
    let here = server.here().await?;
    let clients = (10..20_u8).map(|number| stage.client(move |options| options.seed = [number; 32]));
    let clients = try_join_all(clients).await?;
    let called = clients.iter().map(|client| async {
        let link = client.connect(here.as_str()).await?;
        link.call("myNotes.who", json!([])).await
    });
    let called = try_join_all(called).await?;
    let expected: Vec<Value> = clients.iter().map(|client| json!({ "value": client.id })).collect();
    let peers = clients.iter().map(|client| (client.id.clone(), json!(1)));
    Ok((
        json!([expected, peers.collect::<serde_json::Map<_, _>>()]),
        json!([called, server.peers().await?]),
    ))
}

/// One that serves stands between two that dial it. What is known before the last connection begins is passed on too.
async fn flood_of_messages(stage: &Stage<'_>) -> Outcome {
    let server = stage.server(|options| options.flood = true).await?;
    let first = stage.client(|options| options.flood = true).await?;
    let last = stage
        .client(|options| {
            options.flood = true;
            options.seed = [8; 32];
        })
        .await?;
    let here = server.here().await?;
    first.connect(here.as_str()).await?;
    publish(&first, "one").await?;
    publish(&server, "two").await?;
    last.connect(here.as_str()).await?;
    publish(&last, "three").await?;
    let all = [&first, &server, &last];
    let heard = all.map(|node| node.local(CallType::Async, "flood.heard", json!([3])));
    let heard = join_all(heard).await.into_iter().collect::<Result<Vec<_>>>()?;
    let expected = json!({ "value": ["one", "three", "two"] });
    Ok((json!([expected, expected, expected]), json!(heard)))
}

async fn publish(node: &Node, message: &str) -> Result<()> {
    node.local(CallType::Async, "flood.publish", json!([message]))
        .await
        .map(drop)
}

/// Whoever dials, and whoever is left: both must be able to call.
async fn both_dial(stage: &Stage<'_>, [first, second]: [[u8; 32]; 2]) -> Outcome {
    let one = stage.server(|options| options.seed = first).await?;
    let other = stage.client(|options| options.seed = second).await?;
    let (to_one, to_other) = (one.here().await?, other.here().await?);
    // The connection that is given up may be so before whoever dialled it has it.
    tokio::try_join!(one.dial(to_other), other.dial(to_one))?;
    let kept = match (stage.serves.make(), stage.dials.make()) {
        (Make::Js, Make::Js) => 2,
        _ => 1,
    };
    // Until both have both, what they have need not be the same one.
    one.until("connected", 2).await?;
    other.until("connected", 2).await?;
    one.until_peers(&json!({ other.id.clone(): kept })).await?;
    other.until_peers(&json!({ one.id.clone(): kept })).await?;
    let mut called = Vec::new();
    for node in [&one, &other] {
        for link in node.live(kept).await? {
            called.push(link.call("myNotes.who", json!([])).await?);
        }
    }
    let expected = [&one, &other]
        .map(|node| vec![json!({ "value": node.id }); kept])
        .concat();
    Ok((json!(expected), json!(called)))
}

async fn dialled_twice(stage: &Stage<'_>) -> Outcome {
    let server = stage.server(|_| {}).await?;
    let client = stage.client(|_| {}).await?;
    let here = server.here().await?;
    let mut called = Vec::new();
    for _ in 0..2 {
        let link = client.connect(here.as_str()).await?;
        called.push(link.call("myNotes.who", json!([])).await?);
    }
    let count = match stage.dials.make() {
        Make::Js => 2,
        Make::Ours => 1,
    };
    Ok((
        json!([[{ "value": client.id }, { "value": client.id }], { client.id.clone(): count }]),
        json!([called, server.peers().await?]),
    ))
}
