//! `handfast snap chat`: two people, one stream, line by line.

mod plain;
mod screen;

use super::{alias, lines::Lines, node, trouble};
use crate::{args::SnapChat, exit::Failure, signals::Stop};
use anyhow::anyhow;
use handfast_snap2p::{
    ErrorCode, Peer, Principal,
    tokio::{Incoming, Session, Stream, StreamReader, StreamWriter},
};
use std::io::{IsTerminal, stdin, stdout};
use tokio::{
    io::AsyncWriteExt,
    sync::mpsc::{self, Receiver, Sender},
};

/// The label of the stream, as the reference has it.
const LABEL: &str = "chat";
/// What leaves the chat when it is typed.
const QUIT: &str = "quit";
/// Lines that have come and wait to be shown; beyond it we stop reading, and the other side waits.
const HAPPENINGS: usize = 256;
/// Lines that were typed and wait to be sent.
const SAID: usize = 16;

/// Something that happens in the chat. Its texts are the other side's, as they came.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Happening {
    /// The other side says something.
    Said(String),
    /// The other side wants to be called so; made fit to be shown.
    Called(String),
    /// The other side says nothing more, and may still listen.
    Silent,
    /// The other side has hung up.
    Left,
    /// The connection broke.
    Broke(String),
}

/// The two who talk.
#[derive(Debug, Clone, Copy)]
struct Two {
    me: Principal,
    other: Principal,
}

/// How the talk ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ended {
    /// Somebody left.
    Well,
    /// The connection broke.
    Broken(String),
}

pub(super) async fn run(options: SnapChat) -> Result<(), Failure> {
    if options.target.is_some() && options.at.is_used() {
        return Err(Failure::usage(anyhow!(
            "--invite and --announce are for who listens; to show an invite, dial it, or say --token"
        )));
    }
    let mut stop = Stop::new()?;
    let node = node::start(&options.me, &options.whom.via, &options.at.reached_at, &mut stop).await?;
    let result = async {
        let met = match (&options.target, options.listen) {
            (Some(target), _) => {
                let session = node
                    .dial(target, &options.whom, options.token.as_ref(), &mut stop)
                    .await?;
                let stream = session.open_stream(LABEL).await.map_err(trouble)?;
                Some((session, stream))
            }
            (None, Some(port)) => {
                node.listen(&options.at, &options.me, port).await?;
                // With room for one: whoever comes while two talk is refused.
                let (found, mut first) = mpsc::channel(1);
                tokio::spawn(answer(node.peer.clone(), found));
                tokio::select! {
                    met = first.recv() => met,
                    () = stop.wait() => None,
                }
            }
            (None, None) => return Err(Failure::usage(anyhow!("say whom to dial, or where to --listen"))),
        };
        match met {
            Some((session, stream)) => {
                let two = Two {
                    me: *node.peer.principal(),
                    other: *session.principal(),
                };
                talk(&node.peer, two, session, stream, &mut stop).await
            }
            None => Ok(()),
        }
    };
    let result = result.await;
    node.close().await;
    result
}

/// Hands out the first one who opens a chat. Those who come later are refused.
async fn answer(peer: Peer, found: Sender<(Session, Stream)>) {
    while let Some((session, incoming)) = peer.accept().await {
        tokio::spawn(look_for_chat(session, incoming, found.clone()));
    }
}

async fn look_for_chat(session: Session, mut incoming: Incoming, found: Sender<(Session, Stream)>) {
    while let Some(stream) = incoming.next().await {
        if stream.label() != LABEL {
            stream.reset(ErrorCode::StreamRefused);
        } else if let Err(late) = found.try_send((session.clone(), stream)) {
            let (_, stream) = late.into_inner();
            stream.reset(ErrorCode::StreamRefused);
        }
    }
}

async fn talk(peer: &Peer, two: Two, session: Session, stream: Stream, stop: &mut Stop) -> Result<(), Failure> {
    let (reader, writer) = stream.into_split();
    let (tell, happenings) = mpsc::channel(HAPPENINGS);
    let (say, said) = mpsc::channel(SAID);
    let naming = tokio::spawn(hear_alias(peer.clone(), two.other, tell.clone()));
    let hearing = tokio::spawn(hear(session, reader, tell.clone()));
    let speaking = tokio::spawn(speak(writer, said, tell));
    let ended = match stdin().is_terminal() && stdout().is_terminal() {
        true => screen::run(two, happenings, say, stop).await,
        false => plain::run(two, happenings, say, stop).await,
    };
    // What was said still leaves: the sender is gone, so this ends by itself.
    tokio::select! {
        _ = speaking => {}
        () = stop.wait() => {}
    }
    hearing.abort();
    naming.abort();
    match ended? {
        Ended::Well => Ok(()),
        Ended::Broken(why) => Err(Failure::connection(anyhow!("the connection broke: {why}"))),
    }
}

async fn hear_alias(peer: Peer, who: Principal, tell: Sender<Happening>) {
    let alias = alias(&peer, &who).await;
    let _ = tell.send(Happening::Called(alias)).await;
}

async fn hear(session: Session, reader: StreamReader, tell: Sender<Happening>) {
    let mut lines = Lines::new(reader, None);
    loop {
        let happening = match lines.next().await {
            Ok(Some(line)) if line.trim().is_empty() => continue,
            Ok(Some(line)) => Happening::Said(line),
            Ok(None) => Happening::Silent,
            Err(error) => Happening::Broke(error.to_string()),
        };
        let (silent, last) = (happening == Happening::Silent, !matches!(happening, Happening::Said(_)));
        let told = tell.send(happening).await;
        if silent {
            session.closed().await;
            let _ = tell.send(Happening::Left).await;
        }
        if told.is_err() || last {
            return;
        }
    }
}

async fn speak(mut writer: StreamWriter, mut said: Receiver<String>, tell: Sender<Happening>) {
    while let Some(line) = said.recv().await {
        if let Err(error) = writer.write_all(format!("{line}\n").as_bytes()).await {
            let _ = tell.send(Happening::Broke(error.to_string())).await;
            return;
        }
    }
    let _ = writer.shutdown().await;
}

/// The two ends of a principal's address: enough to tell two people apart, and short enough to stand before a line.
fn short(principal: &Principal) -> String {
    let address = principal.address().to_string();
    let (head, tail) = (address.get(..6), address.get(address.len().saturating_sub(4)..));
    match (head, tail) {
        (Some(head), Some(tail)) => format!("{head}…{tail}"),
        _ => address,
    }
}
