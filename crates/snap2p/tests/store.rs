//! The directory of wallets.
#![cfg(feature = "wallet")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use handfast_snap2p::{
    Error, Network, WalletFault,
    wallet::{Entry, Sealed, Store, Wallet},
};
use serde_json::Value;
use std::{fs, path::Path};
use tempfile::TempDir;

const PASSWORD: &str = "correct horse battery staple";
const ID: &str = "2b2c3953b692684732b77bcf95294d55";

fn vectors() -> Value {
    let all: Value = serde_json::from_str(include_str!("vectors/snap2p.json")).unwrap();
    all["wallet"].clone()
}

fn text(key: &str) -> String {
    vectors()[key].as_str().unwrap().to_owned()
}

/// A directory as the reference leaves it.
fn of_the_reference() -> (TempDir, Store) {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join(text("file_name")), text("file_text")).unwrap();
    fs::write(dir.path().join("registry.json"), text("registry_text")).unwrap();
    let store = Store::open(dir.path()).unwrap();
    (dir, store)
}

/// The vector's wallet under another name, so that no test waits for a password.
fn renamed(name: &str) -> String {
    let mut sealed = Sealed::parse(&text("file_text")).unwrap();
    sealed.rename(name).unwrap();
    sealed.to_text()
}

fn fault<T: std::fmt::Debug>(result: Result<T, Error>) -> WalletFault {
    match result {
        Err(Error::Wallet(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

fn names(store: &Store) -> Vec<String> {
    store.list().unwrap().into_iter().map(|entry| entry.name).collect()
}

fn registry(dir: &Path) -> Value {
    serde_json::from_slice(&fs::read(dir.join("registry.json")).unwrap()).unwrap()
}

/// Each id with its name, as the registry tells them.
fn registered(dir: &Path) -> Vec<(String, String)> {
    let part = |account: &Value, key: &str| account[key].as_str().unwrap().to_owned();
    let accounts = registry(dir)["accounts"].as_array().unwrap().clone();
    accounts
        .iter()
        .map(|account| (part(account, "id"), part(account, "displayName")))
        .collect()
}

#[test]
fn the_wallets_of_the_reference_are_listed_and_left_as_they_are() {
    let (dir, store) = of_the_reference();
    let entries = store.list().unwrap();
    assert_eq!(entries.len(), 1);
    let Entry {
        id,
        name,
        address,
        network,
        created_at,
        last_used,
        ..
    } = entries[0].clone();
    assert_eq!(
        (id.as_str(), name.as_str(), network),
        (ID, "Vector wallet", Network::Mainnet)
    );
    assert_eq!(address.to_string(), "SP1JAHE8GEHB0MCBGR8J6W0AA7TJEE1XKFTFJMQ5W");
    assert_eq!(created_at.as_secs(), 1_795_289_301);
    assert_eq!(last_used.unwrap().as_secs(), 1_795_289_302);
    assert_eq!(
        fs::read_to_string(dir.path().join("registry.json")).unwrap(),
        text("registry_text")
    );
    assert_eq!(store.export("Vector wallet").unwrap(), text("file_text"));
}

#[test]
fn a_wallet_is_created_unlocked_and_deleted() {
    let dir = TempDir::new().unwrap();
    let home = dir.path().join("new").join("wallets");
    let store = Store::open(&home).unwrap();
    assert_eq!(store.list().unwrap(), []);
    assert!(!home.join("registry.json").exists());

    let wallet = Wallet::ephemeral(Network::Testnet).unwrap();
    let made = store.create("mine", &wallet, PASSWORD).unwrap();
    assert_eq!(store.list().unwrap(), std::slice::from_ref(&made));
    assert_eq!(made.address, *wallet.account(0).unwrap().principal().address());
    assert_eq!(registered(&home), [(made.id.clone(), "mine".into())]);
    assert_eq!(registry(&home)["currentAccountId"], made.id.as_str());
    assert_eq!(
        fault(store.create("mine", &wallet, PASSWORD)),
        WalletFault::Exists("mine".into())
    );

    let opened = store.unlock("mine", PASSWORD).unwrap();
    assert_eq!(opened.mnemonic(), wallet.mnemonic());
    assert_eq!(opened.network(), Network::Testnet);
    assert!(store.entry(&made.id).unwrap().last_used >= made.last_used);

    store.delete(&made.id).unwrap();
    assert_eq!(store.list().unwrap(), []);
    assert_eq!(registered(&home), []);
    assert!(registry(&home)["currentAccountId"].is_null());
    assert_eq!(fs::read_dir(&home).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_what_is_written() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TempDir::new().unwrap();
    let home = dir.path().join("a").join("b");
    let store = Store::open(&home).unwrap();
    store.import(&renamed("mine")).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home), 0o700);
    assert_eq!(mode(&dir.path().join("a")), 0o700);
    let files: Vec<_> = fs::read_dir(&home).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 2);
    for file in &files {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
    // A file that others could read is closed to them when it is written again.
    for file in &files {
        fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    }
    store.rename("mine", "yours").unwrap();
    for file in &files {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
}

#[test]
fn a_registry_that_is_missing_or_damaged_is_made_anew_from_the_wallets() {
    let (dir, _) = of_the_reference();
    let path = dir.path().join("registry.json");
    let spoilt: &[&[u8]] = &[
        b"",
        b"{",
        b"[]",
        b"\xff\xff",
        b"{\"version\":1}",
        b"{\"version\":1,\"accounts\":[{\"id\":\"../../etc/passwd\"}]}",
    ];
    for text in spoilt {
        fs::write(&path, text).unwrap();
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(names(&store), ["Vector wallet"]);
        assert_eq!(registered(dir.path()), [(ID.into(), "Vector wallet".into())]);
    }
    fs::remove_file(&path).unwrap();
    Store::open(dir.path()).unwrap();
    assert_eq!(registered(dir.path()), [(ID.into(), "Vector wallet".into())]);
}

#[test]
fn the_registry_follows_the_wallets() {
    let (dir, store) = of_the_reference();
    let other = "0".repeat(32);
    fs::write(dir.path().join(format!("{other}.wallet.json")), renamed("other")).unwrap();
    // One that somebody removed, and one that is told twice.
    let ghost = text("registry_text").replace(
        "\"accounts\": [",
        &format!(
            "\"accounts\": [{{\"id\":\"{0}\",\"address\":\"\",\"displayName\":\"ghost\",\"createdAt\":\"\"}}, \
             {{\"id\":\"{ID}\",\"address\":\"\",\"displayName\":\"twice\",\"createdAt\":\"\"}},",
            "1".repeat(32)
        ),
    );
    fs::write(dir.path().join("registry.json"), ghost).unwrap();
    Store::open(dir.path()).unwrap();
    assert_eq!(
        registered(dir.path()),
        [(ID.into(), "Vector wallet".into()), (other.clone(), "other".into())]
    );
    assert_eq!(store.rename(&other, "better").unwrap().name, "better");
    assert_eq!(
        fault(store.rename(&other, "Vector wallet")),
        WalletFault::Exists("Vector wallet".into())
    );
    assert_eq!(store.rename(&other, "better").unwrap().id, other);
    assert_eq!(registered(dir.path())[1], (other, "better".into()));
}

#[test]
fn a_registry_of_a_later_version_is_not_written() {
    let (dir, _) = of_the_reference();
    let later = "{\"version\": 2, \"accounts\": []}";
    fs::write(dir.path().join("registry.json"), later).unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.import(&renamed("other")).unwrap();
    assert_eq!(names(&store).len(), 2);
    assert_eq!(fs::read_to_string(dir.path().join("registry.json")).unwrap(), later);
}

#[test]
fn a_registry_that_cannot_be_written_costs_no_wallet() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("registry.json")).unwrap();
    let store = Store::open(dir.path()).unwrap();
    let made = store.import(&renamed("mine")).unwrap();
    assert_eq!(made.last_used, None);
    assert_eq!(names(&store), ["mine"]);
    store.delete("mine").unwrap();
    assert_eq!(names(&store), Vec::<String>::new());
}

#[test]
fn only_files_called_by_an_id_are_wallets() {
    let (dir, store) = of_the_reference();
    for name in [
        "evil.wallet.json",
        ".wallet.json",
        "0.wallet.json",
        &format!("{}.wallet.json", ID.to_uppercase()),
    ] {
        fs::write(dir.path().join(name), renamed("evil")).unwrap();
    }
    fs::create_dir(dir.path().join(format!("{}.wallet.json", "3".repeat(32)))).unwrap();
    assert_eq!(names(&store), ["Vector wallet"]);
    for name in ["../x", "/etc/passwd", "evil", "..", ""] {
        assert!(
            matches!(fault(store.entry(name)), WalletFault::Unknown { .. }),
            "{name}"
        );
        assert!(
            matches!(fault(store.delete(name)), WalletFault::Unknown { .. }),
            "{name}"
        );
    }
    // A name is a name and never part of a path.
    let made = store.import(&renamed("../../x")).unwrap();
    assert!(dir.path().join(format!("{}.wallet.json", made.id)).is_file());
    assert_eq!(store.entry("../../x").unwrap(), made);
}

#[test]
fn a_damaged_wallet_is_told_of_and_hides_no_other() {
    let (dir, store) = of_the_reference();
    let long = "x".repeat(100_000);
    for (digit, text) in [("4", "{"), ("5", long.as_str())] {
        fs::write(dir.path().join(format!("{}.wallet.json", digit.repeat(32))), text).unwrap();
    }
    assert_eq!(names(&store), ["Vector wallet"]);
    let damaged = store.damaged().unwrap();
    assert_eq!(damaged.len(), 2);
    match fault(store.entry("lost")) {
        WalletFault::Unknown { known, .. } => {
            assert!(
                known.contains("Vector wallet") && known.contains("cannot be read: 2"),
                "{known}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_wallets_of_one_name_are_told_apart_by_their_ids() {
    let (dir, store) = of_the_reference();
    let other = "0".repeat(32);
    fs::write(dir.path().join(format!("{other}.wallet.json")), text("file_text")).unwrap();
    match fault(store.export("Vector wallet")) {
        WalletFault::Ambiguous { ids, .. } => assert_eq!(ids, format!("{other}, {ID}")),
        fault => panic!("{fault:?}"),
    }
    assert_eq!(store.entry(&other).unwrap().id, other);
}

#[test]
fn a_directory_that_vanished_is_an_error() {
    let (dir, store) = of_the_reference();
    drop(dir);
    let wallet = Wallet::ephemeral(Network::Mainnet).unwrap();
    assert!(matches!(store.list(), Err(Error::Io { .. })));
    assert!(matches!(store.create("mine", &wallet, PASSWORD), Err(Error::Io { .. })));
}

/// On a disk without room nothing is lost and nothing half-written is left. The shell lets no file of the child grow.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_loses_nothing() {
    const CHILD: &str = "HANDFAST_TEST_FULL_DISK";
    if let Some(dir) = std::env::var_os(CHILD) {
        let store = Store::open(Path::new(&dir)).unwrap();
        assert!(matches!(store.import(&renamed("new")), Err(Error::Io { .. })));
        assert!(matches!(store.rename(ID, "new"), Err(Error::Io { .. })));
        assert_eq!(names(&store), ["Vector wallet"]);
        return;
    }
    let (dir, store) = of_the_reference();
    let child = std::process::Command::new("sh")
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 0; exec \"$0\" --exact a_full_disk_loses_nothing",
        ])
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, dir.path())
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert_eq!(names(&store), ["Vector wallet"]);
    assert_eq!(
        fs::read_to_string(dir.path().join("registry.json")).unwrap(),
        text("registry_text")
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[cfg(unix)]
#[test]
fn what_others_could_get_at_is_closed_to_them() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let open_to = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let (dir, _) = of_the_reference();
    let file = dir.path().join(text("file_name"));
    open_to(dir.path(), 0o775);
    open_to(&file, 0o664);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(mode(dir.path()), 0o700, "nothing but wallets is in it");
    assert_eq!(mode(&file), 0o600);
    open_to(&file, 0o644);
    assert_eq!(store.list().unwrap().len(), 1);
    assert_eq!(mode(&file), 0o600);

    // A directory that has other things in it stays as it is, for these may be meant for others; only writing it must not be.
    fs::write(dir.path().join("notes.txt"), "").unwrap();
    open_to(dir.path(), 0o755);
    open_to(&file, 0o644);
    assert_eq!(Store::open(dir.path()).unwrap().list().unwrap().len(), 1);
    assert_eq!((mode(dir.path()), mode(&file)), (0o755, 0o600));
    for writable in [0o775, 0o757, 0o1777] {
        open_to(dir.path(), writable);
        let error = Store::open(dir.path()).unwrap_err();
        assert!(error.to_string().contains("others can write in it"), "{error}");
    }
    open_to(dir.path(), 0o700);
}
