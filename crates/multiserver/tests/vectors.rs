//! Addresses as the JavaScript parsers read them.
//!
//! `vectors/addresses.json` holds what multiserver, multiserver-address and ssb-ref make of each text, and of what we print
//! for it; `cargo xtask vectors` asks them again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use handfast_multiserver::{Address, Alternative, Endpoint};
use serde_json::Value;

/// What JavaScript parsers take for an address and we refuse, since nothing can be dialled there, and why.
const REFUSED: &[(&str, &str)] = &[
    (
        "net with only one part",
        "ssb-ref takes an empty host; multiserver dials nothing",
    ),
    (
        "net with nothing",
        "the text has the form of an address, and names no place",
    ),
    ("net with empty port", "port 0 cannot be dialled"),
    ("net with a word for a port", "no parser finds a port"),
    ("net with a port too large", "ports end at 65535"),
    ("net with a negative port", "ports begin at 0"),
    ("net with half a port", "ports are whole numbers"),
    ("key too short", "multiserver finds no key"),
    ("key too long", "multiserver finds no key"),
    ("key missing", "multiserver finds no key"),
    ("key and its colon missing", "multiserver throws"),
    ("key that is no point", "no handshake with it can succeed"),
    ("seed too short", "multiserver finds no seed"),
    ("onion without port", "multiserver finds no port"),
    ("ws with one slash", "multiserver dials a path of localhost"),
    ("ws with a port too large", "ports end at 65535"),
    (
        "ws with a user",
        "a name and a password for HTTP, which nothing here would send",
    ),
    ("unix without path", "there is no socket without a name"),
    ("tunnel without target", "the transport of rooms refuses it too"),
];

/// Where we read another place than multiserver, and why.
const READ_OTHERWISE: &[(&str, &str)] = &[
    (
        "net ipv6 in brackets",
        "multiserver keeps the brackets and asks the resolver for them",
    ),
    (
        "ws without slashes",
        "multiserver takes host and port for a path of localhost, ssb-ref as we do",
    ),
    (
        "ws with an escaped semicolon in its path",
        "multiserver separates alternatives at escaped semicolons too",
    ),
    (
        "unix with escaped semicolon",
        "multiserver separates alternatives at escaped semicolons too",
    ),
    ("legacy ws", "multiserver takes the key for a host"),
];

fn vectors() -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("vectors/addresses.json")).unwrap();
    file["addresses"].as_array().unwrap().clone()
}

fn is_listed(list: &[(&str, &str)], label: &str) -> bool {
    list.iter().any(|(listed, _)| *listed == label)
}

fn ours(vector: &Value) -> Option<Address> {
    vector["text"].as_str().unwrap().parse().ok()
}

/// What multiserver understood of each alternative; null for those it did not understand.
fn understood(read: &Value) -> Vec<&Value> {
    let all = read["multiserver"].as_array().unwrap().iter();
    all.filter(|one| one.get("transport").is_some()).collect()
}

/// Compares one alternative with what multiserver made of it.
fn assert_same_place(label: &str, ours: &Alternative, theirs: &Value) {
    let text = |field: &str| theirs[field].as_str();
    match &ours.endpoint {
        Endpoint::Net { host, port } | Endpoint::Onion { host, port } => {
            assert_eq!(Some(ours.transport()), text("transport"), "{label}");
            assert_eq!(
                (Some(host.as_str()), Some(u64::from(*port))),
                (text("host"), theirs["port"].as_u64()),
                "{label}"
            );
        }
        Endpoint::Ws {
            secure,
            host,
            port,
            path,
        } => {
            let default = if *secure { 443 } else { 80 };
            let theirs_port = text("port").map_or(default, |port| port.parse().unwrap());
            // The plugin fills these two in when it dials.
            let theirs_host = text("host").filter(|host| !host.is_empty()).unwrap_or("localhost");
            assert_eq!(theirs["secure"].as_bool(), Some(*secure), "{label}");
            assert_eq!((host.as_str(), *port), (theirs_host, theirs_port), "{label}");
            assert_eq!(path, text("path").unwrap_or("/"), "{label}");
        }
        Endpoint::Unix { path } => assert_eq!(Some(path.as_str()), text("path"), "{label}"),
        other => panic!("{label}: {other:?}"),
    }
    let transform_is_shs = theirs["transport"] != "unix";
    if transform_is_shs {
        assert_eq!(
            ours.shs_key().map(|key| key.to_base64()).as_deref(),
            text("key"),
            "{label}"
        );
    }
    assert_eq!(ours.seed().is_some(), text("seed").is_some(), "{label}");
}

#[test]
fn each_text_is_printed_in_its_canonical_form_or_refused() {
    for vector in vectors() {
        let (label, read) = (&vector["label"], ours(&vector));
        let printed = read.as_ref().map(|address| address.to_string_with_seed().to_string());
        assert_eq!(printed.as_deref(), vector["canonical"].as_str(), "{label}");
        if let (Some(printed), Some(read)) = (printed, read) {
            assert_eq!(printed.parse::<Address>().unwrap(), read, "{label}");
        }
    }
}

#[test]
fn what_the_javascript_parsers_accept_we_accept() {
    for vector in vectors() {
        let (label, read) = (vector["label"].as_str().unwrap(), &vector["read"]);
        let accepted = !understood(read).is_empty() || read["is_address"] == true || read["is_invite"] == true;
        if is_listed(REFUSED, label) {
            assert!(ours(&vector).is_none(), "{label} is listed as refused and was accepted");
        } else if accepted {
            assert!(ours(&vector).is_some(), "{label}");
        }
    }
}

#[test]
fn we_read_the_same_places_as_multiserver() {
    for vector in vectors() {
        let label = vector["label"].as_str().unwrap();
        let Some(address) = ours(&vector).filter(|_| !is_listed(READ_OTHERWISE, label)) else {
            continue;
        };
        let theirs = understood(&vector["read"]);
        // Those that neither understands are kept by us and left out by them.
        let ours: Vec<_> = address
            .alternatives()
            .iter()
            .filter(|one| {
                matches!(
                    &one.endpoint,
                    Endpoint::Net { .. } | Endpoint::Onion { .. } | Endpoint::Ws { .. } | Endpoint::Unix { .. }
                )
            })
            .collect();
        if theirs.is_empty() {
            continue;
        }
        assert_eq!(ours.len(), theirs.len(), "{label}");
        for (ours, theirs) in ours.into_iter().zip(theirs) {
            assert_same_place(label, ours, theirs);
        }
    }
}

#[test]
fn what_we_print_is_read_by_the_javascript_parsers() {
    for vector in vectors() {
        let label = vector["label"].as_str().unwrap();
        let Some(canonical) = vector["canonical"].as_str() else {
            continue;
        };
        let address: Address = canonical.parse().unwrap();
        let read = &vector["canonical_read"];
        // multiserver-address knows visible ASCII only.
        if canonical.bytes().all(|byte| byte.is_ascii_graphic()) {
            assert!(read["codec"].is_array(), "{label}");
        }
        if canonical.contains("!;") {
            assert!(is_listed(READ_OTHERWISE, label));
            continue;
        }
        let theirs = understood(read);
        assert!(theirs.len() >= understood(&vector["read"]).len(), "{label}");
        let known = address
            .alternatives()
            .iter()
            .filter(|one| !matches!(one.endpoint, Endpoint::Other(_)));
        for (ours, theirs) in known.zip(theirs) {
            assert_same_place(label, ours, theirs);
        }
        // ssb-ref understands less of hosts than it prints; what it took before it takes now.
        // Only a port that goes without saying is one that it has to hear; the original leaves it out as well.
        if vector["read"]["is_invite"] == true && label != "wss with its default port" {
            assert_eq!(read["is_invite"], true, "{label}");
        }
    }
}

#[test]
fn old_forms_name_the_peer_that_ssb_ref_finds() {
    let mut found = 0;
    for vector in vectors() {
        let (label, legacy) = (vector["label"].as_str().unwrap(), &vector["read"]["legacy"]);
        let Some(key) = legacy["key"].as_str() else { continue };
        let Some(address) = ours(&vector) else { continue };
        found += 1;
        let key = key.trim_start_matches('@').split('.').next();
        assert_eq!(address.key().map(|key| key.to_base64()).as_deref(), key, "{label}");
        let (host, port) = (legacy["host"].as_str().unwrap(), legacy["port"].as_u64());
        // The first alternative that it understands; with its scheme in front if it is a WebSocket.
        let Some(place) = address
            .alternatives()
            .iter()
            .find(|one| one.endpoint.port().map(u64::from) == port)
        else {
            panic!("{label}: {address}");
        };
        let bare = host
            .trim_start_matches("ws://")
            .trim_start_matches("wss://")
            .trim_start_matches("ws:");
        assert_eq!(
            place.endpoint.host(),
            Some(if bare.is_empty() { "localhost" } else { bare }),
            "{label}"
        );
    }
    assert!(found > 10);
}

#[test]
fn invites_carry_the_same_seed_and_lead_to_the_same_place() {
    let mut found = 0;
    for vector in vectors() {
        let label = vector["label"].as_str().unwrap();
        let Some(remote) = vector["read"]["invite"]["remote"].as_str() else {
            continue;
        };
        // ssb-ref makes an onion address of it, which is where our transport `onion` leads.
        let Some(address) = ours(&vector).filter(|_| label != "host that ends in onion") else {
            continue;
        };
        let remote: Address = remote.parse().unwrap();
        // ssb-ref knows one alternative, and the others are ours to keep.
        assert!(
            remote
                .alternatives()
                .iter()
                .all(|one| address.without_seed().alternatives().contains(one)),
            "{label}: {remote} and {address}"
        );
        found += 1;
    }
    assert!(found > 10);
}
