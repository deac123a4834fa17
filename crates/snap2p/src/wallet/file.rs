//! A wallet under a password: the reference's file.
//!
//! JSON with two spaces of indent. The words are encrypted by AES-256-GCM under a key that scrypt makes of the password
//! (N = 131072, r = 8, p = 1), which takes 128 MiB and 0.4 s of a core, a second of one that is busy: run it off the
//! async threads, with `tokio::task::spawn_blocking` or the like.
//!
//! Network, address, name and date stand in clear and nothing protects them. The address is compared with the words on
//! [`Sealed::open`]; whoever can write the file can still rename it, and can turn a mainnet wallet into the testnet wallet of the
//! same words.

use super::{Mnemonic, PASSWORD_MIN, Wallet, date::Millis};
use crate::{Address, Error, Network, UnixTime, WalletFault, shown::steers_a_terminal};
use base64::{Engine, engine::general_purpose::STANDARD};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::Zeroizing;

/// The longest wallet file that is read, bytes: honest ones have some 600.
pub const FILE_MAX: usize = 16 << 10;
/// The longest name of a wallet, characters.
pub const NAME_MAX: usize = 64;
/// scrypt's N as its logarithm, its r and its p. The file does not tell them.
const SCRYPT: (u8, u32, u32) = (17, 8, 1);
/// The bytes of the tag of AES-GCM.
const TAG: usize = 16;

/// A wallet under a password, as it stands in a file.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    network: Network,
    address: Address,
    name: String,
    created: Millis,
    salt: [u8; 16],
    iv: [u8; 12],
    tag: [u8; TAG],
    ciphertext: Vec<u8>,
}

impl Sealed {
    /// Puts a wallet under a password of at least [`PASSWORD_MIN`] characters, with a name of at most [`NAME_MAX`], which
    /// stands in clear. The address is that of the first account. Takes up to a second, and 128 MiB.
    ///
    /// # Errors
    /// [`Error::Wallet`] for a password that is too short and a name that is none; [`Error::Keys`] if there is no
    /// randomness.
    pub fn seal(wallet: &Wallet, password: &str, name: &str) -> Result<Self, Error> {
        let len = password.chars().count();
        if len < PASSWORD_MIN {
            return Err(WalletFault::ShortPassword { len, min: PASSWORD_MIN }.into());
        }
        let name = proper_name(name)?;
        let (mut salt, mut iv) = ([0; 16], [0; 12]);
        handfast_keys::random(&mut salt)?;
        handfast_keys::random(&mut iv)?;
        let address = *wallet.account(0)?.principal().address();
        let phrase = wallet.mnemonic().phrase();
        let mut words = Zeroizing::new(phrase.as_bytes().to_vec());
        let tag = key_of(password, &salt)?
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(iv), Aad::empty(), &mut words)
            .map_err(|_| Error::Misuse("a mnemonic is too long to encrypt"))?;
        Ok(Self {
            network: wallet.network(),
            address,
            name,
            created: Millis::now(),
            salt,
            iv,
            tag: tag.as_ref().try_into().unwrap_or([0; TAG]),
            ciphertext: std::mem::take(&mut words),
        })
    }

    /// Takes the password off. Half a second and 128 MiB.
    ///
    /// # Errors
    /// [`Error::Wallet`]: [`WalletFault::Password`] for a wrong password or a damaged file, which cannot be told apart,
    /// [`WalletFault::OtherAddress`] if the words lead to another address than the file tells.
    pub fn open(&self, password: &str) -> Result<Wallet, Error> {
        let mut words = Zeroizing::new([&self.ciphertext[..], &self.tag].concat());
        let words = key_of(password, &self.salt)?
            .open_in_place(Nonce::assume_unique_for_key(self.iv), Aad::empty(), &mut words)
            .map_err(|_| WalletFault::Password)?;
        let mnemonic = std::str::from_utf8(words)
            .ok()
            .and_then(|words| Mnemonic::parse(words).ok())
            .ok_or_else(|| WalletFault::File("what it keeps is no mnemonic".into()))?;
        let wallet = Wallet::new(mnemonic, self.network);
        let found = wallet.account(0)?.principal();
        match *found.address() == self.address {
            true => Ok(wallet),
            false => Err(WalletFault::OtherAddress {
                told: self.address.to_string(),
                found: found.address().to_string(),
            }
            .into()),
        }
    }

    /// Reads the text of a file, of at most [`FILE_MAX`] bytes. Fields that are not known are skipped.
    ///
    /// # Errors
    /// [`Error::Wallet`] with [`WalletFault::File`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::read(text).map_err(|why| WalletFault::File(why).into())
    }

    fn read(text: &str) -> Result<Self, String> {
        if text.len() > FILE_MAX {
            return Err(format!(
                "it has {} bytes, and wallet files have at most {FILE_MAX}",
                text.len()
            ));
        }
        let file: File = serde_json::from_str(text).map_err(|error| without_controls(&error.to_string()))?;
        if file.version != 1 {
            return Err(format!("it is of version {}, and only 1 is known here", file.version));
        }
        if file.crypto.kdf != "scrypt" {
            return Err("its key is not made by scrypt".into());
        }
        let network = match file.network.as_str() {
            "mainnet" => Network::Mainnet,
            "testnet" => Network::Testnet,
            _ => return Err("its network is neither mainnet nor testnet".into()),
        };
        let address: Address = file.address.parse().map_err(|error: Error| error.to_string())?;
        if address.network() != Some(network) {
            return Err("its address is of another network than it tells".into());
        }
        Ok(Self {
            network,
            address,
            name: without_controls(&file.display_name),
            // A date that cannot be read is no reason to lose a wallet.
            created: Millis::from_text(&file.created_at).unwrap_or(Millis(0)),
            salt: exactly(&file.crypto.salt).ok_or("`salt` has not 16 bytes in base64")?,
            iv: exactly(&file.crypto.iv).ok_or("`iv` has not 12 bytes in base64")?,
            tag: exactly(&file.crypto.tag).ok_or("`tag` has not 16 bytes in base64")?,
            ciphertext: STANDARD
                .decode(&file.crypto.ciphertext)
                .map_err(|_| "`ciphertext` is no base64")?,
        })
    }

    /// The text of the file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let file = File {
            version: 1,
            network: self.network.to_string(),
            address: self.address.to_string(),
            display_name: self.name.clone(),
            created_at: self.created.to_text(),
            crypto: Crypto {
                salt: STANDARD.encode(self.salt),
                iv: STANDARD.encode(self.iv),
                tag: STANDARD.encode(self.tag),
                ciphertext: STANDARD.encode(&self.ciphertext),
                kdf: "scrypt".into(),
            },
        };
        // Nothing in it can fail to be written: its keys are texts, and it has no floats.
        serde_json::to_string_pretty(&file).unwrap_or_default()
    }

    /// The network of the addresses.
    #[must_use]
    pub const fn network(&self) -> Network {
        self.network
    }

    /// The address that the file tells; only [`open`](Self::open) compares it with the words.
    #[must_use]
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// The name, made harmless for terminals.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When the wallet was sealed; 1970 if the file tells no time.
    #[must_use]
    pub const fn created_at(&self) -> UnixTime {
        UnixTime(self.created.secs())
    }

    /// Names it anew. The password is not needed: names stand in clear.
    ///
    /// # Errors
    /// [`Error::Wallet`] with [`WalletFault::Name`].
    pub fn rename(&mut self, name: &str) -> Result<(), Error> {
        self.name = proper_name(name)?;
        Ok(())
    }

    pub(super) const fn created(&self) -> Millis {
        self.created
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({:?}, {}, ..)", self.name, self.address)
    }
}

/// The key of a password.
fn key_of(password: &str, salt: &[u8; 16]) -> Result<LessSafeKey, Error> {
    let failed = Error::Misuse("scrypt or AES-256-GCM does not work here");
    let (log_n, r, p) = SCRYPT;
    let Ok(params) = scrypt::Params::new(log_n, r, p) else {
        return Err(failed);
    };
    let mut key = Zeroizing::new([0; 32]);
    if scrypt::scrypt(password.as_bytes(), salt, &params, key.as_mut()).is_err() {
        return Err(failed);
    }
    UnboundKey::new(&AES_256_GCM, key.as_ref())
        .map(LessSafeKey::new)
        .map_err(|_| failed)
}

/// A name as it may stand in a file: trimmed, of 1 to [`NAME_MAX`] characters that can be shown, and no id.
pub(super) fn proper_name(name: &str) -> Result<String, Error> {
    let name = name.trim();
    let wrong = |why| Err(Error::Wallet(WalletFault::Name(why)));
    if name.is_empty() {
        return wrong("it is empty");
    }
    if name.chars().count() > NAME_MAX {
        return wrong("it has more than 64 characters");
    }
    if name.chars().any(steers_a_terminal) {
        return wrong("it has characters that cannot be shown");
    }
    if super::store::is_id(name) {
        return wrong("it looks like an id");
    }
    Ok(name.into())
}

fn without_controls(text: &str) -> String {
    text.chars()
        .map(|c| if steers_a_terminal(c) { '\u{fffd}' } else { c })
        .collect()
}

fn exactly<const N: usize>(text: &str) -> Option<[u8; N]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    version: u64,
    network: String,
    address: String,
    display_name: String,
    created_at: String,
    crypto: Crypto,
}

#[derive(Serialize, Deserialize)]
struct Crypto {
    salt: String,
    iv: String,
    tag: String,
    ciphertext: String,
    kdf: String,
}
