//! What is left of a node when it has ended, however it ended: nothing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use common::{Parts, address, config, connected, deaf, greeter, keys, network, start};
use futures_util::{future::BoxFuture, stream};
use handfast_multiserver::{BoxSocket, Endpoint, Error as MultiserverError, Outgoing, Scope, Transport};
use handfast_mux::tokio::Router;
use handfast_stack::{Config, Error, Event, Node, NodeHandle, Plugin, PluginConfig, Stack};
use serde_json::json;
use tokio::{net::TcpListener, sync::Notify};

type Init = dyn Fn(&NodeHandle) -> BoxFuture<'static, Result<Router, Error>> + Send + Sync;

/// A plugin that does something while it starts.
struct Starting(&'static str, Box<Init>);

impl Starting {
    fn new<F, Fut>(name: &'static str, init: F) -> Self
    where
        F: Fn(NodeHandle) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Router, Error>> + Send + 'static,
    {
        Self(name, Box::new(move |node| Box::pin(init(node.clone()))))
    }
}

#[async_trait]
impl Plugin for Starting {
    fn name(&self) -> &str {
        self.0
    }

    async fn init(&self, node: &NodeHandle, _config: &PluginConfig) -> Result<Router, Error> {
        (self.1)(node).await
    }
}

/// Fails the test instead of hanging.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), what)
        .await
        .expect("something that never comes")
}

/// Says when it is dropped.
#[derive(Clone, Default)]
struct Flag(Arc<AtomicBool>);

struct Guard(Arc<AtomicBool>);

impl Flag {
    fn guard(&self) -> Guard {
        Guard(self.0.clone())
    }

    fn is_up(&self) -> bool {
        self.0.load(SeqCst)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

#[tokio::test]
async fn the_rest_is_done_when_one_of_the_last_things_panics() {
    let done = Flag::default();
    let alice = start(Stack::new(network()), 1).await;
    let guard = done.guard();
    alice.at_close(async move { drop(guard) });
    alice.at_close(async { panic!("this is what the test is about") });
    soon(alice.close()).await;
    assert!(done.is_up());
}

#[tokio::test]
async fn what_the_last_things_register_is_done_too_and_later_nothing_is_kept() {
    let (done, late) = (Flag::default(), Flag::default());
    let alice = start(Stack::new(network()), 1).await;
    let (handle, guard) = (alice.handle().clone(), done.guard());
    alice.at_close(async move { handle.at_close(async move { drop(guard) }) });
    soon(alice.close()).await;
    assert!(done.is_up());
    let guard = late.guard();
    alice.at_close(async move {
        let _guard = guard;
        std::future::pending::<()>().await;
    });
    assert!(late.is_up(), "nobody will ever do it");
}

#[tokio::test]
async fn a_start_that_fails_has_ended_what_had_begun() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let (flushed, running) = (Flag::default(), Flag::default());
    let (flushes, runs) = (flushed.clone(), running.clone());
    let plugin = Starting::new("store", move |node| {
        let (flush, run) = (flushes.guard(), runs.guard());
        async move {
            node.at_close(async move {
                tokio::task::yield_now().await;
                drop(flush);
            });
            node.spawn(async move {
                let _run = run;
                std::future::pending::<()>().await;
            });
            Ok(Router::new())
        }
    });
    let in_the_way = Config::from_value(json!({ "global": { "connections": { "incoming": {
        "net": [{ "scope": "device", "transform": "shs", "host": "127.0.0.1", "port": port }],
    } } } }));
    let stack = Stack::new(network()).identity(keys(1)).plugin(plugin);
    let error = stack.start(in_the_way.unwrap()).await.unwrap_err();
    assert!(matches!(error, Error::Listen(_)), "{error}");
    assert!(flushed.is_up(), "a program that gives up now loses nothing");
    assert!(running.is_up());
}

#[tokio::test]
async fn a_start_that_is_given_up_leaves_nothing() {
    let (flushed, running, gone) = (Flag::default(), Flag::default(), Arc::new(Notify::new()));
    let (flushes, runs) = (flushed.clone(), running.clone());
    let first = Starting::new("first", move |node| {
        let (flush, run) = (flushes.guard(), runs.guard());
        async move {
            node.at_close(async move { drop(flush) });
            node.spawn(async move {
                let _run = run;
                std::future::pending::<()>().await;
            });
            Ok(Router::new())
        }
    });
    let (reached, ended) = (Arc::new(Notify::new()), gone.clone());
    let at = reached.clone();
    let third = Starting::new("third", move |node| {
        let (at, ended) = (at.clone(), ended.clone());
        async move {
            let mut events = node.events();
            tokio::spawn(async move {
                while events.next().await.is_some() {}
                ended.notify_one();
            });
            at.notify_one();
            std::future::pending().await
        }
    });
    let stack = Stack::new(network()).identity(keys(1)).plugin(first).plugin(third);
    let starting = tokio::spawn(async move { stack.start(config()).await });
    soon(reached.notified()).await;
    starting.abort();
    soon(gone.notified()).await;
    assert!(flushed.is_up() && running.is_up());
}

#[tokio::test]
async fn closing_a_node_that_is_starting_gives_the_start_up() {
    let reached = Arc::new(Notify::new());
    let (at, handles) = (reached.clone(), Arc::new(Mutex::new(None)));
    let kept = handles.clone();
    let plugin = Starting::new("slow", move |node| {
        let at = at.clone();
        *kept.lock().unwrap() = Some(node);
        async move {
            at.notify_one();
            std::future::pending().await
        }
    });
    let stack = Stack::new(network()).identity(keys(1)).plugin(plugin);
    let starting = tokio::spawn(async move { stack.start(config()).await });
    soon(reached.notified()).await;
    let handle = handles.lock().unwrap().take().unwrap();
    soon(handle.close()).await;
    let started = soon(starting).await.unwrap();
    assert!(matches!(started, Err(Error::Closed)), "{started:?}");
}

#[tokio::test]
async fn events_end_with_the_node_also_for_whoever_keeps_a_handle() {
    let alice = start(Stack::new(network()), 1).await;
    let mut events = alice.events();
    soon(alice.close()).await;
    let told = async {
        let mut last = None;
        while let Some(event) = events.next().await {
            last = Some(event);
        }
        last
    };
    assert!(matches!(soon(told).await, Some(Event::Closed)));
    assert!(soon(alice.events().next()).await.is_none());
}

/// Holds a handle to the node that it is a transport of, as one that tunnels through a peer does.
#[derive(Debug)]
struct Tunnel {
    _node: NodeHandle,
    _guard: Held,
}

struct Held(#[allow(dead_code)] Guard);

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Held")
    }
}

#[async_trait]
impl Transport for Tunnel {
    fn name(&self) -> &str {
        "tunnel"
    }
    fn understands(&self, _endpoint: &Endpoint) -> bool {
        false
    }
    async fn dial(&self, _to: &Endpoint, _options: &Outgoing) -> Result<BoxSocket, MultiserverError> {
        Err(MultiserverError::other("it leads nowhere"))
    }
}

#[tokio::test]
async fn a_closed_node_leaves_the_memory_even_if_all_that_plugins_gave_it_holds_it() {
    for close in [true, false] {
        let flags = [(); 4].map(|()| Flag::default());
        let guards = flags.clone();
        let plugin = Starting::new("clingy", move |node| {
            let [method, transport, last, task] = guards.clone().map(|flag| flag.guard());
            node.transport(Tunnel {
                _node: node.clone(),
                _guard: Held(transport),
            });
            let handle = node.clone();
            node.at_close(async move { drop((last, handle)) });
            let handle = node.clone();
            node.spawn(async move {
                let _held = (task, handle);
                std::future::pending::<()>().await;
            });
            let held = Arc::new((method, node));
            async move {
                Ok(Router::new().sync("hold", move |_cx, ()| {
                    let _ = &held;
                    Ok(())
                }))
            }
        });
        let alice = start(Stack::new(network()).plugin(plugin), 1).await;
        let bob = start(Stack::new(network()), 2).await;
        let _peer = bob.connect(address(&alice)).await.unwrap();
        let handle = alice.handle().clone();
        if close {
            soon(alice.close()).await;
        } else {
            drop(alice);
        }
        soon(handle.close()).await;
        assert_eq!(flags.map(|flag| flag.is_up()), [true; 4], "closed: {close}");
    }
}

#[tokio::test]
async fn what_a_method_holds_may_use_the_node_while_it_is_dropped() {
    struct Last(NodeHandle, Arc<AtomicUsize>);
    impl Drop for Last {
        fn drop(&mut self) {
            let _ = self.0.manifest();
            self.0.at_close(async {});
            let _ = self.0.hook("manifest", |next: handfast_stack::Next, ()| next.run());
            self.1.fetch_add(1, SeqCst);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let count = dropped.clone();
    let plugin = Starting::new("tidy", move |node| {
        let last = Arc::new(Last(node, count.clone()));
        async move {
            Ok(Router::new().sync("up", move |_cx, ()| {
                let _ = &last;
                Ok(())
            }))
        }
    });
    // A thread of its own: what goes wrong here is a thread that waits for itself.
    let ended = std::thread::spawn(|| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let alice = start(Stack::new(network()).plugin(plugin), 1).await;
            soon(alice.close()).await;
        });
        runtime.shutdown_background();
    });
    ended.join().unwrap();
    assert_eq!(dropped.load(SeqCst), 1);
}

#[tokio::test]
async fn a_method_that_panics_when_it_is_dropped_leaves_no_peer_in_the_table() {
    struct Grumpy;
    impl Drop for Grumpy {
        fn drop(&mut self) {
            panic!("this is what the test is about");
        }
    }
    let begun = Arc::new(Notify::new());
    let at = begun.clone();
    let plugin = Parts {
        name: "grumpy",
        methods: Router::new().source("wait", move |_cx, ()| {
            at.notify_one();
            let grumpy = Grumpy;
            stream::poll_fn(move |_| {
                let _ = &grumpy;
                std::task::Poll::<Option<Result<(), _>>>::Pending
            })
        }),
        anonymous: vec!["wait"],
        ..Parts::default()
    };
    let alice = start(Stack::new(network()).plugin(plugin), 1).await;
    let bob = start(Stack::new(network()), 2).await;
    let mut events = alice.events();
    let peer = bob.connect(address(&alice)).await.unwrap();
    connected(&mut events).await;
    let _items = peer.source::<()>("grumpy.wait", ()).await.unwrap();
    soon(begun.notified()).await;
    peer.abort("enough");
    soon(common::disconnected(&mut events)).await;
    assert!(alice.peers().is_empty());
    assert_eq!(alice.stats().connections, 0);
}

#[tokio::test]
async fn a_runtime_that_is_shut_down_ends_the_node_for_whoever_waits_elsewhere() {
    let flag = Flag::default();
    let held = flag.clone();
    let handle = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let alice: Node = runtime.block_on(async {
            let plugin = Starting::new("holder", move |node| {
                let held = Arc::new((held.guard(), node));
                async move {
                    Ok(Router::new().sync("hold", move |_cx, ()| {
                        let _ = &held;
                        Ok(())
                    }))
                }
            });
            start(Stack::new(network()).plugin(plugin), 1).await
        });
        let handle = alice.handle().clone();
        drop(runtime);
        // Without a runtime, too.
        drop(alice);
        handle
    });
    let handle = handle.join().unwrap();
    soon(handle.close()).await;
    assert!(flag.is_up());
}

#[tokio::test]
async fn tasks_can_be_started_from_any_thread() {
    let alice = start(Stack::new(network()), 1).await;
    let (ran, handle) = (Arc::new(Notify::new()), alice.handle().clone());
    let runs = ran.clone();
    std::thread::spawn(move || handle.spawn(async move { runs.notify_one() }))
        .join()
        .unwrap();
    soon(ran.notified()).await;
}

#[tokio::test]
async fn closing_from_within_ends_the_node_all_the_same() {
    fn closer(way: &'static str) -> Starting {
        Starting::new("closer", move |node| {
            if way == "at_close" {
                let handle = node.clone();
                node.at_close(async move { handle.close().await });
            }
            let handle = node.clone();
            async move {
                Ok(Router::new().call("close", move |_cx, ()| {
                    let handle = handle.clone();
                    async move {
                        match way {
                            "task" => handle.clone().spawn(async move { handle.close().await }),
                            _ => handle.close().await,
                        }
                        Ok(())
                    }
                }))
            }
        })
    }
    for way in ["method", "task", "at_close"] {
        let short = Config::from_value(json!({ "global": { "closeDeadline": 100 } })).unwrap();
        let stack = Stack::new(network())
            .plugin(closer(way))
            .permissions(handfast_stack::Permissions::anonymous(["closer.close"]));
        let alice = stack.identity(keys(1)).start(config().merge(short)).await.unwrap();
        let bob = start(Stack::new(network()), 2).await;
        let peer = bob.connect(address(&alice)).await.unwrap();
        let _ = soon(peer.call::<()>("closer.close", ())).await;
        soon(alice.close()).await;
    }
}

#[tokio::test]
async fn timers_of_any_length_are_timers() {
    let stack = Stack::new(network()).plugin(greeter()).identity(keys(1));
    let mut long = config();
    long.global.timers.inactivity = Some(Duration::MAX);
    long.global.timers.handshake = Some(Duration::MAX);
    long.global.close_deadline = Some(Duration::MAX);
    long.global.limits.connect_timeout = Some(Duration::MAX);
    let alice = stack.start(long).await.unwrap();
    let bob = start(Stack::new(network()), 2).await;
    let peer = bob.connect(address(&alice)).await.unwrap();
    let _: String = soon(peer.call("greeter.hello", ("x",))).await.unwrap();
    soon(alice.close()).await;
}

#[tokio::test]
async fn a_connection_that_a_plugin_makes_while_it_starts_gives_the_rights_of_everybody() {
    let bob = start(Stack::new(network()), 2).await;
    let mut events = bob.events();
    let there = address(&bob);
    let eager = Starting::new("eager", move |node| {
        let there = there.clone();
        async move {
            node.connect(there).await?;
            Ok(Router::new())
        }
    });
    let stack = Stack::new(network()).plugin(eager).plugin(greeter());
    let alice = stack.identity(keys(1)).start(deaf()).await.unwrap();
    let back = connected(&mut events).await;
    let hello: String = soon(back.call("greeter.hello", ("Bob",))).await.unwrap();
    assert_eq!(hello, "Hello, Bob.");
    assert!(alice.address(Scope::Device).is_none());
}
