//! Who may come in, and with which rights: the method `auth`, which permission systems hook.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use handfast_keys::PublicKey;
use handfast_multiserver::{Auth, Authenticate, Refusal};
use handfast_mux::Body;

use crate::{Rights, node::Inner};

/// Asks the node's method `auth`, with all its hooks, about each client whose handshake has proved its key.
#[derive(Debug)]
pub(crate) struct AskNode(pub(crate) Weak<Inner>);

#[async_trait]
impl Authenticate for AskNode {
    async fn authenticate(&self, peer: &PublicKey) -> Result<Auth, Refusal> {
        let Some(node) = self.0.upgrade() else {
            return Err(Refusal::because("the node is closing"));
        };
        let said = ask(&node, peer).await.map_err(Refusal::because)?;
        Ok(match said {
            Some(rights) => Auth::Granted(Arc::new(rights)),
            None => Auth::Anonymous,
        })
    }
}

/// What `auth` says about a peer: rights of its own, or `None` for those of everybody; an error says why it is refused.
pub(crate) async fn ask(node: &Arc<Inner>, peer: &PublicKey) -> Result<Option<Rights>, String> {
    let registry = node.registry().map_err(|error| error.to_string())?;
    let args = handfast_mux::args_to_json(&(peer.to_string(),)).map_err(|error| error.to_string())?;
    let method = "auth".parse().map_err(|error: handfast_mux::Error| error.to_string())?;
    let answer = registry.call_local(method, args).await;
    read(answer.map_err(|error| error.message().to_owned())?)
}

/// An object of lists is rights, as in the original. So that a mistake never opens more than was meant, what is not
/// understood refuses; everything else, `false` for a callback without a value among it, decides nothing.
fn read(answer: Body) -> Result<Option<Rights>, String> {
    let value: serde_json::Value = answer
        .to_value()
        .map_err(|error| format!("auth answered what cannot be read: {error}"))?;
    if !value.is_object() {
        return Ok(None);
    }
    let wrong = |why: &str| {
        Err(format!(
            "auth answered an object that is not permissions, {{\"allow\":[…],\"deny\":[…]}}: {why}"
        ))
    };
    // No list at all would mean all rights, which is to be said: {"allow":null}.
    if value.get("allow").is_none() && value.get("deny").is_none() {
        return wrong("it has neither allow nor deny");
    }
    match serde_json::from_value(value) {
        Ok(rights) => Ok(Some(rights)),
        Err(error) => wrong(&error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn said(answer: Value) -> Result<Option<Rights>, String> {
        read(Body::from_value(&answer).unwrap())
    }

    #[test]
    fn lists_are_rights_and_no_object_is_no_decision() {
        for nothing in [json!(null), json!(false), json!(true), json!("all")] {
            assert_eq!(said(nothing), Ok(None));
        }
        let some = Rights::all().allow(["a.b"]).unwrap().deny(["a.b.c"]).unwrap();
        assert_eq!(said(json!({ "allow": ["a.b"], "deny": ["a.b.c"] })), Ok(Some(some)));
        assert_eq!(said(json!({ "allow": null, "deny": null })), Ok(Some(Rights::all())));
    }

    #[test]
    fn an_object_that_is_not_understood_lets_nobody_in() {
        assert!(said(json!({ "allow": "everything" })).is_err());
        assert!(said(json!({ "allow": [1] })).is_err());
        assert!(said(json!({})).is_err());
        // An object that is nested too deeply to be read.
        let deep = format!(r#"{{"allow":[],"x":{}{}}}"#, "[".repeat(200), "]".repeat(200));
        assert!(read(Body::json(deep).unwrap()).is_err());
    }
}
