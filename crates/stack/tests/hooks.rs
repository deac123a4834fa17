//! Hooks around methods of all kinds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod alone;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use alone::{collect, failure, items, stack, start, starting};
use futures_util::{FutureExt, StreamExt, TryStreamExt, future, stream};
use handfast_mux::tokio::{Answer, Consumption, Context, Incoming, Items, Router};
use handfast_mux::{Body, CallType, RemoteError};
use handfast_stack::{Error, Hook, Next, Node, Stack, plugin};
use serde_json::{Value, json};

/// A method of each kind; the sink keeps what it gets.
fn api() -> (Stack, Arc<Mutex<Vec<Value>>>) {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = kept.clone();
    let methods = Router::new()
        .sync("hello", |_cx, name: String| Ok(format!("Hello, {name}.")))
        .call("add", |_cx, (a, b): (i64, i64)| async move { Ok(a + b) })
        .call("buffer", |_cx, ()| async { Ok(bytes::Bytes::from_static(b"\x01\x02")) })
        .source("count", |_cx, n: u64| stream::iter((0..n).map(Ok)))
        .sink("keep", move |_cx, items: Incoming<Value>| {
            let keep = keep.clone();
            async move {
                items
                    .try_for_each(|item| {
                        keep.lock().unwrap().push(item);
                        future::ready(Ok(()))
                    })
                    .await
            }
        })
        .duplex("shout", |_cx, words| words.map_ok(|word: String| word.to_uppercase()));
    (stack().plugin(plugin("", methods)), kept)
}

async fn node() -> Node {
    start(api().0).await
}

async fn hello(node: &Node) -> String {
    node.call("hello", ("Foo",)).await.unwrap()
}

#[tokio::test]
async fn a_hook_changes_the_answer() {
    let exclaim = starting("exclaim", |node, _config| {
        node.hook("hello", |next: Next, name: String| async move {
            let hello: String = next.call((name,)).await?;
            Ok(hello.replace('.', "!!!"))
        })
    });
    let node = start(api().0.plugin(exclaim)).await;
    assert_eq!(hello(&node).await, "Hello, Foo!!!");
}

#[tokio::test]
async fn a_hook_changes_the_arguments() {
    let node = node().await;
    node.hook("add", |next: Next, (a, b): (i64, i64)| async move {
        next.call::<i64>((a * 10, b * 10)).await
    })
    .unwrap();
    assert_eq!(node.call::<i64>("add", (1, 2)).await.unwrap(), 30);
}

#[tokio::test]
async fn a_hook_may_answer_without_calling_on() {
    let node = node().await;
    node.hook("hello", |_next: Next, name: String| async move {
        match name.as_str() {
            "nobody" => Err(RemoteError::new("there is nobody")),
            _ => Ok("no"),
        }
    })
    .unwrap();
    assert_eq!(hello(&node).await, "no");
    let error = node.call::<String>("hello", ("nobody",)).await.unwrap_err();
    assert_eq!(error.message(), "there is nobody");
}

#[tokio::test]
async fn a_hook_may_call_on_twice() {
    let node = node().await;
    node.hook("add", |next: Next, (a, b): (i64, i64)| async move {
        let once: i64 = next.clone().call((a, b)).await?;
        next.call::<i64>((once, once)).await
    })
    .unwrap();
    assert_eq!(node.call::<i64>("add", (1, 2)).await.unwrap(), 6);
}

#[tokio::test]
async fn an_answer_passes_a_hook_as_it_came() {
    let node = node().await;
    node.hook("buffer", |next: Next, ()| async move { next.run().await })
        .unwrap();
    let body = node.call::<bytes::Bytes>("buffer", ()).await.unwrap();
    assert_eq!(&body[..], [1, 2]);
}

#[tokio::test]
async fn the_last_hook_added_is_the_outermost() {
    fn mark(mark: char) -> impl Fn(Next, String) -> future::BoxFuture<'static, Result<String, RemoteError>> {
        move |next, name| {
            async move {
                Ok(format!(
                    "{mark}{}",
                    next.call::<String>((name + &mark.to_string(),)).await?
                ))
            }
            .boxed()
        }
    }
    let (stack, _) = api();
    let first = starting("first", |node, _config| {
        node.hook("hello", mark('1'))?;
        node.hook("hello", mark('2'))
    });
    let second = starting("second", |node, _config| node.hook("hello", mark('3')));
    let node = start(
        stack
            .hook("hello", mark('4'))
            .plugin(first)
            .hook("hello", mark('5'))
            .plugin(second),
    )
    .await;
    node.hook("hello", mark('6')).unwrap();
    // Arguments pass from the outermost inwards, answers back.
    assert_eq!(hello(&node).await, "654321Hello, Foo654321.");
}

#[tokio::test]
async fn a_hook_may_come_before_its_method() {
    let (stack, _) = api();
    let early = starting("early", |node, _config| {
        node.hook("late.hello", |_next, ()| async { Ok("hooked") })
    });
    let late = plugin("late", Router::new().sync("hello", |_cx, ()| Ok("plain")));
    let node = start(stack.plugin(early).plugin(late)).await;
    assert_eq!(node.call::<String>("late.hello", ()).await.unwrap(), "hooked");
}

#[tokio::test]
async fn a_hook_on_nothing_is_an_error_when_all_plugins_are_up() {
    let (stack, _) = api();
    let astray = starting("astray", |node, _config| {
        node.hook("no.such", |_next, ()| async { Ok(()) })
    });
    let error = failure(stack.clone().plugin(astray)).await;
    assert!(matches!(&error, Error::NoSuchMethod { method, kind: None, .. } if method == "no.such"));
    assert!(error.to_string().contains("no.such, which no plugin has"), "{error}");
    let error = failure(stack.hook("helo", |_next, ()| async { Ok(()) })).await;
    assert!(matches!(error, Error::NoSuchMethod { .. }));
    let running = node().await;
    for wrong in ["helo", "", "a..b"] {
        let error = running.hook(wrong, |_next, ()| async { Ok(()) }).unwrap_err();
        assert!(matches!(error, Error::NoSuchMethod { .. }));
    }
}

#[tokio::test]
async fn a_hook_for_another_kind_is_an_error_that_says_which() {
    let node = node().await;
    let error = node.hook("count", |_next, ()| async { Ok(()) }).unwrap_err();
    assert_eq!(
        error.to_string(),
        "count is of kind source and the hook is for kind async: add it with `hook_source`"
    );
    let error = node.hook_source("hello", |next, ()| next.source()).unwrap_err();
    assert!(error.to_string().ends_with("add it with `hook`"), "{error}");

    // Also when the hook was there first.
    let early = starting("early", |node, _config| {
        node.hook_sink("late", |next, items| next.sink(items))
    });
    let late = plugin("", Router::new().sync("late", |_cx, ()| Ok(1)));
    let error = failure(stack().plugin(early).plugin(late)).await;
    assert!(matches!(
        error,
        Error::NoSuchMethod {
            kind: Some(CallType::Sync),
            ..
        }
    ));
}

#[tokio::test]
async fn a_hook_that_is_added_later_takes_effect_for_new_calls() {
    let gate = Arc::new(tokio::sync::Notify::new());
    let open = gate.clone();
    let slow = Router::new().call("slow", move |_cx, ()| {
        let open = open.clone();
        async move {
            open.notified().await;
            Ok("plain")
        }
    });
    let node = start(stack().plugin(plugin("", slow))).await;
    let early = node.call::<String>("slow", ());
    tokio::pin!(early);
    assert!(early.as_mut().now_or_never().is_none(), "it runs");
    node.hook("slow", |_next, ()| async { Ok("hooked") }).unwrap();
    assert_eq!(node.call::<String>("slow", ()).await.unwrap(), "hooked");
    gate.notify_one();
    assert_eq!(early.await.unwrap(), "plain");
}

#[tokio::test]
async fn arguments_that_do_not_fit_the_hook_are_refused_before_it() {
    let node = node().await;
    node.hook("add", |next: Next, (a, b): (i64, i64)| async move {
        next.call::<i64>((a, b)).await
    })
    .unwrap();
    let error = node.call::<i64>("add", ("x",)).await.unwrap_err();
    assert_eq!(error.name(), "TypeError");
}

#[tokio::test]
async fn a_hook_sees_who_calls_what() {
    let seen = Arc::new(Mutex::new(None));
    let see = seen.clone();
    let node = node().await;
    node.hook("hello", move |next: Next, ()| {
        let cx = next.context();
        *see.lock().unwrap() = Some((
            cx.method().to_string(),
            cx.kind(),
            cx.raw_args().clone(),
            cx.peer().copied(),
        ));
        async move { next.run().await }
    })
    .unwrap();
    assert_eq!(hello(&node).await, "Hello, Foo.");
    let (method, kind, args, peer) = seen.lock().unwrap().take().unwrap();
    assert_eq!(
        (method.as_str(), kind, &args[..], peer),
        ("hello", CallType::Async, &br#"["Foo"]"#[..], None)
    );
}

#[tokio::test]
async fn a_hook_filters_the_items_of_a_source() {
    let node = node().await;
    node.hook_source("count", |next: Next, n: u64| {
        let items = next.source_with((n * 2,))?;
        Ok(items.try_filter(|item| future::ready(item.to_value::<u64>().is_ok_and(|n| n % 2 == 0))))
    })
    .unwrap();
    let numbers: Vec<u64> = collect(node.source("count", (3,)).unwrap()).await.unwrap();
    assert_eq!(numbers, [0, 2, 4]);
}

#[tokio::test]
async fn a_hook_refuses_a_source_or_ends_it_early() {
    let node = node().await;
    node.hook_source("count", |next: Next, n: u64| {
        if n > 100 {
            return Err(RemoteError::new("too many"));
        }
        Ok(next.source()?.take(2))
    })
    .unwrap();
    assert_eq!(
        collect::<u64>(node.source("count", (9,)).unwrap()).await.unwrap(),
        [0, 1]
    );
    assert_eq!(node.source("count", (101,)).err().unwrap().message(), "too many");
}

#[tokio::test]
async fn a_hook_filters_what_reaches_a_sink() {
    let (stack, kept) = api();
    let node = start(stack).await;
    node.hook_sink("keep", |next: Next, items| {
        let small = items.try_filter(|item| future::ready(item.len() < 4));
        next.sink(Incoming::from_stream(small))
    })
    .unwrap();
    let offered = items([json!("a"), json!("too long"), json!(1)]);
    node.sink("keep", (), offered).unwrap().await.unwrap();
    assert_eq!(*kept.lock().unwrap(), [json!("a"), json!(1)]);
    let broken = Incoming::from_stream(stream::iter([Err(RemoteError::new("writer broke"))]));
    let error = node.sink("keep", (), broken).unwrap().await.unwrap_err();
    assert_eq!(error.message(), "writer broke");
}

#[tokio::test]
async fn a_hook_filters_both_ways_of_a_duplex() {
    let node = node().await;
    node.hook_duplex("shout", |next: Next, items| {
        let polite = items.try_filter(|word| future::ready(word.as_str() != Some("damn")));
        let shouted = next.duplex(Incoming::from_stream(polite))?;
        Ok(shouted.try_filter(|word| future::ready(word.as_str() != Some("PSST"))))
    })
    .unwrap();
    let said = items(["kia", "damn", "psst", "ora"]);
    let shouted: Vec<String> = collect(node.duplex("shout", (), said).unwrap()).await.unwrap();
    assert_eq!(shouted, ["KIA", "ORA"]);
}

/// Counts calls of whatever kind.
#[derive(Default)]
struct Count(AtomicUsize);

impl Count {
    fn up(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Hook for Count {
    fn call(&self, next: Next) -> Answer {
        self.up();
        next.answer()
    }

    fn source(&self, next: Next) -> Result<Items, RemoteError> {
        self.up();
        next.source()
    }

    fn sink(&self, next: Next, items: Incoming) -> Result<Consumption, RemoteError> {
        self.up();
        Ok(next.sink(items))
    }

    fn duplex(&self, next: Next, items: Incoming) -> Result<Items, RemoteError> {
        self.up();
        next.duplex(items)
    }
}

#[tokio::test]
async fn one_hook_may_stand_around_methods_of_all_kinds() {
    let count = Arc::new(Count::default());
    let node = node().await;
    for method in ["hello", "add", "count", "keep", "shout"] {
        node.hook_with(method, count.clone()).unwrap();
    }
    hello(&node).await;
    node.call::<i64>("add", (1, 2)).await.unwrap();
    drop(node.source("count", (1,)).unwrap());
    node.sink("keep", (), items([1])).unwrap().await.unwrap();
    drop(node.duplex("shout", (), items(["a"])).unwrap());
    assert_eq!(count.0.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn a_panic_in_a_hook_or_a_method_fails_that_call_only() {
    fn panics() -> bool {
        panic!("on purpose")
    }
    let methods = Router::new()
        .sync("now", |_cx, ()| Ok(panics()))
        .call("later", |_cx, ()| async { Ok(panics()) })
        .source("source", |_cx, ()| stream::iter(0..2).map(|n| Ok(n == 0 || panics())))
        .sink_raw("sink", |_cx, _items| async {
            panics();
            Ok(())
        })
        .source("at once", |_cx, ()| stream::iter([Ok(panics())]));
    let (stack, _) = api();
    let node = start(stack.plugin(plugin("panics", methods))).await;
    node.hook("hello", |_next, name: String| async move {
        if name == "panic" { Ok(panics()) } else { Ok(true) }
    })
    .unwrap();
    node.hook_duplex("shout", |_next, _items| {
        panics();
        Ok(stream::empty())
    })
    .unwrap();
    let failed = |error: RemoteError| assert_eq!(error.message(), "the handler failed");

    failed(node.call::<bool>("panics.now", ()).await.unwrap_err());
    failed(node.call::<bool>("panics.later", ()).await.unwrap_err());
    failed(node.call::<bool>("hello", ("panic",)).await.unwrap_err());
    failed(node.source("panics.at once", ()).err().unwrap());
    failed(node.duplex("shout", (), items(["a"])).err().unwrap());
    failed(node.sink("panics.sink", (), items(["a"])).unwrap().await.unwrap_err());
    let mut source = node.source("panics.source", ()).unwrap();
    assert_eq!(source.next().await.unwrap().unwrap(), Body::from_value(&true).unwrap());
    failed(source.next().await.unwrap().unwrap_err());
    assert!(source.next().await.is_none());
    assert!(node.call::<bool>("hello", ("x",)).await.unwrap());
}

#[tokio::test]
async fn whoever_waits_for_the_end_of_a_local_call_hears_of_it() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let note = move |cx: Context, what: &'static str| {
        let tell = tell.clone();
        tokio::spawn(async move {
            cx.cancelled().await;
            tell.send(what).unwrap();
        });
    };
    let (a, b) = (note.clone(), note);
    let methods = Router::new()
        .call("call", move |cx, ()| {
            a(cx, "call");
            async { Ok(()) }
        })
        .source("source", move |cx, ()| {
            b(cx, "source");
            stream::pending::<Result<u8, RemoteError>>()
        });
    let node = start(stack().plugin(plugin("", methods))).await;
    node.call::<()>("call", ()).await.unwrap();
    assert_eq!(told.recv().await, Some("call"));
    let source = node.source("source", ()).unwrap();
    tokio::task::yield_now().await;
    assert!(told.try_recv().is_err());
    drop(source);
    assert_eq!(told.recv().await, Some("source"));
}
