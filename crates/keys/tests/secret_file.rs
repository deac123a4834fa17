//! The secret file: who may read it, what may stand in it, and that none is ever overwritten.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use handfast_keys::{Error, KeyPair, secret_file};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

fn identity() -> KeyPair {
    KeyPair::from_seed(&[1; 32]).unwrap()
}

/// As ssb-keys 8.5.0 lays its files out, with comments before and after.
fn as_ssb_keys_writes(pair: &KeyPair) -> String {
    let created = {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        secret_file::create(&path, pair).unwrap();
        fs::read_to_string(path).unwrap()
    };
    let json: String = created
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect::<Vec<_>>()
        .join("\n");
    format!(
        "# this is your SECRET name.\n#\n\n{json}\n\n# WARNING! It's vital that you DO NOT edit OR share your secret name\n"
    )
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_is_created_can_be_loaded_and_is_private() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    secret_file::create(&path, &identity()).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(secret_file::load(&path).unwrap().secret(), identity().secret());
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "no temporary file stays behind"
    );
}

#[test]
fn an_existing_file_is_never_overwritten_not_even_a_broken_link() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    fs::write(&path, "precious").unwrap();
    assert!(matches!(
        secret_file::create(&path, &identity()),
        Err(Error::SecretExists { .. })
    ));
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(folder.path().join("nowhere"), &link).unwrap();
    assert!(matches!(
        secret_file::create(&link, &identity()),
        Err(Error::SecretExists { .. })
    ));
}

#[test]
fn of_many_creators_at_once_exactly_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let winners: Vec<KeyPair> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..16u8)
            .map(|i| {
                let path = &path;
                scope.spawn(move || {
                    let pair = KeyPair::from_seed(&[i; 32]).unwrap();
                    secret_file::create(path, &pair).is_ok().then_some(pair)
                })
            })
            .collect();
        racers.into_iter().filter_map(|racer| racer.join().unwrap()).collect()
    });
    assert_eq!(winners.len(), 1);
    assert_eq!(secret_file::load(&path).unwrap().public(), winners[0].public());
}

#[test]
fn a_file_that_others_can_open_is_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    for mode in [0o644, 0o640, 0o604, 0o660, 0o601] {
        write(&path, &as_ssb_keys_writes(&identity()), mode);
        let error = secret_file::load(&path).unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
    for mode in [0o600, 0o400] {
        write(&path, &as_ssb_keys_writes(&identity()), mode);
        assert!(secret_file::load(&path).is_ok(), "mode {mode:o}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = secret_file::load("/nonexistent/secret").unwrap_err().to_string();
    assert!(
        error.contains("/nonexistent/secret") && error.contains("No such file"),
        "{error}"
    );
}

#[test]
fn contents_that_are_no_identity_are_refused_without_being_quoted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let good = as_ssb_keys_writes(&identity());
    let other = KeyPair::from_seed(&[2; 32]).unwrap().public().to_base64();
    let own = identity().public().to_base64();
    for (bad, why) in [
        (String::new(), "JSON"),
        ("garbage hunter2".into(), "JSON"),
        (good.replace("\"curve\": \"ed25519\"", "\"curve\": \"k256\""), "curve"),
        (
            good.replacen(&format!("{own}.ed25519"), &format!("{other}.ed25519"), 1),
            "public key or id",
        ),
        (good.replace("\"private\": \"", "\"private\": \"AAAA"), "base64"),
        (
            good.replace("\"private\": \"AQEB", "\"private\": \"AgEB"),
            "belong together",
        ),
    ] {
        write(&path, &bad, 0o600);
        let error = secret_file::load(&path).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        assert!(!error.contains("hunter2") && !error.contains(&own), "{error}");
    }
}
