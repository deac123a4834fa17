//! Peers that mean harm, or are broken: memory stays bounded and others keep working.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use handfast_mux::tokio::{Config, Incoming, Overflow, Peer, Router, connection_with};
use handfast_mux::{Error, RemoteError, Violation};
use serde_json::Value;
use testkit::mux::{api, frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;

/// What the pipe between the ends holds, in bytes.
const PIPE: usize = 16 * 1024;

struct Victim {
    peer: Peer,
    driver: JoinHandle<Result<(), Error>>,
    /// The attacker's end.
    stream: DuplexStream,
}

fn victim_with(api: Router, config: Config) -> Victim {
    let (ours, stream) = tokio::io::duplex(PIPE);
    let (peer, driver) = connection_with(ours, api, config);
    Victim {
        peer,
        driver: tokio::spawn(driver),
        stream,
    }
}

fn victim(api: Router) -> Victim {
    victim_with(api, Config::default())
}

fn call(request: i32, method: &str, args: &str) -> Vec<u8> {
    frame(2, request, &format!(r#"{{"name":["{method}"],"args":{args}}}"#))
}

fn open(request: i32, method: &str, kind: &str) -> Vec<u8> {
    frame(
        10,
        request,
        &format!(r#"{{"name":["{method}"],"args":[],"type":"{kind}"}}"#),
    )
}

impl Victim {
    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    async fn next(&mut self) -> (u8, i32, Vec<u8>) {
        let mut header = [0; 9];
        self.stream.read_exact(&mut header).await.unwrap();
        let mut body = vec![0; u32::from_be_bytes(header[1..5].try_into().unwrap()) as usize];
        self.stream.read_exact(&mut body).await.unwrap();
        (header[0], i32::from_be_bytes(header[5..9].try_into().unwrap()), body)
    }

    async fn next_text(&mut self) -> (u8, i32, String) {
        let (flags, request, body) = self.next().await;
        (flags, request, String::from_utf8(body).unwrap())
    }

    /// Writes `unit` again and again until nothing is taken any more; how many bytes were taken. The clock is paused, so a
    /// write that still waits when the clock jumps waits for something that does not come.
    async fn flood(&mut self, unit: &[u8], at_most: usize) -> usize {
        let mut taken = 0;
        while taken < at_most {
            let rest = &unit[taken % unit.len()..];
            match tokio::time::timeout(Duration::from_millis(1), self.stream.write(rest)).await {
                Ok(written) => taken += written.unwrap(),
                Err(_) => break,
            }
        }
        taken
    }
}

async fn still_works(victim: &mut Victim) {
    victim.send(&call(77, "echo", r#"["alive"]"#)).await;
    assert_eq!(victim.next_text().await, (1, -77, "alive".into()));
}

#[tokio::test(start_paused = true)]
async fn a_claim_of_four_gibibytes_ends_the_connection_at_the_header() {
    let mut victim = victim(api());
    victim.send(&[2, 255, 255, 255, 255, 0, 0, 0, 1]).await;
    let mut answer = Vec::new();
    victim.stream.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, [0; 9]);
    let ended = victim.driver.await.unwrap();
    assert!(
        matches!(
            ended,
            Err(Error::Protocol(Violation::BodyTooLong { claimed: u32::MAX, .. }))
        ),
        "{ended:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn broken_frames_end_the_connection_with_a_goodbye() {
    for (bytes, violation) in [
        (frame(3, 1, "x"), Violation::BodyType),
        (frame(2, 1, "{"), Violation::NotJson),
        (frame(2, 1, "1 2"), Violation::NotJson),
        (frame(10, 1, "\u{feff}1"), Violation::NotJson),
    ] {
        let mut victim = victim(api());
        let pending = tokio::spawn(victim.peer.call::<()>("x", ()));
        tokio::time::sleep(Duration::from_millis(1)).await;
        victim.next().await;
        victim.send(&bytes).await;
        let mut answer = Vec::new();
        victim.stream.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, [0; 9]);
        assert!(matches!(pending.await.unwrap(), Err(Error::Protocol(found)) if found == violation));
        assert!(matches!(victim.driver.await.unwrap(), Err(Error::Protocol(found)) if found == violation));
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_number_in_use_is_answered_twice() {
    let mut victim = victim(api());
    victim.send(&call(5, "slow", "[20]")).await;
    victim.send(&call(5, "slow", "[10]")).await;
    assert_eq!(victim.next_text().await, (2, -5, "10".into()));
    assert_eq!(victim.next_text().await, (2, -5, "20".into()));
}

/// A sink whose handler holds its items and reads none.
fn deaf() -> Router {
    api().sink("deaf", |_cx, items: Incoming<Value>| async move {
        let _held = items;
        std::future::pending().await
    })
}

#[tokio::test(start_paused = true)]
async fn a_flood_to_a_stream_that_nobody_reads_is_paused_then_the_stream_is_ended() {
    let config = Config::default();
    let Overflow::Pause { at_most } = config.overflow else {
        panic!("the default")
    };
    let buffer = config.stream_buffer;
    let mut victim = victim_with(deaf(), config);
    victim.send(&open(1, "deaf", "sink")).await;
    let taken = victim.flood(&frame(10, 1, "\"item\""), 100 * 1024 * 1024).await;
    assert!(taken > 10_000, "some is buffered: {taken}");
    // What was taken is in the stream's buffer, in the receive buffer, or in the pipe.
    assert!(taken < buffer + 2 * 64 * 1024 + PIPE, "{taken} bytes were taken");
    let queued = victim.peer.queued_bytes();
    assert!(queued <= buffer + 100, "{queued} bytes are queued");

    let paused = tokio::time::Instant::now();
    let (flags, request, text) = victim.next_text().await;
    assert_eq!((flags, request), (14, -1));
    assert!(text.contains("the reader of this stream was too slow"), "{text}");
    assert!(paused.elapsed() > at_most / 2);
    assert_eq!(victim.peer.queued_bytes(), 0);
    // The flood may go on, after the item that was cut in the middle: it is dropped, and other work goes on.
    let item = frame(10, 1, "\"item\"");
    victim.send(&item[taken % item.len()..]).await;
    let taken = victim.flood(&item, item.len() * 100_000).await;
    assert_eq!(taken, item.len() * 100_000);
    still_works(&mut victim).await;
}

#[tokio::test(start_paused = true)]
async fn with_end_stream_nobody_waits_for_a_slow_reader() {
    let mut config = Config::default();
    config.overflow = Overflow::EndStream;
    let mut victim = victim_with(deaf(), config);
    victim.send(&open(1, "deaf", "sink")).await;
    let item = frame(10, 1, "\"item\"");
    let taken = victim.flood(&item, item.len() * 100_000).await;
    assert_eq!(taken, item.len() * 100_000);
    let (flags, request, _) = victim.next().await;
    assert_eq!((flags, request), (14, -1));
    still_works(&mut victim).await;
}

#[tokio::test(start_paused = true)]
async fn all_streams_together_may_not_fill_the_memory_either() {
    let mut config = Config::default();
    config.connection_buffer = 256 * 1024;
    let mut victim = victim_with(deaf(), config);
    let body = "x".repeat(1000);
    let mut taken = 0;
    for request in 1..1000 {
        let unit = [open(request, "deaf", "sink"), frame(9, request, &body)].concat();
        let went = victim.flood(&unit, unit.len()).await;
        taken += went;
        if went < unit.len() {
            break;
        }
    }
    assert!(taken < 256 * 1024 + 300 * 1024, "{taken}");
    assert!(victim.peer.queued_bytes() < 256 * 1024 + 2000);
}

#[tokio::test(start_paused = true)]
async fn items_that_nobody_wants_are_dropped() {
    let router = api().sink("early", |_cx, items: Incoming<Value>| async move {
        drop(items);
        std::future::pending().await
    });
    let mut victim = victim(router);
    victim.send(&open(1, "early", "sink")).await;
    // To a stream whose reader is gone, to a source, and to streams that never were.
    victim.send(&open(2, "infinite", "source")).await;
    for _ in 0..10_000 {
        for request in [1, 2, -3] {
            victim.send(&frame(9, request, "item")).await;
        }
    }
    assert_eq!(victim.peer.queued_bytes(), 0);
}

/// A source without end that counts how often it is polled.
fn counting(polls: Arc<AtomicUsize>) -> Router {
    api().source("endless", move |_cx, ()| {
        let polls = polls.clone();
        stream::repeat_with(move || {
            polls.fetch_add(1, Ordering::Relaxed);
            Ok("x".repeat(100))
        })
    })
}

#[tokio::test(start_paused = true)]
async fn a_source_is_not_polled_while_its_reader_is_slow() {
    let polls = Arc::new(AtomicUsize::new(0));
    let mut config = Config::default();
    config.write_timeout = Duration::from_secs(1_000_000);
    let mut victim = victim_with(counting(polls.clone()), config);
    victim.send(&open(1, "endless", "source")).await;
    tokio::time::sleep(Duration::from_secs(1000)).await;
    let before = polls.load(Ordering::Relaxed);
    assert!(
        before < (3 * 64 * 1024 + PIPE) / 100,
        "{before} items were made for a reader that reads none"
    );
    tokio::time::sleep(Duration::from_secs(1000)).await;
    assert_eq!(
        polls.load(Ordering::Relaxed),
        before,
        "and no more are made as time passes"
    );
    for _ in 0..10_000 {
        victim.next().await;
    }
    assert!(polls.load(Ordering::Relaxed) >= 10_000, "reading makes it go on");
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_of_ours_stops_the_source_of_the_peer() {
    let polls = Arc::new(AtomicUsize::new(0));
    let (left, right) = tokio::io::duplex(PIPE);
    let mut config = Config::default();
    config.overflow = Overflow::Pause {
        at_most: Duration::from_secs(1_000_000),
    };
    config.write_timeout = Duration::from_secs(1_000_000);
    let (_server, driver) = connection_with(right, counting(polls.clone()), config.clone());
    tokio::spawn(driver);
    let (peer, driver) = connection_with(left, Router::new(), config);
    tokio::spawn(driver);
    let mut source = peer.source::<String>("endless", ()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1000)).await;
    let before = polls.load(Ordering::Relaxed);
    assert!(before < 5000, "{before}");
    for _ in 0..20_000 {
        source.next().await.unwrap().unwrap();
    }
    drop(source);
    peer.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_reads_is_cut_off() {
    let polls = Arc::new(AtomicUsize::new(0));
    let config = Config::default();
    let timeout = config.write_timeout;
    let mut victim = victim_with(counting(polls), config);
    victim.send(&open(1, "endless", "source")).await;
    let start = tokio::time::Instant::now();
    assert!(matches!(victim.driver.await.unwrap(), Err(Error::WriteStalled(_))));
    assert!(start.elapsed() >= timeout);
}

#[tokio::test(start_paused = true)]
async fn frames_that_are_answered_at_once_do_not_pile_up_output_for_a_peer_that_never_reads() {
    // Ends of streams that never were, refused streams, requests that make no sense, calls of what is not there.
    let floods = [
        frame(14, 1, "true"),
        [
            frame(10, 2, r#"{"name":["x"],"args":[],"type":"nonsense"}"#),
            frame(14, 2, "true"),
        ]
        .concat(),
        frame(2, 3, "5"),
        call(4, "missing", "[]"),
    ];
    for unit in floods {
        let mut victim = victim(api());
        let taken = victim.flood(&unit, 64 * 1024 * 1024).await;
        assert!(
            taken < 8 * 1024 * 1024,
            "{taken} bytes of {:?} were taken",
            String::from_utf8_lossy(&unit)
        );
        assert!(matches!(victim.driver.await.unwrap(), Err(Error::WriteStalled(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn calls_do_not_start_while_the_peer_does_not_read_the_answers_to_others() {
    let started = Arc::new(AtomicUsize::new(0));
    let counter = started.clone();
    let api = api().call("large", move |_cx, ()| {
        counter.fetch_add(1, Ordering::Relaxed);
        async { Ok("x".repeat(100_000)) }
    });
    let mut config = Config::default();
    config.write_timeout = Duration::from_secs(1_000_000);
    let mut victim = victim_with(api, config);
    for request in 1..=200 {
        victim.send(&call(request, "large", "[]")).await;
    }
    tokio::time::sleep(Duration::from_secs(1000)).await;
    let before = started.load(Ordering::Relaxed);
    assert!(
        (1..10).contains(&before),
        "{before} answers were made for a peer that reads none"
    );
    for request in 1..=200 {
        let (_, answered, body) = victim.next().await;
        assert_eq!((answered, body.len()), (-request, 100_000));
    }
    assert_eq!(
        started.load(Ordering::Relaxed),
        200,
        "reading makes them all start, in their order"
    );
}

#[tokio::test(start_paused = true)]
async fn too_many_calls_wait_and_then_are_refused() {
    let running = Arc::new(AtomicUsize::new(0));
    let count = running.clone();
    let router = api().call("hang", move |_cx, ()| {
        count.fetch_add(1, Ordering::Relaxed);
        std::future::pending::<Result<(), RemoteError>>()
    });
    let mut config = Config::default();
    config.max_running_calls = 10;
    config.limits.max_requests = 50;
    let mut victim = victim_with(router, config);
    for request in 1..=60 {
        victim.send(&call(request, "hang", "[]")).await;
    }
    for request in 51..=60 {
        let (flags, answered, text) = victim.next_text().await;
        assert_eq!((flags, answered), (6, -request));
        assert!(text.contains("too many concurrent requests"));
    }
    assert_eq!(running.load(Ordering::Relaxed), 10);
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_may_not_hold_much_either() {
    let mut config = Config::default();
    config.max_running_calls = 1;
    config.max_args_bytes = 3000;
    let mut victim = victim_with(api(), config);
    let args = format!(r#"["{}"]"#, "x".repeat(1000));
    victim.send(&call(1, "slow", "[10]")).await;
    for request in 2..=4 {
        victim.send(&call(request, "echo", &args)).await;
    }
    let (flags, request, text) = victim.next_text().await;
    assert_eq!((flags, request), (6, -4), "{text}");
    assert_eq!(victim.next().await.1, -1);
    assert_eq!(victim.next().await.1, -2);
    assert_eq!(victim.next().await.1, -3);
}

#[tokio::test(start_paused = true)]
async fn streams_and_calls_that_run_may_not_hold_much_either() {
    let mut config = Config::default();
    config.max_args_bytes = 3000;
    let mut victim = victim_with(deaf(), config);
    let args = format!(r#"["{}"]"#, "x".repeat(1000));
    let open = |request| {
        let body = format!(r#"{{"name":["deaf"],"args":{args},"type":"sink"}}"#);
        frame(10, request, &body)
    };
    victim.send(&open(1)).await;
    victim.send(&open(2)).await;
    victim.send(&open(3)).await;
    let (flags, request, text) = victim.next_text().await;
    assert_eq!((flags, request), (14, -3), "{text}");
    victim
        .send(&call(4, "never", &format!(r#"["{}"]"#, "x".repeat(1000))))
        .await;
    let (flags, request, text) = victim.next_text().await;
    assert_eq!((flags, request), (6, -4), "{text}");
    assert!(text.contains("too many concurrent requests"), "{text}");
    still_works(&mut victim).await;
}

#[tokio::test(start_paused = true)]
async fn arguments_of_requests_that_are_done_no_longer_count() {
    let mut config = Config::default();
    config.max_args_bytes = 3000;
    let mut victim = victim_with(api(), config);
    let args = format!(r#"["{}"]"#, "x".repeat(2000));
    for request in 1..100 {
        victim.send(&call(request, "echo", &args)).await;
        assert_eq!(victim.next().await.0, 1);
        let body = format!(r#"{{"name":["collect"],"args":{args},"type":"sink"}}"#);
        victim
            .send(&[frame(10, request, &body), frame(14, request, "true")].concat())
            .await;
        assert_eq!(victim.next_text().await, (14, -request, "true".into()));
    }
}

#[tokio::test(start_paused = true)]
async fn too_many_streams_are_refused() {
    let mut config = Config::default();
    config.limits.max_streams = 3;
    let mut victim = victim_with(deaf(), config);
    for request in 1..=5 {
        victim.send(&open(request, "deaf", "sink")).await;
    }
    for request in [4, 5] {
        let (flags, answered, text) = victim.next_text().await;
        assert_eq!((flags, answered), (14, -request));
        assert!(text.contains("too many open streams"), "{text}");
    }
    // Ending one with an error closes it on the wire; its handler still runs and still counts.
    victim.send(&frame(14, 1, "{}")).await;
    assert_eq!(victim.next_text().await, (14, -1, "{}".into()));
    victim.send(&open(6, "deaf", "sink")).await;
    assert!(victim.next_text().await.2.contains("too many open streams"));
}

#[tokio::test(start_paused = true)]
async fn deep_json_is_an_error_of_its_call_only() {
    let mut victim = victim(api());
    let deep = ["[".repeat(100_000), "]".repeat(100_000)].concat();
    victim.send(&call(1, "sum", &deep)).await;
    let (flags, request, text) = victim.next_text().await;
    assert_eq!((flags, request), (6, -1), "{text}");
    victim.send(&frame(10, 1, &deep)).await;
    assert_eq!(victim.next().await.0, 14);
    still_works(&mut victim).await;
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_not_utf8_are_replaced_as_in_javascript() {
    let mut victim = victim(api());
    let mut request = call(1, "echo", r#"["a?b"]"#);
    let at = request.iter().position(|&byte| byte == b'?').unwrap();
    request[at] = 0xff;
    victim.send(&request).await;
    assert_eq!(victim.next_text().await, (1, -1, "a\u{fffd}b".into()));
    victim.send(&[1, 0, 0, 0, 1, 0, 0, 0, 2, 0xff]).await;
    assert_eq!(victim.next().await.0, 6);
    still_works(&mut victim).await;
}

#[tokio::test(start_paused = true)]
async fn a_large_refused_request_gets_a_small_answer() {
    let mut victim = victim(api());
    let long = format!(r#"{{"name":["echo"],"args":"{}"}}"#, "x".repeat(1_000_000));
    victim.send(&frame(2, 1, &long)).await;
    assert!(victim.next().await.2.len() < 4096);
    let long = format!(r#"{{"name":["{}"],"args":[]}}"#, "x".repeat(1_000_000));
    victim.send(&frame(2, 2, &long)).await;
    let length = victim.next().await.2.len();
    assert!(length < 4096, "{length}");
}
