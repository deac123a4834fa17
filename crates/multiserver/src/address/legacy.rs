//! The forms that addresses had before multiserver: `host:port:@KEY.ed25519`, the same with the bare key, and, as an invite,
//! `host:port:@KEY~SEED`.

use super::{
    Alternative, base64,
    endpoint::{Endpoint, bare_host},
    escape,
    layer::{Layer, is_name},
    malformed::Malformed,
    number,
};
use handfast_keys::{PublicKey, SecretKey};
use std::net::Ipv6Addr;

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
    let host = host.iter().map(|word| word.as_str()).collect::<Vec<_>>().join(":");
    // What begins with an @ is a key; behind it there is nothing, or the bare seed, which no name of a transform can be.
    if !(key.starts_with('@') || is_bare_key(key, port, &host)) || place.len() < 2 || !is_host(&host) {
        return None;
    }
    // If it begins like no address of today, it can be nothing else, and its errors are worth telling.
    let surely = !host
        .split(':')
        .next()
        .is_some_and(|word| is_name(&word.to_ascii_lowercase()));
    let port = match port.as_str() {
        "" => DEFAULT_PORT,
        port => match number::port(port) {
            Ok(port) => port,
            Err(error) => return surely.then_some(Err(error)),
        },
    };
    let seed = match seed.map(|seed| base64::decode(&escape::unescape(seed))) {
        None => None,
        Some(Ok(seed)) => Some(seed),
        Some(Err(length)) => {
            let problem = format!("the seed behind ~ has {length} bytes instead of 32");
            return surely.then(|| Err(Malformed::legacy(problem)));
        }
    };
    let seed = seed.map(|seed| SecretKey::from_seed(*seed));
    match build(&host, port, key, seed) {
        Err(_) if !surely => None,
        built => Some(built),
    }
}

/// Whether this is a key without its @: 32 bytes in base64 behind a port, and in front of it nothing that begins an address
/// of today.
fn is_bare_key(key: &str, port: &str, host: &str) -> bool {
    let today = ["net", "onion", "tunnel", "unix"]
        .iter()
        .any(|known| host.eq_ignore_ascii_case(known));
    !today && (43..=44).contains(&key.len()) && base64::decode(key).is_ok() && number::port(port).is_ok()
}

/// Whether a host may be what stands in front of the port of an old address. With a colon in it, it has to be an IPv6 address
/// or the beginning of a URL: `unix:/a:8008:@b` is an address of today.
fn is_host(host: &str) -> bool {
    if let Some(authority) = url_authority(host) {
        return !authority.contains(['/', '?', '#']);
    }
    let address = bare_host(host);
    let address = address.split('%').next().unwrap_or_default();
    !host.contains(':') || address.parse::<Ipv6Addr>().is_ok()
}

/// What stands behind `ws://` or `wss://`, if one of them is there.
fn url_authority(host: &str) -> Option<&str> {
    let (scheme, rest) = host.split_once("://")?;
    let known = ["ws", "wss"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    known.then_some(rest)
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
    if url_authority(host).is_none() {
        text.push_str(if host.ends_with(".onion") { "onion:" } else { "net:" });
    }
    // Writing into a text cannot fail.
    let _ = escape::write(host, escape::IN_REST, &mut text);
    text.push_str(&format!(":{port}"));
    Endpoint::parse(&text)
}
