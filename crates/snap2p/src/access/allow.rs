//! Which principals are wanted.

use crate::Principal;
use std::{collections::HashSet, sync::Arc};

/// Which principals are wanted: everybody, or those of a list. Cheap to clone; clones share the list.
#[derive(Debug, Clone, Default)]
pub struct Allow(Option<Arc<HashSet<Principal>>>);

impl Allow {
    /// Everybody who proves to be somebody.
    #[must_use]
    pub const fn everybody() -> Self {
        Self(None)
    }

    /// Only these; an empty list wants nobody.
    #[must_use]
    pub fn only(principals: impl IntoIterator<Item = Principal>) -> Self {
        Self(Some(Arc::new(principals.into_iter().collect())))
    }

    /// Whether `principal` is wanted.
    #[must_use]
    pub fn allows(&self, principal: &Principal) -> bool {
        self.0.as_ref().is_none_or(|list| list.contains(principal))
    }

    /// Whether everybody is wanted.
    #[must_use]
    pub const fn is_everybody(&self) -> bool {
        self.0.is_none()
    }
}

impl FromIterator<Principal> for Allow {
    fn from_iter<I: IntoIterator<Item = Principal>>(principals: I) -> Self {
        Self::only(principals)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Address;

    #[test]
    fn an_empty_list_wants_nobody_and_no_list_wants_everybody() {
        let one = Principal(Address::new(22, [1; 20]).unwrap());
        let other = Principal(Address::new(22, [2; 20]).unwrap());
        assert!(Allow::everybody().allows(&one));
        assert!(!Allow::only([]).allows(&one));
        let list: Allow = [one].into_iter().collect();
        assert!(list.allows(&one));
        assert!(!list.allows(&other));
    }
}
