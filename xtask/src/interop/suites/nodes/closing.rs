//! How connections and nodes end: by either side, in every way, and by timers.

use super::super::super::cases::Make;
use super::super::super::nodes::{How, Link, Node, Over};
use super::{ALL, Outcome, Scene, Stage};
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub(super) const SCENES: &[Scene] = &[
    Scene {
        name: "who dialled closes gracefully: what it waits for is answered first",
        over: ALL,
        play: |stage| Box::pin(gracefully(stage, Side::Client)),
    },
    Scene {
        name: "who was dialled closes gracefully: what it waits for is answered first",
        over: ALL,
        play: |stage| Box::pin(gracefully(stage, Side::Server)),
    },
    Scene {
        name: "who dialled closes with an error: nobody waits",
        over: ALL,
        play: |stage| Box::pin(at_once(stage, Side::Client, Blow::Close)),
    },
    Scene {
        name: "who was dialled closes with an error: nobody waits",
        over: ALL,
        play: |stage| Box::pin(at_once(stage, Side::Server, Blow::Close)),
    },
    Scene {
        name: "the node that dialled ends with an error: its connections go",
        over: ALL,
        play: |stage| Box::pin(at_once(stage, Side::Client, Blow::End)),
    },
    Scene {
        name: "the node that was dialled ends with an error: its connections go",
        over: ALL,
        play: |stage| Box::pin(at_once(stage, Side::Server, Blow::End)),
    },
    Scene {
        name: "a node that ends with an error takes all its connections along, dialled or accepted, with all open streams",
        over: ALL,
        play: |stage| Box::pin(ends_in_the_middle(stage)),
    },
    Scene {
        name: "the socket is cut where it was dialled",
        over: ALL,
        play: |stage| Box::pin(at_once(stage, Side::Client, Blow::Cut)),
    },
    Scene {
        name: "the socket is cut where it was accepted",
        over: ALL,
        play: |stage| Box::pin(at_once(stage, Side::Server, Blow::Cut)),
    },
    Scene {
        name: "a node that ends without an error lets nobody in; JavaScript keeps the connections it has, we finish them",
        over: ALL,
        play: |stage| Box::pin(node_ends(stage)),
    },
    Scene {
        name: "a connection on which nothing happens is closed by who dialled",
        over: ALL,
        play: |stage| Box::pin(idle(stage, Side::Client)),
    },
    Scene {
        name: "a connection on which nothing happens is closed by who was dialled",
        over: ALL,
        play: |stage| Box::pin(idle(stage, Side::Server)),
    },
    Scene {
        name: "a connection on which something happens outlives one on which nothing does",
        over: ALL,
        play: |stage| Box::pin(busy(stage)),
    },
    Scene {
        name: "an inactivity of nothing is never",
        over: ALL,
        play: |stage| Box::pin(patient(stage)),
    },
    Scene {
        name: "a connection of a node with itself may be silent for ever",
        over: ALL,
        play: |stage| Box::pin(with_itself(stage)),
    },
    Scene {
        name: "who connects and does not shake hands is sent away",
        over: ALL,
        play: |stage| Box::pin(silent_caller(stage)),
    },
    Scene {
        name: "who is dialled and does not shake hands is given up",
        over: &[Over::Net],
        play: |stage| Box::pin(silent_listener(stage)),
    },
];

/// An inactivity or a handshake that a scene waits for, in milliseconds. secret-stack looks every 200 ms.
const SOON: u64 = 400;

/// Between two calls that keep a connection busy.
const PAUSE: Duration = Duration::from_millis(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

/// One connection, as both ends have it.
struct Ends {
    server: Node,
    client: Node,
    there: Link,
    here: Link,
    address: String,
}

impl Ends {
    async fn meet(server: Node, client: Node) -> Result<Self> {
        let address = server.here().await?;
        let here = client.connect(address.as_str()).await?;
        server.until("connected", 1).await?;
        let there = server.link(0);
        Ok(Self {
            server,
            client,
            there,
            here,
            address,
        })
    }

    /// The node and its end of the connection on one side, and then on the other.
    fn sides(&self, first: Side) -> ((&Node, &Link), (&Node, &Link)) {
        let (server, client) = ((&self.server, &self.there), (&self.client, &self.here));
        match first {
            Side::Server => (server, client),
            Side::Client => (client, server),
        }
    }

    /// Waits until both know that it is over, and have nobody left.
    async fn over(&self) -> Result<Value> {
        for node in [&self.server, &self.client] {
            node.until("closed", 1).await?;
            node.until_peers(&json!({})).await?;
        }
        Ok(json!("over"))
    }
}

async fn meet(stage: &Stage<'_>) -> Result<Ends> {
    Ends::meet(stage.server(|_| {}).await?, stage.client(|_| {}).await?).await
}

async fn gracefully(stage: &Stage<'_>, side: Side) -> Outcome {
    let ends = meet(stage).await?;
    let ((_, link), _) = ends.sides(side);
    let call = link.call("test.later", json!([100, "late"]));
    // In this order: the call is made, then the close begins.
    let (answer, closed) = tokio::join!(biased; call, link.close(How::Gracefully));
    Ok((
        json!([{ "value": "late" }, { "closed": true }, "over"]),
        json!([answer?, closed?, ends.over().await?]),
    ))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    Close,
    End,
    Cut,
}

async fn at_once(stage: &Stage<'_>, side: Side, blow: Blow) -> Outcome {
    let ends = meet(stage).await?;
    let ((node, link), (_, other)) = ends.sides(side);
    let strike = async {
        // Both calls must be on their way: one behind them has been answered, in each direction.
        link.call("myNotes.who", json!([])).await?;
        other.call("myNotes.who", json!([])).await?;
        match blow {
            Blow::Close => link.close(How::Error).await.map(drop),
            Blow::End => node.end(How::Error).await,
            Blow::Cut => node.cut().await,
        }
    };
    let (mine, theirs, struck) = tokio::join!(biased;
        link.call("test.never", json!([])),
        other.call("test.never", json!([])),
        strike,
    );
    struck?;
    let over = ends.over().await?;
    // The words for a lost connection are each implementation's own affair.
    let lost = |outcome: Value| outcome.get("error").is_some();
    let again = match (side, blow) {
        // A node that has ended answers nobody.
        (Side::Server, Blow::End) => json!(ends.client.dial(ends.address.as_str()).await?.get("error").is_some()),
        (Side::Client, Blow::End) => json!(true),
        // One that has lost a connection takes the next.
        _ => {
            let link = ends.client.connect(ends.address.as_str()).await?;
            json!(link.call("myNotes.who", json!([])).await? == json!({ "value": ends.client.id }))
        }
    };
    Ok((
        json!([true, true, "over", true]),
        json!([lost(mine?), lost(theirs?), over, again]),
    ))
}

async fn ends_in_the_middle(stage: &Stage<'_>) -> Outcome {
    let middle = stage.server(|_| {}).await?;
    let dials = stage.client(|_| {}).await?;
    let is_dialled = stage.client(|options| options.seed = [8; 32]).await?;
    let accepted = dials.connect(middle.here().await?).await?;
    let dialled = middle.connect(is_dialled.here().await?).await?;
    let end = async {
        // The sources must be open: a call behind them has been answered.
        accepted.call("myNotes.who", json!([])).await?;
        dialled.call("myNotes.who", json!([])).await?;
        middle.end(How::Error).await
    };
    let (one, other, ended) = tokio::join!(biased;
        accepted.source("test.forever", json!([])),
        dialled.source("test.forever", json!([])),
        end,
    );
    ended?;
    middle.until("closed", 2).await?;
    dials.until("closed", 1).await?;
    is_dialled.until("closed", 1).await?;
    let broke = |outcome: Value| outcome.get("error").is_some();
    let left = [middle.peers().await?, dials.peers().await?, is_dialled.peers().await?];
    Ok((
        json!([true, true, [{}, {}, {}]]),
        json!([broke(one?), broke(other?), left]),
    ))
}

/// `close()` of secret-stack stops listening and is done when the last connection ends by itself; only its WebSocket server
/// closes those it has.
async fn node_ends(stage: &Stage<'_>) -> Outcome {
    let ends = meet(stage).await?;
    let keeps = stage.serves.make() == Make::Js && stage.over != Over::Ws;
    ends.server.end(How::Gracefully).await?;
    let connection = if keeps {
        ends.here.call("myNotes.say", json!(["still"])).await?
    } else {
        ends.over().await?
    };
    let other = stage.client(|options| options.seed = [8; 32]).await?;
    let again = other.dial(ends.address.as_str()).await?;
    let expected = if keeps {
        json!({ "value": "[(still!)]" })
    } else {
        json!("over")
    };
    Ok((
        json!([expected, true]),
        json!([connection, again.get("error").is_some()]),
    ))
}

async fn idle(stage: &Stage<'_>, side: Side) -> Outcome {
    let server = stage
        .server(|options| {
            if side == Side::Server {
                options.timers.inactivity = SOON;
            }
        })
        .await?;
    let client = stage
        .client(|options| {
            if side == Side::Client {
                options.timers.inactivity = SOON;
            }
        })
        .await?;
    Ok((json!("over"), Ends::meet(server, client).await?.over().await?))
}

/// Both are of the same age; the streams of one are the only thing that happens.
async fn busy(stage: &Stage<'_>) -> Outcome {
    // A machine that is busy with other things must not make a pause of this length.
    let server = stage.server(|options| options.timers.inactivity = 4 * SOON).await?;
    let busy = stage.client(|_| {}).await?;
    let idle = stage.client(|options| options.seed = [8; 32]).await?;
    let here = server.here().await?;
    let link = busy.connect(here.as_str()).await?;
    idle.connect(here).await?;
    let talk = async {
        loop {
            link.source("test.count", json!([3])).await?;
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::select! {
        ended = talk => return ended,
        closed = idle.until("closed", 1) => drop(closed?),
    }
    Ok((json!({ "value": busy.id }), link.call("myNotes.who", json!([])).await?))
}

async fn patient(stage: &Stage<'_>) -> Outcome {
    let server = stage.server(|options| options.timers.inactivity = 0).await?;
    let patient = stage.client(|options| options.timers.inactivity = 0).await?;
    let impatient = stage
        .client(|options| {
            options.seed = [8; 32];
            options.timers.inactivity = SOON;
        })
        .await?;
    let here = server.here().await?;
    let link = patient.connect(here.as_str()).await?;
    impatient.connect(here).await?;
    impatient.until("closed", 1).await?;
    Ok((
        json!({ "value": patient.id }),
        link.call("myNotes.who", json!([])).await?,
    ))
}

/// The connection with another that begins later is closed first: that shows that the time was long enough.
async fn with_itself(stage: &Stage<'_>) -> Outcome {
    let server = stage.server(|options| options.timers.inactivity = SOON).await?;
    let client = stage.client(|_| {}).await?;
    let here = server.here().await?;
    let itself = server.connect(here.as_str()).await?;
    client.connect(here).await?;
    client.until("closed", 1).await?;
    server.until("closed", 1).await?;
    Ok((
        json!({ "value": server.id }),
        itself.call("myNotes.who", json!([])).await?,
    ))
}

async fn silent_caller(stage: &Stage<'_>) -> Outcome {
    let server = stage.server(|options| options.timers.handshake = SOON).await?;
    let here = server.here().await?;
    let place = here.split('~').next().context("an address")?;
    let sent_away = async {
        match stage.over {
            Over::Net => until_end(TcpStream::connect(place.trim_start_matches("net:")).await?).await,
            Over::Ws => websocket_until_end(place.trim_start_matches("ws://")).await,
            Over::Unix | Over::Noauth => unix_until_end(place.trim_start_matches("unix:")).await,
        }
    };
    let sent_away = tokio::time::timeout(super::super::super::nodes::DEADLINE, sent_away)
        .await
        .context("it was not sent away")??;
    Ok((json!("sent away"), json!(sent_away)))
}

async fn until_end(mut stream: impl AsyncRead + Unpin) -> Result<&'static str> {
    // What a server that has had enough says is its own affair.
    let _ = stream.read_to_end(&mut Vec::new()).await;
    Ok("sent away")
}

#[cfg(unix)]
async fn unix_until_end(path: &str) -> Result<&'static str> {
    until_end(tokio::net::UnixStream::connect(path).await?).await
}

#[cfg(not(unix))]
async fn unix_until_end(_path: &str) -> Result<&'static str> {
    anyhow::bail!("there are no Unix sockets here")
}

/// Asks for a WebSocket and says nothing in it. A server that closes it waits a while for our leave; that it says so is enough.
async fn websocket_until_end(place: &str) -> Result<&'static str> {
    /// A frame that is whole and tells of the close.
    const CLOSE: u8 = 0x88;
    let mut tcp = TcpStream::connect(place).await?;
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {place}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    tcp.write_all(request.as_bytes()).await?;
    let mut said = Vec::new();
    while tcp.read_buf(&mut said).await.unwrap_or_default() > 0 {
        let headers = said.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        if headers.is_some_and(|end| said.get(end + 4) == Some(&CLOSE)) {
            break;
        }
    }
    let accepted = said.starts_with(b"HTTP/1.1 101 ");
    Ok(if accepted { "sent away" } else { "never let in" })
}

async fn silent_listener(stage: &Stage<'_>) -> Outcome {
    let client = stage.client(|options| options.timers.handshake = SOON).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let place = listener.local_addr()?;
    let accepting = async {
        let mut kept = Vec::new();
        while let Ok((tcp, _)) = listener.accept().await {
            kept.push(tcp);
        }
    };
    let dialling = client.dial(format!("net:{place}~shs:{}", super::super::base64([7; 32])));
    let dialled = tokio::select! {
        dialled = dialling => dialled?,
        () = accepting => Value::Null,
    };
    Ok((json!(true), json!(dialled.get("error").is_some())))
}
