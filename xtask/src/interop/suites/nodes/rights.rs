//! Who may call what: what auth decides, what everybody may, what the dialling side gives, and hooks.

use super::super::super::nodes::{Decision, Link, Node, Over};
use super::super::base64;
use super::{ALL, Maker, Outcome, Scene, Stage, id, table};
use anyhow::Result;
use handfast_mux::CallType;
use serde_json::{Map, Value, json};

pub(super) const SCENES: &[Scene] = &[
    Scene {
        name: "nobody in particular has anonymous rights",
        over: ALL,
        play: |stage| Box::pin(anonymous(stage)),
    },
    Scene {
        name: "auth grants some methods, and denies some below them",
        over: ALL,
        play: |stage| Box::pin(granted(stage)),
    },
    Scene {
        name: "auth grants everything but what it denies",
        over: ALL,
        play: |stage| Box::pin(granted_all_but(stage)),
    },
    Scene {
        name: "auth grants everything",
        over: ALL,
        play: |stage| Box::pin(granted_all(stage)),
    },
    Scene {
        name: "auth that answers an object without lists: JavaScript grants everything, we turn away",
        over: ALL,
        play: |stage| Box::pin(said_nothing_of_rights(stage)),
    },
    Scene {
        name: "auth that answers lists that are none: JavaScript gives anonymous rights, we turn away",
        over: ALL,
        play: |stage| Box::pin(said_what_are_no_rights(stage)),
    },
    Scene {
        name: "auth turns one away and lets another in",
        over: ALL,
        play: |stage| Box::pin(rejected(stage)),
    },
    Scene {
        name: "auth that decides nothing leaves anonymous rights",
        over: ALL,
        play: |stage| Box::pin(fell_through(stage)),
    },
    Scene {
        name: "auth that says false: release 8 turns away, release 6 and we give anonymous rights",
        over: ALL,
        play: |stage| Box::pin(said_false(stage)),
    },
    Scene {
        name: "the hook around auth that was added last decides first",
        over: ALL,
        play: |stage| Box::pin(two_hooks(stage)),
    },
    Scene {
        name: "who dials gives anonymous rights, and never asks auth",
        over: ALL,
        play: |stage| Box::pin(called_back(stage)),
    },
    Scene {
        name: "who comes as the identity of a seed has the rights of that identity",
        over: ALL,
        play: |stage| Box::pin(seeded(stage)),
    },
    Scene {
        name: "auth can be asked without a connection",
        over: &[Over::Net],
        play: |stage| Box::pin(asked(stage)),
    },
    Scene {
        name: "calls from outside go through the hooks",
        over: ALL,
        play: |stage| Box::pin(hooked(stage)),
    },
    Scene {
        name: "a node's own calls go through the hooks, and need no rights",
        over: &[Over::Net],
        play: |stage| Box::pin(own_calls(stage)),
    },
    Scene {
        name: "noauth takes whoever calls for the owner, who may do everything",
        over: &[Over::Unix],
        play: |stage| Box::pin(noauth(stage)),
    },
];

const METHODS: &[(CallType, &str)] = &[
    (CallType::Sync, "manifest"),
    (CallType::Sync, "address"),
    (CallType::Sync, "hello"),
    (CallType::Async, "myNotes.who"),
    (CallType::Async, "myNotes.secret"),
    (CallType::Source, "myNotes.secrets"),
    (CallType::Async, "myNotes.shelf.open"),
    (CallType::Async, "myNotes.shelf.locked"),
];

/// What becomes of a call of each method.
async fn probe(link: &Link) -> Result<Value> {
    let mut seen = Map::new();
    for &(kind, method) in METHODS {
        let args = if method == "hello" { json!(["you"]) } else { json!([]) };
        let outcome = match kind {
            CallType::Source => link.source(method, args).await?,
            _ => link.call(method, args).await?,
        };
        let message = outcome.pointer("/error/message").and_then(Value::as_str);
        let path = method.replace('.', ",");
        let verdict = match message {
            None if outcome.get("value").is_some() || outcome.get("end").is_some() => "reached",
            Some(text) if text == format!("method:{path} is not in list of allowed methods") => "not allowed",
            Some(text) if text == format!("method:{path} is on list of disallowed methods") => "denied",
            _ => return Ok(outcome),
        };
        seen.insert(method.to_owned(), verdict.into());
    }
    Ok(seen.into())
}

/// The ids in entries of a diary.
fn ids(entries: &[Value]) -> Vec<Value> {
    entries.iter().filter_map(|entry| entry.get("id").cloned()).collect()
}

/// What a probe sees when these are reached, those denied, and the others not allowed.
fn rights(reached: &[&str], denied: &[&str]) -> Value {
    let verdict = |method: &str| match method {
        method if denied.contains(&method) => "denied",
        method if reached.contains(&method) => "reached",
        _ => "not allowed",
    };
    let verdicts = METHODS
        .iter()
        .map(|(_, method)| ((*method).to_owned(), json!(verdict(method))));
    verdicts.collect::<Map<_, _>>().into()
}

const EVERYTHING: &[&str] = &[
    "manifest",
    "address",
    "hello",
    "myNotes.who",
    "myNotes.secret",
    "myNotes.secrets",
    "myNotes.shelf.open",
    "myNotes.shelf.locked",
];

fn anonymous_rights() -> Value {
    rights(
        &["manifest", "hello", "myNotes.who", "myNotes.shelf.open"],
        &["myNotes.shelf.locked"],
    )
}

/// What a client may whom the server's auth gives these rights, if it comes in at all.
async fn given(stage: &Stage<'_>, rights: Value) -> Result<Value> {
    let client = stage.client(|_| {}).await?;
    let verdict = Decision::Rights(rights);
    let server = stage
        .server(|options| options.auth.push(table([(&client, verdict)])))
        .await?;
    match client.dial(server.here().await?).await?.get("link") {
        Some(_) => probe(&client.link(0)).await,
        None => Ok(json!(TURNED_AWAY)),
    }
}

const TURNED_AWAY: &str = "turned away";

async fn anonymous(stage: &Stage<'_>) -> Outcome {
    let server = stage.server(|_| {}).await?;
    let client = stage.client(|_| {}).await?;
    let link = client.connect(server.here().await?).await?;
    Ok((anonymous_rights(), probe(&link).await?))
}

/// What is granted stands in the place of what everybody may.
async fn granted(stage: &Stage<'_>) -> Outcome {
    let grant = json!({
        "allow": ["manifest", "myNotes.secret", "myNotes.secrets", "myNotes.shelf"],
        "deny": ["myNotes.shelf.locked"],
    });
    let expected = rights(
        &["manifest", "myNotes.secret", "myNotes.secrets", "myNotes.shelf.open"],
        &["myNotes.shelf.locked"],
    );
    Ok((expected, given(stage, grant).await?))
}

async fn granted_all_but(stage: &Stage<'_>) -> Outcome {
    let grant = json!({ "allow": null, "deny": ["myNotes.shelf", "hello"] });
    let denied = ["myNotes.shelf.open", "myNotes.shelf.locked", "hello"];
    Ok((rights(EVERYTHING, &denied), given(stage, grant).await?))
}

async fn granted_all(stage: &Stage<'_>) -> Outcome {
    let grant = json!({ "allow": null, "deny": null });
    Ok((rights(EVERYTHING, &[]), given(stage, grant).await?))
}

async fn said_nothing_of_rights(stage: &Stage<'_>) -> Outcome {
    let expected = match stage.serves {
        Maker::Stack(_) => rights(EVERYTHING, &[]),
        Maker::Ours => json!(TURNED_AWAY),
    };
    Ok((expected, given(stage, json!({})).await?))
}

async fn said_what_are_no_rights(stage: &Stage<'_>) -> Outcome {
    let expected = match stage.serves {
        Maker::Stack(_) => anonymous_rights(),
        Maker::Ours => json!(TURNED_AWAY),
    };
    let seen = [
        given(stage, json!({ "allow": "everything" })).await?,
        given(stage, json!({ "allow": [1, 2] })).await?,
    ];
    Ok((json!([expected, expected]), json!(seen)))
}

async fn rejected(stage: &Stage<'_>) -> Outcome {
    let client = stage.client(|_| {}).await?;
    let other = stage.client(|options| options.seed = [8; 32]).await?;
    let verdict = Decision::Reject("not you".into());
    let server = stage
        .server(|options| options.auth.push(table([(&client, verdict)])))
        .await?;
    let here = server.here().await?;
    let refused = client.dial(here.as_str()).await?;
    let link = other.connect(here).await?;
    let called = link.call("myNotes.who", json!([])).await?;
    let (asked, came) = (server.until("asked", 2).await?, server.until("connected", 1).await?);
    Ok((
        json!({ "refused": true, "called": { "value": other.id }, "asked": [client.id, other.id], "came": [other.id] }),
        json!({
            "refused": refused.get("error").is_some(), "called": called, "asked": ids(&asked), "came": ids(&came),
        }),
    ))
}

async fn fell_through(stage: &Stage<'_>) -> Outcome {
    let mut seen = Vec::new();
    for nothing in [Value::Null, json!(true), json!("everything")] {
        seen.push(given(stage, nothing).await?);
    }
    Ok((json!(vec![anonymous_rights(); seen.len()]), json!(seen)))
}

async fn said_false(stage: &Stage<'_>) -> Outcome {
    let expected = match stage.serves {
        Maker::Stack("8") => json!(TURNED_AWAY),
        Maker::Stack(_) | Maker::Ours => anonymous_rights(),
    };
    Ok((expected, given(stage, json!(false)).await?))
}

/// The one that was added first grants to both, the one added last overrules it for one of them.
async fn two_hooks(stage: &Stage<'_>) -> Outcome {
    let client = stage.client(|_| {}).await?;
    let other = stage.client(|options| options.seed = [8; 32]).await?;
    let grant = |allow| Decision::Rights(json!({ "allow": allow, "deny": null }));
    let first = table([(&client, grant(json!(null))), (&other, grant(json!(null)))]);
    let last = table([(&client, grant(json!(["hello"])))]);
    let server = stage.server(|options| options.auth.extend([first, last])).await?;
    let here = server.here().await?;
    let overruled = probe(&client.connect(here.as_str()).await?).await?;
    let left = probe(&other.connect(here.as_str()).await?).await?;
    let asked: Vec<Value> = server
        .until("asked", 3)
        .await?
        .iter()
        .map(|entry| json!([entry.get("id"), entry.get("hook")]))
        .collect();
    Ok((
        json!([
            rights(&["hello"], &[]),
            rights(EVERYTHING, &[]),
            [[client.id, 1], [other.id, 1], [other.id, 0]]
        ]),
        json!([overruled, left, asked]),
    ))
}

async fn called_back(stage: &Stage<'_>) -> Outcome {
    let server = stage.server(|_| {}).await?;
    let master = Decision::Rights(json!({ "allow": null, "deny": null }));
    let client = stage
        .client(|options| options.auth.push(table([(&server, master)])))
        .await?;
    client.connect(server.here().await?).await?;
    server.until("connected", 1).await?;
    let back = server.link(0);
    let seen = json!([
        probe(&back).await?,
        back.call("myNotes.who", json!([])).await?,
        client.so_far("asked")
    ]);
    Ok((json!([anonymous_rights(), { "value": server.id }, []]), seen))
}

async fn seeded(stage: &Stage<'_>) -> Outcome {
    const SEED: [u8; 32] = [3; 32];
    let client = stage.client(|_| {}).await?;
    let guest = id(&SEED)?;
    let grant = Decision::Rights(json!({ "allow": ["myNotes.who", "myNotes.secret"] }));
    let server = stage
        .server(|options| options.auth.push([(guest.clone(), grant)].into()))
        .await?;
    let here = server.here().await?;
    let as_guest = client.connect(format!("{here}:{}", base64(SEED))).await?;
    let as_self = client.connect(here).await?;
    Ok((
        json!([{ "value": guest }, rights(&["myNotes.who", "myNotes.secret"], &[]), { "value": client.id }, anonymous_rights()]),
        json!([
            as_guest.call("myNotes.who", json!([])).await?,
            probe(&as_guest).await?,
            as_self.call("myNotes.who", json!([])).await?,
            probe(&as_self).await?,
        ]),
    ))
}

async fn asked(stage: &Stage<'_>) -> Outcome {
    let [known, banned, stranger] = [id(&[3; 32])?, id(&[4; 32])?, id(&[5; 32])?];
    let grant = json!({ "allow": ["hello"], "deny": null });
    let verdicts = [
        (known.clone(), Decision::Rights(grant.clone())),
        (banned.clone(), Decision::Reject("banned".into())),
    ];
    let mut seen = Vec::new();
    for source in [stage.servers, stage.clients] {
        let verdicts = verdicts.clone().into();
        let node = stage
            .start(source, [1; 32], |options| options.auth.push(verdicts))
            .await?;
        seen.push(json!([
            node.auth(&known).await?,
            node.auth(&banned).await?.pointer("/error/message"),
            node.auth(&stranger).await?
        ]));
    }
    let expected = json!([{ "rights": grant }, "banned", { "rights": null }]);
    Ok((json!([expected, expected]), json!(seen)))
}

/// What the hooks of `node-plugins.js` make of it, the last one around the first.
const SAID: &str = "[(kia ora!)]";

async fn hooked(stage: &Stage<'_>) -> Outcome {
    let server = stage.server(|_| {}).await?;
    let client = stage.client(|_| {}).await?;
    let link = client.connect(server.here().await?).await?;
    Ok((
        json!([{ "value": SAID }, { "value": "hushed" }, { "items": ["one", "two"], "end": true }]),
        json!([
            link.call("myNotes.say", json!(["kia ora"])).await?,
            link.call("myNotes.say", json!(["hush"])).await?,
            link.source("myNotes.list", json!([])).await?,
        ]),
    ))
}

async fn own_calls(stage: &Stage<'_>) -> Outcome {
    let mut seen = Vec::new();
    for node in [stage.server(|_| {}).await?, stage.client(|_| {}).await?] {
        seen.push(own_calls_of(&node).await?);
    }
    let expected = json!([
        { "value": SAID },
        { "items": ["one", "two"], "end": true },
        { "value": "the secret" },
        { "value": "from the locked shelf" },
        { "value": "Hello, me." },
    ]);
    Ok((json!([expected, expected]), json!(seen)))
}

async fn own_calls_of(node: &Node) -> Result<Value> {
    Ok(json!([
        node.local(CallType::Async, "myNotes.say", json!(["kia ora"])).await?,
        node.local(CallType::Source, "myNotes.list", json!([])).await?,
        node.local(CallType::Async, "myNotes.secret", json!([])).await?,
        node.local(CallType::Async, "myNotes.shelf.locked", json!([])).await?,
        node.local(CallType::Sync, "hello", json!(["me"])).await?,
    ]))
}

/// Each side takes the other for itself.
async fn noauth(stage: &Stage<'_>) -> Outcome {
    let server = stage.server(|options| options.listen = vec![Over::Noauth]).await?;
    let client = stage.client(|_| {}).await?;
    let here = server.here().await?;
    let link = client.connect(here.as_str()).await?;
    let (there, back) = (server.until("connected", 1).await?, client.until("connected", 1).await?);
    Ok((
        json!([true, [server.id], [client.id], rights(EVERYTHING, &[])]),
        json!([here.ends_with("~noauth"), ids(&there), ids(&back), probe(&link).await?]),
    ))
}
