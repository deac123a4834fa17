//! `handfast gossip node`: secure-gossip over TCP.

use super::identity;
use crate::{
    args::{self, Place},
    exit::Failure,
    home::Home,
    out::{self, Clean},
    signals::Stop,
};
use anyhow::Context;
use handfast_gossip::{Gossip, Messages, Options};
use handfast_json::Value;
use std::{future::pending, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, BufReader, stdin},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

/// The most peers that have dialled us at a time. There is no handshake, so a stranger costs what a friend does.
const MAX_INCOMING: usize = 512;
/// How many messages wait at most for whoever reads stdout: bursts are longer than the buffer of a pipe. Beyond that the oldest
/// are lost, and that is told, since otherwise one that does not read would fill the memory.
const WAITING_MESSAGES: usize = 65_536;
/// How many bytes they have at most.
const WAITING_BYTES: usize = 64 << 20;
/// How long dialling may take: as long as most systems need to notice that a packet was lost twice.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// How soon a peer that has gone is dialled again. The wait doubles until it is [`BACKOFF_MAX`].
const BACKOFF_MIN: Duration = Duration::from_millis(250);
/// How long at most between two tries: a peer that comes back is found within this time.
const BACKOFF_MAX: Duration = Duration::from_secs(15);
/// A connection that lasted so long was no failure, and what comes next begins anew.
const LASTED: Duration = Duration::from_secs(10);

pub(super) async fn run(home: &Home, options: args::GossipNode) -> Result<(), Failure> {
    let mut stop = Stop::new()?;
    let said = options
        .say
        .iter()
        .map(|text| read(text.as_bytes()).map_err(Failure::usage));
    let said: Vec<Value> = said.collect::<Result<_, _>>()?;
    let gossip = Gossip::new(Options {
        interval: Some(options.interval),
        queue_messages: WAITING_MESSAGES,
        queue_bytes: WAITING_BYTES,
        ..Options::new(identity(home, &options.who)?)
    });
    let gossip = gossip.map_err(Failure::local)?;
    // Before anything can be heard.
    let messages = gossip.messages();

    let mut tasks = JoinSet::new();
    let room = Arc::new(Semaphore::new(MAX_INCOMING));
    for place in &options.listen {
        let listener = listen(place).await?;
        let bound = listener.local_addr().map_err(Failure::local)?;
        out::line(format_args!("listening {bound}")).map_err(Failure::local)?;
        tasks.spawn(accept(listener, gossip.clone(), room.clone()));
    }
    for value in said {
        gossip.publish(value).map_err(Failure::usage)?;
    }
    for place in options.dial {
        tasks.spawn(keep_dialling(place, gossip.clone()));
    }
    tasks.spawn(publish_lines(gossip.clone()));
    let result = tokio::select! {
        result = print(messages) => result,
        () = stop.wait() => Ok(()),
    };
    // What was said last still goes out; whoever cannot wait for slow peers says so.
    tokio::select! {
        () = gossip.stop() => {}
        () = stop.wait() => {}
    }
    result
}

fn read(text: &[u8]) -> anyhow::Result<Value> {
    Ok(handfast_json::parse(text.trim_ascii())?)
}

async fn listen(place: &Place) -> Result<TcpListener, Failure> {
    let bound = TcpListener::bind((place.host.as_str(), place.port)).await;
    bound
        .with_context(|| format!("cannot listen on {place}"))
        .map_err(Failure::usage)
}

async fn accept(listener: TcpListener, gossip: Gossip, room: Arc<Semaphore>) {
    let mut peers = JoinSet::new();
    loop {
        // Whoever comes when all places are taken waits in the system's queue.
        let Ok(place) = room.clone().acquire_owned().await else {
            return;
        };
        let accepted = loop {
            tokio::select! {
                accepted = listener.accept() => break accepted,
                Some(_) = peers.join_next() => {}
            }
        };
        match accepted {
            Ok((tcp, from)) => {
                let gossip = gossip.clone();
                peers.spawn(async move {
                    talk(&gossip, tcp, &from).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept");
                // The process may have too many files open, which does not change at once.
                sleep(BACKOFF_MIN).await;
            }
        }
    }
}

async fn keep_dialling(place: Place, gossip: Gossip) {
    let mut wait = BACKOFF_MIN;
    loop {
        let dialled = timeout(DIAL_TIMEOUT, TcpStream::connect((place.host.as_str(), place.port))).await;
        let since = Instant::now();
        match dialled {
            Ok(Ok(tcp)) => talk(&gossip, tcp, &place).await,
            Ok(Err(error)) => tracing::info!(%place, %error, "cannot reach"),
            Err(_) => tracing::info!(%place, "does not answer"),
        }
        if since.elapsed() >= LASTED {
            wait = BACKOFF_MIN;
        }
        sleep(wait).await;
        wait = (wait * 2).min(BACKOFF_MAX);
    }
}

/// Gossips with one peer until it goes.
async fn talk(gossip: &Gossip, tcp: TcpStream, peer: &impl std::fmt::Display) {
    // Messages are small, and whoever waits for one waits for the whole of it.
    let _ = tcp.set_nodelay(true);
    tracing::info!(%peer, "connected");
    match gossip.create_peer_stream(tcp).await {
        Ok(()) => tracing::info!(%peer, "gone"),
        Err(error) => tracing::info!(%peer, %error, "gone"),
    }
}

/// Publishes each line of stdin.
async fn publish_lines(gossip: Gossip) {
    let mut input = BufReader::new(stdin());
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        match input.read_until(b'\n', &mut line).await {
            // The end of stdin ends nothing.
            Ok(0) => break,
            Ok(_) if line.trim_ascii().is_empty() => continue,
            Ok(_) => {}
            Err(error) => {
                out::tell!("handfast: cannot read line {number} of stdin: {error}");
                break;
            }
        }
        let published = read(&line).and_then(|value| Ok(gossip.publish(value)?));
        if let Err(error) = published {
            out::tell!("handfast: line {number} of stdin: {}", Clean(format!("{error:#}")));
        }
    }
    pending().await
}

/// Prints each message as it is heard.
async fn print(mut messages: Messages) -> Result<(), Failure> {
    while let Some((message, info)) = messages.next().await {
        if info.missed > 0 {
            out::tell!(
                "handfast: {} messages are missing here, for they came faster than stdout took them",
                info.missed
            );
        }
        let text = format!(
            "{{\"public\":\"{}\",\"message\":{}}}",
            info.public_text(),
            message.to_compact()
        );
        out::line(format_args!("{}", out::json_line(&text))).map_err(Failure::local)?;
    }
    // The messages end when the gossip is stopped, which this program does itself.
    pending().await
}
