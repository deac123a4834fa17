//! `handfast perms`: what somebody may call here, and why.

use crate::{
    args,
    control::{Node, Permissions, understood},
    exit::Failure,
    figures::columns,
    home::Home,
    out::{self, Clean},
};
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

fn text(permissions: &Permissions) -> String {
    let who = permissions.id.as_deref().unwrap_or("a stranger");
    let source = match permissions.source.as_str() {
        "auth" => "has the rights that auth grants",
        "anonymous" => "has the rights of everybody",
        "owner" => "is the owner and may do everything",
        "refused" => "is turned away at the door",
        other => other,
    };
    let mut lines = vec![match &permissions.reason {
        Some(reason) => format!("{} {}: {}", Clean(who), Clean(source), Clean(reason)),
        None => format!("{} {}", Clean(who), Clean(source)),
    }];
    if !permissions.methods.is_empty() {
        let or_dash = |text: &Option<String>| Clean(text.as_deref().unwrap_or("-")).to_string();
        let rows = permissions.methods.iter().map(|method| {
            [
                Clean(&method.name).to_string(),
                Clean(&method.kind).to_string(),
                if method.allowed { "allowed" } else { "denied" }.into(),
                or_dash(&method.rule),
                or_dash(&method.plugin),
            ]
        });
        lines.push(columns(["METHOD", "KIND", "MAY", "RULE", "PLUGIN"], rows));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_method_stands_with_the_rule_that_decides_it() {
        let permissions = serde_json::from_value(json!({
            "source": "anonymous",
            "methods": [
                { "name": "manifest", "kind": "sync", "allowed": true, "rule": "allow manifest", "plugin": "core" },
                { "name": "db.add", "kind": "async", "allowed": false, "rule": null, "plugin": null },
            ]
        }))
        .unwrap();
        assert_eq!(
            text(&permissions),
            "a stranger has the rights of everybody\n\
             METHOD    KIND   MAY      RULE            PLUGIN\n\
             manifest  sync   allowed  allow manifest  core\n\
             db.add    async  denied   -               -"
        );
    }

    #[test]
    fn whoever_is_refused_sees_the_reason() {
        let permissions =
            serde_json::from_value(json!({ "id": "@x.ed25519", "source": "refused", "reason": "banned\u{1b}" }))
                .unwrap();
        assert_eq!(
            text(&permissions),
            "@x.ed25519 is turned away at the door: banned\\u{1b}"
        );
    }
}
