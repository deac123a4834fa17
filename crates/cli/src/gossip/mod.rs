//! `handfast gossip`: messages that reach everyone who wants to hear them.

mod chat;
mod node;
mod simulate;

use crate::{
    args::{GossipCommand, Signs},
    exit::Failure,
    home::Home,
};
use handfast_keys::KeyPair;

pub(crate) async fn run(home: &Home, command: GossipCommand) -> Result<(), Failure> {
    match command {
        GossipCommand::Node(options) => node::run(home, options).await,
        GossipCommand::Chat(options) => chat::run(home, options).await,
        GossipCommand::Simulate(options) => simulate::run(options).await,
    }
}

/// Who signs: the identity of the node's directory if that is asked for, else somebody new.
fn identity(home: &Home, who: &Signs) -> Result<KeyPair, Failure> {
    match who.identity {
        true => home.identity(),
        false => KeyPair::generate().map_err(Failure::local),
    }
}
