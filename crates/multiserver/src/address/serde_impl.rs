//! Addresses in configuration files, messages and address books.

use super::{Address, base64, legacy, number};
use handfast_keys::SecretKey;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, IgnoredAny, MapAccess, Visitor},
};
use std::fmt;
use zeroize::Zeroizing;

/// Writes the text without seeds.
impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads a text, or the object `{host, port, key}` of old messages and invites.
impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrObject)
    }
}

struct TextOrObject;

impl<'de> Visitor<'de> for TextOrObject {
    type Value = Address;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address, such as net:example.org:8008~shs:KEY, or an object {host, port, key}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Address, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Address, A::Error> {
        let (mut host, mut port, mut key, mut seed) = (None, None, None, None);
        while let Some(field) = map.next_key::<String>()? {
            match field.as_str() {
                "host" => host = map.next_value::<Option<String>>()?,
                "port" => port = map.next_value::<Option<Port>>()?,
                "key" => key = map.next_value::<Option<String>>()?,
                "seed" => seed = map.next_value::<Option<String>>()?.map(Zeroizing::new),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let key = key.ok_or_else(|| de::Error::missing_field("key"))?;
        let seed = match seed {
            None => None,
            Some(text) => {
                Some(base64::decode(&text).map_err(|_| de::Error::custom("the seed is not 32 bytes in base64"))?)
            }
        };
        let (host, port) = (
            host.unwrap_or_default(),
            port.map_or(legacy::DEFAULT_PORT, |Port(port)| port),
        );
        legacy::build(&host, port, &key, seed.map(|seed| SecretKey::from_seed(*seed)))
            .map(Address::from)
            .and_then(Address::bounded)
            .map_err(de::Error::custom)
    }
}

/// A port as a number, or as a text that JavaScript would take for one.
struct Port(u16);

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u16),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(port) => Ok(Self(port)),
            Written::Text(text) => number::port(&text).map(Self).map_err(de::Error::custom),
        }
    }
}
