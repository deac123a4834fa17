//! The cases of secret-handshake and box stream: what a client does to an echo server, and what both must see of it.

use serde_json::{Value, json};

/// One dial.
pub(crate) struct Dial {
    pub(crate) name: &'static str,
    /// How many bytes the client sends and awaits back.
    pub(crate) send: usize,
    /// How the client ends once they have come back.
    pub(crate) end: End,
    /// What is wrong with it, if anything is.
    pub(crate) flaw: Option<Flaw>,
}

/// How a client ends its box stream.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Goodbye,
    /// With an error, so without a goodbye.
    Error,
    /// By cutting the socket.
    Cut,
}

impl End {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Goodbye => "goodbye",
            Self::Error => "error",
            Self::Cut => "cut",
        }
    }
}

/// Why a handshake must fail.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// The client means another network.
    Network,
    /// The client means another server.
    ServerKey,
    /// The server turns this client away.
    Refused,
}

const fn echo(name: &'static str, send: usize) -> Dial {
    Dial {
        name,
        send,
        end: End::Goodbye,
        flaw: None,
    }
}

const fn flawed(name: &'static str, flaw: Flaw) -> Dial {
    Dial {
        name,
        send: 1,
        end: End::Goodbye,
        flaw: Some(flaw),
    }
}

pub(crate) const DIALS: &[Dial] = &[
    echo("nothing sent, then goodbye", 0),
    echo("one byte there and back", 1),
    echo("a full record of 4096 bytes", 4096),
    echo("one byte more than a record", 4097),
    echo("1 MiB there and back", 1 << 20),
    Dial {
        name: "client ends without a goodbye",
        send: 5000,
        end: End::Error,
        flaw: None,
    },
    Dial {
        name: "client cuts the socket",
        send: 5000,
        end: End::Cut,
        flaw: None,
    },
    flawed("another network is turned away", Flaw::Network),
    flawed("another server key is turned away", Flaw::ServerKey),
    flawed("a client that the server refuses is turned away", Flaw::Refused),
];

/// What the two sides report: `{"client": .., "server": ..}`.
pub(crate) fn expectation(dial: &Dial) -> Value {
    match (dial.flaw, dial.end) {
        (Some(_), _) => json!({ "client": "refused", "server": "refused" }),
        (None, End::Goodbye) => json!({ "client": "clean end", "server": "clean end", "echoed": dial.send }),
        // The client that breaks off knows; what it then hears from its own end is its own affair.
        (None, End::Error | End::Cut) => json!({ "server": "truncated", "echoed": dial.send }),
    }
}

/// The comparable form of what a client and a server saw.
pub(crate) fn outcome(dial: &Dial, client: &Side, server: &Side) -> Value {
    let mut outcome = json!({ "server": server.word() });
    if let (Some(fields), true) = (outcome.as_object_mut(), dial.flaw.is_some() || dial.end == End::Goodbye) {
        fields.insert("client".into(), client.word().into());
    }
    if let (Some(fields), Side::Ended { bytes, .. }) = (outcome.as_object_mut(), client) {
        fields.insert("echoed".into(), (*bytes).into());
    }
    outcome
}

/// What one side saw.
pub(crate) enum Side {
    /// The handshake failed.
    Refused,
    /// The stream ended after so many intact bytes, with a goodbye or without.
    Ended { bytes: u64, clean: bool },
}

impl Side {
    fn word(&self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Ended { clean: true, .. } => "clean end",
            Self::Ended { clean: false, .. } => "truncated",
        }
    }
}
