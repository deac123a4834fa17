//! `handfast snap listen`: shows who comes and what they say, or sends it back.

use super::{alias, lines::Lines, node};
use crate::{
    args::SnapListen,
    exit::Failure,
    out::{self, Clean},
    signals::Stop,
};
use handfast_snap2p::{
    Peer, Principal,
    tokio::{Incoming, Session, Stream},
};
use std::time::Duration;
use tokio::io::{AsyncWriteExt, copy_buf};

/// How long the rest of a line may stay away before it is shown as it is: some never end a line.
const PATIENCE: Duration = Duration::from_millis(300);

pub(super) async fn run(options: SnapListen) -> Result<(), Failure> {
    let mut stop = Stop::new()?;
    let node = node::start(&options.me, &[], &options.at.reached_at, &mut stop).await?;
    node.listen(&options.at, &options.me, options.port).await?;
    loop {
        tokio::select! {
            arrived = node.peer.accept() => match arrived {
                Some((session, incoming)) => {
                    if !options.echo {
                        tokio::spawn(show_alias(node.peer.clone(), session.clone()));
                    }
                    tokio::spawn(serve(session, incoming, options.echo));
                }
                None => break,
            },
            // What led to nothing is told on stderr, and nothing of it is lost on stdout.
            Some(failed) = node.peer.failed() => {
                out::tell!("handfast: turned away {}: {}", failed.from, Clean(failed.error));
            }
            () = stop.wait() => break,
        }
    }
    node.close().await;
    Ok(())
}

async fn serve(session: Session, mut incoming: Incoming, echo: bool) {
    let who = *session.principal();
    if !echo {
        show(format_args!("session {who} {}", node::from(&session)));
    }
    while let Some(stream) = incoming.next().await {
        match echo {
            true => tokio::spawn(send_back(stream)),
            false => tokio::spawn(show_stream(who, stream)),
        };
    }
    if !echo {
        show(format_args!("left {who}"));
    }
}

/// Prints what somebody wants to be called, if they say so while they are here.
async fn show_alias(peer: Peer, session: Session) {
    let who = *session.principal();
    tokio::select! {
        alias = alias(&peer, &who) => show(format_args!("alias {who} {alias}")),
        _ = session.closed() => {}
    }
}

async fn send_back(stream: Stream) {
    let label = stream.label().to_owned();
    let (mut reader, mut writer) = stream.into_split();
    let result = async {
        copy_buf(&mut reader, &mut writer).await?;
        writer.shutdown().await
    };
    if let Err(error) = result.await {
        tracing::info!(label = %Clean(label), error = %Clean(error), "a stream broke off");
    }
}

async fn show_stream(who: Principal, stream: Stream) {
    show(format_args!("stream {who} {}", Clean(stream.label())));
    let (reader, mut writer) = stream.into_split();
    let mut lines = Lines::new(reader, Some(PATIENCE));
    loop {
        match lines.next().await {
            Ok(Some(line)) => show(format_args!("text {who} {}", Clean(line))),
            Ok(None) => break,
            Err(error) => {
                tracing::info!(%who, error = %Clean(error), "a stream broke off");
                return;
            }
        }
    }
    // Whoever waits for an answer learns that there is none.
    let _ = writer.shutdown().await;
}

/// Prints a line; a full disk behind stdout is no reason to turn peers away.
fn show(line: std::fmt::Arguments<'_>) {
    if let Err(error) = out::line(line) {
        tracing::warn!(%error, "cannot print");
    }
}
