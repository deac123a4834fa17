//! Plugins, their names, needs and methods (the original's test `api`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod alone;

use std::sync::{Arc, Mutex};

use alone::{config, failure, methods, stack, start, starting};
use futures_util::stream;
use handfast_mux::tokio::Router;
use handfast_mux::{CallType, RemoteError};
use handfast_stack::{Error, NodeHandle, Plugin, PluginConfig, async_trait, plugin};
use serde_json::json;

fn hello() -> Router {
    Router::new().sync("hello", |_cx, name: String| Ok(format!("Hello, {name}.")))
}

fn goodbye() -> Router {
    Router::new().call("goodbye", |_cx, n: i64| async move {
        if n == 0 {
            Err(RemoteError::new("bad input!"))
        } else {
            Ok(n)
        }
    })
}

#[tokio::test]
async fn a_plugin_without_a_name_adds_its_methods_at_the_root() {
    let node = start(stack().plugin(plugin("", hello()))).await;
    assert_eq!(methods(&node), ["hello: sync"]);
    assert_eq!(node.call::<String>("hello", ("Foo",)).await.unwrap(), "Hello, Foo.");
}

#[tokio::test]
async fn a_plugins_methods_are_found_under_its_name() {
    let node = start(stack().plugin(plugin("", hello())).plugin(plugin("foo", goodbye()))).await;
    assert_eq!(methods(&node), ["hello: sync", "foo.goodbye: async"]);
    assert_eq!(node.call::<i64>("foo.goodbye", (5,)).await.unwrap(), 5);
    let error = node.call::<i64>("foo.goodbye", (0,)).await.unwrap_err();
    assert_eq!(error.message(), "bad input!");
    assert_eq!(
        node.call::<i64>("goodbye", (5,)).await.unwrap_err().message(),
        "no async:goodbye"
    );
}

#[tokio::test]
async fn names_are_camel_cased_and_names_of_methods_are_not() {
    let methods_of = Router::new().sync("snake_case.kebab-case", |_cx, ()| Ok(1));
    let node = start(stack().plugin(plugin("foo-bar", methods_of))).await;
    assert_eq!(methods(&node), ["fooBar.snake_case.kebab-case: sync"]);
    assert_eq!(node.call::<u8>("fooBar.snake_case.kebab-case", ()).await.unwrap(), 1);
    assert!(node.call::<u8>("foo-bar.snake_case.kebab-case", ()).await.is_err());
}

#[tokio::test]
async fn a_name_of_nothing_but_punctuation_is_no_name() {
    let node = start(stack().plugin(plugin("--", hello()))).await;
    assert_eq!(methods(&node), ["hello: sync"]);
}

#[tokio::test]
async fn plugins_that_belong_together_are_used_one_after_the_other() {
    let compound: Vec<Arc<dyn Plugin>> = vec![
        Arc::new(plugin("foo", goodbye())),
        Arc::new(plugin(
            "bar",
            Router::new().call("farewell", |_cx, ()| async { Ok(()) }),
        )),
    ];
    let stack = compound
        .into_iter()
        .fold(stack().plugin(plugin("", hello())), |stack, plugin| {
            stack.shared_plugin(plugin)
        });
    let node = start(stack).await;
    assert_eq!(
        methods(&node),
        ["hello: sync", "foo.goodbye: async", "bar.farewell: async"]
    );
}

#[tokio::test]
async fn methods_of_all_kinds_are_found_where_the_manifest_has_them() {
    let all = Router::new()
        .sync("a", |_cx, ()| Ok(1))
        .call("deep.b", |_cx, ()| async { Ok(2) })
        .source("deep.c", |_cx, ()| stream::iter([Ok(3)]))
        .sink_raw("d", |_cx, _items| async { Ok(()) })
        .duplex_raw("deep.er.e", |_cx, items| items);
    let node = start(stack().plugin(plugin("my plug", all))).await;
    let kinds: Vec<CallType> = node.manifest().methods().into_iter().map(|(_, kind)| kind).collect();
    assert!(kinds.len() >= 5);
    assert_eq!(
        methods(&node),
        [
            "myPlug.a: sync",
            "myPlug.deep.b: async",
            "myPlug.deep.c: source",
            "myPlug.deep.er.e: duplex",
            "myPlug.d: sink"
        ]
    );
    assert_eq!(node.call::<u8>("myPlug.a", ()).await.unwrap(), 1);
    let numbers: Vec<u8> = alone::collect(node.source("myPlug.deep.c", ()).unwrap()).await.unwrap();
    assert_eq!(numbers, [3]);
    let empty = alone::items::<u8>([]);
    node.sink("myPlug.d", (), empty).unwrap().await.unwrap();
    let back = node.duplex("myPlug.deep.er.e", (), alone::items([1, 2])).unwrap();
    assert_eq!(alone::collect::<u8>(back).await.unwrap(), [1, 2]);
    let wrong = node.source("myPlug.a", ()).err().expect("it is no source");
    assert_eq!(wrong.message(), "no source:myPlug,a");
    let wrong = node.call::<u8>("myPlug.d", ()).await.unwrap_err();
    assert_eq!(wrong.message(), "no async:myPlug,d");
}

/// Puts the names of plugins on a list when they start.
fn noting(list: &Arc<Mutex<Vec<&'static str>>>, name: &'static str, needs: &'static [&'static str]) -> impl Plugin {
    let list = list.clone();
    let mut plugin = starting(name, move |_node, _config| {
        list.lock().unwrap().push(name);
        Ok(())
    });
    plugin.needs = needs;
    plugin.methods = Router::new().sync("here", |_cx, ()| Ok(true));
    plugin
}

#[tokio::test]
async fn plugins_start_in_the_order_of_their_needs_and_are_listed_in_the_order_of_use() {
    let list = Arc::default();
    let stack = stack()
        .plugin(noting(&list, "late", &["foo-bar", "last"]))
        .plugin(noting(&list, "first", &[]))
        .plugin(noting(&list, "fooBar", &["first"]))
        .plugin(noting(&list, "last", &[]));
    let node = start(stack).await;
    assert_eq!(*list.lock().unwrap(), ["first", "fooBar", "last", "late"]);
    assert_eq!(
        methods(&node),
        [
            "late.here: sync",
            "first.here: sync",
            "fooBar.here: sync",
            "last.here: sync"
        ]
    );
}

#[tokio::test]
async fn a_plugin_that_is_needed_and_missing_is_named_before_anything_starts() {
    let list = Arc::default();
    let stack = stack()
        .plugin(noting(&list, "first", &[]))
        .plugin(noting(&list, "late", &["first", "conn"]));
    let error = failure(stack).await;
    assert!(matches!(&error, Error::MissingPlugin { plugin, needs } if plugin == "late" && needs == "conn"));
    assert_eq!(
        error.to_string(),
        r#"plugin "late" needs plugin "conn", which is not used: add it with `Stack::plugin`"#
    );
    assert!(list.lock().unwrap().is_empty());
}

#[tokio::test]
async fn needs_that_go_round_in_a_circle_are_shown() {
    let list = Arc::default();
    let stack = stack()
        .plugin(noting(&list, "outside", &["a"]))
        .plugin(noting(&list, "a", &["b"]))
        .plugin(noting(&list, "b", &["c"]))
        .plugin(noting(&list, "c", &["a"]));
    let error = failure(stack).await;
    assert!(matches!(&error, Error::Cycle { path } if path == &["a", "b", "c", "a"]));
    assert!(error.to_string().ends_with("a needs b needs c needs a"), "{error}");

    let alone = alone::stack().plugin(noting(&list, "alone", &["alone"]));
    assert!(matches!(failure(alone).await, Error::Cycle { path } if path == ["alone", "alone"]));
}

#[tokio::test]
async fn two_plugins_of_one_name_are_an_error() {
    let error = failure(
        stack()
            .plugin(plugin("foo-bar", hello()))
            .plugin(plugin("fooBar", goodbye())),
    )
    .await;
    assert!(
        matches!(&error, Error::DuplicatePlugin { name, first, second }
            if name == "fooBar" && first == "foo-bar" && second == "fooBar"),
        "{error}"
    );
}

#[tokio::test]
async fn no_plugin_may_take_the_place_of_what_all_share() {
    for name in ["global", "Global"] {
        let error = failure(stack().plugin(plugin(name, hello()))).await;
        assert!(
            matches!(&error, Error::ReservedName(reserved) if reserved == name),
            "{error}"
        );
    }
}

#[tokio::test]
async fn two_methods_of_one_name_are_an_error_that_names_both_plugins() {
    let named = plugin("foo", Router::new().sync("bar", |_cx, ()| Ok(1)));
    let same = Router::new().sync("foo.bar", |_cx, ()| Ok(2));
    let above = Router::new().sync("foo", |_cx, ()| Ok(2));
    let beneath = Router::new().sync("foo.bar.baz", |_cx, ()| Ok(2));
    for (methods, at) in [(same, "foo.bar"), (above, "foo"), (beneath, "foo.bar.baz")] {
        let error = failure(stack().plugin(named.clone()).plugin(plugin("", methods))).await;
        assert!(
            matches!(&error, Error::DuplicateMethod { method, first, second }
                if method.to_string() == at && first == "foo" && second.is_empty()),
            "{error}"
        );
    }
    let beside = Router::new().sync("foo.baz", |_cx, ()| Ok(2));
    let node = start(stack().plugin(named).plugin(plugin("", beside))).await;
    assert_eq!(methods(&node), ["foo.bar: sync", "foo.baz: sync"]);
}

#[tokio::test]
async fn a_plugin_that_cannot_start_is_named() {
    let broken = starting("my-plug", |_node, _config| Err(Error::plugin("no such adapter")));
    let error = failure(stack().plugin(broken)).await;
    assert!(matches!(&error, Error::Plugin { name, .. } if name == "my-plug"));
    assert_eq!(error.to_string(), r#"plugin "my-plug" cannot start: no such adapter"#);
}

#[tokio::test]
async fn a_plugin_sees_its_own_section_and_what_all_share() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let see = |name: &'static str| {
        let seen = seen.clone();
        starting(name, move |_node, config| {
            let okay = config.global().extra.get("okay").cloned();
            seen.lock().unwrap().push((config.raw().clone(), okay));
            Ok(())
        })
    };
    let stack = stack().plugin(see("foo-bar")).plugin(see("baz")).plugin(see(""));
    let written = json!({ "global": { "okay": true }, "fooBar": { "a": 1 }, "": { "b": 2 } });
    stack.start(config(written)).await.unwrap();
    let shared = Some(json!(true));
    assert_eq!(
        *seen.lock().unwrap(),
        [
            (json!({ "a": 1 }), shared.clone()),
            (json!(null), shared.clone()),
            (json!(null), shared)
        ]
    );
}

#[tokio::test]
async fn the_owners_section_lies_over_the_factorys_and_that_over_the_plugins_defaults() {
    let seen = Arc::new(Mutex::new(None));
    let see = seen.clone();
    let mut plugin = starting("foo", move |_node, config| {
        *see.lock().unwrap() = Some(config.raw().clone());
        Ok(())
    });
    plugin.defaults = json!({ "a": 1, "deep": { "a": 1, "b": 1, "c": 1 } });
    let stack = stack()
        .plugin(plugin)
        .config(config(json!({ "foo": { "deep": { "b": 2, "c": 2 } } })));
    let owners = config(json!({ "foo": { "deep": { "c": 3 } } }));
    stack.start(owners).await.unwrap();
    let expected = json!({ "a": 1, "deep": { "a": 1, "b": 2, "c": 3 } });
    assert_eq!(*seen.lock().unwrap(), Some(expected));
}

#[tokio::test]
async fn a_section_that_does_not_fit_is_an_error_that_names_the_place() {
    #[derive(Debug, Default, serde::Deserialize)]
    struct Options {
        _deep: Vec<Deep>,
    }
    #[derive(Debug, serde::Deserialize)]
    struct Deep {
        _n: u8,
    }
    let plugin = starting("my-plug", |_node, config: &PluginConfig| {
        config.section::<Options>().map(drop)
    });
    let written = config(json!({ "myPlug": { "_deep": [{ "_n": 1 }, { "_n": "x" }] } }));
    let error = stack().plugin(plugin).start(written).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"the section "myPlug" of the configuration does not fit: _deep[1]._n: invalid type: string "x", expected u8"#
    );
}

#[tokio::test]
async fn one_factory_starts_many_nodes() {
    let started = Arc::new(Mutex::new(0));
    let count = started.clone();
    let stack = stack()
        .plugin(plugin("", hello()))
        .plugin(starting("foo", move |_node, _config| {
            *count.lock().unwrap() += 1;
            Ok(())
        }));
    let (one, two) = (start(stack.clone()).await, start(stack).await);
    assert_eq!(*started.lock().unwrap(), 2);
    one.hook("hello", |_next, ()| async { Ok("hooked") }).unwrap();
    assert_eq!(one.call::<String>("hello", ("x",)).await.unwrap(), "hooked");
    assert_eq!(two.call::<String>("hello", ("x",)).await.unwrap(), "Hello, x.");
}

#[tokio::test]
async fn a_plugin_may_call_what_it_needs_while_it_starts() {
    struct Asking(Mutex<Option<String>>);

    #[async_trait]
    impl Plugin for Asking {
        fn needs(&self) -> &[&str] {
            &["greeter"]
        }

        async fn init(&self, node: &NodeHandle, _config: &PluginConfig) -> Result<Router, Error> {
            let hello = node.call("greeter.hello", ("me",)).await.map_err(Error::plugin)?;
            *self.0.lock().unwrap() = Some(hello);
            Ok(Router::new())
        }
    }

    let asking = Arc::new(Asking(Mutex::default()));
    let stack = stack().shared_plugin(asking.clone()).plugin(plugin("greeter", hello()));
    start(stack).await;
    assert_eq!(asking.0.lock().unwrap().as_deref(), Some("Hello, me."));
}
