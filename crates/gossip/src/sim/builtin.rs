//! The scenarios that are brought along: the files in `scenarios/`.

/// A scenario that is brought along.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    /// The name of its file, without its end.
    pub name: &'static str,
    /// The scenario, with comments.
    pub toml: &'static str,
}

macro_rules! built_in {
    ($($name:literal),+ $(,)?) => {
        /// All of them.
        pub const BUILT_IN: &[BuiltIn] = &[
            $(BuiltIn { name: $name, toml: include_str!(concat!("../../scenarios/", $name, ".toml")) }),+
        ];
    };
}

built_in![
    "crowd-100",
    "crowd-1000",
    "crowd-10000",
    "crowd-10000-1s",
    "crowd-10000-10min",
    "half-vanish",
    "four-fifths-vanish",
    "churn",
    "lossy",
    "many-senders",
    "links",
    "original",
    "catch-up",
    "hostile-silence",
    "hostile-replay",
    "hostile-rewrite",
    "hostile-flood",
    "hostile-eclipse",
    "everything",
];
