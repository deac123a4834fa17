//! Who may call what.

use crate::{Error, MethodName, RemoteError};

/// Which methods a peer may call: an allow list, a deny list, or both.
///
/// A listed path covers the method of that name and everything beneath it: allowing `blobs` allows `blobs.get`, and
/// allowing `blobs.get` does not allow `blobs`. Permissions are checked before it is looked up whether the method exists,
/// so a stranger cannot find out what there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    allow: Option<Vec<MethodName>>,
    deny: Vec<MethodName>,
}

impl Permissions {
    /// Everything is allowed.
    pub fn all() -> Self {
        Self::default()
    }

    /// Nothing is allowed.
    pub fn none() -> Self {
        Self {
            allow: Some(Vec::new()),
            deny: Vec::new(),
        }
    }

    /// Only these paths, dotted, are allowed, besides those allowed before.
    ///
    /// # Errors
    /// [`Error::MethodName`] for a path that is no method name.
    pub fn allow<'a>(mut self, paths: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        let allow = self.allow.get_or_insert_default();
        for path in paths {
            allow.push(path.parse()?);
        }
        Ok(self)
    }

    /// These paths, dotted, are forbidden, even where the allow list covers them.
    ///
    /// # Errors
    /// [`Error::MethodName`] for a path that is no method name.
    pub fn deny<'a>(mut self, paths: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        for path in paths {
            self.deny.push(path.parse()?);
        }
        Ok(self)
    }

    /// Whether `method` may be called.
    ///
    /// # Errors
    /// The error to answer with, in the words that other packages of the network match on.
    pub fn check(&self, method: &MethodName) -> Result<(), RemoteError> {
        if self.allow.as_ref().is_some_and(|allow| !covers(allow, method)) {
            let method = method.comma_separated();
            return Err(RemoteError::new(format!(
                "method:{method} is not in list of allowed methods"
            )));
        }
        if covers(&self.deny, method) {
            let method = method.comma_separated();
            return Err(RemoteError::new(format!(
                "method:{method} is on list of disallowed methods"
            )));
        }
        Ok(())
    }
}

fn covers(list: &[MethodName], method: &MethodName) -> bool {
    let under = |path: &MethodName| {
        path.parts().len() <= method.parts().len() && path.parts().zip(method.parts()).all(|(a, b)| a == b)
    };
    list.iter().any(under)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(permissions: &Permissions, method: &str) -> Result<(), String> {
        permissions
            .check(&method.parse().unwrap())
            .map_err(|error| error.message().to_owned())
    }

    #[test]
    fn an_allowed_path_covers_what_is_beneath_it_and_not_what_is_above() {
        let some = Permissions::all().allow(["nested.deep", "whoami"]).unwrap();
        assert_eq!(verdict(&some, "nested.deep.hi"), Ok(()));
        assert_eq!(verdict(&some, "nested.deep"), Ok(()));
        assert_eq!(
            verdict(&some, "nested"),
            Err("method:nested is not in list of allowed methods".into())
        );
        assert_eq!(
            verdict(&some, "nested.deeper"),
            Err("method:nested,deeper is not in list of allowed methods".into())
        );
        assert!(verdict(&Permissions::none(), "manifest").is_err());
    }

    #[test]
    fn a_denied_path_wins_over_an_allowed_one() {
        let some = Permissions::all().allow(["a"]).unwrap().deny(["a.b"]).unwrap();
        assert_eq!(verdict(&some, "a.c"), Ok(()));
        assert_eq!(
            verdict(&some, "a.b.c"),
            Err("method:a,b,c is on list of disallowed methods".into())
        );
    }
}
