//! The program `handfast` against nodes of secret-stack: its exit codes and its lines, and what it serves.

use super::super::cases::Verdict;
use super::super::node;
use super::super::peers::Peer;
use super::calls::{Serving, serve_stack};
use super::{Add, CLIENT_SEED, Direction, List, NETWORK, SERVER_SEED, Title, base64, executable, hex, identity};
use anyhow::{Context as _, Result};
use handfast_keys::secret_file;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::sync::OnceCell;

/// How long one command may take.
const DEADLINE: Duration = Duration::from_secs(60);

pub(super) fn add(add: &mut Add<'_>) -> Result<()> {
    let stack = format!("secret-stack {}", node::version("core", "secret-stack")?);
    let with_ping = format!("{stack} and pull-ping {}", node::version("core", "pull-ping")?);
    let title = |peer: &str, direction| Title {
        peer: peer.to_owned(),
        list: List::Program,
        direction,
    };
    add(title(&stack, Direction::WeCall), Box::pin(call()));
    add(title(&with_ping, Direction::TheyCall), Box::pin(serve()));
    Ok(())
}

/// Builds the program, once.
pub(super) async fn program() -> Result<&'static Path> {
    static BUILT: OnceCell<PathBuf> = OnceCell::const_new();
    let built = BUILT.get_or_try_init(|| executable(&["--package", "handfast-cli"]));
    Ok(built.await?)
}

/// The program, with a folder of its own and nothing of the user's environment.
pub(super) async fn handfast(folder: &Path) -> Result<Command> {
    let mut command = Command::new(program().await?);
    for variable in ["HANDFAST_DIR", "HANDFAST_NETWORK", "HANDFAST_SEED", "HANDFAST_LOG"] {
        command.env_remove(variable);
    }
    command.arg("--dir").arg(folder).kill_on_drop(true);
    Ok(command)
}

/// One `handfast call`: what is tried, the arguments behind the address, standard input, the exit code, the lines that come,
/// and a part of what stands on standard error.
type Called = (
    &'static str,
    &'static [&'static str],
    &'static str,
    i32,
    &'static [&'static str],
    &'static str,
);

const OTHER_NETWORK: &str = "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=";

#[rustfmt::skip]
const CALLED: &[Called] = &[
    ("async", &["test.echo", r#"{"kia":["ora",null]}"#], "", 0, &[r#"{"kia":["ora",null]}"#], ""),
    ("sync", &["test.sum", "2", "3"], "", 0, &["5"], ""),
    ("nested", &["test.nested.deep.hi"], "", 0, &[r#""hi from deep""#], ""),
    ("source", &["test.count", "3"], "", 0, &["0", "1", "2"], ""),
    ("source, cut short", &["test.forever", "--take", "2"], "", 0, &["0", "1"], ""),
    ("sink", &["test.collect"], "1\n\"two\"\n", 0, &[], ""),
    ("what the sink saw", &["test.seen"], "", 0, &[r#"{"items":[1,"two"],"end":true}"#], ""),
    ("duplex", &["test.mirror"], "1\n\"two\"\n{\"three\":3}\n", 0, &["1", r#""two""#, r#"{"three":3}"#], ""),
    ("an error of the peer", &["test.fails"], "", 1, &[], "failed on purpose"),
    ("a source that breaks", &["test.countThenFail", "2"], "", 1, &["0", "1"], "source broke"),
    ("a sink that refuses", &["test.refuse"], "1\n2\n", 1, &[], "sink refuses"),
    ("a method that is not allowed", &["test.forbidden"], "", 1, &[], "method:test,forbidden is not in list of allowed methods"),
    ("a method that is not in the manifest", &["test.nowhere"], "", 1, &[], "the peer has no method test.nowhere"),
    ("a method that does not exist", &["test.absent", "--type", "async"], "", 1, &[], "no async:test,absent"),
    ("an argument that is no JSON", &["test.echo", "kia ora"], "", 2, &[], "is not JSON"),
    ("another network", &["test.sum", "2", "3", "--network", OTHER_NETWORK], "", 3, &[], "network"),
];

async fn call() -> Result<Vec<Verdict>> {
    let folder = tempfile::tempdir()?;
    let mut server = serve_stack().await?;
    secret_file::create(folder.path().join("secret"), &identity(&CLIENT_SEED)?)?;
    let mut verdicts = Vec::new();
    for &(name, arguments, input, code, lines, says) in CALLED {
        let mut command = handfast(folder.path()).await?;
        command.arg("call").arg(&server.address).args(arguments);
        if !arguments.contains(&"--network") {
            command.args(["--network", &NETWORK.to_string()]);
        }
        let ran = ran(command, input).await;
        let (expected, outcome) = match ran {
            Ok(ran) => (
                json!([code, lines, says]),
                // What it says stands in the outcome only if it is not what it should say.
                json!([
                    ran.code,
                    ran.lines,
                    if ran.says.contains(says) { says } else { &ran.says }
                ]),
            ),
            Err(error) => (json!(null), json!(format!("{error:#}"))),
        };
        verdicts.push(Verdict::new(
            &format!("handfast call: {name}"),
            &expected,
            Some(&outcome),
        ));
    }

    let seeded = seeded_call(&mut server, folder.path()).await;
    let complaint = seeded.err().map(|error| format!("{error:#}"));
    verdicts.push(Verdict {
        name: "handfast call: as the identity of a seed".into(),
        complaint,
    });
    Ok(verdicts)
}

/// The server sees the identity of the seed come.
async fn seeded_call(server: &mut Serving, folder: &Path) -> Result<()> {
    const SEED: [u8; 32] = [3; 32];
    let mut command = handfast(folder).await?;
    command.args([
        "call",
        &server.address,
        "test.sum",
        "2",
        "3",
        "--seed",
        &base64(SEED),
        "--network",
        &NETWORK.to_string(),
    ]);
    let ran = ran(command, "").await?;
    anyhow::ensure!(ran.code == 0, "exit code {}: {}", ran.code, ran.says);
    let id = identity(&SEED)?.public().to_string();
    loop {
        // The callers before come first; should this one never come, the silence ends the loop.
        let connected = server.peer.until("connected").await?;
        if connected.get("id").and_then(Value::as_str) == Some(id.as_str()) {
            return Ok(());
        }
    }
}

/// What a command that has ended leaves behind.
pub(super) struct Ran {
    pub(super) code: i32,
    pub(super) lines: Vec<String>,
    says: String,
}

pub(super) async fn ran(mut command: Command, input: &str) -> Result<Ran> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().context("cannot start handfast")?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that wants no input may have ended by now.
        let _ = stdin.write_all(input.as_bytes()).await;
    }
    let output = tokio::time::timeout(DEADLINE, child.wait_with_output()).await;
    let output = output.with_context(|| format!("handfast did not end within {DEADLINE:?}"))??;
    Ok(Ran {
        code: output.status.code().unwrap_or(-1),
        lines: String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(str::to_owned)
            .collect(),
        says: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

/// What a node of secret-stack gets of `handfast serve`.
async fn serve() -> Result<Vec<Verdict>> {
    let folder = tempfile::tempdir()?;
    let server_id = identity(&SERVER_SEED)?.public().to_string();
    secret_file::create(folder.path().join("secret"), &identity(&SERVER_SEED)?)?;
    let mut command = handfast(folder.path()).await?;
    command.args([
        "serve",
        "--listen",
        "net:127.0.0.1:0",
        "--network",
        &NETWORK.to_string(),
    ]);
    let mut server = Peer::start("handfast serve", &mut command)?;
    let line = server.line().await?;
    let address = line
        .strip_prefix("listening ")
        .with_context(|| format!("instead of its address it says {line:?}"))?;

    let (seed, network) = (hex(&CLIENT_SEED), NETWORK.to_string());
    let options = [("seed", seed.as_str()), ("network", &network), ("address", address)];
    let mut client = Peer::script("program-client.js", &options)?;
    let results = client.results().await?;
    let client_id = identity(&CLIENT_SEED)?.public().to_string();
    let error = |message: &str| json!({ "error": { "name": "Error", "message": message } });
    let expected = [
        ("whoami", json!({ "value": { "id": server_id } })),
        ("whoareyou", json!({ "value": { "id": client_id } })),
        ("add", json!({ "value": 2.5 })),
        ("echo", json!({ "value": { "kia": ["ora", null] } })),
        ("fail", error("as asked")),
        ("missing", error("method:missing is not in list of allowed methods")),
        ("bytes", json!({ "buffer": true, "length": 70000 })),
        ("count", json!({ "items": [0, 1, 2, 3, 4] })),
        ("shout", json!({ "items": ["KIA", "ORA"] })),
        ("notes.add", json!({ "end": true })),
        ("notes.list", json!({ "items": [1, { "two": 2 }] })),
        ("gossip.ping", json!({ "volleys": 1, "numbers": true, "measured": 1 })),
        ("close", json!({ "closed": true })),
    ];
    let mut verdicts = Verdict::all(expected, results);
    for verdict in &mut verdicts {
        verdict.name.insert_str(0, "handfast serve: ");
    }
    Ok(verdicts)
}
