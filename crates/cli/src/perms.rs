//! `handfast perms`: what somebody may call here, and why.

use crate::{
    args,
    control::{Node, understood},
    exit::Failure,
    figures::columns,
    home::Home,
    out::{self, Clean},
};
use handfast_stack::{Basis, control::Perms};
use serde_json::Value;

pub(crate) async fn run(home: &Home, options: &args::Perms) -> Result<(), Failure> {
    let node = Node::reach(home).await?;
    let result = match &options.key {
        Some(key) => node.call::<Value>("control.perms", (key,)).await,
        None => node.call::<Value>("control.perms", ()).await,
    };
    node.leave().await;
    let answer = result?;
    let written = match options.json.json {
        true => out::json(&answer),
        false => {
            let permissions = understood(answer)?;
            out::line(format_args!("{}", text(&permissions)))
        }
    };
    written.map_err(Failure::local)
}

fn text(perms: &Perms) -> String {
    let who = perms.id.as_deref().unwrap_or("a stranger");
    if let Some(reason) = &perms.refused {
        return format!("{} may not come in: {}", Clean(who), Clean(reason));
    }
    let basis = match perms.basis {
        Basis::Auth => "has the rights that auth gives",
        Basis::Anonymous => "has the rights of everybody",
        Basis::Owner => "is the owner",
    };
    let rows = perms.methods.iter().map(|method| {
        [
            Clean(&method.name).to_string(),
            method.kind.to_string(),
            if method.allowed { "allowed" } else { "denied" }.into(),
            Clean(method.plugin.as_deref().unwrap_or("-")).to_string(),
            Clean(&method.rule).to_string(),
        ]
    });
    let table = columns(["METHOD", "KIND", "MAY", "PLUGIN", "RULE"], rows);
    format!("{} {basis}\n{table}", Clean(who))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_method_stands_with_the_rule_that_decides_it() {
        let perms = serde_json::from_value(json!({
            "basis": "anonymous",
            "methods": [
                { "name": "blobs.get", "kind": "source", "allowed": true, "rule": "allowed by rule allow:blobs", "plugin": "blobs" },
                { "name": "db.add", "kind": "async", "allowed": false, "rule": "not covered by any allow rule" },
            ]
        }))
        .unwrap();
        assert_eq!(
            text(&perms),
            "a stranger has the rights of everybody\n\
             METHOD     KIND    MAY      PLUGIN  RULE\n\
             blobs.get  source  allowed  blobs   allowed by rule allow:blobs\n\
             db.add     async   denied   -       not covered by any allow rule"
        );
    }

    #[test]
    fn whoever_is_refused_sees_the_reason() {
        let perms = json!({ "id": "@x.ed25519", "refused": "banned\u{1b}", "basis": "anonymous", "methods": [] });
        let perms = serde_json::from_value(perms).unwrap();
        assert_eq!(text(&perms), "@x.ed25519 may not come in: banned\\u{1b}");
    }
}
