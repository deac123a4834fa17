//! What a configuration holds.

use super::{
    keys::{self, Key},
    text,
};
use crate::exit::Failure;
use handfast_keys::NetworkIdentifier;
use serde::{Deserialize, Serialize};

/// Every key there is.
const KEYS: &[Key] = &[Key::new(
    "network",
    "The network identifier (app key, caps.shs): 32 bytes in base64. Only nodes of one network hear each other.",
)];

/// The configuration of a node.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Settings {
    pub(crate) network: NetworkIdentifier,
}

impl Settings {
    /// Reads a configuration; what it leaves out has its default.
    ///
    /// # Errors
    /// The line, and what is wrong there.
    pub(super) fn from_toml(text: &str) -> Result<Self, String> {
        keys::refuse_unknown(text, KEYS)?;
        toml::from_str(text).map_err(|error| {
            let line = error
                .span()
                .map(|span| format!("line {}: ", keys::line_of(text, span.start)));
            format!("{}{}", line.unwrap_or_default(), error.message())
        })
    }

    /// The whole configuration, with comments.
    pub(super) fn to_toml(&self) -> Result<String, Failure> {
        let values = serde_json::to_value(self).map_err(Failure::local)?;
        text::write(&values, KEYS).map_err(Failure::local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_written_defaults_are_the_defaults() {
        let written = Settings::default().to_toml().unwrap();
        let read = Settings::from_toml(&written).unwrap();
        let value = |settings: &Settings| serde_json::to_value(settings).unwrap();
        assert_eq!(value(&read), value(&Settings::default()), "{written}");
        assert_eq!(value(&Settings::from_toml("").unwrap()), value(&Settings::default()));
    }

    #[test]
    fn a_wrong_value_is_named_with_its_line() {
        for (text, complaint) in [
            ("\nnetwork = 5", "line 2: "),
            ("network = \"short\"", "line 1: "),
            ("network = ", "line 1: "),
            (
                "\n\nnetwrok = 1",
                "line 3: there is no key netwrok; the nearest one is network",
            ),
        ] {
            let error = Settings::from_toml(text).unwrap_err();
            assert!(error.starts_with(complaint), "{error}");
        }
    }
}
