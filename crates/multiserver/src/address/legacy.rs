//! The forms that addresses had before multiserver: `host:port:@KEY.ed25519` and, as an invite, `host:port:@KEY~SEED`.

use super::{Alternative, base64, endpoint::Endpoint, escape, layer::Layer, malformed::Malformed, number};
use handfast_keys::{PublicKey, SecretKey};

/// The port of SSB, for forms that leave it out.
pub(super) const DEFAULT_PORT: u16 = 8008;

/// Reads the old forms. `None` for a text that has none of them, which may still be an address of today.
pub(super) fn parse(text: &str) -> Option<Result<Alternative, Malformed>> {
    let mut layers = escape::split(text, '~');
    let place = layers.next()?;
    let seed = layers.next();
    if layers.next().is_some() {
        return None;
    }
    let words: Vec<_> = escape::split(place, ':').map(escape::unescape).collect();
    let (key, place) = words.split_last()?;
    let (port, host) = place.split_last()?;
    // What begins with an @ is a key; behind it there is nothing, or the bare seed, which no name of a transform can be.
    if !key.starts_with('@') || host.is_empty() {
        return None;
    }
    let port = match port.as_str() {
        "" => DEFAULT_PORT,
        port => number::port(port).ok()?,
    };
    let seed = match seed.map(escape::unescape) {
        None => None,
        Some(text) => Some(base64::decode(&text).ok()?),
    };
    let host: Vec<_> = host.iter().map(|word| word.as_str()).collect();
    let seed = seed.map(|seed| SecretKey::from_seed(*seed));
    Some(build(&host.join(":"), port, key, seed))
}

/// Puts the pieces of an old address together, whether from a text or from an object.
pub(super) fn build(host: &str, port: u16, key: &str, seed: Option<SecretKey>) -> Result<Alternative, Malformed> {
    let bytes = base64::decode(key)
        .map_err(|length| Malformed::legacy(format!("the key behind @ has {length} bytes instead of 32")))?;
    let key = PublicKey::from_bytes(&bytes)
        .map_err(|fault| Malformed::legacy(format!("no peer can have the key behind @, {fault}")))?;
    let layer = match seed {
        Some(seed) => Layer::shs_with_seed(&key, &seed),
        None => Layer::shs(&key),
    };
    Ok(Alternative {
        endpoint: endpoint(host, port)?,
        transforms: vec![layer],
    })
}

/// The host of an old address names its transport: `ws://host`, `….onion`, anything else is TCP.
fn endpoint(host: &str, port: u16) -> Result<Endpoint, Malformed> {
    let mut text = String::new();
    let special = ["ws:", "wss:"].iter().any(|scheme| host.starts_with(scheme));
    if !special {
        text.push_str(if host.ends_with(".onion") { "onion:" } else { "net:" });
    }
    // Writing into a text cannot fail.
    let _ = escape::write(host, escape::IN_REST, &mut text);
    text.push_str(&format!(":{port}"));
    Endpoint::parse(&text)
}
