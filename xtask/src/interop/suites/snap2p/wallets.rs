//! Keys, addresses, signatures, mnemonics and wallet files, exchanged with the packages of Stacks wallets.
//!
//! A run prints its seed; `HANDFAST_WALLETS_SEED=N cargo xtask interop --only @stacks` makes the same keys again.

use super::super::super::cases::Verdict;
use super::super::super::node;
use super::super::super::peers::Peer;
use super::super::{Add, Direction, List, Title, hex};
use anyhow::{Context as _, Result, ensure};
use handfast_snap2p::wallet::{Mnemonic, Sealed, Wallet};
use handfast_snap2p::{
    Address, Network, NodeKeyAttestation, Principal, UnixTime, WalletKey, recover, recover_message, sign_message,
    verify_message,
};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// How many of each kind are made. The packages take some milliseconds for a signature, and some fifty for a mnemonic.
const KEYS: usize = 4000;
const SIGNATURES: usize = 1000;
const MNEMONICS: usize = 200;
/// scrypt takes half a second on either side.
const FILES: usize = 3;

const PASSWORD: &str = "correct horse bättery stable ☕";
const NETWORKS: [Network; 2] = [Network::Mainnet, Network::Testnet];

pub(super) fn add(add: &mut Add<'_>) -> Result<()> {
    let version = |package: &str| Ok::<_, anyhow::Error>(format!("{package} {}", node::version("stacks", package)?));
    let stacks = format!(
        "{} and {}",
        version("@stacks/transactions")?,
        version("@stacks/encryption")?
    );
    let scure = format!("{} and {}", version("@scure/bip39")?, version("@scure/bip32")?);
    let title = |peer| Title {
        peer,
        list: List::Wallets,
        direction: Direction::Both,
    };
    add(title(stacks), Box::pin(play(KEYS_AND_SIGNATURES)));
    add(title(scure), Box::pin(play(MNEMONICS_AND_SEEDS)));
    add(
        title("scrypt and AES-256-GCM of Node".into()),
        Box::pin(play(WALLET_FILES)),
    );
    Ok(())
}

/// What is tried, and how often.
#[derive(Debug, Clone, Copy)]
struct Kind {
    name: &'static str,
    count: usize,
    make: fn(&mut Dice) -> Result<Trial>,
}

type Judge = Box<dyn FnOnce(&Value) -> Result<()> + Send>;

/// One question to the packages, and what has to come of the answer.
struct Trial {
    question: Value,
    judge: Judge,
}

fn trial(question: Value, judge: impl FnOnce(&Value) -> Result<()> + Send + 'static) -> Result<Trial> {
    Ok(Trial {
        question,
        judge: Box::new(judge),
    })
}

const KEYS_AND_SIGNATURES: &[Kind] = &[
    Kind {
        name: "keys: the public key and the addresses on both networks",
        count: KEYS,
        make: address,
    },
    Kind {
        name: "addresses of all versions and lengths: we print what they read",
        count: KEYS,
        make: any_address,
    },
    Kind {
        name: "mistyped addresses: we refuse what they refuse",
        count: KEYS,
        make: mistyped,
    },
    Kind {
        name: "digests that they sign: ours is the same signature, and we recover the key",
        count: SIGNATURES,
        make: their_signature,
    },
    Kind {
        name: "digests that we sign: they recover the key, from RSV and from VRS",
        count: SIGNATURES,
        make: our_signature,
    },
    Kind {
        name: "messages: the digest under the prefix of Stacks, and whose signature it is",
        count: SIGNATURES,
        make: message,
    },
    Kind {
        name: "attestations of ours: they read and verify them",
        count: SIGNATURES,
        make: our_attestation,
    },
    Kind {
        name: "attestations of theirs: we read and verify them, and encode them again to the same bytes",
        count: SIGNATURES,
        make: their_attestation,
    },
    Kind {
        name: "attestations of ours with a bit changed: neither takes them",
        count: SIGNATURES,
        make: damaged_attestation,
    },
];

const MNEMONICS_AND_SEEDS: &[Kind] = &[
    Kind {
        name: "mnemonics of 24 words: keys and addresses of m/44'/5757'/0'/0/i",
        count: MNEMONICS,
        make: |dice| mnemonic(dice, 24),
    },
    Kind {
        name: "mnemonics of 12 words: keys and addresses of m/44'/5757'/0'/0/i",
        count: MNEMONICS,
        make: |dice| mnemonic(dice, 12),
    },
    Kind {
        name: "random words: we take as mnemonics what they take",
        count: SIGNATURES,
        make: words,
    },
];

const WALLET_FILES: &[Kind] = &[
    Kind {
        name: "wallet files of ours: they are the bytes that JSON.stringify writes, and Node opens them",
        count: FILES,
        make: our_file,
    },
    Kind {
        name: "wallet files of Node: we open them",
        count: FILES,
        make: their_file,
    },
];

async fn play(kinds: &'static [Kind]) -> Result<Vec<Verdict>> {
    let seed = seed()?;
    println!("       wallets of seed {seed}");
    let mut dice = Dice(seed);
    let mut verdicts = Vec::new();
    for kind in kinds {
        let complaint = one_kind(kind, &mut dice).await?;
        verdicts.push(Verdict {
            name: format!("{} {}", kind.count, kind.name),
            complaint: complaint.map(|complaint| format!("{complaint} (seed {seed})")),
        });
    }
    Ok(verdicts)
}

fn seed() -> Result<u64> {
    match std::env::var("HANDFAST_WALLETS_SEED") {
        Ok(seed) => seed.parse().context("HANDFAST_WALLETS_SEED is no number"),
        // Nanoseconds of today fit 64 bits for some five hundred years.
        Err(_) => Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos() as u64),
    }
}

/// The first trial that came out wrong, if there is one.
async fn one_kind(kind: &Kind, dice: &mut Dice) -> Result<Option<String>> {
    let trials: Vec<Trial> = (0..kind.count).map(|_| (kind.make)(dice)).collect::<Result<_>>()?;
    let mut command = Command::new("node");
    command.arg(node::folder().join("stacks.js"));
    let mut peer = Peer::start("stacks.js", &mut command)?;
    let mut stdin = peer.take_stdin()?;
    let questions: Vec<String> = trials.iter().map(|trial| format!("{}\n", trial.question)).collect();
    // Asking and hearing go on at once: neither pipe holds everything.
    let asking = tokio::spawn(async move {
        for questions in questions.chunks(64) {
            stdin.write_all(questions.concat().as_bytes()).await?;
        }
        stdin.flush().await?;
        // The peer leaves when this is dropped, so it comes back.
        Ok::<_, std::io::Error>(stdin)
    });
    let mut complaint = None;
    for Trial { question, judge } in trials {
        let answer: Value = serde_json::from_str(&peer.line().await?).context("stacks.js prints no JSON")?;
        if complaint.is_none() {
            // Wallet files take a while, and other suites go on meanwhile.
            let judged = tokio::task::block_in_place(|| judge(&answer));
            complaint = judged
                .err()
                .map(|why| format!("{question}: {why:#}; they say {answer}"));
        }
    }
    drop(asking.await??);
    Ok(complaint)
}

fn address(dice: &mut Dice) -> Result<Trial> {
    let key = dice.key();
    trial(json!({ "do": "address", "secret": secret(&key) }), move |answer| {
        equal(answer, "public", &hex(&key.public()))?;
        equal(answer, "mainnet", &key.address(Network::Mainnet).to_string())?;
        equal(answer, "testnet", &key.address(Network::Testnet).to_string())
    })
}

/// Hashes that begin with zeros make short addresses.
fn any_address(dice: &mut Dice) -> Result<Trial> {
    let mut hash: [u8; 20] = dice.bytes();
    let zeros = dice.below(24).saturating_sub(4);
    hash.iter_mut().take(zeros).for_each(|byte| *byte = 0);
    let version = dice.below(32) as u8;
    let address = Address::new(version, hash)?;
    let text = address.to_string();
    trial(json!({ "do": "read", "address": text }), move |answer| {
        ensure!(*answer == json!([version, hex(&hash)]), "we print it as {text}");
        ensure!(
            text.parse::<Address>().ok() == Some(address),
            "we do not read it ourselves"
        );
        Ok(())
    })
}

fn mistyped(dice: &mut Dice) -> Result<Trial> {
    const LETTERS: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let network = dice.network();
    let mut text = dice.key().address(network).to_string();
    let place = 1 + dice.below(text.len() - 1);
    let letter = char::from(LETTERS.get(dice.below(LETTERS.len())).copied().unwrap_or(b'0'));
    match dice.below(3) {
        0 => text.replace_range(place..=place, letter.encode_utf8(&mut [0; 4])),
        1 => drop(text.remove(place)),
        _ => text.insert(place, letter),
    }
    trial(json!({ "do": "read", "address": text }), move |answer| {
        let ours = text
            .parse::<Address>()
            .ok()
            .map(|address| json!([address.version(), hex(address.hash())]));
        ensure!(ours.as_ref().unwrap_or(&Value::Null) == answer, "we read {ours:?}");
        Ok(())
    })
}

fn their_signature(dice: &mut Dice) -> Result<Trial> {
    let (key, digest) = (dice.key(), dice.bytes::<32>());
    trial(
        json!({ "do": "sign", "secret": secret(&key), "digest": hex(&digest) }),
        move |answer| {
            let ours = key.sign(&digest);
            equal(answer, "rsv", &hex(&ours))?;
            equal(answer, "vrs", &vrs(&ours))?;
            let theirs = bytes::<65>(answer.get("rsv"))?;
            ensure!(
                recover(&digest, &theirs) == Some(key.public()),
                "we recover another key"
            );
            Ok(())
        },
    )
}

fn our_signature(dice: &mut Dice) -> Result<Trial> {
    let (key, digest) = (dice.key(), dice.bytes::<32>());
    let signature = key.sign(&digest);
    let question = json!({ "do": "recover", "digest": hex(&digest), "rsv": hex(&signature), "vrs": vrs(&signature) });
    trial(question, move |answer| {
        equal(answer, "rsv", &hex(&key.public()))?;
        equal(answer, "vrs", &hex(&key.public()))
    })
}

fn message(dice: &mut Dice) -> Result<Trial> {
    let key = dice.key();
    // Lengths around those where one more byte tells the length.
    let length = [dice.below(40), 250 + dice.below(8), 65_533 + dice.below(6)];
    let length = length.get(dice.below(30).saturating_sub(27)).copied().unwrap_or(0);
    let text: String = (0..length).map(|_| dice.letter()).collect();
    let signature = sign_message(&key, &text);
    let question =
        json!({ "do": "verifies", "message": text, "signature": hex(&signature), "key": hex(&key.public()) });
    let (network, bit) = (dice.network(), dice.below(512));
    trial(question, move |answer| {
        ensure!(answer.get("verified") == Some(&json!(true)), "they do not verify it");
        ensure!(
            recover_message(&text, &signature) == Some(key.public()),
            "we recover another key"
        );
        let address = key.address(network);
        ensure!(verify_message(&address, &text, &signature), "we do not verify it");
        ensure!(
            !verify_message(&address, &format!("{text} "), &signature),
            "we verify another text"
        );
        let mut other = signature;
        if let Some(byte) = other.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
        ensure!(!verify_message(&address, &text, &other), "we verify another signature");
        Ok(())
    })
}

/// An attestation, and the time at which it is judged.
fn attestation(dice: &mut Dice) -> (NodeKeyAttestation, UnixTime) {
    let (key, network) = (dice.key(), dice.network());
    let now = UnixTime(1_700_000_000 + dice.below(1 << 28) as u64);
    let validity = Duration::from_secs(24 * 3600);
    let principal = Principal(key.address(network));
    (
        NodeKeyAttestation::issue(&key, principal, dice.bytes(), dice.bytes(), now, validity),
        now,
    )
}

/// The reference refuses the addresses of one wallet in 240, and so does the stand-in.
fn reachable(dice: &mut Dice) -> (NodeKeyAttestation, UnixTime) {
    loop {
        let made = attestation(dice);
        if made.0.principal.is_taken_by_the_reference() {
            return made;
        }
    }
}

fn our_attestation(dice: &mut Dice) -> Result<Trial> {
    let (attestation, now) = attestation(dice);
    let network = attestation.principal.network().context("issued for a network")?;
    let question = json!({
        "do": "verify", "attestation": hex(&attestation.encode()), "network": network.to_string(), "now": now.0,
    });
    trial(question, move |answer| {
        if !attestation.principal.is_taken_by_the_reference() {
            ensure!(answer.is_null(), "they take an address that the reference refuses");
            return Ok(());
        }
        equal(answer, "principal", &attestation.principal.to_string())?;
        equal(answer, "node", &hex(&attestation.node_key))?;
        equal(answer, "nonce", &hex(&attestation.nonce))?;
        ensure!(
            answer.get("issued") == Some(&json!(attestation.issued_at.0)),
            "another beginning"
        );
        ensure!(
            answer.get("expires") == Some(&json!(attestation.expires_at.0)),
            "another end"
        );
        ensure!(answer.get("fault") == Some(&Value::Null), "they do not verify it");
        Ok(())
    })
}

fn their_attestation(dice: &mut Dice) -> Result<Trial> {
    let (key, network) = (dice.key(), dice.network());
    let (node, nonce) = (dice.bytes::<32>(), dice.bytes::<32>());
    let now = 1_700_000_000 + dice.below(1 << 28) as u64;
    let question = json!({
        "do": "attest", "secret": secret(&key), "network": network.to_string(), "node": hex(&node), "nonce": hex(&nonce),
        "now": now,
    });
    trial(question, move |answer| {
        let bytes = unhex(answer.as_str().context("an attestation")?)?;
        let theirs = NodeKeyAttestation::decode(&bytes)?;
        theirs.verify(UnixTime(now))?;
        ensure!(theirs.principal == Principal(key.address(network)), "another principal");
        ensure!(
            theirs.node_key == node && theirs.nonce == nonce,
            "another node key or nonce"
        );
        ensure!(theirs.encode() == bytes, "we encode it otherwise");
        Ok(())
    })
}

fn damaged_attestation(dice: &mut Dice) -> Result<Trial> {
    let (attestation, now) = reachable(dice);
    let network = attestation.principal.network().context("issued for a network")?;
    let mut bytes = attestation.encode();
    let bit = dice.below(8 * bytes.len());
    if let Some(byte) = bytes.get_mut(bit / 8) {
        *byte ^= 1 << (bit % 8);
    }
    let question = json!({ "do": "verify", "attestation": hex(&bytes), "network": network.to_string(), "now": now.0 });
    trial(question, move |answer| {
        let ours = NodeKeyAttestation::decode(&bytes).and_then(|read| {
            read.verify(now)?;
            Ok(read)
        });
        let theirs = !answer.is_null() && answer.get("fault") == Some(&Value::Null);
        // Two changes are none: the case of the letters of the node key, and of the key by which nothing is found.
        let harmless = ours.as_ref().is_ok_and(|read| *read == attestation);
        ensure!(ours.is_err() || harmless, "we take it");
        ensure!(!theirs || harmless, "they take it and we refuse it: {ours:?}");
        Ok(())
    })
}

fn mnemonic(dice: &mut Dice, words: usize) -> Result<Trial> {
    let entropy = dice.bytes::<32>();
    let entropy = entropy.get(..words * 4 / 3).context("32 bytes are enough")?;
    let indices: Vec<u32> = (0..3).map(|_| dice.below(1 << 20) as u32).chain([0, 1]).collect();
    let question = json!({ "do": "wallet", "entropy": hex(entropy), "accounts": indices });
    trial(question, move |answer| {
        let phrase = answer.get("mnemonic").and_then(Value::as_str).context("a mnemonic")?;
        let mnemonic = Mnemonic::parse(phrase)?;
        ensure!(
            mnemonic.len() == words && mnemonic.phrase().as_str() == phrase,
            "we print other words"
        );
        for network in NETWORKS {
            let wallet = Wallet::new(mnemonic.clone(), network);
            for (place, index) in indices.iter().enumerate() {
                let theirs = answer.pointer(&format!("/accounts/{place}")).context("an account")?;
                let account = wallet.account(*index)?;
                equal(theirs, "secret", &hex(account.key().to_bytes().as_ref()))?;
                equal(theirs, "public", &hex(&account.key().public()))?;
                let address = account.principal().address().to_string();
                equal(theirs, &network.to_string(), &address)?;
            }
        }
        Ok(())
    })
}

/// Of 24 words that stand in the list, the last 8 bits have to be a checksum; of 12, the last 4.
fn words(dice: &mut Dice) -> Result<Trial> {
    let count = 12 + 12 * dice.below(2);
    let entropy: Vec<u16> = (0..count).map(|_| dice.below(2048) as u16).collect();
    trial(json!({ "do": "words", "words": entropy }), move |answer| {
        let phrase = answer.get("phrase").and_then(Value::as_str).context("a phrase")?;
        let ours = Mnemonic::parse(phrase);
        ensure!(
            answer.get("valid") == Some(&json!(ours.is_ok())),
            "we say {ours:?} of {phrase:?}"
        );
        Ok(())
    })
}

fn wallet(dice: &mut Dice) -> Result<Wallet> {
    // The reference's wallets have 24 words.
    Ok(Wallet::new(Mnemonic::create()?, dice.network()))
}

fn our_file(dice: &mut Dice) -> Result<Trial> {
    const NAME: &str = "Ada \"of\" Märkte / 🦀";
    let wallet = wallet(dice)?;
    let sealed = tokio::task::block_in_place(|| Sealed::seal(&wallet, PASSWORD, NAME))?;
    let question = json!({ "do": "open", "file": sealed.to_text(), "password": PASSWORD });
    trial(question, move |answer| {
        equal(answer, "mnemonic", wallet.mnemonic().phrase().as_str())?;
        equal(answer, "address", &wallet.account(0)?.principal().address().to_string())?;
        equal(answer, "network", &wallet.network().to_string())?;
        equal(answer, "displayName", NAME)?;
        equal(answer, "kdf", "scrypt")?;
        ensure!(answer.get("version") == Some(&json!(1)), "another version");
        ensure!(
            answer.get("same") == Some(&json!(true)),
            "JSON.stringify writes other bytes"
        );
        Ok(())
    })
}

fn their_file(dice: &mut Dice) -> Result<Trial> {
    let wallet = wallet(dice)?;
    let question = json!({
        "do": "seal",
        "mnemonic": wallet.mnemonic().phrase().as_str(),
        "password": PASSWORD,
        "network": wallet.network().to_string(),
        "address": wallet.account(0)?.principal().address().to_string(),
        "displayName": "Ada",
    });
    trial(question, move |answer| {
        let text = answer.as_str().context("a file")?;
        let sealed = Sealed::parse(text)?;
        ensure!(sealed.to_text() == text, "we write it otherwise");
        ensure!(
            sealed.open("another password").is_err(),
            "we open it with another password"
        );
        let opened = sealed.open(PASSWORD)?;
        ensure!(opened.mnemonic() == wallet.mnemonic(), "we find other words in it");
        ensure!(
            opened.network() == wallet.network() && sealed.name() == "Ada",
            "another network or name"
        );
        Ok(())
    })
}

/// The recovery id in front, as transactions of Stacks have it.
fn vrs(rsv: &[u8; 65]) -> String {
    let [rs @ .., v] = rsv;
    hex(&[*v]) + &hex(rs)
}

fn secret(key: &WalletKey) -> String {
    hex(key.to_bytes().as_ref())
}

fn equal(answer: &Value, field: &str, ours: &str) -> Result<()> {
    let theirs = answer.get(field).and_then(Value::as_str);
    ensure!(theirs == Some(ours), "{field}: ours is {ours}");
    Ok(())
}

fn unhex(text: &str) -> Result<Vec<u8>> {
    let digits = text
        .as_bytes()
        .chunks(2)
        .map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?));
    digits.collect()
}

fn bytes<const N: usize>(value: Option<&Value>) -> Result<[u8; N]> {
    let bytes = unhex(value.and_then(Value::as_str).context("hexadecimal digits")?)?;
    bytes.try_into().ok().with_context(|| format!("not {N} bytes"))
}

/// splitmix64: enough for choosing keys that nobody keeps.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        // Only the lowest byte counts.
        std::array::from_fn(|_| (self.next() >> 32) as u8)
    }

    fn key(&mut self) -> WalletKey {
        loop {
            if let Ok(key) = WalletKey::from_bytes(&self.bytes()) {
                return key;
            }
        }
    }

    fn network(&mut self) -> Network {
        match self.below(2) {
            0 => Network::Mainnet,
            _ => Network::Testnet,
        }
    }

    fn letter(&mut self) -> char {
        const LETTERS: [char; 9] = ['a', 'Z', '0', ' ', '"', '\n', 'é', '☕', '🦀'];
        LETTERS.get(self.below(LETTERS.len())).copied().unwrap_or('?')
    }
}
