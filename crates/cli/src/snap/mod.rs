//! `handfast snap`: SNaP2P, sessions with people who prove who they are by a Stacks wallet.

mod chat;
mod dial;
mod file;
mod lines;
mod listen;
mod node;
mod password;
mod signin;
mod wallet;

use crate::{
    args::{Snap, SnapCommand, Voucher},
    exit::Failure,
    signals::Stop,
    talk::tame,
};
use handfast_snap2p::{Error, Network, Peer, Principal, WalletFault, WalletKey, wallet::Wallet};
use std::io::ErrorKind;

/// How many characters of somebody's alias are shown.
const ALIAS: usize = 32;

pub(crate) async fn run(command: Snap) -> Result<(), Failure> {
    match command.command {
        SnapCommand::Wallet(options) => wallet::run(options).await,
        SnapCommand::Signin(options) => signin::run(options).await,
        SnapCommand::Listen(options) => listen::run(options).await,
        SnapCommand::Dial(options) => dial::run(options).await,
        SnapCommand::Chat(options) => chat::run(options).await,
        SnapCommand::Send(options) => file::send(options).await,
        SnapCommand::Receive(options) => file::receive(options).await,
    }
}

/// The key of a saved wallet, for a node that speaks SNaP2P.
pub(crate) async fn vouch(name: &str, from: &Voucher, stop: &mut Stop) -> Result<(WalletKey, Network), Failure> {
    let wallet = wallet::unlock(wallet::store(&from.wallets)?, name, &from.password, stop).await?;
    key_of(&wallet)
}

/// The key of a wallet that is used once, on the network of whom it is to meet.
pub(crate) fn vouch_once(other: &Principal) -> Result<(WalletKey, Network), Failure> {
    let network = other.address().network().unwrap_or(Network::Mainnet);
    key_of(&Wallet::ephemeral(network).map_err(trouble)?)
}

fn key_of(wallet: &Wallet) -> Result<(WalletKey, Network), Failure> {
    let account = wallet.account(0).map_err(trouble)?;
    Ok((account.key().clone(), wallet.network()))
}

/// What somebody wants to be called, once that is known; it may never be.
async fn alias(peer: &Peer, who: &Principal) -> String {
    tame(&peer.wait_for_alias(who).await.display_name, ALIAS)
}

/// What went wrong, with what to do about it.
fn explain(error: &Error) -> String {
    let said = match error {
        // Some say the same twice.
        Error::Refused { code, reason } if *reason == code.to_string() => format!("the peer refused: {code}"),
        error => error.to_string(),
    };
    let remedy = match error {
        Error::Wallet(WalletFault::Password) => "try again; the words restore a wallet whose password is lost",
        Error::Alias(_) => "choose another one for --alias, of 1 to 64 bytes",
        Error::NotAllowed(_) => "name them with --allow if that is wanted",
        Error::Refused { code, .. } => match code {
            handfast_snap2p::ErrorCode::NotAllowed => "they have to --allow your principal, so come with -w NAME",
            handfast_snap2p::ErrorCode::InvalidToken => "ask for a new invite",
            handfast_snap2p::ErrorCode::InviteRequired => "ask for an invite, and dial that",
            _ => "",
        },
        Error::Io { error, .. } if error.kind() == ErrorKind::ConnectionRefused => {
            "nobody listens there; is the address right, and the other side running?"
        }
        Error::Truncated(_) => {
            "a stealth node hangs up so on whoever brings no invite, and any node on whoever comes too often or speaks something else"
        }
        _ => "",
    };
    match remedy {
        "" => said,
        remedy => format!("{said}; {remedy}"),
    }
}

/// The failure of the program that an error is, by whose fault it is.
fn trouble(error: Error) -> Failure {
    let said = anyhow::anyhow!(explain(&error));
    match error {
        Error::Principal { .. }
        | Error::Locator { .. }
        | Error::Visibility(_)
        | Error::Misuse(_)
        | Error::Alias(_)
        | Error::Invite(_) => Failure::usage(said),
        Error::Wallet(_) | Error::Keys(_) => Failure::local(said),
        Error::Refused { .. } => Failure::remote(said),
        _ => Failure::connection(said),
    }
}
