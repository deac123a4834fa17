//! Every transport that is built in, from dialling to the last byte.
#![cfg(all(feature = "tls", feature = "unix", feature = "onion", unix))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use handfast_multiserver::{Address, Auth, Direction, Endpoint, Error, Incoming, Scope, Shs};
use std::os::unix::fs::PermissionsExt as _;
use support::{NETWORK, accepted, address, connect, device, failed, incoming, key, keys, node, outgoing, talk};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::test]
async fn net_and_shs_lead_to_a_peer_that_both_ends_know() {
    let mut server = node(1).listen(&incoming([("net", device("shs"))])).await.unwrap();
    let (mut dialled, mut came) = connect(&node(2), &address(&server), &mut server).await;
    assert_eq!(dialled.peer, Some(key(1)));
    assert_eq!(came.peer, Some(key(2)));
    assert_eq!(
        (dialled.direction, came.direction),
        (Direction::Outgoing, Direction::Incoming)
    );
    assert!(matches!(came.auth, Auth::Anonymous));
    assert_eq!(came.address.shs_key(), Some(key(2)));
    assert!(matches!(&came.address.endpoint, Endpoint::Net { host, .. } if host == "127.0.0.1"));
    assert_eq!(dialled.address.to_string(), address(&server).to_string());
    talk(&mut dialled, &mut came).await;
    dialled.socket.shutdown().await.unwrap();
    assert_eq!(
        came.socket.read(&mut [0; 1]).await.unwrap(),
        0,
        "the goodbye is a clean end"
    );
}

#[tokio::test]
async fn the_goodbye_of_muxrpc_ends_a_stream_unless_bytes_travel() {
    for (strict, ends_well) in [(false, true), (true, false)] {
        let shs = Shs::new(NETWORK, keys(1));
        let shs = if strict { shs.strict() } else { shs };
        let here = incoming([("net", device("shs"))]);
        let mut server = node(1).transform(shs).listen(&here).await.unwrap();
        let (mut dialled, mut came) = connect(&node(2), &address(&server), &mut server).await;
        dialled.socket.write_all(&[0; 9]).await.unwrap();
        dialled.socket.flush().await.unwrap();
        drop(dialled);
        let mut heard = Vec::new();
        let ended = came.socket.read_to_end(&mut heard).await;
        assert_eq!((ended.is_ok(), heard.len()), (ends_well, 9), "{ended:?}");
    }
}

#[tokio::test]
async fn noauth_makes_the_peer_the_owner() {
    let mut server = node(1).listen(&incoming([("net", device("noauth"))])).await.unwrap();
    let mut outgoing = outgoing();
    outgoing.get_mut("net").unwrap()[0].transform = "noauth".to_owned();
    let to = address(&server);
    assert!(to.to_string().ends_with("~noauth"));
    let client = node(1);
    let (dialled, mut came) = tokio::join!(client.dial(&to, &outgoing), accepted(&mut server));
    let mut dialled = dialled.unwrap();
    assert!(came.auth.is_owner());
    assert_eq!(came.peer, Some(key(1)));
    talk(&mut dialled, &mut came).await;
}

#[tokio::test]
async fn websockets_carry_any_bytes_both_ways() {
    let mut server = node(1).listen(&incoming([("ws", device("shs"))])).await.unwrap();
    let to = address(&server);
    assert!(to.to_string().starts_with("ws://127.0.0.1:"), "{to}");
    let (mut dialled, mut came) = connect(&node(2), &to, &mut server).await;
    assert_eq!((dialled.peer, came.peer), (Some(key(1)), Some(key(2))));
    assert!(matches!(&came.address.endpoint, Endpoint::Ws { secure: false, host, .. } if host == "127.0.0.1"));
    talk(&mut dialled, &mut came).await;
    dialled.socket.shutdown().await.unwrap();
    assert_eq!(came.socket.read(&mut [0; 1]).await.unwrap(), 0);
}

struct Certificate {
    _directory: tempfile::TempDir,
    place: Incoming,
}

/// A place that speaks `wss` as `localhost`, with a certificate that nobody vouches for.
fn self_signed() -> Certificate {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (key, cert) = (directory.path().join("key.pem"), directory.path().join("cert.pem"));
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    std::fs::write(&cert, made.cert.pem()).unwrap();
    Certificate {
        _directory: directory,
        place: Incoming {
            key: Some(key),
            cert: Some(cert),
            ..device("shs")
        },
    }
}

#[tokio::test]
async fn wss_needs_a_certificate_that_is_trusted() {
    let certificate = self_signed();
    let mut server = node(1)
        .listen(&incoming([("ws", certificate.place.clone())]))
        .await
        .unwrap();
    let to = server.addresses(Scope::Device).unwrap();
    assert!(to.to_string().starts_with("wss://localhost:"), "{to}");

    let mut trusting = outgoing();
    trusting.get_mut("ws").unwrap()[0].ca = certificate.place.cert.clone().into_iter().collect();
    let client = node(2);
    let (dialled, mut came) = tokio::join!(client.dial(&to, &trusting), accepted(&mut server));
    let mut dialled = dialled.unwrap();
    talk(&mut dialled, &mut came).await;

    let doubting = outgoing();
    let (refused, failed) = tokio::join!(client.dial(&to, &doubting), failed(&mut server));
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("TLS failed"), "{refused}");
    assert!(matches!(failed.error, Error::Tls(_)), "{failed}");
}

#[tokio::test]
async fn a_certificate_without_its_key_is_a_clear_error() {
    let certificate = self_signed();
    let half = Incoming {
        key: None,
        ..certificate.place.clone()
    };
    let error = node(1).listen(&incoming([("ws", half)])).await.unwrap_err();
    assert!(error.to_string().contains("key and cert belong together"), "{error}");
    let swapped = Incoming {
        key: certificate.place.cert.clone(),
        cert: certificate.place.key.clone(),
        ..certificate.place.clone()
    };
    let error = node(1).listen(&incoming([("ws", swapped)])).await.unwrap_err();
    assert!(error.to_string().contains("key.pem"), "{error}");
}

fn unix(directory: &std::path::Path) -> Incoming {
    Incoming {
        path: Some(directory.to_owned()),
        ..device("noauth")
    }
}

#[tokio::test]
async fn unix_sockets_serve_the_owner_alone_and_leave_nothing_behind() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("node");
    let mut server = node(1).listen(&incoming([("unix", unix(&directory))])).await.unwrap();
    let socket = directory.join("socket");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    assert_eq!(mode(&socket), 0o600);
    let to = server.addresses(Scope::Device).unwrap();
    assert_eq!(to.to_string(), format!("unix:{}~noauth", socket.display()));
    assert_eq!(server.addresses(Scope::Public), None);

    let (mut dialled, mut came) = connect(&node(1), &to, &mut server).await;
    assert!(came.auth.is_owner());
    talk(&mut dialled, &mut came).await;
    // As in the original, the transform of a Unix address may be left out.
    let bare: Address = format!("unix:{}", socket.display()).parse().unwrap();
    connect(&node(1), &bare, &mut server).await;

    server.close().await;
    assert!(!socket.exists());
    assert!(server.accept().await.is_none());
    talk(&mut dialled, &mut came).await;
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let place = incoming([("unix", unix(directory.path()))]);
    // A socket file stays behind when a process is killed.
    drop(std::os::unix::net::UnixListener::bind(directory.path().join("socket")).unwrap());
    let server = node(1).listen(&place).await.unwrap();
    let error = node(2).listen(&place).await.unwrap_err();
    assert!(
        error.to_string().contains("another node listens there already"),
        "{error}"
    );
    drop(server);
    // A JavaScript node takes no lock.
    let socket = directory.path().join("socket");
    let other = loop {
        match std::os::unix::net::UnixListener::bind(&socket) {
            Ok(listener) => break listener,
            // The task that owned the first one has not ended yet.
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let error = node(2).listen(&place).await.unwrap_err();
    assert!(
        error.to_string().contains("another node listens there already"),
        "{error}"
    );
    drop(other);
    node(2).listen(&place).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_socket_that_does_not_answer_holds_nobody_up() {
    let directory = tempfile::tempdir().unwrap();
    let place = socket2::SockAddr::unix(directory.path().join("socket")).unwrap();
    let stuck = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    stuck.bind(&place).unwrap();
    stuck.listen(0).unwrap();
    // One waits to be accepted, and there is no room for another.
    let _waiting = std::os::unix::net::UnixStream::connect(directory.path().join("socket")).unwrap();
    let places = incoming([("unix", unix(directory.path()))]);
    let listening = tokio::spawn(async move { node(1).listen(&places).await.map(drop) });
    let error = tokio::time::timeout(std::time::Duration::from_secs(30), listening).await;
    let error = error.unwrap().unwrap().unwrap_err();
    assert!(
        error.to_string().contains("another node listens there already"),
        "{error}"
    );
}

#[tokio::test]
async fn a_directory_that_others_may_write_to_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o770)).unwrap();
    let error = node(1)
        .listen(&incoming([("unix", unix(directory.path()))]))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("chmod go-w"), "{error}");
}

/// A SOCKS5 proxy that knows one name, and notes what it was asked for.
async fn proxy(behind: std::net::SocketAddr) -> (std::net::SocketAddr, tokio::task::JoinHandle<String>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap();
    let asked = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut greeting = [0; 2];
        client.read_exact(&mut greeting).await.unwrap();
        let mut methods = vec![0; greeting[1].into()];
        client.read_exact(&mut methods).await.unwrap();
        client.write_all(&[5, 0]).await.unwrap();
        // Version 5, connect, reserved, a name and its length.
        let mut request = [0; 5];
        client.read_exact(&mut request).await.unwrap();
        assert_eq!(request[..4], [5, 1, 0, 3]);
        let mut rest = vec![0; usize::from(request[4]) + 2];
        client.read_exact(&mut rest).await.unwrap();
        let port = u16::from_be_bytes([rest[rest.len() - 2], rest[rest.len() - 1]]);
        let name = String::from_utf8(rest[..rest.len() - 2].to_vec()).unwrap();
        let mut server = tokio::net::TcpStream::connect(behind).await.unwrap();
        client.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 0]).await.unwrap();
        tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut server).await });
        format!("{name}:{port}")
    });
    (here, asked)
}

#[tokio::test]
async fn onion_services_are_dialled_through_a_proxy_that_resolves_the_name() {
    let mut server = node(1).listen(&incoming([("net", device("shs"))])).await.unwrap();
    let port = address(&server).alternatives()[0].endpoint.port().unwrap();
    for scheme in ["onion", "net"] {
        let (proxy, asked) = proxy(([127, 0, 0, 1], port).into()).await;
        let mut outgoing = outgoing();
        outgoing.get_mut("onion").unwrap()[0].proxy = Some(proxy);
        let to: Address = format!("{scheme}:abcdefghij.onion:8008~shs:{}", key(1).to_base64())
            .parse()
            .unwrap();
        let client = node(2);
        let (dialled, mut came) = tokio::join!(client.dial(&to, &outgoing), accepted(&mut server));
        let mut dialled = dialled.unwrap();
        assert_eq!(dialled.transport, "onion");
        talk(&mut dialled, &mut came).await;
        assert_eq!(asked.await.unwrap(), "abcdefghij.onion:8008");
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut outgoing = outgoing();
    outgoing.get_mut("onion").unwrap()[0].proxy = Some(closed);
    let to: Address = format!("onion:abcdefghij.onion:8008~shs:{}", key(1).to_base64())
        .parse()
        .unwrap();
    let error = node(2).dial(&to, &outgoing).await.unwrap_err().to_string();
    assert!(
        error.contains(&closed.to_string()) && error.contains("is Tor running?"),
        "{error}"
    );
}

#[tokio::test]
async fn several_suites_stand_side_by_side() {
    let directory = tempfile::tempdir().unwrap();
    let places = incoming([
        ("net", device("shs")),
        ("net", device("noauth")),
        ("unix", unix(directory.path())),
        ("ws", device("shs")),
    ]);
    let mut server = node(1).listen(&places).await.unwrap();
    let all = server.addresses(Scope::Device).unwrap();
    let words: Vec<_> = all
        .alternatives()
        .iter()
        .map(|one| (one.transport(), one.transforms[0].name()))
        .collect();
    assert_eq!(
        words,
        [("net", "shs"), ("net", "noauth"), ("unix", "noauth"), ("ws", "shs")]
    );
    assert_eq!(all.to_string().parse::<Address>().unwrap(), all);
    let mut outgoing = outgoing();
    let both = ["shs", "noauth"].map(handfast_multiserver::Outgoing::new);
    outgoing.insert("net".to_owned(), both.into());
    for alternative in all.alternatives() {
        let to = alternative.clone().into();
        let client = node(2);
        let (dialled, mut came) = tokio::join!(client.dial(&to, &outgoing), accepted(&mut server));
        let mut dialled = dialled.unwrap();
        assert_eq!(came.transform, alternative.transforms[0].name());
        talk(&mut dialled, &mut came).await;
    }
}
