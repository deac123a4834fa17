//! What a node tells others, by how much it shows of itself.

use crate::Visibility;

/// Whether and how a node takes part in PX-1 (§10).
///
/// | visibility | by default | answers | is told things | tells of itself |
/// |---|---|---|---|---|
/// | public | on | everybody | by everybody | yes |
/// | private | off | who is let in | by who is let in | never |
/// | stealth | off | who is on its allowlist | by who is on its allowlist | never |
///
/// Asking others is always possible: it tells nobody where the node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    visibility: Visibility,
    on: bool,
}

impl Policy {
    /// The default of a visibility: on for public nodes.
    #[must_use]
    pub const fn of(visibility: Visibility) -> Self {
        Self {
            visibility,
            on: matches!(visibility, Visibility::Public),
        }
    }

    /// The same, switched on or off.
    #[must_use]
    pub const fn switched(self, on: bool) -> Self {
        Self { on, ..self }
    }

    /// Whether HELLO announces the capability.
    #[must_use]
    pub const fn announces(self) -> bool {
        self.on
    }

    /// Whether a peer is answered and listened to. `listed` tells that the node has an allowlist and the peer is on it.
    #[must_use]
    pub const fn serves(self, listed: bool) -> bool {
        self.on && (listed || !matches!(self.visibility, Visibility::Stealth))
    }

    /// Whether the node tells others where it is, unasked or asked.
    #[must_use]
    pub const fn tells_of_itself(self) -> bool {
        self.on && matches!(self.visibility, Visibility::Public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_visibility_tells_as_much_as_the_specification_lets_it() {
        use Visibility::{Private, Public, Stealth};
        for (visibility, on, serves_strangers, serves_listed, tells) in [
            (Public, true, true, true, true),
            (Private, true, true, true, false),
            (Stealth, true, false, true, false),
            (Public, false, false, false, false),
            (Private, false, false, false, false),
            (Stealth, false, false, false, false),
        ] {
            let policy = Policy::of(visibility).switched(on);
            assert_eq!(policy.announces(), on);
            assert_eq!(policy.serves(false), serves_strangers, "{visibility} {on}");
            assert_eq!(policy.serves(true), serves_listed, "{visibility} {on}");
            assert_eq!(policy.tells_of_itself(), tells, "{visibility} {on}");
        }
    }

    #[test]
    fn only_public_nodes_take_part_unasked() {
        assert!(Policy::of(Visibility::Public).announces());
        assert!(!Policy::of(Visibility::Private).announces());
        assert!(!Policy::of(Visibility::Stealth).announces());
    }
}
