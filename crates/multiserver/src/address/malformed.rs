//! What is wrong with the text of an address.

/// The longest quotation of what was wrong, in characters: the rest says no more, and logs stay short.
const QUOTED: usize = 64;

/// What is wrong with a text that should be an address, and what it should look like.
///
/// Keys and seeds are never quoted: a seed in the wrong place must not end up in a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; {expected}")]
pub struct Malformed {
    problem: String,
    expected: &'static str,
}

impl Malformed {
    /// Which part is wrong, and how.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// What it should look like.
    #[must_use]
    pub const fn expected(&self) -> &'static str {
        self.expected
    }

    pub(super) fn name(name: &str) -> Self {
        let problem = if name.is_empty() {
            "the name of a transport or transform is missing".to_owned()
        } else {
            format!("{} is no name of a transport or transform", quote(name))
        };
        Self {
            problem,
            expected: "an address looks like net:example.org:8008~shs:KEY",
        }
    }

    pub(super) fn key(problem: String) -> Self {
        Self {
            problem,
            expected: "a key is 32 bytes in base64, 44 characters that end in =, as in ~shs:KEY or, from an invite, ~shs:KEY:SEED",
        }
    }

    pub(super) fn port(text: &str) -> Self {
        Self {
            problem: if text.trim().is_empty() {
                "the port is missing".to_owned()
            } else {
                format!("the port {} is no number from 0 to 65535", quote(text))
            },
            expected: "a port stands behind the last colon, as in net:example.org:8008",
        }
    }

    pub(super) fn host(transport: &str) -> Self {
        Self {
            problem: format!("{transport} lacks a host or a port"),
            expected: "it looks like net:example.org:8008, net:::1:8008 or onion:ADDRESS.onion:8008",
        }
    }

    pub(super) fn url(problem: String) -> Self {
        Self {
            problem,
            expected: "a WebSocket address looks like ws://example.org:8989 or wss://example.org",
        }
    }

    pub(super) fn path() -> Self {
        Self {
            problem: "the path behind unix: is missing".to_owned(),
            expected: "it looks like unix:/run/user/1000/node/socket~noauth",
        }
    }

    pub(super) fn tunnel(problem: String) -> Self {
        Self {
            problem,
            expected: "a tunnel looks like tunnel:@ROOM.ed25519:@TARGET.ed25519~shs:KEY",
        }
    }

    pub(super) fn legacy(problem: String) -> Self {
        Self {
            problem,
            expected: "the old form of an address is host:port:@KEY.ed25519, and of an invite host:port:@KEY.ed25519~SEED",
        }
    }

    pub(super) fn text(problem: String) -> Self {
        Self {
            problem,
            expected: "an address is one line of visible characters",
        }
    }

    pub(super) fn too_much(problem: String) -> Self {
        Self {
            problem,
            expected: "an address names a few ways to one peer",
        }
    }

    pub(super) fn nothing() -> Self {
        Self {
            problem: "the address is empty".to_owned(),
            expected: "it looks like net:example.org:8008~shs:KEY",
        }
    }
}

/// The beginning of `text` in quotation marks, with control characters escaped.
pub(super) fn quote(text: &str) -> String {
    let mut beginning: String = text.chars().take(QUOTED).collect();
    if beginning.len() < text.len() {
        beginning.push('…');
    }
    format!("{beginning:?}")
}
