//! What can be set, and what bounds the rest.

use crate::Error;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How a node keeps its neighbours. The numbers of views and walks are the published ones of HyParView.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How many neighbours a node has.
    pub active: usize,
    /// How many peers it keeps in reserve.
    pub passive: usize,
    /// How many former peers it remembers beyond the reserve, to find back when most of the network is gone: with four of
    /// five nodes lost at once, thirty peers in reserve leave one node in a thousand alone.
    pub memory: usize,
    /// How far a join is carried before the new peer is offered a link.
    pub active_walk: u8,
    /// After how many hops from its end a join leaves the new peer in a passive view.
    pub passive_walk: u8,
    /// How far a shuffle is carried.
    pub shuffle_walk: u8,
    /// How many neighbours a shuffle tells.
    pub shuffle_active: usize,
    /// How many peers in reserve a shuffle tells.
    pub shuffle_passive: usize,
    /// The rhythm in which views are mixed once the network is calm.
    #[serde(with = "humantime_serde")]
    pub shuffle_interval: Duration,
    /// The rhythm after a join; it doubles until it is [`Config::shuffle_interval`].
    #[serde(with = "humantime_serde")]
    pub shuffle_first: Duration,
    /// How long a contact collects joins before it answers them, so that those who join at the same instant learn of each
    /// other instead of being chained one behind the other.
    #[serde(with = "humantime_serde")]
    pub welcome_hold: Duration,
    /// How many peers a contact names to a newcomer.
    pub welcome_peers: usize,
    /// How long a link may be silent before it is tried.
    #[serde(with = "humantime_serde")]
    pub idle: Duration,
    /// How long after that a replacement is sought, as long as nothing is known of the round trip to the neighbour: enough for
    /// slow links, such as through onion services. The link itself is given up after as long again. Once round trips have
    /// been measured, twice the wait for an answer takes the place of this.
    #[serde(with = "humantime_serde")]
    pub suspect: Duration,
    /// After how long without an answer a further peer is asked to be a neighbour.
    #[serde(with = "humantime_serde")]
    pub request_timeout: Duration,
    /// How long an answer is taken as one.
    #[serde(with = "humantime_serde")]
    pub request_lifetime: Duration,
    /// How long a node that is alone waits before it tries its contacts again; doubles up to [`Config::join_retry_max`].
    #[serde(with = "humantime_serde")]
    pub join_retry: Duration,
    /// The longest wait between two attempts to join.
    #[serde(with = "humantime_serde")]
    pub join_retry_max: Duration,
    /// How often a node that has neighbours asks a given contact for peers, so that a contact that was restarted, and those who
    /// joined through it since, find back into the network.
    #[serde(with = "humantime_serde")]
    pub greet_interval: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            active: 5,
            passive: 30,
            memory: 64,
            active_walk: 6,
            passive_walk: 3,
            shuffle_walk: 6,
            shuffle_active: 3,
            shuffle_passive: 4,
            shuffle_interval: Duration::from_secs(60),
            shuffle_first: Duration::from_millis(100),
            welcome_hold: Duration::from_millis(25),
            welcome_peers: 8,
            idle: Duration::from_millis(700),
            suspect: Duration::from_secs(3),
            request_timeout: Duration::from_millis(250),
            request_lifetime: Duration::from_secs(5),
            join_retry: Duration::from_millis(500),
            join_retry_max: Duration::from_secs(30),
            greet_interval: Duration::from_secs(60),
        }
    }
}

impl Config {
    /// Checks that the numbers go together.
    ///
    /// # Errors
    /// [`Error::Caller`] says which do not.
    pub fn check(&self) -> Result<(), Error> {
        let spans = [
            self.shuffle_interval,
            self.shuffle_first,
            self.welcome_hold,
            self.idle,
            self.suspect,
            self.request_timeout,
            self.request_lifetime,
            self.join_retry,
            self.join_retry_max,
            self.greet_interval,
        ];
        if !(1..=Self::VIEW_MAX).contains(&self.active) {
            Err(Error::Caller(
                "a node has between 1 and 256 neighbours: change membership.active",
            ))
        } else if self.passive > Self::VIEW_MAX || self.memory > Self::VIEW_MAX {
            Err(Error::Caller(
                "views hold at most 256 peers: lower membership.passive or membership.memory",
            ))
        } else if self.welcome_peers > Self::PEERS_MAX || self.shuffle_active + self.shuffle_passive >= Self::PEERS_MAX
        {
            Err(Error::Caller(
                "a frame names at most 16 peers: lower membership.welcome_peers or membership.shuffle_*",
            ))
        } else if spans.iter().any(|span| *span < Duration::from_millis(1)) {
            Err(Error::Caller("no time span of membership may be below a millisecond"))
        } else if spans.iter().any(|span| *span > crate::time::SPAN_MAX) {
            Err(Error::Caller("no time span of membership may be above a hundred years"))
        } else {
            Ok(())
        }
    }

    /// The largest view. Views are searched from end to end, so larger ones would be slow, and nobody needs them.
    pub const VIEW_MAX: usize = 256;

    /// The most peers that one frame names; what is beyond is ignored. A frame full of forged peers fills no view.
    pub const PEERS_MAX: usize = 16;
}
