//! From an address to a stream whose other end is known.

use crate::{args::As, config::Settings, exit::Failure, home::Home, out, signals::Stop, snap};
use anyhow::anyhow;
use handfast_keys::{KeyPair, NetworkIdentifier};
use handfast_multiserver::{
    Address, Alternative, BoxSocket, Endpoint, Error, Layer, Multiserver, Noauth, Outgoing, Shs, Snap2p,
};
use std::collections::BTreeMap;

/// As whom to dial: a seed from the command line, nobody if that was asked for, else the node's own identity if it has
/// one. A seed in the address counts before the latter.
fn identity(home: &Home, address: &Address, who: &As) -> Result<KeyPair, Failure> {
    if let Some(seed) = &who.seed {
        return KeyPair::from_seed(&seed.0).map_err(Failure::local);
    }
    let own = if who.anonymous { None } else { home.find_identity()? };
    match own {
        Some(identity) => Ok(identity),
        None => {
            if !who.anonymous && address.seed().is_none() {
                out::tell!(
                    "handfast: no identity yet, so this is a new one, used once (handfast init makes one to keep)"
                );
            }
            KeyPair::generate().map_err(Failure::local)
        }
    }
}

/// What travels behind the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carries {
    /// Calls, whose goodbye may stand for that of the stream, as JavaScript peers do it.
    Calls,
    /// Bytes: a stream that ends without a goodbye was cut.
    Bytes,
}

/// The secret handshake of this identity.
pub(crate) fn shs(network: NetworkIdentifier, identity: KeyPair, carries: Carries) -> Shs {
    let shs = Shs::new(network, identity);
    match carries {
        Carries::Calls => shs,
        Carries::Bytes => shs.strict(),
    }
}

/// Dials each alternative of the address in turn.
pub(crate) async fn dial(
    home: &Home,
    settings: &Settings,
    address: &Address,
    network: NetworkIdentifier,
    who: As,
    carries: Carries,
) -> Result<BoxSocket, Failure> {
    // A Unix socket leads to the owner's node, everything else to somebody whose key has to be known.
    let says_how = |way: &Alternative| !way.transforms.is_empty() || matches!(way.endpoint, Endpoint::Unix { .. });
    if !address.alternatives().iter().any(says_how) {
        return Err(Failure::usage(anyhow!(
            "the key is missing: an address goes on with ~shs:KEY, as in {address}~shs:KEY"
        )));
    }
    // Who says as whom to come means it, whatever the address says.
    let chosen = who.seed.is_some() || who.anonymous;
    let address = if chosen {
        address.without_seed()
    } else {
        address.clone()
    };
    let identity = identity(home, &address, &who)?;
    let mut multiserver = Multiserver::standard()
        .transform(Noauth::new(*identity.public()))
        .transform(shs(network, identity.clone(), carries));
    if let Some(layer) = snap2p_of(&address) {
        let principal = layer.require_principal().map_err(Failure::usage)?;
        let (key, network) = match &who.voucher.wallet {
            Some(name) => snap::vouch(name, &who.voucher, &mut Stop::new()?).await?,
            None => snap::vouch_once(&principal)?,
        };
        if principal.address().network() != Some(network) {
            return Err(Failure::usage(anyhow!(
                "{principal} is not on the network of the wallet, and mainnet and testnet never meet; come with another wallet, or \
                 without -w"
            )));
        }
        multiserver = multiserver.transform(Snap2p::new(key, network, identity));
    }
    let connection = multiserver.dial(&address, &ways(settings)).await.map_err(failed)?;
    Ok(connection.socket)
}

/// What an address says of SNaP2P, if anything.
fn snap2p_of(address: &Address) -> Option<&Layer> {
    let mut layers = address.alternatives().iter().flat_map(|way| &way.transforms);
    layers.find(|layer| layer.name() == "snap2p")
}

/// What the configuration allows for dialling, and what else an address that the user typed may ask for.
fn ways(settings: &Settings) -> BTreeMap<String, Vec<Outgoing>> {
    let mut ways = settings.outgoing();
    for transport in ["net", "onion", "unix", "ws"] {
        let ways: &mut Vec<Outgoing> = ways.entry(transport.into()).or_default();
        for transform in ["shs", "noauth", "snap2p"] {
            if !ways.iter().any(|way| way.transform == transform) {
                let like = ways.first().cloned().unwrap_or_default();
                ways.push(Outgoing {
                    transform: transform.into(),
                    ..like
                });
            }
        }
    }
    ways
}

fn failed(error: Error) -> Failure {
    let Error::Unreachable { attempts } = &error else {
        return Failure::connection(error);
    };
    if attempts.iter().all(|attempt| is_wrong_address(&attempt.error)) {
        return Failure::usage(error);
    }
    let hint = match attempts.as_slice() {
        [only] if matches!(only.error, Error::Connect { .. }) => "; is the address right, and a peer listening there?",
        _ => "",
    };
    Failure::connection(anyhow!("{error}{hint}"))
}

/// Whether nothing was dialled, because the address does not say how.
fn is_wrong_address(error: &Error) -> bool {
    matches!(error, Error::Address(_) | Error::NotUnderstood(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_may_lead_anywhere_but_the_configuration_says_how() {
        let settings = Settings::default();
        let ways = ways(&settings);
        for (transport, configured) in settings.outgoing() {
            assert!(ways[&transport].starts_with(&configured), "{ways:?}");
        }
        for transport in ["net", "onion", "unix", "ws"] {
            let transforms: Vec<&str> = ways[transport].iter().map(|way| way.transform.as_str()).collect();
            assert!(
                transforms.contains(&"shs") && transforms.contains(&"noauth"),
                "{ways:?}"
            );
        }
    }
}
