//! `handfast snap wallet`: create, restore, list, show, delete, export.

use super::{password, trouble};
use crate::{
    args::{
        PasswordFrom, SnapWallet, WalletCommand, WalletCreate, WalletDelete, WalletExport, WalletList, WalletRestore,
        WalletShow, Wallets,
    },
    exit::Failure,
    figures::{columns, span},
    out::{self, Clean},
    signals::Stop,
};
use anyhow::{Context, anyhow};
use handfast_snap2p::{
    Network, Principal, UnixTime,
    wallet::{Mnemonic, PASSWORD_MIN, Store, Wallet},
};
use serde_json::json;
use std::{
    fs::OpenOptions,
    io::{IsTerminal, Write, stderr},
};
use zeroize::Zeroizing;

/// Words in one row, where they are shown.
const WORDS_IN_ROW: usize = 6;

pub(super) async fn run(command: SnapWallet) -> Result<(), Failure> {
    match command.command {
        WalletCommand::Create(options) => create(options).await,
        WalletCommand::Restore(options) => restore(options).await,
        WalletCommand::List(options) => list(&options),
        WalletCommand::Show(options) => show(options).await,
        WalletCommand::Delete(options) => delete(options).await,
        WalletCommand::Export(options) => export(&options),
    }
}

/// Where wallets are kept.
pub(super) fn store(place: &Wallets) -> Result<Store, Failure> {
    let dir = match &place.wallets {
        Some(dir) => dir.clone(),
        None => Store::default_dir().ok_or_else(|| {
            Failure::usage(anyhow!(
                "there is no home directory; say where wallets are with --wallets DIR"
            ))
        })?,
    };
    Store::open(dir).map_err(trouble)
}

pub(super) fn network(testnet: bool) -> Network {
    match testnet {
        true => Network::Testnet,
        false => Network::Mainnet,
    }
}

/// What is to be known of a principal, if anything.
pub(super) fn note(principal: &Principal) -> Option<String> {
    (!principal.is_taken_by_the_reference()).then(|| {
        "this address is shorter than 40 characters, as one in 240 is: it is a good one, but the TypeScript reference refuses it; \
         for talking to that, make another wallet"
            .into()
    })
}

/// Unlocks a saved wallet. It takes a moment, which is what makes guessing slow.
pub(super) async fn unlock(store: Store, name: &str, from: &PasswordFrom, stop: &mut Stop) -> Result<Wallet, Failure> {
    // Whoever mistyped the name is told before the password is asked for.
    store.entry(name).map_err(trouble)?;
    let password = password::old(from, name, stop).await?;
    let name = name.to_owned();
    slowly(stop, move || store.unlock(&name, &password).map_err(trouble)).await
}

/// Does what takes a while on another thread.
async fn slowly<T: Send + 'static>(
    stop: &mut Stop,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::select! {
        done = tokio::task::spawn_blocking(work) => done.map_err(Failure::local)?,
        () = stop.wait() => Err(Failure::local(anyhow!("interrupted"))),
    }
}

async fn create(options: WalletCreate) -> Result<(), Failure> {
    let mut stop = Stop::new()?;
    let store = store(&options.wallets)?;
    let mnemonic = Mnemonic::create().map_err(trouble)?;
    let words = mnemonic.phrase();
    let wallet = Wallet::new(mnemonic, network(options.testnet));
    let password = password::new(&options.password, PASSWORD_MIN, &mut stop).await?;
    save(store, &options.name, wallet, password, &mut stop).await?;
    if options.seed {
        return out::line(format_args!("{}", *words)).map_err(Failure::local);
    }
    match stderr().is_terminal() {
        true => out::tell!(
            "\nIts words, which are shown only now. Write them down: whoever has them has the identity.\n\n{}\n",
            *rows(&words)
        ),
        false => out::tell!(
            "handfast: its words were not shown, because this is no terminal; see them with: handfast snap wallet show '{}' --seed",
            Clean(&options.name)
        ),
    }
    Ok(())
}

async fn restore(options: WalletRestore) -> Result<(), Failure> {
    let mut stop = Stop::new()?;
    let store = store(&options.wallets)?;
    let quiet = password::Quiet::begin()?;
    let words = password::words(options.seed_fd, &mut stop).await?;
    let mnemonic = Mnemonic::parse(&words).map_err(trouble)?;
    let wallet = Wallet::new(mnemonic, network(options.testnet));
    let password = password::new(&options.password, PASSWORD_MIN, &mut stop).await?;
    drop(quiet);
    save(store, &options.name, wallet, password, &mut stop).await
}

/// Saves a wallet that is new here, and prints who it is.
async fn save(
    store: Store,
    name: &str,
    wallet: Wallet,
    password: Zeroizing<String>,
    stop: &mut Stop,
) -> Result<(), Failure> {
    let principal = wallet.account(0).map_err(trouble)?.principal();
    let called = name.to_owned();
    slowly(stop, move || store.create(&called, &wallet, &password).map_err(trouble)).await?;
    out::line(format_args!("{principal} {}", Clean(name))).map_err(Failure::local)?;
    if let Some(note) = note(&principal) {
        out::tell!("handfast: {note}");
    }
    Ok(())
}

fn list(options: &WalletList) -> Result<(), Failure> {
    let store = store(&options.wallets)?;
    for (path, error) in store.damaged().map_err(trouble)? {
        out::tell!("handfast: {}: {}", Clean(path.display()), Clean(error));
    }
    let entries = store.list().map_err(trouble)?;
    if options.json.json {
        for entry in entries {
            let value = json!({
                "id": entry.id.to_string(),
                "name": entry.name,
                "principal": format!("stacks:{}", entry.address),
                "network": network_name(entry.network),
                "createdAt": entry.created_at.as_secs(),
                "lastUsed": entry.last_used.map(UnixTime::as_secs),
            });
            out::json(&value).map_err(Failure::local)?;
        }
        return Ok(());
    }
    if entries.is_empty() {
        out::tell!("handfast: there is no wallet yet; make one with: handfast snap wallet create NAME");
        return Ok(());
    }
    let rows = entries.into_iter().map(|entry| {
        [
            Clean(&entry.name).to_string(),
            format!("stacks:{}", entry.address),
            network_name(entry.network).into(),
            ago(entry.created_at),
        ]
    });
    let table = columns(["NAME", "PRINCIPAL", "NETWORK", "CREATED"], rows);
    out::line(format_args!("{table}")).map_err(Failure::local)
}

fn ago(time: UnixTime) -> String {
    let since = UnixTime::now().as_secs().saturating_sub(time.as_secs());
    format!("{} ago", span(since.saturating_mul(1000)))
}

fn network_name(network: Network) -> &'static str {
    match network {
        Network::Mainnet => "mainnet",
        Network::Testnet => "testnet",
    }
}

async fn show(options: WalletShow) -> Result<(), Failure> {
    let mut stop = Stop::new()?;
    let store = store(&options.wallets)?;
    let wallet = unlock(store, &options.name, &options.password, &mut stop).await?;
    for index in 0..options.accounts {
        let principal = wallet.account(index).map_err(trouble)?.principal();
        let line = match options.accounts {
            1 => principal.to_string(),
            _ => format!("{index} {principal}"),
        };
        out::line(format_args!("{line}")).map_err(Failure::local)?;
        if let Some(note) = note(&principal) {
            out::tell!("handfast: {note}");
        }
    }
    if options.seed {
        out::line(format_args!("{}", *wallet.mnemonic().phrase())).map_err(Failure::local)?;
    }
    Ok(())
}

async fn delete(options: WalletDelete) -> Result<(), Failure> {
    let mut stop = Stop::new()?;
    let store = store(&options.wallets)?;
    let entry = store.entry(&options.name).map_err(trouble)?;
    let who = format!("{} (stacks:{})", Clean(&entry.name), entry.address);
    if !options.yes {
        if !password::somebody_is_there() {
            return Err(Failure::usage(anyhow!(
                "nobody is there to be asked whether {who} may be deleted; say --yes"
            )));
        }
        let question = format!("Delete {who}? Only its words bring it back.");
        if !password::confirm(&question, &mut stop).await? {
            return Err(Failure::local(anyhow!("{who} was kept")));
        }
    }
    store.delete(&entry.id).map_err(trouble)?;
    out::tell!("handfast: {who} is deleted");
    Ok(())
}

fn export(options: &WalletExport) -> Result<(), Failure> {
    let file = store(&options.wallets)?.export(&options.name).map_err(trouble)?;
    let Some(path) = &options.out else {
        return out::bytes(file.as_bytes()).map_err(Failure::local);
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .and_then(|mut out| out.write_all(file.as_bytes()).and_then(|()| out.sync_all()))
        .with_context(|| format!("cannot write {}", path.display()))
        .map_err(Failure::local)
}

/// The words in rows, with their numbers.
fn rows(words: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(words.len() * 4));
    for (number, word) in words.split(' ').enumerate() {
        if number > 0 && number % WORDS_IN_ROW == 0 {
            text.push('\n');
        }
        let cell = Zeroizing::new(format!("  {:>2} {word:<8}", number + 1));
        text.push_str(&cell);
    }
    text
}
