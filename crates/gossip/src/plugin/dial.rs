//! From a node's name and address to a duplex with it.

use super::METHOD;
use crate::NodeId;
use bytes::Bytes;
use handfast_keys::PublicKey;
use handfast_multiserver::{Address, Endpoint};
use handfast_mux::{
    MethodName,
    tokio::{Outgoing, Source},
};
use handfast_stack::{NodeHandle, Peer};
use std::time::Duration;
use tokio::time::timeout;

/// How long dialling may take. Shorter than what a connection may take in general: there are others to ask.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a peer may take to tell which methods it has.
const MANIFEST_TIMEOUT: Duration = Duration::from_secs(10);

/// A link that stands.
#[derive(Debug)]
pub(super) struct Dialled {
    pub(super) out: Outgoing,
    pub(super) items: Source,
    /// The connection, if there was none before.
    pub(super) opened: Option<Peer>,
}

/// Opens a duplex with a node, over the connection that there is or over a new one.
///
/// # Errors
/// Why there is none, for the log.
pub(super) async fn dial(node: NodeHandle, to: NodeId, address: Bytes) -> Result<Dialled, String> {
    let key = PublicKey::from_bytes(to.as_bytes()).map_err(|fault| fault.to_string())?;
    let (peer, opened) = match node.peer(&key) {
        Some(peer) => (peer, None),
        None => {
            let address = checked(&key, &address)?;
            let dialled = timeout(DIAL_TIMEOUT, node.connect(address)).await;
            let peer = dialled
                .map_err(|_| "it does not answer".to_owned())?
                .map_err(|error| error.to_string())?;
            (peer.clone(), Some(peer))
        }
    };
    let method: MethodName = format!("gossip.{METHOD}").parse().map_err(|error| format!("{error}"))?;
    let (out, items) = peer
        .duplex_raw(&method, "[]")
        .await
        .map_err(|error| error.to_string())?;
    Ok(Dialled { out, items, opened })
}

/// The address of a node, if it may be dialled. Strangers say where others are, so an address must lead to the node's own key,
/// and not to a socket of this machine's own programs.
fn checked(key: &PublicKey, address: &[u8]) -> Result<Address, String> {
    if address.is_empty() {
        return Err("nobody knows where it is, and it is not connected".into());
    }
    let text = std::str::from_utf8(address).map_err(|_| "its address is no text".to_owned())?;
    let address: Address = text.parse().map_err(|error| format!("its address is none: {error}"))?;
    let address = address.without_seed();
    let sound = |way: &&handfast_multiserver::Alternative| {
        way.shs_key().as_ref() == Some(key) && !matches!(way.endpoint, Endpoint::Unix { .. })
    };
    let ways = address.alternatives().iter().filter(sound).take(WAYS).cloned();
    Address::join(ways).ok_or_else(|| "its address leads to somebody else".into())
}

/// How many alternatives of an address are tried, so that one contact does not make this node knock at many doors.
const WAYS: usize = 4;

/// Whether a peer has this plugin. One that has not is left alone.
pub(super) async fn speaks_gossip(peer: &Peer) -> bool {
    let manifest = peer
        .with_timeout(MANIFEST_TIMEOUT)
        .call::<serde_json::Value>("manifest", ())
        .await;
    let kind = manifest.ok().and_then(|manifest| {
        let kind = manifest.get("gossip")?.get(METHOD)?;
        Some(kind == "duplex")
    });
    kind == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use handfast_keys::KeyPair;

    fn key(name: u8) -> PublicKey {
        *KeyPair::from_seed(&[name; 32]).unwrap().public()
    }

    fn read(text: &str) -> Result<String, String> {
        checked(&key(1), text.as_bytes()).map(|address| address.to_string())
    }

    #[test]
    fn an_address_that_strangers_tell_leads_to_the_node_that_it_names_or_nowhere() {
        let (own, other) = (key(1).to_base64(), key(2).to_base64());
        let good = format!("net:192.0.2.7:8008~shs:{own}");
        assert_eq!(read(&good).unwrap(), good);
        for bad in [
            format!("net:192.0.2.7:8008~shs:{other}"),
            format!("unix:/run/me~shs:{own}"),
            "unix:/run/me~noauth".to_owned(),
            "net:192.0.2.7:8008".to_owned(),
            "net:192.0.2.7:8008~noauth".to_owned(),
            String::new(),
            "\u{0}".to_owned(),
        ] {
            assert!(read(&bad).is_err(), "{bad}");
        }
        // Of several, those that lead there are kept, and not without end.
        let mixed = format!("net:192.0.2.8:1~shs:{other};{good}");
        assert_eq!(read(&mixed).unwrap(), good);
        let many = [good.as_str(); 9].join(";");
        assert_eq!(read(&many).unwrap(), [good.as_str(); WAYS].join(";"));
    }

    #[test]
    fn a_seed_is_not_used_to_be_somebody_else() {
        let own = key(1).to_base64();
        let seed = handfast_keys::NetworkIdentifier::from_bytes([9; 32]).to_string();
        let with_seed = format!("net:192.0.2.7:8008~shs:{own}:{seed}");
        assert_eq!(read(&with_seed).unwrap(), format!("net:192.0.2.7:8008~shs:{own}"));
    }
}
