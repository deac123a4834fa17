//! Permissions of many plugins, put together (the original's test `merge`), and what they say.
#![allow(clippy::unwrap_used, clippy::panic)]

mod alone;

use alone::{failure, start, starting};
use handfast_mux::tokio::Router;
use handfast_stack::{Error, Permissions, plugin};
use serde_json::{Value, json};

fn read(value: Value) -> Permissions {
    serde_json::from_value(value).unwrap()
}

fn written(permissions: &Permissions) -> Value {
    serde_json::to_value(permissions).unwrap()
}

#[test]
fn lists_are_merged_in_order_and_under_the_name_of_the_plugin() {
    let first = read(json!({ "anonymous": { "allow": [], "deny": null } }));
    let merged = first.merge(read(json!({ "anonymous": { "allow": ["foo"] } })));
    assert_eq!(
        written(&merged),
        json!({ "anonymous": { "allow": ["foo"], "deny": null } })
    );
    let merged = merged.merge(read(json!({ "anonymous": { "allow": ["baz"] } })).of_plugin("BAR"));
    assert_eq!(
        written(&merged),
        json!({ "anonymous": { "allow": ["foo", "BAR.baz"], "deny": null } })
    );
    let merged = merged.merge(read(
        json!({ "anonymous": { "allow": ["new", "BAR.baz", "foo"], "deny": ["x"] } }),
    ));
    assert_eq!(
        written(&merged),
        json!({ "anonymous": { "allow": ["foo", "BAR.baz", "new"], "deny": ["x"] } })
    );
}

#[test]
fn each_role_has_lists_of_its_own() {
    let permissions = Permissions::anonymous(["a"])
        .role("master", ["b", "c"], ["c.d"])
        .merge(Permissions::default().role("master", ["e"], ["c.d"]));
    assert_eq!(
        written(&permissions),
        json!({
            "anonymous": { "allow": ["a"], "deny": null },
            "master": { "allow": ["b", "c", "e"], "deny": ["c.d"] },
        })
    );
    let rights = permissions.rights("master").unwrap();
    assert!(rights.check(&"c.e".parse().unwrap()).is_ok());
    assert!(rights.check(&"c.d.f".parse().unwrap()).is_err());
    assert!(rights.check(&"a".parse().unwrap()).is_err());
}

#[test]
fn what_nobody_has_spoken_of_is_not_allowed() {
    let method = "anything".parse().unwrap();
    for silent in [
        Permissions::default(),
        Permissions::default().deny_anonymous(["something"]),
        read(json!({ "anonymous": { "allow": null } })),
        read(json!({ "anonymous": {} })),
    ] {
        assert!(silent.anonymous_rights().unwrap().check(&method).is_err(), "{silent:?}");
        assert!(silent.rights("stranger").unwrap().check(&method).is_err());
    }
}

#[test]
fn a_rule_that_is_no_path_is_named_with_its_plugin() {
    for permissions in [
        Permissions::anonymous(["a..b"]),
        Permissions::default().deny_anonymous(["a..b"]),
    ] {
        let error = permissions.of_plugin("foo").anonymous_rights().unwrap_err();
        assert!(matches!(&error, Error::Rule { plugin, path } if plugin == "foo" && path == "foo.a..b"));
        assert_eq!(
            error.to_string(),
            r#""foo.a..b" among the permissions of plugin "foo" is no method: paths are names joined by dots"#
        );
    }
}

#[test]
fn a_verdict_is_explained_with_the_plugin_whose_rule_it_is() {
    let all = Permissions::anonymous(["manifest"])
        .merge(Permissions::anonymous(["get", "has"]).of_plugin("blobs"))
        .merge(Permissions::anonymous(["blobs.has"]).of_plugin(""))
        .merge(
            Permissions::default()
                .deny_anonymous(["blobs.has.secretly"])
                .of_plugin(""),
        )
        .merge(Permissions::default().deny_anonymous(["get.big"]).of_plugin("blobs"));
    let rights = all.anonymous_rights().unwrap();
    let explained = |method: &str| {
        let explanation = all.explain(rights.verdict(&method.parse().unwrap()));
        (explanation.to_string(), explanation.plugin.map(str::to_owned))
    };
    let some = |plugin: &str| Some(plugin.to_owned());
    assert_eq!(
        explained("blobs.get.slice"),
        ("allowed by rule allow:blobs.get of plugin blobs".into(), some("blobs"))
    );
    assert_eq!(
        explained("blobs.has"),
        ("allowed by rule allow:blobs.has of plugin blobs".into(), some("blobs")),
        "whoever said it first"
    );
    assert_eq!(
        explained("manifest"),
        (
            "allowed by rule allow:manifest of the core or a plugin without a name".into(),
            some("")
        )
    );
    assert_eq!(
        explained("blobs.get.big"),
        (
            "denied by rule deny:blobs.get.big of plugin blobs".into(),
            some("blobs")
        )
    );
    assert_eq!(explained("blobs"), ("not covered by any allow rule".into(), None));
}

#[tokio::test]
async fn a_node_puts_the_permissions_of_its_plugins_together() {
    let methods = || Router::new().sync("hello", |_cx, ()| Ok("hello"));
    let stack = alone::stack()
        .plugin(plugin("foo-bar", methods()).permissions(Permissions::anonymous(["hello"])))
        .plugin(
            plugin("", methods()).permissions(Permissions::anonymous(["hello"]).role(
                "master",
                ["hello"],
                [] as [&str; 0],
            )),
        )
        .permissions(Permissions::default().deny_anonymous(["fooBar.secret"]));
    let node = start(stack).await;
    let rights = node.anonymous();
    for (method, allowed) in [
        ("fooBar.hello", true),
        ("hello", true),
        ("fooBar", false),
        ("foo-bar.hello", false),
        ("fooBar.secret", false),
    ] {
        assert_eq!(rights.check(&method.parse().unwrap()).is_ok(), allowed, "{method}");
    }
    assert_eq!(
        node.permissions().origin_of_allow(&"fooBar.hello".parse().unwrap()),
        Some("fooBar")
    );
    assert_eq!(
        node.permissions().origin_of_deny(&"fooBar.secret".parse().unwrap()),
        Some("")
    );
    let master = node.permissions().rights("master").unwrap();
    assert!(master.check(&"hello".parse().unwrap()).is_ok());

    let mut wrong = starting("wrong", |_node, _config| Ok(()));
    wrong.permissions = Permissions::anonymous([""]);
    assert!(matches!(failure(alone::stack().plugin(wrong)).await, Error::Rule { plugin, .. } if plugin == "wrong"));
}
