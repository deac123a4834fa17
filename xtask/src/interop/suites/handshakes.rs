//! Secret Handshake and Box Stream: who gets in, bytes there and back, and how streams end.

use super::super::cases::Verdict;
use super::super::node;
use super::super::ours::{Ending, Heard, Refuse, dial_echo, serve_echo};
use super::super::peers::{Peer, text};
use super::{Add, CLIENT_SEED, Direction, List, NETWORK, SERVER_SEED, Title, hex, identity};
use anyhow::{Context as _, Result};
use handfast_keys::{NetworkIdentifier, PublicKey};
use handfast_shs::tokio::{Identity, Refusal};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What distinguishes one case.
#[derive(Debug, Clone)]
struct Case {
    name: String,
    /// Bytes that go out and come back.
    length: usize,
    /// The client names another network.
    other_network: bool,
    /// The client dials another key than the server's.
    other_key: bool,
    refusal: Refuses,
    client_ends: Ending,
    server_ends: Ending,
    seen: Seen,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refuses {
    Nobody,
    WithNo,
    WithError,
}

/// What must be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// All bytes at both ends, goodbyes from both.
    Everything,
    /// Neither end gets a connection.
    NoHandshake,
    /// The server has the bytes and knows that the goodbye is missing.
    CutAtServer,
    /// The client has its bytes back and knows that the goodbye is missing.
    CutAtClient,
}

fn cases() -> Vec<Case> {
    let base = Case {
        name: String::new(),
        length: 5,
        other_network: false,
        other_key: false,
        refusal: Refuses::Nobody,
        client_ends: Ending::Goodbye,
        server_ends: Ending::Goodbye,
        seen: Seen::Everything,
    };
    let named = |name: &str, seen| Case {
        name: name.into(),
        seen,
        ..base.clone()
    };
    let lengths = [0, 1, 4095, 4096, 4097, 100_000];
    let echoes = lengths.map(|length| {
        let bytes = if length == 1 { "byte" } else { "bytes" };
        let name = format!("{length} {bytes} there and back, both sides say goodbye and know each other's key");
        Case {
            length,
            ..named(&name, Seen::Everything)
        }
    });
    let others = [
        Case {
            client_ends: Ending::Cut,
            ..named("the client leaves without a goodbye", Seen::CutAtServer)
        },
        Case {
            server_ends: Ending::Cut,
            ..named("the server leaves without a goodbye", Seen::CutAtClient)
        },
        Case {
            other_network: true,
            ..named("the client names another network", Seen::NoHandshake)
        },
        Case {
            other_key: true,
            ..named("the client dials another key", Seen::NoHandshake)
        },
        Case {
            refusal: Refuses::WithNo,
            ..named("the server does not authorise the client", Seen::NoHandshake)
        },
        Case {
            refusal: Refuses::WithError,
            ..named("the server cannot decide about the client", Seen::NoHandshake)
        },
    ];
    echoes.into_iter().chain(others).collect()
}

pub(super) fn add(add: &mut Add<'_>) -> Result<()> {
    let (shs, boxes) = (
        node::version("core", "secret-handshake")?,
        node::version("core", "pull-box-stream")?,
    );
    let peer = format!("secret-handshake {shs} and pull-box-stream {boxes}");
    let title = |direction| Title {
        peer: peer.clone(),
        list: List::Handshakes,
        direction,
    };
    add(title(Direction::Reference), Box::pin(reference()));
    add(title(Direction::WeCall), Box::pin(we_call()));
    add(title(Direction::TheyCall), Box::pin(they_call()));
    Ok(())
}

async fn reference() -> Result<Vec<Verdict>> {
    let mut verdicts = Vec::new();
    for case in cases() {
        let mut server = Theirs::serve(&case).await?;
        let client = Theirs::call(&case, server.port).await;
        verdicts.push(case.verdict(client, server.saw().await));
    }
    Ok(verdicts)
}

async fn we_call() -> Result<Vec<Verdict>> {
    let mut verdicts = Vec::new();
    let own = identity(&CLIENT_SEED)?;
    // Most come with a key pair; one comes with the bare seed, as with an invite.
    let seeded = Case {
        name: "the client comes as the identity of a seed".into(),
        ..cases().remove(1)
    };
    for (case, me) in cases()
        .into_iter()
        .map(|case| (case, Identity::KeyPair(&own)))
        .chain([(seeded, Identity::Seed(&CLIENT_SEED))])
    {
        let mut server = Theirs::serve(&case).await?;
        let place = ("127.0.0.1", server.port);
        let (network, key) = (case.network(), case.key()?);
        let heard = dial_echo(place, &network, me, &key, case.length, case.client_ends).await;
        verdicts.push(case.verdict(Ok(End::of(heard)), server.saw().await));
    }
    Ok(verdicts)
}

async fn they_call() -> Result<Vec<Verdict>> {
    let mut verdicts = Vec::new();
    let own = identity(&SERVER_SEED)?;
    for case in cases() {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let refusal: Option<Refuse> = match case.refusal {
            Refuses::Nobody => None,
            Refuses::WithNo => Some(|| Ok(None)),
            Refuses::WithError => Some(|| Err(Refusal::because("cannot decide"))),
        };
        let serving = serve_echo(listener, &NETWORK, &own, refusal, case.server_ends);
        let (served, client) = tokio::join!(serving, Theirs::call(&case, port));
        verdicts.push(case.verdict(client, Ok(End::of(served))));
    }
    Ok(verdicts)
}

/// What one end saw.
#[derive(Debug)]
enum End {
    Refused,
    Connected { peer: PublicKey, bytes: Value, clean: bool },
}

impl End {
    fn of(heard: Result<Heard>) -> Self {
        match heard {
            Ok(Heard { peer, bytes, clean }) => Self::Connected { peer, bytes, clean },
            Err(_) => Self::Refused,
        }
    }

    fn summary(&self) -> Value {
        match self {
            Self::Refused => json!("refused"),
            Self::Connected { peer, bytes, clean } => {
                json!({ "peer": peer.to_string(), "bytes": bytes, "clean": clean })
            }
        }
    }
}

impl Case {
    fn network(&self) -> NetworkIdentifier {
        if self.other_network {
            NetworkIdentifier::from_bytes([0x42; 32])
        } else {
            NETWORK
        }
    }

    fn key(&self) -> Result<PublicKey> {
        Ok(*identity(if self.other_key { &[9; 32] } else { &SERVER_SEED })?.public())
    }

    fn verdict(&self, client: Result<End>, server: Result<End>) -> Verdict {
        let judged = client
            .and_then(|client| Ok((client, server?)))
            .and_then(|(client, server)| {
                let connected = |seed, clean| {
                    let bytes = json!({ "$bytes": self.length });
                    anyhow::Ok(
                        End::Connected {
                            peer: *identity(seed)?.public(),
                            bytes,
                            clean,
                        }
                        .summary(),
                    )
                };
                let (client, server) = (client.summary(), server.summary());
                Ok(match self.seen {
                    Seen::Everything => {
                        let expected = json!([connected(&SERVER_SEED, true)?, connected(&CLIENT_SEED, true)?]);
                        (expected, json!([client, server]))
                    }
                    Seen::NoHandshake => (json!(["refused", "refused"]), json!([client, server])),
                    Seen::CutAtServer => (connected(&CLIENT_SEED, false)?, server),
                    Seen::CutAtClient => (connected(&SERVER_SEED, false)?, client),
                })
            });
        match judged {
            Ok((expected, outcome)) => Verdict::new(&self.name, &expected, Some(&outcome)),
            Err(error) => Verdict {
                name: self.name.clone(),
                complaint: Some(format!("{error:#}")),
            },
        }
    }
}

/// The JavaScript half.
struct Theirs {
    peer: Peer,
    port: u16,
}

impl Theirs {
    async fn serve(case: &Case) -> Result<Self> {
        let (seed, network) = (hex(&SERVER_SEED), NETWORK.to_string());
        let client = identity(&CLIENT_SEED)?.public().to_base64();
        let mut options = vec![("seed", seed.as_str()), ("network", network.as_str())];
        if case.refusal != Refuses::Nobody {
            options.push(("refuse", &client));
        }
        if case.refusal == Refuses::WithError {
            options.push(("refuse-how", "error"));
        }
        if case.server_ends == Ending::Cut {
            options.push(("how", "error"));
        }
        let mut peer = Peer::script("shs-server.js", &options)?;
        let event = peer.until("listening").await?;
        let port = event
            .get("port")
            .and_then(Value::as_u64)
            .and_then(|port| u16::try_from(port).ok());
        Ok(Self {
            peer,
            port: port.context("the server says no port")?,
        })
    }

    /// What the server saw of its only client.
    async fn saw(&mut self) -> Result<End> {
        let mut who = None;
        loop {
            let event = self.peer.event().await?;
            match text(&event, "event")? {
                "refused" => return Ok(End::Refused),
                "handshake" => who = Some(format!("@{}.ed25519", text(&event, "peer")?).parse()?),
                "end" => {
                    let clean = event.get("error").is_some_and(Value::is_null);
                    // The server counts what it sends back; that it is the right bytes, the client sees.
                    let bytes = json!({ "$bytes": event.get("bytes") });
                    return Ok(End::Connected {
                        peer: who.context("an end without a beginning")?,
                        bytes,
                        clean,
                    });
                }
                _ => {}
            }
        }
    }

    async fn call(case: &Case, port: u16) -> Result<End> {
        let (seed, network, port) = (hex(&CLIENT_SEED), case.network().to_string(), port.to_string());
        let (key, send) = (case.key()?.to_base64(), case.length.to_string());
        let options = [
            ("seed", seed.as_str()),
            ("network", &network),
            ("port", &port),
            ("key", &key),
            ("send", &send),
            (
                "end",
                if case.client_ends == Ending::Cut {
                    "cut"
                } else {
                    "goodbye"
                },
            ),
        ];
        let mut peer = Peer::script("shs-client.js", &options)?;
        let mut who = None;
        loop {
            let event = peer.event().await?;
            match text(&event, "event")? {
                "handshake" => who = Some(format!("@{}.ed25519", text(&event, "peer")?).parse()?),
                "result" => {
                    let outcome = event.get("outcome").context("a result without an outcome")?;
                    if outcome.get("refused").is_some() {
                        return Ok(End::Refused);
                    }
                    let clean = outcome.get("error").is_some_and(Value::is_null);
                    let bytes = outcome.get("echo").cloned().unwrap_or_default();
                    return Ok(End::Connected {
                        peer: who.context("an end without a beginning")?,
                        bytes,
                        clean,
                    });
                }
                _ => {}
            }
        }
    }
}
