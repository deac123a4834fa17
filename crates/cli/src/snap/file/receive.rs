//! `handfast snap receive`.

use super::{
    disk::{self, Place},
    message::{LABEL, Offer},
    name::harmless,
    travel::{self, Offered},
};
use crate::{
    args::SnapReceive,
    exit::Failure,
    figures,
    out::{self, Clean},
    signals::Stop,
    snap::{ALIAS, node, password},
    talk::tame,
};
use anyhow::{Context, anyhow};
use handfast_snap2p::{
    ErrorCode, Peer, Principal,
    tokio::{Incoming, Session, Stream},
};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    sync::{Mutex, Notify, Semaphore, mpsc},
    time::timeout,
};

/// How long the offer may take once its stream is open: it is one line.
const OFFER: Duration = Duration::from_secs(30);
/// How many files may come at once, questions that wait for an answer among them: each holds an open file, and more questions than
/// these nobody answers.
const AT_ONCE: usize = 16;
/// How long the sender may take to hear that the file has arrived, before we end.
const FAREWELL: Duration = Duration::from_secs(2);

/// What all transfers share.
struct Desk {
    peer: Peer,
    options: SnapReceive,
    /// Whoever asks in the terminal asks alone.
    terminal: Mutex<()>,
    arrived: mpsc::Sender<()>,
    /// Who holds one may come.
    places: Semaphore,
    /// Somebody who was asked pressed Ctrl-C, which no signal tells while a question is open.
    interrupted: Notify,
}

pub(in crate::snap) async fn run(options: SnapReceive) -> Result<(), Failure> {
    let asks = !options.yes && options.me.allow.is_empty();
    if asks && !password::somebody_is_there() {
        return Err(Failure::usage(anyhow!(
            "nobody is there to be asked whether a file is wanted; say from whom to take files with --allow PRINCIPAL, or --yes"
        )));
    }
    let into = &options.into;
    if !into.is_dir() {
        return Err(Failure::usage(anyhow!(
            "{} is no folder; make it, or name another one with --into",
            into.display()
        )));
    }
    let mut stop = Stop::new()?;
    let node = node::start(&options.me, &[], &options.at.reached_at, &mut stop).await?;
    node.listen(&options.at, &options.me, options.port).await?;
    let once = options.once;
    let (arrived, mut arrivals) = mpsc::channel(1);
    let desk = Arc::new(Desk {
        peer: node.peer.clone(),
        options,
        terminal: Mutex::new(()),
        arrived,
        places: Semaphore::new(AT_ONCE),
        interrupted: Notify::new(),
    });
    loop {
        tokio::select! {
            came = node.peer.accept() => match came {
                Some((session, incoming)) => {
                    tokio::spawn(desk.clone().serve(session, incoming));
                }
                None => break,
            },
            Some(()) = arrivals.recv() => if once {
                break;
            },
            Some(failed) = node.peer.failed() => {
                out::tell!("handfast: turned away {}: {}", failed.from, Clean(failed.error));
            }
            () = desk.interrupted.notified() => break,
            () = stop.wait() => break,
        }
    }
    node.close().await;
    Ok(())
}

impl Desk {
    async fn serve(self: Arc<Self>, session: Session, mut incoming: Incoming) {
        let who = *session.principal();
        while let Some(stream) = incoming.next().await {
            if stream.label() != LABEL {
                stream.reset(ErrorCode::StreamRefused);
                continue;
            }
            let desk = self.clone();
            let session = session.clone();
            tokio::spawn(async move {
                match desk.receive(stream, who).await {
                    Ok(true) => {
                        // The sender hangs up when it has heard that all is well.
                        let _ = timeout(FAREWELL, session.closed()).await;
                        let _ = desk.arrived.send(()).await;
                    }
                    Ok(false) => {}
                    Err(failure) => out::tell!("handfast: from {who}: {failure}"),
                }
            });
        }
    }

    /// Takes one file, or not. Whether it has arrived.
    async fn receive(&self, stream: Stream, who: Principal) -> Result<bool, Failure> {
        let offered = timeout(OFFER, travel::offered(stream))
            .await
            .map_err(|_| Failure::connection(anyhow!("no offer has come")))??;
        let Ok(_place) = self.places.try_acquire() else {
            offered.refuse("too many files come at once; try again later").await;
            return Err(Failure::local(anyhow!(
                "{AT_ONCE} files come already, and no more are taken at once"
            )));
        };
        let offer = offered.offer.clone();
        if let Err(why) = self.wanted(&offer, who).await? {
            out::tell!(
                "handfast: {} from {who} is refused: {why}",
                Clean(harmless(&offer.name))
            );
            offered.refuse(&why).await;
            return Ok(false);
        }
        let path = self.take(offered, who).await?;
        if let Some(path) = path {
            out::tell!(
                "handfast: {} from {who}, SHA-256 {}",
                figures::bytes(offer.size),
                offer.sha256
            );
            out::line(format_args!("received {}", Clean(path.display()))).map_err(Failure::local)?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Whether the file is wanted; why not.
    async fn wanted(&self, offer: &Offer, who: Principal) -> Result<Result<(), String>, Failure> {
        let most = self.options.max_size;
        if offer.size > most {
            return Ok(Err(format!(
                "it has {} bytes, and at most {most} are taken",
                offer.size
            )));
        }
        // Whoever --allow does not name has not come so far.
        if self.options.yes || !self.options.me.allow.is_empty() {
            return Ok(Ok(()));
        }
        let _alone = self.terminal.lock().await;
        let question = format!(
            "Take {} ({}) from {}?",
            Clean(harmless(&offer.name)),
            figures::bytes(offer.size),
            self.shown(&who)
        );
        match password::confirm(&question, &mut Stop::new()?).await {
            Ok(true) => Ok(Ok(())),
            Ok(false) => Ok(Err("it is not wanted".into())),
            Err(failure) => {
                self.interrupted.notify_one();
                Err(failure)
            }
        }
    }

    /// A principal, and what it wants to be called if it has said so: names are free, and prove nothing.
    fn shown(&self, who: &Principal) -> String {
        match self.peer.alias_of(who) {
            Some(card) => format!("{who}, who is called {}", tame(&card.display_name, ALIAS)),
            None => who.to_string(),
        }
    }

    async fn take(&self, offered: Offered<Stream>, who: Principal) -> Result<Option<PathBuf>, Failure> {
        let (dir, force, offer) = (self.options.into.clone(), self.options.force, offered.offer.clone());
        let prepared = {
            let dir = dir.clone();
            tokio::task::spawn_blocking(move || disk::prepare(&dir, &offer, force))
        };
        match prepared.await.map_err(Failure::local)? {
            Ok(Place::Partial(partial)) => {
                let bar = super::bar(&Clean(harmless(&offered.offer.name)).to_string());
                bar.set_length(offered.offer.size);
                if partial.from > 0 {
                    out::tell!("handfast: going on after {}, from {who}", figures::bytes(partial.from));
                }
                let result = offered.take(partial, &bar).await;
                bar.finish_and_clear();
                result.map(Some)
            }
            Ok(Place::Whole(path)) => {
                offered.have().await;
                Ok(Some(path))
            }
            Ok(Place::Taken(path)) => {
                offered.refuse("there is another file of this name").await;
                Err(Failure::local(anyhow!(
                    "{} is there already, and was not overwritten; move it away, or say --force",
                    path.display()
                )))
            }
            Ok(Place::Busy) => {
                offered.refuse("it is being received right now").await;
                Err(Failure::local(anyhow!("the same file is being received right now")))
            }
            Err(error) => {
                offered.refuse("it cannot be written there").await;
                let what = format!("cannot write to {}", dir.display());
                Err(error).context(what).map_err(Failure::local)
            }
        }
    }
}
