//! The HTTP interface of Stacks nodes.

use super::{Balance, ChainProvider, ContractCall, TransactionId};
use crate::{
    Address, ChainFault, Error,
    identity::hex::{from_hex, lower_hex},
    shown::steers_a_terminal,
};
use reqwest::{Client, Method, Response, Url, header::CONTENT_TYPE, redirect};
use serde::Deserialize;
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

/// The longest reason that is kept of a node that refuses, characters.
const REASON_MAX: usize = 300;

/// How far a node is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How long an answer may take, connecting included: 10 s.
    pub timeout: Duration,
    /// The longest answer that is read, bytes: 1 MiB. A node that sends for ever fills no memory.
    pub answer_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            answer_max: 1 << 20,
        }
    }
}

/// A [`ChainProvider`] that asks a Stacks node, or what speaks like one, over HTTP. Cloning it is cheap.
///
/// ```no_run
/// use handfast_snap2p::chain::{ChainProvider, Http};
///
/// # async fn ask() -> Result<(), handfast_snap2p::Error> {
/// let node = Http::new("https://api.hiro.so")?;
/// let balance = node.balance(&"SP1THWXQ8368SDN2MJGE4BMDKMCHZ2GSVTS1X0BPM".parse()?).await?;
/// println!("{} microstacks", balance.free);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Http {
    client: Client,
    base: Url,
    options: Options,
}

impl Http {
    /// A node by the beginning of its addresses, such as `https://api.hiro.so` or `http://127.0.0.1:20443`. Nothing is
    /// asked yet. For `https` this reads the certificates that the system trusts.
    ///
    /// # Errors
    /// [`Error::Chain`] for what is no such address, and if the system trusts nobody.
    pub fn new(base: &str) -> Result<Self, Error> {
        Self::with(base, Options::default())
    }

    /// The same, with other limits.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with(base: &str, options: Options) -> Result<Self, Error> {
        let wrong = |why: &str| Error::Chain(ChainFault::Address(why.into()));
        let base = Url::parse(base).map_err(|error| wrong(&error.to_string()))?;
        let tls = match base.scheme() {
            "https" => tls(system_roots()?)?,
            "http" => tls(RootCertStore::empty())?,
            _ => return Err(wrong("it begins neither with https:// nor with http://")),
        };
        if base.host_str().is_none_or(str::is_empty) || base.query().is_some() || base.fragment().is_some() {
            return Err(wrong("it has more or less than a host, a port and a path"));
        }
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .timeout(options.timeout)
            // What was meant for one node is not told another.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("handfast-snap2p/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| wrong(&error.to_string()))?;
        Ok(Self { client, base, options })
    }

    async fn ask(&self, what: &'static str, request: Request<'_>) -> Result<Vec<u8>, Error> {
        let unreachable = |error: reqwest::Error| ChainFault::Unreachable {
            what,
            // The address is known to the caller, and may hold a password.
            error: Box::new(error.without_url()),
        };
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(request.path);
        }
        if let Some(query) = request.query {
            url.set_query(Some(query));
        }
        let (method, kind, body) = match request.body {
            Body::None => (Method::GET, "text/plain", Vec::new()),
            Body::Json(value) => (Method::POST, "application/json", value.to_string().into_bytes()),
            Body::Bytes(bytes) => (Method::POST, "application/octet-stream", bytes.to_vec()),
        };
        let mut builder = self.client.request(method, url);
        if !body.is_empty() {
            builder = builder.header(CONTENT_TYPE, kind).body(body);
        }
        let mut response = builder.send().await.map_err(unreachable)?;
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if answer.len() + chunk.len() > self.options.answer_max {
                return Err(malformed(what, "it is too long"));
            }
            answer.extend_from_slice(&chunk);
        }
        match response.status().is_success() {
            true => Ok(answer),
            false => Err(refused(what, &response, &answer)),
        }
    }

    async fn account(&self, what: &'static str, of: &Address) -> Result<Account, Error> {
        let address = of.to_string();
        let request = Request {
            path: &["v2", "accounts", &address],
            query: Some("proof=0"),
            body: Body::None,
        };
        read(what, &self.ask(what, request).await?)
    }
}

#[async_trait::async_trait]
impl ChainProvider for Http {
    async fn balance(&self, of: &Address) -> Result<Balance, Error> {
        const WHAT: &str = "a balance";
        let account = self.account(WHAT, of).await?;
        let amount = |text: &str| {
            let digits = text.strip_prefix("0x")?;
            // The parser would take a sign.
            let plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            plain.then(|| u128::from_str_radix(digits, 16).ok()).flatten()
        };
        match (amount(&account.balance), amount(&account.locked)) {
            (Some(free), Some(locked)) => Ok(Balance { free, locked }),
            _ => Err(malformed(WHAT, "an amount is no hexadecimal number")),
        }
    }

    async fn nonce(&self, of: &Address) -> Result<u64, Error> {
        Ok(self.account("a nonce", of).await?.nonce)
    }

    async fn read_only_call(&self, call: &ContractCall) -> Result<Vec<u8>, Error> {
        const WHAT: &str = "a contract call";
        if !is_contract_name(&call.name) || !is_function_name(&call.function) {
            return Err(Error::Misuse("no contract or function is called so"));
        }
        let arguments: Vec<String> = call
            .arguments
            .iter()
            .map(|value| format!("0x{}", lower_hex(value)))
            .collect();
        let contract = call.contract.to_string();
        let request = Request {
            path: &["v2", "contracts", "call-read", &contract, &call.name, &call.function],
            query: None,
            body: Body::Json(json!({ "sender": call.sender.to_string(), "arguments": arguments })),
        };
        let answer: CallAnswer = read(WHAT, &self.ask(WHAT, request).await?)?;
        match (answer.okay, answer.result, answer.cause) {
            (true, Some(result), _) => {
                bytes_of(&result).ok_or_else(|| malformed(WHAT, "its result is not hexadecimal"))
            }
            (true, None, _) => Err(malformed(WHAT, "it has no result")),
            (false, _, cause) => Err(ChainFault::Call(shown(&cause.unwrap_or_default())).into()),
        }
    }

    async fn broadcast(&self, transaction: &[u8]) -> Result<TransactionId, Error> {
        const WHAT: &str = "a transaction";
        let request = Request {
            path: &["v2", "transactions"],
            query: None,
            body: Body::Bytes(transaction),
        };
        let id: String = read(WHAT, &self.ask(WHAT, request).await?)?;
        from_hex(id.strip_prefix("0x").unwrap_or(&id))
            .map(TransactionId)
            .ok_or_else(|| malformed(WHAT, "it is no transaction's id"))
    }
}

struct Request<'a> {
    path: &'a [&'a str],
    query: Option<&'a str>,
    body: Body<'a>,
}

enum Body<'a> {
    None,
    Json(serde_json::Value),
    Bytes(&'a [u8]),
}

/// Of `/v2/accounts`.
#[derive(Deserialize)]
struct Account {
    balance: String,
    #[serde(default = "zero")]
    locked: String,
    nonce: u64,
}

fn zero() -> String {
    "0x0".into()
}

/// Of `/v2/contracts/call-read`.
#[derive(Deserialize)]
struct CallAnswer {
    okay: bool,
    result: Option<String>,
    cause: Option<String>,
}

/// Of a transaction that is refused.
#[derive(Deserialize)]
struct Refusal {
    error: String,
    reason: Option<String>,
}

fn read<'a, T: Deserialize<'a>>(what: &'static str, answer: &'a [u8]) -> Result<T, Error> {
    serde_json::from_slice(answer).map_err(|error| malformed(what, &error.to_string()))
}

fn malformed(what: &'static str, why: &str) -> Error {
    ChainFault::Malformed { what, why: shown(why) }.into()
}

fn refused(what: &'static str, response: &Response, answer: &[u8]) -> Error {
    let reason = match serde_json::from_slice(answer) {
        Ok(Refusal {
            error,
            reason: Some(reason),
        }) => format!("{error}: {reason}"),
        Ok(Refusal { error, reason: None }) => error,
        Err(_) => String::from_utf8_lossy(answer).trim().into(),
    };
    let status = response.status().as_u16();
    ChainFault::Refused {
        what,
        status,
        reason: shown(&reason),
    }
    .into()
}

/// A text of the node's, short and without what moves a terminal's cursor.
fn shown(text: &str) -> String {
    let clean = text.chars().map(|c| if steers_a_terminal(c) { ' ' } else { c });
    clean.take(REASON_MAX).collect()
}

fn is_contract_name(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_".contains(&c))
}

fn is_function_name(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && name
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || b"-_!?+<>=/*".contains(&c))
}

fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.strip_prefix("0x").unwrap_or(text).as_bytes().as_chunks::<2>();
    let pair = |pair: &[u8; 2]| from_hex::<1>(std::str::from_utf8(pair).ok()?).map(|[byte]| byte);
    rest.is_empty().then(|| pairs.iter().map(pair).collect()).flatten()
}

fn tls(roots: RootCertStore) -> Result<ClientConfig, Error> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_root_certificates(roots).with_no_client_auth())
        .map_err(|error| ChainFault::Address(error.to_string()).into())
}

fn system_roots() -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    match roots.is_empty() {
        true => Err(ChainFault::Address(
            "this system trusts no certificates; install the package ca-certificates".into(),
        )
        .into()),
        false => Ok(roots),
    }
}
