//! `handfast snap signin`: choose, create, restore, unlock or delete an identity, in the terminal.

mod flow;
mod screen;

use super::{trouble, wallet};
use crate::{
    args::SnapSignin,
    exit::Failure,
    out,
    signals::Stop,
    terminal::{Events, Full},
};
use anyhow::anyhow;
use flow::{Done, Flow, Reaction, Ready, Saved, Screen, Work};
use handfast_snap2p::{
    Error, Network, Principal,
    wallet::{Store, Wallet},
};
use std::{
    io::{IsTerminal, stdin, stdout},
    sync::Arc,
};
use tokio::task::JoinHandle;

pub(super) async fn run(options: SnapSignin) -> Result<(), Failure> {
    if !(stdin().is_terminal() && stdout().is_terminal()) {
        return Err(Failure::usage(anyhow!(
            "signing in needs a terminal; in scripts use handfast snap wallet create, and -w NAME --password-fd N"
        )));
    }
    let mut stop = Stop::new()?;
    let store = Arc::new(wallet::store(&options.wallets)?);
    let saved = saved(&store).map_err(trouble)?;
    let network = wallet::network(options.testnet);

    match show(Full::begin()?, Flow::new(saved), store, network, &mut stop).await? {
        Some(ready) => {
            if let Some(note) = ready.note {
                out::tell!("handfast: {note}");
            }
            out::line(format_args!("{} {}", ready.principal, out::Clean(ready.name))).map_err(Failure::local)
        }
        None => Ok(()),
    }
}

/// Shows the screens until the user leaves. Who signed in, if anybody did.
async fn show(
    mut terminal: Full,
    mut flow: Flow,
    store: Arc<Store>,
    network: Network,
    stop: &mut Stop,
) -> Result<Option<Ready>, Failure> {
    let mut events = Events::new();
    let mut working: Option<JoinHandle<Result<Done, Error>>> = None;
    loop {
        terminal.draw(|frame| screen::draw(&flow, frame))?;
        let reaction = tokio::select! {
            event = events.next() => match event {
                Some(Ok(event)) => flow.react(&event),
                Some(Err(error)) => return Err(Failure::local(error)),
                None => Reaction::Leave,
            },
            done = async { working.as_mut()?.await.into() }, if working.is_some() => {
                working = None;
                match done {
                    Some(Ok(result)) => flow.done(result.map_err(|error| super::explain(&error))),
                    Some(Err(error)) => return Err(Failure::local(error)),
                    None => {}
                }
                Reaction::Stay
            }
            () = stop.wait() => Reaction::Leave,
        };
        match reaction {
            Reaction::Stay => {}
            Reaction::Work(work) => {
                let store = store.clone();
                working = Some(tokio::task::spawn_blocking(move || do_it(&store, network, work)));
            }
            Reaction::Leave => {
                return Ok(match flow.screen {
                    Screen::Ready(ready) => Some(ready),
                    _ => None,
                });
            }
        }
    }
}

fn do_it(store: &Store, network: Network, work: Work) -> Result<Done, Error> {
    match work {
        Work::Unlock { who, password } => {
            let wallet = store.unlock(&who.id, &password)?;
            ready(who.name, &wallet).map(Done::Open)
        }
        Work::Save {
            mnemonic,
            name,
            password,
        } => {
            let wallet = Wallet::new(mnemonic, network);
            store.create(&name, &wallet, &password)?;
            ready(name, &wallet).map(Done::Open)
        }
        Work::Delete(who) => {
            store.delete(&who.id)?;
            saved(store).map(Done::Deleted)
        }
    }
}

fn ready(name: String, wallet: &Wallet) -> Result<Ready, Error> {
    let principal: Principal = wallet.account(0)?.principal();
    Ok(Ready {
        name,
        principal: principal.to_string(),
        note: wallet::note(&principal),
    })
}

fn saved(store: &Store) -> Result<Vec<Saved>, Error> {
    let entries = store.list()?;
    Ok(entries
        .into_iter()
        .map(|entry| Saved {
            id: entry.id.to_string(),
            name: entry.name.to_string(),
            address: entry.address.to_string(),
        })
        .collect())
}
