//! The program as its users meet it: what it prints, what it leaves behind, and how it exits.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
};
use support::{NETWORK, Running, initialised, printed, program, run, run_with_input, text};

#[test]
fn init_makes_a_private_identity_once_and_id_prints_it() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("new/home");
    let id = printed(&run(&home, &["init"]), 0);
    assert!(id.starts_with('@') && id.ends_with(".ed25519\n"), "{id}");
    assert_eq!(printed(&run(&home, &["id"]), 0), id);
    let secret = home.join("secret");
    assert_eq!(secret.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let before = std::fs::read(&secret).unwrap();
    let again = run(&home, &["init"]);
    printed(&again, 1);
    assert!(text(&again.stderr).contains("not overwritten"));
    assert_eq!(std::fs::read(&secret).unwrap(), before);
}

#[test]
fn without_an_identity_the_remedy_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for command in ["id", "serve"] {
        let output = run(dir.path(), &[command]);
        printed(&output, 1);
        let remedy = format!("handfast --dir {} init", dir.path().display());
        assert!(text(&output.stderr).contains(&remedy), "{}", text(&output.stderr));
    }
}

#[test]
fn an_identity_that_others_can_read_is_refused() {
    let dir = initialised();
    let secret = dir.path().join("secret");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).unwrap();
    let output = run(dir.path(), &["id"]);
    printed(&output, 1);
    assert!(text(&output.stderr).contains("chmod 600"));
}

#[test]
fn every_kind_of_method_can_be_called() {
    let served = Running::serve();
    let own = printed(&run(served.dir.path(), &["id"]), 0);
    let own = own.trim();
    assert_eq!(printed(&served.call(&["whoami"]), 0), format!("{{\"id\":\"{own}\"}}\n"));
    assert_eq!(
        printed(&served.call(&["whoareyou"]), 0),
        format!("{{\"id\":\"{own}\"}}\n")
    );
    assert_ne!(
        printed(&served.call(&["whoareyou", "--anonymous"]), 0),
        format!("{{\"id\":\"{own}\"}}\n")
    );
    assert_eq!(printed(&served.call(&["add", "1.5", "40.5"]), 0), "42\n");
    assert_eq!(
        printed(&served.call(&["echo", "{\"b\":1,\"a\":[true,null]}"]), 0),
        "{\"b\":1,\"a\":[true,null]}\n"
    );
    assert_eq!(printed(&served.call(&["echo", "\"\""]), 0), "\"\"\n");
    assert_eq!(
        printed(&served.call(&["bytes", "3"]), 0),
        "{\"type\":\"Buffer\",\"data\":[171,171,171]}\n"
    );
    assert_eq!(served.call(&["bytes", "3", "--raw"]).stdout, [0xab; 3]);
    assert_eq!(printed(&served.call(&["count", "3"]), 0), "0\n1\n2\n");
    assert_eq!(
        printed(&served.call(&["count", "3", "--type", "source"]), 0),
        "0\n1\n2\n"
    );
    assert_eq!(
        printed(&served.call(&["clock", "10", "--take", "2"]), 0)
            .lines()
            .count(),
        2
    );

    let call = |args: &[&str], input: &str| {
        let args = [&["call", served.address(), "--network", NETWORK], args].concat();
        run_with_input(served.dir.path(), &args, input.as_bytes())
    };
    assert_eq!(printed(&call(&["notes.add"], "\"one\"\n\n{\"two\":2}\n"), 0), "");
    assert_eq!(printed(&served.call(&["notes.list"]), 0), "\"one\"\n{\"two\":2}\n");
    assert_eq!(
        printed(&call(&["shout"], "\"kia\"\n\"ora\"\n"), 0),
        "\"KIA\"\n\"ORA\"\n"
    );
    let ping = printed(&call(&["gossip.ping", "{\"timeout\":10000}"], "1\n"), 0);
    assert!(ping.trim().parse::<u64>().unwrap() > 1_700_000_000_000, "{ping}");
}

#[test]
fn each_way_of_failing_has_its_exit_code_and_says_why() {
    let served = Running::serve();
    let failed = |args: &[&str], code: i32, why: &str| {
        let output = served.call(args);
        printed(&output, code);
        assert!(text(&output.stderr).contains(why), "{}", text(&output.stderr));
    };
    failed(&["fail", "\"no honey\""], 1, "no honey");
    failed(&["nosuch"], 1, "no method nosuch");
    failed(
        &["nosuch", "--type", "async"],
        1,
        "method:nosuch is not in list of allowed methods",
    );
    failed(&["echo", "no json"], 2, "not JSON");
    failed(&["", "5"], 2, "not a method name");
    failed(&["echo", "--type", "nonsense"], 2, "possible values");

    let other_network = run(served.dir.path(), &["call", served.address(), "whoami"]);
    printed(&other_network, 3);
    assert!(
        text(&other_network.stderr).contains("another network"),
        "{}",
        text(&other_network.stderr)
    );

    let stranger = tempfile::tempdir().unwrap();
    printed(&run(stranger.path(), &["init"]), 0);
    let id = printed(&run(stranger.path(), &["id"]), 0);
    let key = id
        .trim()
        .trim_start_matches('@')
        .trim_end_matches(".ed25519")
        .to_owned();
    let place = served.address().split("~").next().unwrap();
    let wrong_key = run(
        served.dir.path(),
        &["call", &format!("{place}~shs:{key}"), "whoami", "--network", NETWORK],
    );
    printed(&wrong_key, 3);
    assert!(
        text(&wrong_key.stderr).contains("another key than the one dialled"),
        "{}",
        text(&wrong_key.stderr)
    );

    // Nothing listens on port 1.
    let nobody = run(
        served.dir.path(),
        &["call", &format!("net:127.0.0.1:1~shs:{key}"), "whoami"],
    );
    printed(&nobody, 3);
    assert!(
        text(&nobody.stderr).contains("cannot reach 127.0.0.1:1"),
        "{}",
        text(&nobody.stderr)
    );
}

#[test]
fn every_form_of_address_leads_to_the_node() {
    let dir = initialised();
    let unix = dir.path().join("own").display().to_string();
    let shs = dir.path().join("shs").display().to_string();
    let listen = [
        "net:127.0.0.1:0",
        "ws://127.0.0.1:0",
        &format!("unix:{unix}"),
        &format!("unix:{shs}~shs"),
    ];
    let mut command = program(dir.path());
    command.args(["serve", "--network", NETWORK]);
    for place in listen {
        command.args(["--listen", place]);
    }
    let served = Running::of(command, dir, listen.len());
    let addresses = &served.addresses;
    let own = printed(&run(served.dir.path(), &["id"]), 0);
    let expected = format!("{{\"id\":\"{}\"}}\n", own.trim());

    let net = addresses.iter().find(|address| address.starts_with("net:")).unwrap();
    let (place, key) = net.strip_prefix("net:").unwrap().split_once("~shs:").unwrap();
    let further = [
        format!("{place}:@{key}"),
        format!("net:127.0.0.1:1~shs:{key};{net}"),
        format!("unix:{unix}/socket~noauth"),
    ];
    for address in addresses.iter().chain(&further) {
        let args = ["call", address, "whoami", "--network", NETWORK];
        assert_eq!(printed(&run(served.dir.path(), &args), 0), expected, "{address}");
    }
    for prefix in ["net:127.0.0.1:", "ws://127.0.0.1:", "unix:"] {
        assert!(
            addresses.iter().any(|address| address.starts_with(prefix)),
            "{addresses:?}"
        );
    }
}

#[test]
fn an_address_that_is_wrong_is_a_usage_error_that_names_the_part() {
    let dir = initialised();
    for (address, part) in [
        ("net:127.0.0.1:80080~shs:KEY", "the port \"80080\""),
        ("net:127.0.0.1:1~shs:KEY", "key"),
        ("net:127.0.0.1:1", "key"),
        ("unix:~noauth", "path"),
        (
            "pigeon:127.0.0.1:1~shs:U5GvOKP/YUza9k53DSXxT0mk3PIrnyAmessvNfZl5E0=",
            "nothing here dials pigeon",
        ),
    ] {
        for command in [
            &["call", address, "whoami"][..],
            &["pipe", address],
            &["manifest", address],
        ] {
            let output = run(dir.path(), command);
            printed(&output, 2);
            assert!(
                text(&output.stderr).contains(part),
                "{address}: {}",
                text(&output.stderr)
            );
        }
    }
}

#[test]
fn every_alternative_that_failed_is_reported() {
    let dir = initialised();
    let key = "U5GvOKP/YUza9k53DSXxT0mk3PIrnyAmessvNfZl5E0=";
    let address = format!("net:127.0.0.1:1~shs:{key};unix:/nonexistent/socket~noauth;pigeon:loft~shs:{key}");
    let output = run(dir.path(), &["call", &address, "whoami"]);
    printed(&output, 3);
    let said = text(&output.stderr);
    for part in ["127.0.0.1:1: Connection refused", "/nonexistent/socket", "pigeon"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_bad_line_of_stdin_is_named() {
    let served = Running::serve();
    let args = ["call", served.address(), "--network", NETWORK, "notes.add"];
    let output = run_with_input(served.dir.path(), &args, b"1\nnonsense\n");
    printed(&output, 2);
    assert!(
        text(&output.stderr).contains("line 2 of stdin"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_refused_sink_ends_the_call_without_waiting_for_stdin() {
    let served = Running::serve();
    let mut child = program(served.dir.path())
        .args([
            "call",
            served.address(),
            "--network",
            NETWORK,
            "nosuch",
            "--type",
            "sink",
        ])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Held open until the call has ended.
    let stdin = child.stdin.take();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(
        said.contains("method:nosuch is not in list of allowed methods"),
        "{said}"
    );
    drop(stdin);
}

#[test]
fn a_seed_gives_the_identity_to_come_with() {
    let served = Running::serve();
    let seed = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    let by_option = printed(&served.call(&["whoareyou", "--seed", seed]), 0);
    let address = format!("{}:{seed}", served.address());
    let by_address = run(
        served.dir.path(),
        &["call", &address, "whoareyou", "--network", NETWORK],
    );
    assert_eq!(printed(&by_address, 0), by_option);
    assert!(
        by_option.contains("iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w="),
        "{by_option}"
    );
}

#[test]
fn ctrl_c_ends_serving_gracefully_and_open_calls_see_an_orderly_end() {
    let mut served = Running::serve();
    let mut caller = program(served.dir.path())
        .args(["call", served.address(), "--network", NETWORK, "sleep", "600"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The call is under way once the server has taken the connection; a second call on a new connection shows that.
    printed(&served.call(&["whoami"]), 0);
    served.signal("INT");
    assert_eq!(served.child.wait().unwrap().code(), Some(0));
    let mut answer = String::new();
    caller.stdout.take().unwrap().read_to_string(&mut answer).unwrap();
    let code = caller.wait().unwrap().code();
    // Either the call was answered before the goodbye, or it ended with an error that says so; it never hangs.
    assert!(
        matches!((code, answer.as_str()), (Some(0), "600\n") | (Some(3), "")),
        "{code:?} {answer:?}"
    );
}

#[test]
fn strangers_that_hold_every_place_at_the_door_do_not_keep_honest_peers_out() {
    let dir = initialised();
    let mut server = Command::new("sh");
    server
        .args([
            "-c",
            "ulimit -n 256 && exec \"$0\" \"$@\"",
            env!("CARGO_BIN_EXE_handfast"),
            "--dir",
        ])
        .arg(dir.path())
        .args(["serve", "--listen", "net:127.0.0.1:0", "--network", NETWORK]);
    let served = Running::of(server, dir, 1);
    let place = served
        .address()
        .strip_prefix("net:")
        .unwrap()
        .split('~')
        .next()
        .unwrap();
    let mut held = Vec::new();
    for _ in 0..400 {
        let mut stranger = std::net::TcpStream::connect(place).unwrap();
        // Some are sent away at once to make room, so writing may fail.
        let _ = stranger.write_all(&[0; 30]);
        held.push(stranger);
    }
    for _ in 0..5 {
        printed(&served.call(&["add", "1", "2"]), 0);
    }
    drop(held);
}

/// A running `handfast pipe --listen` with these further arguments, what it says on stderr, and its address.
fn pipe_listening(dir: &Path, further: &[&str]) -> (Child, BufReader<ChildStderr>, String) {
    let mut listening = program(dir)
        .args(["pipe", "--listen", "net:127.0.0.1:0", "--network", NETWORK])
        .args(further)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(listening.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening ").unwrap().to_owned();
    (listening, said, address)
}

#[test]
fn pipe_carries_bytes_both_ways_and_ends_when_both_have_ended() {
    let dir = initialised();
    let big: Vec<u8> = (0..1_000_000u32).flat_map(|i| i.to_le_bytes()).collect();
    let (mut listening, _said, address) = pipe_listening(dir.path(), &[]);
    let mut input = listening.stdin.take().unwrap();
    input.write_all(b"from the listener").unwrap();
    drop(input);
    let mut output = listening.stdout.take().unwrap();
    let reading = std::thread::spawn(move || {
        let mut received = Vec::new();
        output.read_to_end(&mut received).unwrap();
        received
    });
    let dialled = run_with_input(dir.path(), &["pipe", &address, "--network", NETWORK], &big);
    assert_eq!(printed(&dialled, 0), "from the listener");
    assert!(reading.join().unwrap() == big, "the listener received something else");
    assert_eq!(listening.wait().unwrap().code(), Some(0));
}

#[test]
fn pipe_lets_in_only_whom_it_is_told_to_and_reports_a_cut() {
    let dir = initialised();
    let id = printed(&run(dir.path(), &["id"]), 0);
    let (mut listening, mut said, address) = pipe_listening(dir.path(), &["--allow", id.trim()]);

    let stranger = run(dir.path(), &["pipe", &address, "--network", NETWORK, "--anonymous"]);
    printed(&stranger, 3);

    let mut friend = program(dir.path())
        .args(["pipe", &address, "--network", NETWORK])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // What ends like the goodbye of muxrpc is still cut: bytes are no calls.
    let half = b"half of it\0\0\0\0\0\0\0\0\0";
    friend.stdin.as_mut().unwrap().write_all(half).unwrap();
    let mut received = [0; 19];
    listening.stdout.as_mut().unwrap().read_exact(&mut received).unwrap();
    friend.kill().unwrap();
    friend.wait().unwrap();
    assert_eq!(&received, half);
    assert_eq!(listening.wait().unwrap().code(), Some(3), "a cut is not a silent end");
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(
        rest.contains("turned away") && rest.contains(&format!("connected {}", id.trim())),
        "{rest}"
    );
}

#[test]
fn the_demo_proves_what_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let shown = printed(&run(dir.path(), &["demo"]), 0);
    for line in [
        "this is bob, and nobody in between",
        "goodbye said and heard",
        "with another network key is turned away",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        0,
        "the demo stores nothing"
    );
}

#[test]
fn help_teaches() {
    let dir = tempfile::tempdir().unwrap();
    let help = printed(&run(dir.path(), &["--help"]), 0);
    for word in [
        "init",
        "id",
        "serve",
        "call",
        "pipe",
        "demo",
        "Exit codes",
        "net:127.0.0.1:8008~shs:KEY",
    ] {
        assert!(help.contains(word), "{word} is missing: {help}");
    }
    let help = printed(&run(dir.path(), &["call", "--help"]), 0);
    assert!(
        help.contains("handfast call ADDRESS count 5") && help.contains("is asked of the peer's manifest"),
        "{help}"
    );
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_program_quietly() {
    let served = Running::serve();
    let mut child = program(served.dir.path())
        .args(["call", served.address(), "--network", NETWORK, "clock", "10"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    drop(out);
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), text(&ended.stderr).as_str()), (Some(0), ""));
}
