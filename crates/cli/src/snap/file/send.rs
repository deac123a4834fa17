//! `handfast snap send`.

use super::{message::LABEL, travel};
use crate::{
    args::SnapSend,
    exit::Failure,
    figures,
    out::{self, Clean},
    signals::Stop,
    snap::{node, trouble},
};
use anyhow::anyhow;
use handfast_snap2p::tokio::Session;
use indicatif::ProgressBar;

pub(in crate::snap) async fn run(options: SnapSend) -> Result<(), Failure> {
    let mut stop = Stop::new()?;
    let bar = super::bar("checking");
    let path = options.file.clone();
    // The file is read before anybody is dialled: whoever waits at the other end waits for bytes, and not for a checksum.
    let reading = {
        let bar = bar.clone();
        tokio::task::spawn_blocking(move || travel::offer_of(&path, &bar))
    };
    let (file, offer) = tokio::select! {
        read = reading => read.map_err(Failure::local)??,
        () = stop.wait() => return Err(Failure::local(anyhow!("interrupted"))),
    };
    bar.finish_and_clear();

    let node = node::start(&options.me, &options.whom.via, &[], &mut stop).await?;
    let session = node
        .dial(&options.target, &options.whom, options.invite.as_ref(), &mut stop)
        .await?;
    let who = *session.principal();
    let bar = super::bar("sending");
    bar.set_length(offer.size);
    let (size, checksum) = (offer.size, offer.sha256);
    let result = tokio::select! {
        result = give(&session, tokio::fs::File::from_std(file), offer, &bar) => result,
        () = stop.wait() => Err(Failure::connection(anyhow!("interrupted; send the same file again and it goes on from there"))),
    };
    bar.finish_and_clear();
    node.close().await;
    let from = result?;
    if from > 0 {
        out::tell!("handfast: {} of it were there already", figures::bytes(from));
    }
    out::line(format_args!(
        "sent {checksum} {size} {who} {}",
        Clean(options.file.display())
    ))
    .map_err(Failure::local)
}

async fn give(
    session: &Session,
    file: tokio::fs::File,
    offer: super::message::Offer,
    bar: &ProgressBar,
) -> Result<u64, Failure> {
    let stream = session.open_stream(LABEL).await.map_err(trouble)?;
    travel::give(stream, file, offer, bar).await
}
