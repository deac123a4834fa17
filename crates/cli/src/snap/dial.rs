//! `handfast snap dial`: says something to somebody, and prints the answer.

use super::{lines::Lines, node, trouble};
use crate::{
    args::SnapDial,
    exit::Failure,
    out::{self, Clean},
    signals::Stop,
};
use anyhow::anyhow;
use handfast_snap2p::tokio::Session;
use std::time::Duration;
use tokio::{
    io::AsyncWriteExt,
    time::{Instant, timeout_at},
};

/// How long nothing may come before an answer that has begun is over: the reference never ends one.
const QUIET: Duration = Duration::from_secs(1);

pub(super) async fn run(options: SnapDial) -> Result<(), Failure> {
    let mut stop = Stop::new()?;
    let node = node::start(&options.me, &options.whom.via, &[], &mut stop).await?;
    let session = node
        .dial(&options.target, &options.whom, options.invite.as_ref(), &mut stop)
        .await?;
    let result = tokio::select! {
        result = ask(&session, &options) => result,
        () = stop.wait() => Err(Failure::connection(anyhow!("interrupted"))),
    };
    node.close().await;
    result
}

async fn ask(session: &Session, options: &SnapDial) -> Result<(), Failure> {
    let until = Instant::now() + Duration::from_secs(u64::from(options.timeout));
    let mut stream = session.open_stream(&options.label).await.map_err(trouble)?;
    stream.write_all(options.message.as_bytes()).await.map_err(broken)?;
    // It may go on reading, and does; only our half ends.
    stream.shutdown().await.map_err(broken)?;

    let mut lines = Lines::new(stream, Some(QUIET));
    let mut answered = false;
    loop {
        let wait = match answered {
            true => until.min(Instant::now() + QUIET),
            false => until,
        };
        match timeout_at(wait, lines.next()).await {
            Ok(Ok(Some(line))) => out::line(format_args!("{}", Clean(line))).map_err(Failure::local)?,
            Ok(Ok(None)) => {
                if !answered {
                    out::tell!("handfast: they have heard it, and answer nothing");
                }
                return Ok(());
            }
            Ok(Err(error)) => return Err(broken(error)),
            Err(_) if answered => return Ok(()),
            Err(_) => {
                return Err(Failure::connection(anyhow!(
                    "no answer has come for {} s; the other side is there, and may want another --label or more --timeout",
                    options.timeout
                )));
            }
        }
        answered = true;
    }
}

fn broken(error: std::io::Error) -> Failure {
    Failure::remote(anyhow::Error::new(error).context("the other side broke the stream off"))
}
