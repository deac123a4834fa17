//! Laws of addresses, of what principals sign, and of wallet files.

use crate::{
    Address, Network, NodeKeyAttestation, Principal, UnixTime, WalletKey,
    alias::{AliasCard, normal},
    wallet::{Mnemonic, Sealed},
};
use arbitrary::{Result, Unstructured};
use std::{sync::LazyLock, time::Duration};

/// When everything here is signed, and looked at.
const NOW: UnixTime = UnixTime(1_767_225_600);

static KEY: LazyLock<WalletKey> = LazyLock::new(|| WalletKey::from_bytes(&[7; 32]).unwrap());
static ATTESTATION: LazyLock<NodeKeyAttestation> = LazyLock::new(|| {
    let principal = Principal(KEY.address(Network::Mainnet));
    NodeKeyAttestation::issue(&KEY, principal, [8; 32], [9; 32], NOW, Duration::from_secs(3600))
});
static CARD: LazyLock<AliasCard> = LazyLock::new(|| {
    let principal = Principal(KEY.address(Network::Testnet));
    AliasCard::issue(
        &KEY,
        principal,
        "Ørsted",
        "H. C. 🧲",
        [9; 32],
        NOW,
        Duration::from_secs(3600),
    )
    .unwrap()
});

/// A text that is an address or principal is printed as itself, every address has a text that gives it back, and no letter
/// of it can be another.
pub fn principal(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(address) = text.parse::<Address>() {
            assert_eq!(address.to_string(), text);
        }
        if let Ok(principal) = text.parse::<Principal>() {
            assert_eq!(principal.to_string(), text);
        }
    }
    let _ = any_address(&mut Unstructured::new(data));
}

fn any_address(u: &mut Unstructured) -> Result<()> {
    let version = u.int_in_range(0..=31)?;
    let mut hash: [u8; 20] = u.arbitrary()?;
    // Zeros in front make the text shorter.
    let zeros = u.int_in_range(0..=20)?;
    hash[..zeros].fill(0);
    let principal = Principal(Address::new(version, hash).unwrap());
    let text = principal.to_string();
    assert!((7 + 26..=7 + 41).contains(&text.len()), "{text}");
    assert_eq!(text.parse::<Principal>().unwrap(), principal);
    assert_eq!(principal.network().is_some(), version == 22 || version == 26);

    let mut other = text.clone().into_bytes();
    let at = u.choose_index(other.len())?;
    other[at] = u.int_in_range(b' '..=b'~')?;
    let other = String::from_utf8(other).unwrap();
    assert_eq!(other.parse::<Principal>().is_ok(), other == text, "{other}");
    Ok(())
}

/// Whatever can be read as an attestation is written so that it is read as the same, and no change of a good one verifies
/// unless it only spells it otherwise.
pub fn attestation(data: &[u8]) {
    if let Ok(read) = NodeKeyAttestation::decode(data) {
        assert_eq!(NodeKeyAttestation::decode(&read.encode()).as_ref(), Ok(&read));
        assert!(read.encode().len() <= data.len());
    }
    let changed = changed(&ATTESTATION.encode(), data);
    if let Ok(read) = NodeKeyAttestation::decode(&changed)
        && read.verify(NOW).is_ok()
    {
        assert_eq!(read.signed_bytes(), ATTESTATION.signed_bytes());
    }
}

/// The same for cards, whose alias is in its one normal form, besides.
pub fn alias_card(data: &[u8]) {
    if let Ok(read) = AliasCard::decode(data) {
        assert_eq!(AliasCard::decode(&read.encode()).unwrap(), read);
        assert_eq!(normal(&read.alias), read.alias);
    }
    let changed = changed(&CARD.encode(), data);
    if let Ok(read) = AliasCard::decode(&changed)
        && read.verify(NOW).is_ok()
    {
        let spelling = AliasCard {
            signature: CARD.signature,
            ..read
        };
        assert_eq!(spelling, *CARD);
    }
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(card) = AliasCard::issue(&KEY, CARD.principal, text, text, [9; 32], NOW, Duration::from_secs(60))
    {
        assert_eq!(card.alias, normal(&normal(text)));
        assert_eq!(AliasCard::decode(&card.encode()).unwrap(), card);
        card.verify(NOW).unwrap();
        assert!(card.verify(NOW.plus(Duration::from_secs(60))).is_err());
    }
}

/// Overwrites, inserts or removes bytes as the data says.
fn changed(good: &[u8], data: &[u8]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for change in data.chunks_exact(4).take(8) {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % bytes.len().max(1);
        match change[2] % 4 {
            0 => bytes.insert(at, change[3]),
            1 if !bytes.is_empty() => drop(bytes.remove(at)),
            _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= change[3]),
        }
    }
    bytes
}

/// A text that is a wallet file is written as a text that is the same wallet, and that is written as itself.
pub fn wallet_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Sealed::parse(text) {
        Ok(sealed) => {
            let printed = sealed.to_text();
            let again = Sealed::parse(&printed).unwrap();
            assert_eq!(again, sealed);
            assert_eq!(again.to_text(), printed);
            assert!(!sealed.name().chars().any(char::is_control));
        }
        Err(error) => assert!(error.to_string().len() < 1000, "{error}"),
    }
}

/// A text that is a mnemonic is one in its proper form as well, and what is wrong with another is told in a few words.
pub fn mnemonic(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Mnemonic::parse(text) {
        Ok(mnemonic) => {
            let again = Mnemonic::parse(&mnemonic.phrase()).unwrap();
            assert_eq!(again, mnemonic);
            assert!(matches!(again.len(), 12 | 24));
        }
        Err(error) => assert!(error.to_string().len() < 200, "{error}"),
    }
}
