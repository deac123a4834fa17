//! References and secret files, exchanged with ssb-ref, ssb-uri2 and ssb-keys.

use super::super::cases::Verdict;
use super::super::node;
use super::super::peers::{Peer, text};
use super::{Add, Direction, List, Title, identity};
use anyhow::{Context as _, Result};
use handfast_keys::{BlobId, CloakedId, FeedId, MessageId, secret_file};
use serde_json::{Value, json};
use std::path::Path;

/// Bytes whose base64 holds letters of every sort: those that URIs change, digits, both cases.
fn samples() -> [[u8; 32]; 3] {
    let mut mixed = [0; 32];
    for (place, byte) in (0_u8..).zip(&mut mixed) {
        *byte = place.wrapping_mul(37) ^ 0xfb;
    }
    [[0; 32], [0xff; 32], mixed]
}

pub(super) fn add(add: &mut Add<'_>) -> Result<()> {
    let version = |package: &str| Ok::<_, anyhow::Error>(format!("{package} {}", node::version("core", package)?));
    let references = format!("{} and {}", version("ssb-ref")?, version("ssb-uri2")?);
    let title = |peer| Title {
        peer,
        list: List::Texts,
        direction: Direction::Both,
    };
    add(title(references), Box::pin(references_both_ways()));
    add(title(version("ssb-keys")?), Box::pin(secret_files()));
    Ok(())
}

async fn references_both_ways() -> Result<Vec<Verdict>> {
    let mut expected = Vec::new();
    for bytes in samples() {
        let (feed, message) = (FeedId::from_bytes(bytes), MessageId::from_bytes(bytes));
        let (blob, cloaked) = (BlobId::from_bytes(bytes), CloakedId::from_bytes(bytes));
        for (kind, text, uri) in [
            ("feed", feed.to_string(), feed.to_uri()),
            ("message", message.to_string(), message.to_uri()),
            ("blob", blob.to_string(), blob.to_uri()),
            ("cloaked", cloaked.to_string(), cloaked.to_uri()),
        ] {
            // ssb-uri2 has no way back from the URI of a cloaked message.
            let sigil = if kind == "cloaked" { Value::Null } else { json!(text) };
            expected.push((json!([kind]), text, Value::Null));
            expected.push((json!([format!("{kind} URI")]), uri, sigil));
        }
    }
    for broken in broken() {
        expected.push((json!([]), broken, Value::Null));
    }
    let texts: Vec<&String> = expected.iter().map(|(_, text, _)| text).collect();
    let mut peer = Peer::script("keys.js", &[("texts", &serde_json::to_string(&texts)?)])?;
    let mut verdicts = Vec::new();
    for (kinds, text, sigil) in &expected {
        let judged = peer.until("judged").await?;
        let name = match kinds.pointer("/0").and_then(Value::as_str) {
            Some(kind) => format!("they read our {kind} {text}"),
            None => {
                verdicts.push(Verdict::new(
                    &format!("we refuse {text:?}"),
                    &json!(null),
                    Some(&json!(read(text))),
                ));
                format!("they refuse {text:?}")
            }
        };
        let outcome = json!({ "kinds": judged.get("kinds"), "sigil": judged.get("sigil") });
        verdicts.push(Verdict::new(
            &name,
            &json!({ "kinds": kinds, "sigil": sigil }),
            Some(&outcome),
        ));
    }
    let made = peer.until("made").await?;
    for kind in [
        "feed",
        "message",
        "blob",
        "cloaked",
        "feed URI",
        "message URI",
        "blob URI",
        "cloaked URI",
    ] {
        // What we read prints as they wrote it.
        let theirs = text(&made, kind)?;
        let expected = json!([kind.trim_end_matches(" URI"), theirs]);
        let ours =
            read(theirs).map(|(kind, sigil, uri)| json!([kind, if theirs.starts_with("ssb:") { uri } else { sigil }]));
        verdicts.push(Verdict::new(&format!("we read their {kind}"), &expected, ours.as_ref()));
    }
    Ok(verdicts)
}

/// Texts that look like references and are none, for either side.
fn broken() -> Vec<String> {
    let good = FeedId::from_bytes([7; 32]).to_string();
    vec![
        // The last letter before the padding has bits that mean nothing and must be zero.
        good.replace("c=.", "d=."),
        good.replace("=.", "."),
        good.replace(".ed25519", ""),
        good.replace(".ed25519", ".ed25519 "),
        good.replace('@', "%"),
        format!(" {good}"),
        "@AAAA.ed25519".into(),
        String::new(),
    ]
}

/// Which reference the text is, and its two forms as we print them.
fn read(text: &str) -> Option<(&'static str, String, String)> {
    let feed = || {
        text.parse::<FeedId>()
            .ok()
            .map(|id| ("feed", id.to_string(), id.to_uri()))
    };
    let message = || {
        text.parse::<MessageId>()
            .ok()
            .map(|id| ("message", id.to_string(), id.to_uri()))
    };
    let blob = || {
        text.parse::<BlobId>()
            .ok()
            .map(|id| ("blob", id.to_string(), id.to_uri()))
    };
    let cloaked = || {
        text.parse::<CloakedId>()
            .ok()
            .map(|id| ("cloaked", id.to_string(), id.to_uri()))
    };
    feed().or_else(message).or_else(blob).or_else(cloaked)
}

async fn secret_files() -> Result<Vec<Verdict>> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| -> Result<String> {
        let path: &Path = &folder.path().join(name);
        Ok(path
            .to_str()
            .context("the temporary folder's name is no text")?
            .to_owned())
    };
    let (ours, theirs) = (path("ours")?, path("theirs")?);
    let own = identity(&[5; 32])?;
    secret_file::create(&ours, &own)?;
    let mut peer = Peer::script("keys.js", &[("load", &ours), ("create", &theirs)])?;

    let loaded = peer.until("loaded").await?;
    // A signature that verifies against the id shows that the private half arrived as well.
    let outcome = json!([loaded.get("id"), loaded.get("public"), loaded.get("verified")]);
    let public = format!("{}.ed25519", own.public().to_base64());
    let expected = json!([own.public().to_string(), public, true]);
    let mut verdicts = vec![Verdict::new(
        "they load our secret file and sign with it",
        &expected,
        Some(&outcome),
    )];

    let created = peer.until("created").await?;
    let read = secret_file::load(&theirs).map(|pair| pair.public().to_string());
    let outcome = read.map_or_else(|error| json!(error.to_string()), |id| json!(id));
    verdicts.push(Verdict::new(
        "we load their secret file",
        &json!(text(&created, "id")?),
        Some(&outcome),
    ));
    Ok(verdicts)
}
