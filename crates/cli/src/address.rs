//! The addresses that the program understands so far: `net:HOST:PORT~shs:KEY[:SEED]`, and `net:HOST:PORT` to listen.

use crate::args::Seed;
use handfast_keys::PublicKey;
use std::{fmt, str::FromStr};

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listen {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text
            .strip_prefix("net:")
            .ok_or("it has to begin with net:, as in net:127.0.0.1:8008")?;
        // A host may hold colons (IPv6), so the port stands behind the last one.
        let (host, port) = rest
            .rsplit_once(':')
            .ok_or("the port is missing, as in net:127.0.0.1:8008")?;
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        let port = port
            .parse()
            .map_err(|_| format!("the port {port:?} is no number from 0 to 65535"))?;
        Ok(Self {
            host: if host.is_empty() { "localhost" } else { host }.into(),
            port,
        })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "net:{}:{}", self.host, self.port)
    }
}

/// A peer: where it listens and which key it has, and perhaps the seed to come with.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) place: Listen,
    pub(crate) key: PublicKey,
    pub(crate) seed: Option<Seed>,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORM: &str = "an address looks like net:127.0.0.1:8008~shs:KEY";
        let (place, transform) = text
            .split_once('~')
            .ok_or_else(|| format!("~shs:KEY is missing; {FORM}"))?;
        let key = transform
            .strip_prefix("shs:")
            .ok_or_else(|| format!("behind ~, shs: is missing; {FORM}"))?;
        let (key, seed) = match key.split_once(':') {
            Some((key, seed)) => (key, Some(seed.parse()?)),
            None => (key, None),
        };
        let key = key
            .parse::<PublicKey>()
            .map_err(|error| format!("the key behind shs: is wrong: {error}"))?;
        Ok(Self {
            place: place.parse()?,
            key,
            seed,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}~shs:{}", self.place, self.key.to_base64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "U5GvOKP/YUza9k53DSXxT0mk3PIrnyAmessvNfZl5E0=";

    #[test]
    fn addresses_are_read_and_printed() {
        let printed = format!("net:127.0.0.1:8008~shs:{KEY}");
        let address: Address = printed.parse().unwrap();
        assert_eq!(address.to_string(), printed);
        assert!(address.seed.is_none());
        let with_seed: Address = format!("{printed}:{KEY}").parse().unwrap();
        assert!(with_seed.seed.is_some());
        assert_eq!(with_seed.to_string(), printed, "a seed is a secret and is not printed");
    }

    #[test]
    fn hosts_may_be_empty_or_hold_colons() {
        let host = |text: &str| text.parse::<Listen>().map(|place| (place.host, place.port));
        assert_eq!(host("net::8008"), Ok(("localhost".into(), 8008)));
        assert_eq!(host("net:::1:8008"), Ok(("::1".into(), 8008)));
        assert_eq!(host("net:[::1]:8008"), Ok(("::1".into(), 8008)));
    }

    #[test]
    fn an_error_says_which_part_is_wrong() {
        let error = |text: &str| text.parse::<Address>().unwrap_err();
        assert!(error("net:127.0.0.1:8008").contains("~shs:KEY is missing"));
        assert!(error(&format!("net:127.0.0.1:80080~shs:{KEY}")).contains("port"));
        assert!(error("net:127.0.0.1:1~shs:abc").contains("key"));
        assert!(error(&format!("ws:127.0.0.1:1~shs:{KEY}")).contains("net:"));
    }
}
