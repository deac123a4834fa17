//! What a peer is made of.

use super::{
    Identity, Inner, Owner, Peer,
    attesting::Attesting,
    failures::Failures,
    listener::Door,
    naming::Naming,
    roster::Roster,
    services::{self, Services},
};
use crate::{
    Error, Locator, Principal, Visibility,
    access::{Allow, Invites, RateLimiter},
    noise::Suite,
    px1::{self, Policy},
    tokio::{Config, link::now},
};
use handfast_keys::KeyPair;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::{Notify, mpsc, watch};

/// What strangers may take of a [`Peer`] that listens.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// What each session may take, and the [`Memory`](crate::tokio::Memory) that all of them share.
    pub session: Config,
    /// The most sessions that came in and stand; 1024. Stops a crowd from taking every file of the process.
    pub sessions: usize,
    /// The most of them from one IPv4 address or IPv6 /64 network, loopback exempt; 64.
    pub sessions_per_prefix: usize,
    /// The most handshakes at once; 64. One more, and the oldest goes.
    pub half_open: usize,
    /// The most of them from one IPv4 address or IPv6 /64 network, loopback exempt; 8.
    pub half_open_per_prefix: usize,
    /// The most connections from one IPv4 address or IPv6 /64 network in a minute; `None` for any number. By default as
    /// the visibility has it: stealth 5, private 30, public any number.
    pub per_minute: Option<u32>,
    /// The most sessions that wait for [`Peer::accept`]; 64. Beyond it they are closed.
    pub waiting: usize,
    /// How long a dial may take, and a search for a principal, all places of it together; 120 s. Stops whoever can name places
    /// from keeping a dial busy with those that do not answer.
    pub dial: Duration,
}

impl Limits {
    /// The defaults of a visibility.
    #[must_use]
    pub fn of(visibility: Visibility) -> Self {
        Self {
            session: Config::default(),
            sessions: 1024,
            sessions_per_prefix: 64,
            half_open: 64,
            half_open_per_prefix: 8,
            per_minute: match visibility {
                Visibility::Public => None,
                Visibility::Private => Some(RateLimiter::PRIVATE),
                Visibility::Stealth => Some(RateLimiter::STEALTH),
            },
            waiting: 64,
            dial: Duration::from_secs(120),
        }
    }
}

/// What a [`Peer`] is made of. Made by [`Peer::builder`].
#[derive(Debug)]
#[must_use = "a builder does nothing until it is started"]
pub struct Builder {
    identity: Result<Identity, Error>,
    visibility: Visibility,
    allow: Allow,
    node: Option<KeyPair>,
    limits: Option<Limits>,
    suite: Suite,
    px1: Option<bool>,
    known: Vec<Locator>,
    advertise: Vec<Locator>,
    alias: Option<(String, String)>,
}

impl Builder {
    pub(super) fn new(identity: Result<Identity, Error>) -> Self {
        Self {
            identity,
            visibility: Visibility::default(),
            allow: Allow::everybody(),
            node: None,
            limits: None,
            suite: Suite::default(),
            px1: None,
            known: Vec::new(),
            advertise: Vec::new(),
            alias: None,
        }
    }

    /// How much the node shows of itself. Private by default.
    pub fn visibility(mut self, visibility: Visibility) -> Self {
        self.visibility = visibility;
        self
    }

    /// Who may come in, and who may be at the other end of what is dialled: only these. By default everybody.
    pub fn allow(mut self, principals: impl IntoIterator<Item = Principal>) -> Self {
        self.allow = Allow::only(principals);
        self
    }

    /// The node key, for a node that shall keep it. By default a new one for each start, which is better: it cannot be stolen
    /// from a disk.
    pub fn node_keys(mut self, node: KeyPair) -> Self {
        self.node = Some(node);
        self
    }

    /// What strangers may take. By default [`Limits::of`] the visibility.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Which Noise is spoken. All peers of a network must choose alike; by default the reference's.
    pub fn suite(mut self, suite: Suite) -> Self {
        self.suite = suite;
        self
    }

    /// Whether the node takes part in PX-1. By default only public nodes do. Looking for others is possible either way.
    pub fn px1(mut self, on: bool) -> Self {
        self.px1 = Some(on);
        self
    }

    /// Peers to ask where a principal is when no connected peer knows. They are dialled when they are first needed.
    pub fn known(mut self, places: impl IntoIterator<Item = Locator>) -> Self {
        self.known = places.into_iter().collect();
        self
    }

    /// Where others can dial a public node. By default where it listens; if that is every address of the machine, the one over
    /// which each peer is connected.
    pub fn advertise(mut self, places: impl IntoIterator<Item = Locator>) -> Self {
        self.advertise = places.into_iter().collect();
        self
    }

    /// A name to show to peers, and how to display it. Cards with it are signed by the wallet and given to each peer that
    /// understands them, once it is proved.
    pub fn alias(mut self, alias: impl Into<String>, display_name: impl Into<String>) -> Self {
        self.alias = Some((alias.into(), display_name.into()));
        self
    }

    /// Makes the peer. It listens once [`Peer::listen`] is called.
    ///
    /// # Errors
    /// What was wrong with the identity; [`Error::Keys`] if the system gives no randomness; [`Error::Alias`] for an alias that
    /// cannot be one.
    pub async fn start(self) -> Result<Peer, Error> {
        let now = now();
        let node = match self.node {
            Some(node) => node,
            None => KeyPair::generate()?,
        };
        let default = Policy::of(self.visibility);
        let policy = self.px1.map_or(default, |on| default.switched(on));
        let mut capabilities = vec![services::ALIASES.to_owned()];
        capabilities.extend(policy.announces().then(|| px1::LABEL.to_owned()));
        let node_key = *node.public();
        let identity = self.identity?;
        let naming = self
            .alias
            .map(|names| Naming::new(identity.clone(), names, now.unix))
            .transpose()?;
        let attesting = Attesting::new(identity, node, self.visibility, capabilities, self.suite, now.unix)?;
        let limits = self.limits.unwrap_or_else(|| Limits::of(self.visibility));
        let (arrivals, arrived) = mpsc::channel(limits.waiting.max(1));
        let inner = Arc::new_cyclic(|weak| Inner {
            attesting,
            node_key,
            visibility: self.visibility,
            allow: self.allow,
            door: Door::new(&limits),
            limits,
            policy,
            known: self.known,
            advertise: self.advertise,
            invites: Invites::new(),
            naming,
            aliases: Mutex::default(),
            news: Notify::new(),
            services: Services::default(),
            claims: services::claims(weak.clone(), policy.announces()),
            places: Mutex::default(),
            roster: Roster::default(),
            arrivals,
            arrived: tokio::sync::Mutex::new(arrived),
            failures: Failures::new(),
            listeners: Mutex::default(),
            closed: watch::Sender::new(false),
        });
        services::keep_up(&inner);
        let owner = Arc::new(Owner(inner));
        Ok(Peer { owner })
    }
}
