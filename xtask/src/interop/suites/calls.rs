//! muxrpc: every kind of call, end, error, abort and close, over the bare socket and through secret-stack.

use super::super::cases::{Cases, Make, Pair, Verdict};
use super::super::node;
use super::super::ours::{Carrier, Cut, Dial, Server, play};
use super::super::peers::{Peer, text};
use super::{Add, CLIENT_SEED, Direction, List, NETWORK, SERVER_SEED, Title, base64, hex, identity};
use anyhow::{Context as _, Result};
use handfast_keys::PublicKey;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// One JavaScript implementation.
#[derive(Debug, Clone, Copy)]
struct Theirs {
    release: &'static str,
    project: &'static str,
    /// Whether it is secret-stack, or muxrpc on the bare socket.
    stack: bool,
}

const PEERS: [Theirs; 4] = [
    Theirs {
        release: "8",
        project: "core",
        stack: false,
    },
    Theirs {
        release: "6",
        project: "mux6",
        stack: false,
    },
    Theirs {
        release: "8",
        project: "core",
        stack: true,
    },
    Theirs {
        release: "6",
        project: "stack6",
        stack: true,
    },
];

pub(super) fn add(add: &mut Add<'_>) -> Result<()> {
    for theirs in PEERS {
        let package = if theirs.stack { "secret-stack" } else { "muxrpc" };
        let peer = format!("{package} {}", node::version(theirs.project, package)?);
        let title = |direction| Title {
            peer: peer.clone(),
            list: List::Calls,
            direction,
        };
        add(title(Direction::Reference), Box::pin(reference(theirs)));
        add(title(Direction::WeCall), Box::pin(we_call(theirs)));
        add(title(Direction::TheyCall), Box::pin(they_call(theirs)));
    }
    for (secret, peer) in [
        (false, "our own muxrpc"),
        (true, "our own muxrpc, handshake and Box Stream"),
    ] {
        let title = Title {
            peer: peer.to_owned(),
            list: List::Calls,
            direction: Direction::Reference,
        };
        add(title, Box::pin(ourselves(secret)));
    }
    Ok(())
}

async fn reference(theirs: Theirs) -> Result<Vec<Verdict>> {
    let cases = Cases::load()?;
    let server = theirs.serve().await?;
    let pair = Pair {
        calls: Make::Js,
        serves: Make::Js,
        bootstraps: !theirs.stack,
    };
    let results = theirs.call(server.place, &server.address, Make::Js)?.results().await?;
    Ok(Verdict::all(cases.of(pair), results))
}

async fn we_call(theirs: Theirs) -> Result<Vec<Verdict>> {
    let cases = Cases::load()?;
    let mut server = theirs.serve().await?;
    let dial = Dial {
        place: server.place,
        carrier: carrier_of_callers(theirs.stack, server.key)?,
    };
    let results = play(&dial, &cases, Make::Js).await?;
    let pair = Pair {
        calls: Make::Ours,
        serves: Make::Js,
        bootstraps: true,
    };
    let mut verdicts = Verdict::all(cases.of(pair), results);
    let ended = server.peer.until_all_closed(connections(&cases, pair)).await;
    let name = "every connection has ended at the server";
    verdicts.push(Verdict {
        name: name.to_owned(),
        complaint: ended.err().map(|error| format!("{error:#}")),
    });
    Ok(verdicts)
}

async fn they_call(theirs: Theirs) -> Result<Vec<Verdict>> {
    let cases = Cases::load()?;
    let mut server = Server::start(carrier_of_servers(theirs.stack)?).await?;
    let address = format!(
        "net:{}~shs:{}",
        server.place,
        identity(&SERVER_SEED)?.public().to_base64()
    );
    let mut caller = theirs.call(server.place, &address, Make::Ours)?;
    let results = caller.results().await?;
    drop(caller);
    let pair = Pair {
        calls: Make::Js,
        serves: Make::Ours,
        bootstraps: !theirs.stack,
    };
    let mut verdicts = Verdict::all(cases.of(pair), results);
    let ended = server.ended(connections(&cases, pair)).await;
    verdicts.extend(endings(&cases, pair, &ended));
    if theirs.stack {
        let caller = identity(&CLIENT_SEED)?;
        let known = ended.iter().all(|cut| cut.peer == Some(*caller.public()));
        verdicts.push(Verdict::new(
            "our end knows who calls",
            &json!(true),
            Some(&json!(known)),
        ));
        verdicts.push(seeded_caller(theirs).await?);
    }
    Ok(verdicts)
}

/// An address with a seed makes the caller come as the identity of that seed, as invites do.
async fn seeded_caller(theirs: Theirs) -> Result<Verdict> {
    const SEED: [u8; 32] = [3; 32];
    let mut server = Server::start(carrier_of_servers(true)?).await?;
    let key = identity(&SERVER_SEED)?.public().to_base64();
    let address = format!("net:{}~shs:{key}:{}", server.place, base64(SEED));
    let mut caller = theirs.start(server.place, &address, Make::Ours, &[("only", "goodbye")])?;
    caller.results().await?;
    let ended = server.ended(1).await;
    let seen = ended.first().and_then(|cut| cut.peer).map(|peer| peer.to_string());
    let expected = identity(&SEED)?.public().to_string();
    Ok(Verdict::new(
        "a caller comes as the identity of a seed",
        &json!(expected),
        Some(&json!(seen)),
    ))
}

async fn ourselves(secret: bool) -> Result<Vec<Verdict>> {
    let cases = Cases::load()?;
    let mut server = Server::start(carrier_of_servers(secret)?).await?;
    let key = *identity(&SERVER_SEED)?.public();
    let dial = Dial {
        place: server.place,
        carrier: carrier_of_callers(secret, Some(key))?,
    };
    let results = play(&dial, &cases, Make::Ours).await?;
    let pair = Pair {
        calls: Make::Ours,
        serves: Make::Ours,
        bootstraps: true,
    };
    let mut verdicts = Verdict::all(cases.of(pair), results);
    verdicts.extend(endings(&cases, pair, &server.ended(connections(&cases, pair)).await));
    Ok(verdicts)
}

/// How our server sees connections end: a goodbye is clean, also where the Box Stream's own is missing; a cut is not.
fn endings<'a>(cases: &'a Cases, pair: Pair, ended: &'a [Cut]) -> impl Iterator<Item = Verdict> + 'a {
    let closings = connections(cases, pair) - cases.closings.len();
    let first = ("goodbye after all calls", "clean", 0);
    let scenes = cases.closings.iter().enumerate().filter_map(move |(number, scene)| {
        let expected = match scene.how.as_str() {
            "socket" => "cut",
            // Here our own side has dropped the connection, so there is nothing to see.
            "hangUpSocket" => return None,
            _ => "clean",
        };
        Some((scene.name.as_str(), expected, closings + number))
    });
    std::iter::once(first).chain(scenes).map(|(name, expected, number)| {
        let outcome = ended
            .iter()
            .find(|cut| cut.number == number)
            .map(|cut| match &cut.error {
                None => json!("clean"),
                Some(_) if expected == "cut" => json!("cut"),
                Some(error) => json!(error),
            });
        Verdict::new(&format!("our end of: {name}"), &json!(expected), outcome.as_ref())
    })
}

/// How many connections a pair opens. The first is for most calls; the last are the closings, in order.
fn connections(cases: &Cases, pair: Pair) -> usize {
    let own = cases.calls.iter().filter(|call| call.own && call.is_for(pair)).count();
    let scenes = cases.together.iter().filter(|scene| scene.is_for(pair)).count();
    1 + own + scenes + cases.closings.len()
}

fn carrier_of_callers(secret: bool, server: Option<PublicKey>) -> Result<Carrier> {
    Ok(match server.filter(|_| secret) {
        Some(server) => Carrier::Dialling {
            network: NETWORK,
            identity: identity(&CLIENT_SEED)?,
            server,
        },
        None => Carrier::Plain,
    })
}

fn carrier_of_servers(secret: bool) -> Result<Carrier> {
    Ok(match secret {
        true => Carrier::Listening {
            network: NETWORK,
            identity: identity(&SERVER_SEED)?,
        },
        false => Carrier::Plain,
    })
}

/// A JavaScript server.
pub(super) struct Serving {
    pub(super) peer: Peer,
    pub(super) place: SocketAddr,
    pub(super) key: Option<PublicKey>,
    /// Its address as multiserver writes it; empty where there is none.
    pub(super) address: String,
}

/// A node of secret-stack 8 with the test methods.
pub(super) async fn serve_stack() -> Result<Serving> {
    Theirs {
        release: "8",
        project: "core",
        stack: true,
    }
    .serve()
    .await
}

impl Theirs {
    async fn serve(self) -> Result<Serving> {
        let (seed, network) = (hex(&SERVER_SEED), NETWORK.to_string());
        let mut options = vec![("v", self.release)];
        if self.stack {
            options.extend([("seed", seed.as_str()), ("network", network.as_str())]);
        }
        let mut peer = Peer::script(if self.stack { "stack-server.js" } else { "mux-server.js" }, &options)?;
        let event = peer.until("listening").await?;
        let port = event
            .get("port")
            .and_then(Value::as_u64)
            .and_then(|port| u16::try_from(port).ok());
        let place = SocketAddr::from(([127, 0, 0, 1], port.context("the server says no port")?));
        let key = text(&event, "key")
            .ok()
            .map(|key| format!("@{key}.ed25519").parse())
            .transpose()?;
        let address = text(&event, "address").unwrap_or_default().to_owned();
        Ok(Serving {
            peer,
            place,
            key,
            address,
        })
    }

    fn call(self, place: SocketAddr, address: &str, serves: Make) -> Result<Peer> {
        self.start(place, address, serves, &[])
    }

    fn start(self, place: SocketAddr, address: &str, serves: Make, more: &[(&str, &str)]) -> Result<Peer> {
        let (seed, network, port) = (hex(&CLIENT_SEED), NETWORK.to_string(), place.port().to_string());
        let mut options = vec![("v", self.release), ("serves", serves.as_str())];
        options.extend(more);
        if self.stack {
            options.extend([
                ("seed", seed.as_str()),
                ("network", network.as_str()),
                ("address", address),
            ]);
            Peer::script("stack-client.js", &options)
        } else {
            options.push(("port", &port));
            Peer::script("mux-client.js", &options)
        }
    }
}
