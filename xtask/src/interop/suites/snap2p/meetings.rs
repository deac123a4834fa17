//! Who lets whom in, and what the other one learns of it.

use super::super::super::cases::Verdict;
use super::super::{Direction, Title, hex};
use super::ours::{self, Role, SHORT};
use super::theirs::Theirs;
use super::{Add, title};
use anyhow::{Context as _, Result};
use handfast_snap2p::tokio::DialOptions;
use handfast_snap2p::{Network, Peer, UnixTime, Visibility};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;

/// How long one meeting may take.
const DEADLINE: Duration = Duration::from_secs(50);

/// What the dialler knocks with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Knock {
    No,
    /// With the token that the listener gave out.
    Right,
    Wrong,
}

/// One meeting, and what each end makes of it: `{"peer": true}` for a session with the other, `{"code": N}` if the other refused,
/// or if the stand-in did, and for ours why it refused itself.
#[derive(Debug, Clone)]
struct Meeting {
    name: &'static str,
    listener: Role,
    dialler: Role,
    knock: Knock,
    /// Whom the dialler demands: ours only.
    demands: Option<u8>,
    dialler_sees: Value,
    listener_sees: Value,
    /// Who can play which part: some of it only one side can be told, and some only one side does.
    ours_may_listen: bool,
    ours_may_dial: bool,
    theirs_may_dial: bool,
}

const LISTENER: Role = Role::new(0x41);
const DIALLER: Role = Role::new(0x42);

fn meeting(name: &'static str) -> Meeting {
    Meeting {
        name,
        listener: LISTENER,
        dialler: DIALLER,
        knock: Knock::No,
        demands: None,
        dialler_sees: json!({ "peer": true }),
        listener_sees: json!({ "peer": true }),
        ours_may_listen: true,
        ours_may_dial: true,
        theirs_may_dial: true,
    }
}

/// The listener refuses with a code, which the dialler hears. `ours` is how our listener tells it, and theirs by the code.
fn refused(name: &'static str, code: u64, ours: &Value) -> Meeting {
    Meeting {
        dialler_sees: json!({ "code": code }),
        listener_sees: json!({ "$any": [{ "code": code }, ours] }),
        ..meeting(name)
    }
}

/// What whoever was lied to says: 6 as the reference, and for what has expired the code that is defined for that.
fn code_of(fault: &str) -> Value {
    match fault {
        "Expired" => json!({ "$any": [{ "code": 6 }, { "code": 7 }] }),
        _ => json!({ "code": 6 }),
    }
}

/// The dialler proves somebody else, or nothing. Whoever lies is the stand-in: ours cannot be made to.
fn lying_dialler(name: &'static str, special: &'static str, fault: &str) -> Meeting {
    Meeting {
        dialler: Role { special, ..DIALLER },
        ours_may_dial: false,
        dialler_sees: code_of(fault),
        ..refused(name, 6, &json!({ "attestation": fault }))
    }
}

fn lying_listener(name: &'static str, special: &'static str, fault: &str) -> Meeting {
    Meeting {
        listener: Role { special, ..LISTENER },
        ours_may_listen: false,
        // The reference says nothing when the listener lies; ours does.
        theirs_may_dial: false,
        dialler_sees: json!({ "attestation": fault }),
        listener_sees: code_of(fault),
        ..meeting(name)
    }
}

/// Attestations of another node key, from yesterday, from tomorrow, and signed by somebody else's wallet.
const OTHER_NODE: &str = r#"{"attested":{"seed":"9999999999999999999999999999999999999999999999999999999999999999"}}"#;
const YESTERDAY: &str = r#"{"attested":{"age":87000}}"#;
const TOMORROW: &str = r#"{"attested":{"age":-86400}}"#;
const OTHER_WALLET: &str = r#"{"attested":{"principal":"stacks:SP2BWW45YP61VYTAGXN87F15KFS2RCWJ64KM3GYBG"}}"#;

const PRIVATE: Role = Role {
    visibility: Visibility::Private,
    ..LISTENER
};
const STEALTH: Role = Role {
    visibility: Visibility::Stealth,
    ..LISTENER
};

fn testnet(role: Role) -> Role {
    Role {
        network: Network::Testnet,
        ..role
    }
}

fn meetings() -> Vec<Meeting> {
    let mut meetings = vec![
        meeting("public nodes of the main network"),
        Meeting {
            listener: testnet(LISTENER),
            dialler: testnet(DIALLER),
            ..meeting("public nodes of the test network")
        },
        Meeting {
            dialler: testnet(DIALLER),
            ..refused(
                "the dialler is of the test network, the listener is not",
                6,
                &json!({ "attestation": "OtherNetwork" }),
            )
        },
        Meeting {
            listener: Role {
                allow: Some(&[0x40, 0x42]),
                ..PRIVATE
            },
            ..meeting("a private node, with the dialler on its list")
        },
        Meeting {
            listener: Role {
                allow: Some(&[0x40]),
                ..PRIVATE
            },
            ..refused(
                "a private node, without the dialler on its list",
                4,
                &json!({ "refused": "not allowed" }),
            )
        },
        Meeting {
            dialler: Role {
                allow: Some(&[0x40]),
                ..DIALLER
            },
            theirs_may_dial: false,
            dialler_sees: json!({ "refused": "not allowed" }),
            ..refused("the listener is not on the dialler's list", 4, &Value::Null)
        },
        Meeting {
            demands: Some(0x40),
            theirs_may_dial: false,
            dialler_sees: json!({ "refused": "somebody else" }),
            ..refused("the dialler demands somebody else", 4, &Value::Null)
        },
        Meeting {
            dialler: Role {
                special: r#"{"caps":["stealth","px1","☕"]}"#,
                ..DIALLER
            },
            ours_may_dial: false,
            ..meeting("a dialler with capabilities that nobody knows")
        },
        Meeting {
            listener: Role {
                special: r#"{"caps":["stealth","px1","☕"]}"#,
                ..LISTENER
            },
            ours_may_listen: false,
            ..meeting("a listener with capabilities that nobody knows")
        },
        Meeting {
            listener: STEALTH,
            knock: Knock::Right,
            ..meeting("a stealth node and its token")
        },
        Meeting {
            listener: STEALTH,
            knock: Knock::Wrong,
            ..refused(
                "a stealth node and another token",
                5,
                &json!({ "refused": "the token" }),
            )
        },
        Meeting {
            listener: STEALTH,
            dialler_sees: json!({ "closed": true }),
            listener_sees: json!({ "failed": true }),
            ..meeting("a stealth node and no token")
        },
        Meeting {
            dialler: Role::new(SHORT),
            theirs_may_dial: false,
            ours_may_listen: false,
            dialler_sees: json!({ "closed": true }),
            listener_sees: json!({ "failed": true }),
            ..meeting("a wallet with an address of 39 characters, which the reference refuses")
        },
    ];
    meetings.extend([
        lying_dialler(
            "the dialler's attestation is of another node key",
            OTHER_NODE,
            "OtherNode",
        ),
        lying_dialler("the dialler's attestation has expired", YESTERDAY, "Expired"),
        lying_dialler("the dialler's attestation begins tomorrow", TOMORROW, "Early"),
        lying_dialler(
            "another wallet signed the dialler's attestation",
            OTHER_WALLET,
            "Signature",
        ),
        lying_listener(
            "the listener's attestation is of another node key",
            OTHER_NODE,
            "OtherNode",
        ),
        lying_listener("the listener's attestation has expired", YESTERDAY, "Expired"),
        lying_listener("the listener's attestation begins tomorrow", TOMORROW, "Early"),
        lying_listener(
            "another wallet signed the listener's attestation",
            OTHER_WALLET,
            "Signature",
        ),
    ]);
    meetings
}

pub(super) fn add(add: &mut Add<'_>) {
    for direction in [Direction::Reference, Direction::WeCall, Direction::TheyCall] {
        let title = Title {
            direction,
            ..title("meetings")
        };
        add(title, Box::pin(all(direction)));
    }
}

async fn all(direction: Direction) -> Result<Vec<Verdict>> {
    let (mut listening, mut dialling) = (Theirs::start()?, Theirs::start()?);
    let mut verdicts = Vec::new();
    for meeting in meetings() {
        let plays = match direction {
            Direction::WeCall => meeting.ours_may_dial,
            Direction::TheyCall => meeting.ours_may_listen && meeting.theirs_may_dial,
            _ => meeting.theirs_may_dial,
        };
        if !plays {
            continue;
        }
        let outcome = timeout(DEADLINE, async {
            match direction {
                Direction::WeCall => we_call(&meeting, &mut listening).await,
                Direction::TheyCall => they_call(&meeting, &mut dialling).await,
                _ => with_itself(&meeting, &mut listening, &mut dialling).await,
            }
        });
        let outcome = match outcome.await {
            Ok(Ok([dialler, listener])) => {
                json!({ "dialler": seen(dialler, meeting.listener)?, "listener": seen(listener, meeting.dialler)? })
            }
            Ok(Err(error)) => json!(format!("{error:#}")),
            Err(_) => json!("nothing came of it in time"),
        };
        let expected = json!({ "dialler": meeting.dialler_sees, "listener": meeting.listener_sees });
        verdicts.push(Verdict::new(meeting.name, &expected, Some(&outcome)));
    }
    Ok(verdicts)
}

/// `{"peer": true}` for a session with the one that should be there.
fn seen(mut outcome: Value, other: Role) -> Result<Value> {
    let principal = other.principal()?.to_string();
    if outcome.get("peer") == Some(&json!(principal)) {
        outcome = json!({ "peer": true });
    }
    // How the stand-in says it is not the reference's way, so it is not judged.
    Ok(match outcome.get("failed").and_then(Value::as_str) {
        Some("Connection closed") => json!({ "closed": true }),
        Some(_) => json!({ "failed": true }),
        None => outcome,
    })
}

/// A token that no listener has given out.
const WRONG: [u8; 32] = [0x77; 32];
const RIGHT: [u8; 32] = [0x78; 32];

async fn with_itself(meeting: &Meeting, listening: &mut Theirs, dialling: &mut Theirs) -> Result<[Value; 2]> {
    let port = listening.listen(&meeting.listener, &[hex(&RIGHT)]).await?;
    let token = meeting.knock.token(&RIGHT);
    dialling.dial(&meeting.dialler, port, token.as_deref(), &[]).await?;
    Ok([dialling.met().await?, listening.met().await?])
}

async fn we_call(meeting: &Meeting, listening: &mut Theirs) -> Result<[Value; 2]> {
    let port = listening.listen(&meeting.listener, &[hex(&RIGHT)]).await?;
    let peer = meeting.dialler.ours().await?;
    let demanded = meeting.demands.map(|wallet| meeting.listener.principal_of(wallet));
    let options = DialOptions {
        expect: demanded.transpose()?,
        token: match meeting.knock {
            Knock::No => None,
            Knock::Right => Some(RIGHT.to_vec().into()),
            Knock::Wrong => Some(WRONG.to_vec().into()),
        },
    };
    let dialled = peer.dial_with(format!("127.0.0.1:{port}"), options).await;
    let outcomes = [ours::met(&dialled), listening.met().await?];
    peer.close().await;
    Ok(outcomes)
}

async fn they_call(meeting: &Meeting, dialling: &mut Theirs) -> Result<[Value; 2]> {
    let peer = meeting.listener.ours().await?;
    let port = peer.listen("127.0.0.1:0").await?.port();
    let right = peer
        .invites()
        .create(None, UnixTime::now().plus(Duration::from_secs(60)))?;
    let token = meeting.knock.token(right.as_bytes());
    dialling.dial(&meeting.dialler, port, token.as_deref(), &[]).await?;
    let listener = came(&peer).await?;
    let outcomes = [dialling.met().await?, listener];
    peer.close().await;
    Ok(outcomes)
}

/// What came of the next connection, at our end.
async fn came(peer: &Peer) -> Result<Value> {
    tokio::select! {
        session = peer.accept() => {
            let (session, incoming) = session.context("the peer is open")?;
            let outcome = json!({ "peer": session.principal().to_string() });
            tokio::spawn(ours::serve(session, incoming));
            Ok(outcome)
        }
        failed = peer.failed() => Ok(ours::failed(&failed.context("the peer is open")?.error)),
    }
}

impl Knock {
    fn token(self, right: &[u8; 32]) -> Option<String> {
        match self {
            Self::No => None,
            Self::Right => Some(hex(right)),
            Self::Wrong => Some(hex(&WRONG)),
        }
    }
}
