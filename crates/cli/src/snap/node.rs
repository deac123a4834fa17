//! The node behind a command: who it is, whom it lets in, where it listens, and how it dials.

use super::{trouble, wallet};
use crate::{
    args::{At, Key, Myself, SnapTarget, Whom},
    exit::Failure,
    out::{self, Clean},
    signals::Stop,
};
use anyhow::anyhow;
use bytes::Bytes;
use handfast_snap2p::{
    Error, Locator, Peer, UnixTime, Visibility,
    access::Invite,
    tokio::{DialOptions, Session},
    wallet::{Account, Wallet},
};
use std::{net::SocketAddr, time::Duration};

/// How long the goodbye may take.
const FAREWELL: Duration = Duration::from_secs(2);

/// A node, and the account that it speaks for.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) peer: Peer,
    account: Account,
}

/// Starts the node that these options describe. `via` are nodes to ask where somebody is, `reached_at` what to tell
/// others of where we are.
pub(super) async fn start(
    me: &Myself,
    via: &[Locator],
    reached_at: &[Locator],
    stop: &mut Stop,
) -> Result<Node, Failure> {
    let account = account(me, stop).await?;
    if let Some(note) = wallet::note(&account.principal()) {
        out::tell!("handfast: {note}");
    }
    let mut builder = Peer::builder(&account)
        .visibility(me.visibility)
        .known(via.iter().cloned())
        .advertise(reached_at.iter().cloned());
    if let Some(alias) = &me.alias {
        builder = builder.alias(alias, alias);
    }
    if !me.allow.is_empty() {
        builder = builder.allow(me.allow.iter().copied());
    }
    let peer = builder.start().await.map_err(trouble)?;
    Ok(Node { peer, account })
}

/// Who we are.
async fn account(me: &Myself, stop: &mut Stop) -> Result<Account, Failure> {
    let network = wallet::network(me.testnet);
    let wallet = match &me.wallet {
        None => Wallet::ephemeral(network).map_err(trouble)?,
        Some(name) => {
            let store = wallet::store(&me.wallets)?;
            let wallet = wallet::unlock(store, name, &me.password, stop).await?;
            if me.testnet && wallet.network() != network {
                return Err(Failure::usage(anyhow!(
                    "the wallet {name} is for the mainnet, so --testnet cannot be; make one with: handfast snap wallet create \
                     NAME --testnet"
                )));
            }
            wallet
        }
    };
    wallet.account(me.account).map_err(trouble)
}

impl Node {
    /// Listens, and prints where, who we are, and the invite if one is wanted.
    pub(super) async fn listen(&self, at: &At, me: &Myself, port: u16) -> Result<(), Failure> {
        let stealth = me.visibility == Visibility::Stealth;
        if stealth && !at.invite {
            return Err(Failure::usage(anyhow!(
                "a stealth node lets nobody in who brings no invite, so nobody could come; add --invite"
            )));
        }
        if at.uses.is_some() && !stealth {
            return Err(Failure::usage(anyhow!(
                "only a stealth node counts how often an invite is used; add --visibility stealth"
            )));
        }
        if !at.announce.is_empty() && me.visibility != Visibility::Public {
            return Err(Failure::usage(anyhow!(
                "only a public node tells others where it is; add --visibility public, or leave out --announce"
            )));
        }
        let bound = self.bind(&at.host, port).await?;
        if at.invite {
            let places = match at.reached_at.as_slice() {
                [] if bound.ip().is_unspecified() => {
                    return Err(Failure::usage(anyhow!(
                        "an invite tells the way, and {} is no way for others; say where they reach us with --reached-at HOST:PORT",
                        bound.ip()
                    )));
                }
                [] => vec![Locator::try_from(bound).map_err(trouble)?],
                places => places.to_vec(),
            };
            let invite = self.invite(stealth, &places, at).map_err(trouble)?;
            out::line(format_args!("invite {invite}")).map_err(Failure::local)?;
        }
        out::line(format_args!("listening {bound} {}", self.peer.principal())).map_err(Failure::local)?;
        for place in at.announce.iter().cloned() {
            tokio::spawn(announce(self.peer.clone(), place));
        }
        Ok(())
    }

    fn invite(&self, stealth: bool, places: &[Locator], at: &At) -> Result<Invite, Error> {
        let issued = UnixTime::now();
        let expires = issued.plus(Duration::from_secs(u64::from(at.hours) * 3600));
        // Whoever is not stealth takes a knock for a broken handshake.
        let token = match stealth {
            true => Some(self.peer.invites().create(at.uses, expires)?),
            false => None,
        };
        let token = token.map(|token| Bytes::copy_from_slice(token.as_bytes()));
        let places = places.iter().map(Locator::to_string).collect();
        Invite::issue(
            self.account.key(),
            self.account.principal(),
            places,
            token,
            issued,
            expires,
        )
    }

    /// Listens on a place of this machine.
    pub(super) async fn bind(&self, host: &str, port: u16) -> Result<SocketAddr, Failure> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        match self.peer.listen((host, port)).await {
            Ok(bound) => Ok(bound),
            Err(Error::Io { error, .. }) => Err(Failure::local(
                anyhow::Error::new(error).context(format!("cannot listen on {host}, port {port}")),
            )),
            Err(error) => Err(trouble(error)),
        }
    }

    /// Dials, and demands whom the options name.
    pub(super) async fn dial(
        &self,
        target: &SnapTarget,
        whom: &Whom,
        key: Option<&Key>,
        stop: &mut Stop,
    ) -> Result<Session, Failure> {
        let mut options = DialOptions {
            expect: whom.expect,
            token: None,
        };
        match key {
            Some(Key::Token(token)) => options.token = Some(token.0.clone().into()),
            Some(Key::Invite(invite)) => {
                invite.verify(UnixTime::now()).map_err(trouble)?;
                if options.expect.get_or_insert(invite.principal) != &invite.principal {
                    return Err(Failure::usage(anyhow!(
                        "--expect names another principal than the invite, which is from {}",
                        invite.principal
                    )));
                }
                options.token = invite.token.clone();
            }
            None => {}
        }
        let session = tokio::select! {
            dialled = self.peer.dial_with(target.0.clone(), options) => dialled.map_err(trouble)?,
            () = stop.wait() => return Err(Failure::connection(anyhow!("interrupted"))),
        };
        // Here nobody opens streams but us.
        drop(session.incoming());
        out::tell!("connected {} {}", session.principal(), from(&session));
        Ok(session)
    }

    /// Ends what is open, and lets the others know.
    pub(super) async fn close(self) {
        // Whoever does not take a goodbye sees a cut connection.
        let _ = tokio::time::timeout(FAREWELL, self.peer.close()).await;
    }
}

/// Tells a node where we are, which the peer does by itself once the two are connected.
async fn announce(peer: Peer, to: Locator) {
    match peer.dial(to.clone()).await {
        Ok(session) => {
            tracing::info!(%to, who = %session.principal(), "announced");
            // What it knows of us lasts longer than the session, but this way it asks us for others, too.
            session.closed().await;
        }
        Err(error) => out::tell!(
            "handfast: cannot tell {to} where we are: {}",
            Clean(super::explain(&error))
        ),
    }
}

/// The address at the other end.
pub(super) fn from(session: &Session) -> String {
    session
        .remote_addr()
        .map_or_else(String::new, |address| address.to_string())
}
