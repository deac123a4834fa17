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
    args::{Snap, SnapCommand},
    exit::Failure,
};
use handfast_snap2p::{Error, WalletFault};

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

/// What went wrong, with what to do about it.
fn explain(error: &Error) -> String {
    let said = match error {
        // Some say the same twice.
        Error::Refused { code, reason } if *reason == code.to_string() => format!("the peer refused: {code}"),
        error => error.to_string(),
    };
    let remedy = match error {
        Error::Wallet(WalletFault::Password) => "try again; the words restore a wallet whose password is lost",
        Error::NotAllowed(_) => "name them with --allow if that is wanted",
        Error::Refused { code, .. } => match code {
            handfast_snap2p::ErrorCode::NotAllowed => "they have to --allow your principal, so come with -w NAME",
            handfast_snap2p::ErrorCode::InvalidToken => "ask for a new invite",
            handfast_snap2p::ErrorCode::InviteRequired => "ask for an invite, and dial that",
            _ => "",
        },
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
        | Error::Invite(_) => Failure::usage(said),
        Error::Wallet(_) | Error::Keys(_) => Failure::local(said),
        Error::Refused { .. } => Failure::remote(said),
        _ => Failure::connection(said),
    }
}
