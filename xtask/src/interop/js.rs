//! Driving the JavaScript peers: each role of each protocol as one function, whoever is on the other side.

use super::cases::{Cases, Maker};
use super::node::Node;
use super::report::Pairing;
use super::shs::{self, Dial, Flaw, Side};
use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// The network identifier of these tests: base64 of 32 bytes that name no real network.
pub(crate) const NETWORK: &str = "aW50ZXJvcGVyYWJpbGl0eSB0ZXN0cyBvZiBoYW5kZmE=";
const OTHER_NETWORK: &str = "YW5vdGhlciBuZXR3b3JrLCBub3QgdGhlIG9uZSBhYm8=";
/// Seeds of the two identities, and of one that nobody expects.
pub(crate) const SERVER_SEED: &str = "5353535353535353535353535353535353535353535353535353535353535353";
pub(crate) const CLIENT_SEED: &str = "4343434343434343434343434343434343434343434343434343434343434343";
pub(crate) const STRANGER_SEED: &str = "4545454545454545454545454545454545454545454545454545454545454545";
/// The public keys that belong to them, as base64.
pub(crate) const STRANGER_KEY: &str = "Y1VpHBeKj/kQB6dHivuVXvc1LGPnslcDmEz3iybiGlY=";
pub(crate) const CLIENT_KEY: &str = "Ivwpd5Lwtv/Av8/bftsMCqFOAlo2XsDjQuhuOCnLdLY=";

/// A release of a package: the number by which the scripts choose it.
#[derive(Clone, Copy)]
pub(crate) struct Release {
    pub(crate) number: &'static str,
}

pub(crate) const RELEASES: &[Release] = &[Release { number: "8" }, Release { number: "6" }];

/// Starts a serving script and waits until it listens. A port that was free and is taken a moment later is tried anew.
pub(crate) fn serve(script: &str, arguments: &[(&str, &str)]) -> Result<(Node, Value)> {
    let mut last = None;
    for _ in 0..3 {
        let node = Node::start(script, arguments)?;
        match node.wait_for(&["listening"]) {
            Ok(fact) => return Ok((node, fact)),
            Err(error) => last = Some(error),
        }
    }
    Err(last.context("no try was made")?)
}

/// Runs a client script and notes the outcome of every case in its order.
pub(crate) fn run_client(
    pairing: &mut Pairing,
    cases: &Cases,
    server: Maker,
    script: &str,
    arguments: &[(&str, &str)],
) -> Result<()> {
    let arguments: Vec<_> = arguments.iter().copied().chain([("serves", server.name())]).collect();
    let client = Node::start(script, &arguments)?;
    for (name, expected) in cases.expectations(server) {
        let fact = client.wait_for(&["result", "done"])?;
        if fact.get("case").and_then(Value::as_str) != Some(name) {
            bail!("{script} reports {fact} where the case `{name}` is due");
        }
        pairing.note(name, &expected, fact.get("outcome").unwrap_or(&Value::Null));
    }
    client.wait_for(&["done"])?;
    Ok(())
}

/// The script that serves secret-handshake and box stream; it turns the stranger away.
pub(crate) fn serve_shs() -> Result<(Node, Value)> {
    serve(
        "shs-server.js",
        &[("seed", SERVER_SEED), ("network", NETWORK), ("refuse", STRANGER_KEY)],
    )
}

/// One dial of the JavaScript client, as it saw it.
pub(crate) fn dial_shs(dial: &Dial, port: u16, server_key: &str) -> Result<Side> {
    let port = port.to_string();
    let send = dial.send.to_string();
    let client = Node::start(
        "shs-client.js",
        &[
            (
                "seed",
                if dial.flaw == Some(Flaw::Refused) {
                    STRANGER_SEED
                } else {
                    CLIENT_SEED
                },
            ),
            (
                "network",
                if dial.flaw == Some(Flaw::Network) {
                    OTHER_NETWORK
                } else {
                    NETWORK
                },
            ),
            ("port", &port),
            (
                "key",
                if dial.flaw == Some(Flaw::ServerKey) {
                    CLIENT_KEY
                } else {
                    server_key
                },
            ),
            ("send", &send),
            ("end", dial.end.name()),
        ],
    )?;
    let fact = client.wait_for(&["result"])?;
    let outcome = fact.get("outcome").context("the client reports no outcome")?;
    if outcome.get("refused").is_some() {
        return Ok(Side::Refused);
    }
    let echo = outcome.get("echo").filter(|echo| echo.get("damaged").is_none());
    let bytes = echo.and_then(|echo| echo.get("$bytes")).and_then(Value::as_u64);
    Ok(Side::Ended {
        bytes: bytes.with_context(|| format!("what came back is damaged: {outcome}"))?,
        clean: outcome.get("error").is_some_and(Value::is_null),
    })
}

/// What the JavaScript server saw of the newest connection.
pub(crate) fn served_shs(server: &Node) -> Result<Side> {
    let fact = server.wait_for(&["refused", "end"])?;
    Ok(match fact.get("bytes").and_then(Value::as_u64) {
        Some(bytes) => Side::Ended {
            bytes,
            clean: fact.get("error").is_some_and(Value::is_null),
        },
        None => Side::Refused,
    })
}

/// The address in a `listening` fact.
pub(crate) fn port(listening: &Value) -> Result<u16> {
    let port = listening
        .get("port")
        .and_then(Value::as_u64)
        .and_then(|port| u16::try_from(port).ok());
    port.with_context(|| format!("no port in {listening}"))
}

/// A text field of a fact.
pub(crate) fn text<'a>(fact: &'a Value, field: &str) -> Result<&'a str> {
    fact.get(field)
        .and_then(Value::as_str)
        .with_context(|| format!("no {field} in {fact}"))
}

/// The JavaScript peers among themselves: shows that the cases ask nothing of us that they do not do themselves.
pub(crate) fn among_themselves(cases: &Cases) -> Result<Vec<Pairing>> {
    let mut pairings = vec![shs_among_themselves()?];
    for server in RELEASES {
        for client in RELEASES {
            let mut pairing = pairing("muxrpc over TCP", "muxrpc", client.number, server.number);
            let (_server, listening) = serve("mux-server.js", &[("v", server.number)])?;
            let port = port(&listening)?.to_string();
            run_client(
                &mut pairing,
                cases,
                Maker::Js,
                "mux-client.js",
                &[("v", client.number), ("port", &port)],
            )?;
            pairing.print();
            pairings.push(pairing);

            let mut pairing = self::pairing("secret-stack", "secret-stack", client.number, server.number);
            let (_server, listening) = serve(
                "stack-server.js",
                &[("v", server.number), ("seed", SERVER_SEED), ("network", NETWORK)],
            )?;
            let address = text(&listening, "address")?;
            let arguments = [
                ("v", client.number),
                ("seed", CLIENT_SEED),
                ("network", NETWORK),
                ("address", address),
            ];
            run_client(&mut pairing, cases, Maker::Js, "stack-client.js", &arguments)?;
            pairing.print();
            pairings.push(pairing);
        }
    }
    Ok(pairings)
}

fn shs_among_themselves() -> Result<Pairing> {
    let mut pairing = pairing("secret-handshake and box stream", "secret-handshake", "1", "1");
    let (server, listening) = serve_shs()?;
    for dial in shs::DIALS {
        let client = dial_shs(dial, port(&listening)?, text(&listening, "key")?)?;
        let server = served_shs(&server)?;
        pairing.note(
            dial.name,
            &shs::expectation(dial),
            &shs::outcome(dial, &client, &server),
        );
    }
    pairing.print();
    Ok(pairing)
}

fn pairing(protocol: &'static str, package: &str, client: &str, server: &str) -> Pairing {
    let (client, server) = (format!("{package} {client}"), format!("{package} {server}"));
    Pairing {
        protocol,
        peer: server.clone(),
        client,
        server,
        results: Vec::new(),
    }
}
