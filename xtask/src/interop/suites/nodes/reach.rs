//! Getting through: addresses, handshakes, who the other is, and every kind of call.

use super::super::super::cases::{Cases, Make, Pair, Verdict};
use super::super::super::nodes::{How, Over};
use super::super::{CLIENT_SEED, SERVER_SEED, base64};
use super::{ALL, Outcome, Scene, Stage, id};
use anyhow::{Context as _, Result};
use handfast_keys::NetworkIdentifier;
use handfast_mux::CallType;
use serde_json::{Map, Value, json};

pub(super) const SCENES: &[Scene] = &[
    Scene {
        name: "every case of the calls above",
        over: ALL,
        play: |stage| Box::pin(every_call(stage)),
    },
    Scene {
        name: "both know who the other is, which of them dialled, and what carries the connection",
        over: ALL,
        play: |stage| Box::pin(who(stage)),
    },
    Scene {
        name: "an address is told in the scopes that are listened in, and in no other",
        over: ALL,
        play: |stage| Box::pin(scopes(stage)),
    },
    Scene {
        name: "the manifest, fetched and called",
        over: ALL,
        play: |stage| Box::pin(manifest(stage)),
    },
    Scene {
        name: "an address whose first alternative nobody understands",
        over: ALL,
        play: |stage| Box::pin(strange_alternative(stage)),
    },
    Scene {
        name: "an address whose first alternative nobody answers: JavaScript gives up, we go on",
        over: ALL,
        play: |stage| Box::pin(dead_alternative(stage)),
    },
    Scene {
        name: "one address of three transports, each of which can be dialled",
        over: &[Over::Net],
        play: |stage| Box::pin(three_transports(stage)),
    },
    Scene {
        name: "an address as an object of host, port and key",
        over: &[Over::Net],
        play: |stage| Box::pin(object_address(stage)),
    },
    Scene {
        name: "who dials the wrong key gets nowhere, and is nobody to the node that was dialled",
        over: ALL,
        play: |stage| Box::pin(wrong_key(stage)),
    },
    Scene {
        name: "who is of another network gets nowhere, and is nobody to the node that was dialled",
        over: ALL,
        play: |stage| Box::pin(other_network(stage)),
    },
    Scene {
        name: "what is no address, and where nobody listens, are errors",
        over: ALL,
        play: |stage| Box::pin(nowhere(stage)),
    },
];

/// The failures stand in the outcome, so that one line of the report holds them all.
async fn every_call(stage: &Stage<'_>) -> Outcome {
    let server = stage.server(|_| {}).await?;
    let client = stage.client(|_| {}).await?;
    let address = server.here().await?;
    let cases = Cases::load()?;
    let pair = Pair {
        calls: stage.dials.make(),
        serves: stage.serves.make(),
        bootstraps: false,
    };
    let link = client.connect(address.as_str()).await?;
    // Some cases want a connection of their own, and a node of ours has one of a kind.
    let guest = stage.client(|options| options.seed = [8; 32]).await?;
    let mut failed = Vec::new();
    for case in cases.calls.iter().filter(|case| case.is_for(pair)) {
        let own = if case.own {
            Some(guest.connect(address.as_str()).await?)
        } else {
            None
        };
        let outcome = own.as_ref().unwrap_or(&link).play(case.clone()).await?;
        if case.is_judged(pair) {
            failed.extend(Verdict::new(&case.name, &case.expect, Some(&outcome)).complaint);
        }
        if let Some(own) = own {
            own.close(How::Error).await?;
        }
    }
    failed.truncate(3);
    Ok((json!([]), json!(failed)))
}

async fn who(stage: &Stage<'_>) -> Outcome {
    let server = stage.server(|_| {}).await?;
    let client = stage.client(|_| {}).await?;
    let link = client.connect(server.here().await?).await?;
    let expected = |peer: &str, client: bool| {
        let key = peer.trim_start_matches('@').trim_end_matches(".ed25519");
        json!({ "id": peer, "client": client, "transport": stage.over, "key": key })
    };
    let seen = |entry: Option<&Value>| {
        let entry = entry.context("a connection has begun")?;
        let address = entry.get("address").and_then(Value::as_str).unwrap_or_default();
        let transport = address.split(':').next();
        let key = address.split("~shs:").nth(1);
        anyhow::Ok(json!({
            "id": entry.get("id"), "client": entry.get("client"), "transport": transport, "key": key,
        }))
    };
    let there = server.until("connected", 1).await?;
    let here = client.until("connected", 1).await?;
    // The seeds make the same identities for us.
    let (client, server) = (id(&CLIENT_SEED)?, id(&SERVER_SEED)?);
    Ok((
        json!([expected(&client, false), expected(&server, true), { "value": client }]),
        json!([
            seen(there.first())?,
            seen(here.first())?,
            link.call("myNotes.who", json!([])).await?
        ]),
    ))
}

async fn scopes(stage: &Stage<'_>) -> Outcome {
    let server = stage.server(|_| {}).await?;
    let mut seen = Map::new();
    for scope in ["device", "local", "private", "public"] {
        seen.insert(scope.into(), server.address(scope).await?.is_some().into());
    }
    // A Unix socket is for this device, whatever one says.
    let local = stage.over != Over::Unix;
    let expected = json!({ "device": true, "local": local, "private": false, "public": false });
    Ok((expected, seen.into()))
}

async fn manifest(stage: &Stage<'_>) -> Outcome {
    let server = stage.server(|_| {}).await?;
    let client = stage.client(|_| {}).await?;
    let link = client.connect(server.here().await?).await?;
    let fetched = link.call("manifest", json!([])).await?;
    let kind = |method: &str| {
        fetched
            .pointer(&format!("/value/{}", method.replace('.', "/")))
            .cloned()
    };
    let expected = [
        ("auth", "async"),
        ("address", "sync"),
        ("manifest", "sync"),
        ("multiserver.parse", "sync"),
        ("multiserver.address", "sync"),
        ("hello", "sync"),
        ("myNotes.who", "async"),
        ("myNotes.list", "source"),
        ("myNotes.shelf.open", "async"),
        ("test.echo", "async"),
        ("test.sum", "sync"),
        ("test.count", "source"),
        ("test.collect", "sink"),
        ("test.mirror", "duplex"),
        ("test.nested.deep.hi", "async"),
    ];
    let listed: Map<_, _> = expected
        .iter()
        .map(|(method, _)| ((*method).to_owned(), kind(method).unwrap_or_default()))
        .collect();
    let called = link.call("hello", json!(["kia ora"])).await?;
    let expected: Map<_, _> = expected
        .iter()
        .map(|(method, kind)| ((*method).to_owned(), json!(kind)))
        .collect();
    Ok((
        json!([expected, { "value": "Hello, kia ora." }]),
        json!([listed, called]),
    ))
}

async fn strange_alternative(stage: &Stage<'_>) -> Outcome {
    let server = stage.server(|_| {}).await?;
    let client = stage.client(|_| {}).await?;
    let address = format!("carrier-pigeon:7~shs:{};{}", base64([7; 32]), server.here().await?);
    let link = client.connect(address).await?;
    Ok((
        json!({ "value": "[(here!)]" }),
        link.call("myNotes.say", json!(["here"])).await?,
    ))
}

/// What the original does not do, and says nothing against.
async fn dead_alternative(stage: &Stage<'_>) -> Outcome {
    let server = stage.server(|_| {}).await?;
    let client = stage.client(|_| {}).await?;
    let here = server.here().await?;
    let address = format!("{}~shs:{};{here}", dead(stage)?, key(&server.id));
    let dialled = client.dial(address).await?;
    let seen = if dialled.get("link").is_some() {
        "connected"
    } else {
        "error"
    };
    let expected = match stage.dials.make() {
        Make::Js => "error",
        Make::Ours => "connected",
    };
    Ok((json!(expected), json!(seen)))
}

async fn three_transports(stage: &Stage<'_>) -> Outcome {
    let all = super::CARRIERS;
    let server = stage.server(|options| options.listen = all.to_vec()).await?;
    let here = server.here().await?;
    let (mut seen, mut peers) = (Vec::new(), Map::new());
    for (alternative, number) in here.split(';').zip(10_u8..) {
        let client = stage.client(|options| options.seed = [number; 32]).await?;
        let link = client.connect(alternative).await?;
        let transport = alternative.split(':').next();
        seen.push(json!([transport, link.call("hello", json!(["you"])).await?]));
        peers.insert(client.id, json!(1));
    }
    let mut expected: Vec<Value> = all
        .iter()
        .map(|over| json!([over, { "value": "Hello, you." }]))
        .collect();
    // In whatever order: a configuration is a table.
    expected.sort_by_key(Value::to_string);
    seen.sort_by_key(Value::to_string);
    Ok((json!([expected, peers]), json!([seen, server.peers().await?])))
}

async fn object_address(stage: &Stage<'_>) -> Outcome {
    let server = stage.server(|_| {}).await?;
    let client = stage.client(|_| {}).await?;
    let here = server.here().await?;
    let port = here.split(['~', ':']).nth(2).context("net:HOST:PORT~…")?;
    let address = json!({ "host": "127.0.0.1", "port": port.parse::<u16>()?, "key": server.id });
    let link = client.connect(address).await?;
    Ok((
        json!({ "value": client.id }),
        link.call("myNotes.who", json!([])).await?,
    ))
}

async fn wrong_key(stage: &Stage<'_>) -> Outcome {
    let server = stage.server(|_| {}).await?;
    let client = stage.client(|_| {}).await?;
    let here = server.here().await?;
    let other = here.replace(&key(&server.id), &key(&id(&[9; 32])?));
    refused_and_then_not(client.dial(other), &server, &client).await
}

async fn other_network(stage: &Stage<'_>) -> Outcome {
    let server = stage.server(|_| {}).await?;
    let stranger = stage
        .client(|options| {
            options.seed = [8; 32];
            options.network = NetworkIdentifier::from_bytes([0x42; 32]);
        })
        .await?;
    let client = stage.client(|_| {}).await?;
    let here = server.here().await?;
    refused_and_then_not(stranger.dial(here), &server, &client).await
}

/// That nobody came can be told once somebody else has come after.
async fn refused_and_then_not(
    refused: impl Future<Output = Result<Value>>,
    server: &super::Node,
    client: &super::Node,
) -> Outcome {
    let refused = refused.await?;
    let link = client.connect(server.here().await?).await?;
    let called = link.call("myNotes.who", json!([])).await?;
    server.until("connected", 1).await?;
    let came: Vec<Value> = server
        .so_far("connected")
        .iter()
        .filter_map(|entry| entry.get("id").cloned())
        .collect();
    Ok((
        json!([true, { "value": client.id }, [client.id]]),
        json!([refused.get("error").is_some(), called, came]),
    ))
}

async fn nowhere(stage: &Stage<'_>) -> Outcome {
    let client = stage.client(|_| {}).await?;
    let nobody = format!("{}~shs:{}", dead(stage)?, base64([7; 32]));
    let mut seen = Vec::new();
    for address in ["nonsense", "net:somewhere", "carrier-pigeon:7~shs:x", &nobody] {
        seen.push(client.dial(address).await?.get("error").is_some());
    }
    // It is none the worse for it.
    let own = client.local(CallType::Sync, "hello", json!(["me"])).await?;
    Ok((
        json!([[true, true, true, true], { "value": "Hello, me." }]),
        json!([seen, own]),
    ))
}

/// The key within an id, as addresses have it.
fn key(id: &str) -> String {
    id.trim_start_matches('@').trim_end_matches(".ed25519").to_owned()
}

/// A place where nobody listens.
fn dead(stage: &Stage<'_>) -> Result<String> {
    // The port was free a moment ago, and is below those that are given to whoever asks for any.
    let free = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    Ok(match stage.over {
        Over::Ws => format!("ws://127.0.0.1:{free}"),
        Over::Unix | Over::Noauth => format!("unix:{}", stage.folder.path().join("nobody").display()),
        Over::Net => format!("net:127.0.0.1:{free}"),
    })
}
