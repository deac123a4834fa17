//! The words that a wallet is made of (BIP39).

use crate::{Error, WalletFault, shown::steers_a_terminal};
use bip39::Language;
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The random bytes behind 24 words.
const ENTROPY: usize = 32;
/// The longest text in which words are looked for, bytes: 24 words of 8 letters are 215.
const TEXT_MAX: usize = 1024;
/// The most words that are suggested for one that is not in the list.
const NEAR_MAX: usize = 4;

/// The 12 or 24 English words that are the wallet: whoever has them has every key, for ever.
///
/// Erased when dropped. `Debug` and `Display` tell only how many words there are; [`phrase`](Self::phrase) gives them.
#[derive(Clone)]
pub struct Mnemonic(bip39::Mnemonic);

/// In constant time for mnemonics of one length.
impl PartialEq for Mnemonic {
    fn eq(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.phrase(), other.phrase());
        ours.as_bytes().ct_eq(theirs.as_bytes()).into()
    }
}

impl Eq for Mnemonic {}

impl Mnemonic {
    /// 24 new words from the operating system's randomness.
    ///
    /// # Errors
    /// [`Error::Keys`] if there is no randomness.
    pub fn create() -> Result<Self, Error> {
        let mut entropy = Zeroizing::new([0; ENTROPY]);
        handfast_keys::random(entropy.as_mut())?;
        bip39::Mnemonic::from_entropy_in(Language::English, entropy.as_ref())
            .map(Self)
            .map_err(|_| Error::Misuse("32 bytes are always a mnemonic"))
    }

    /// The 12 or 24 words of a text, with any space between them, in either case.
    ///
    /// # Errors
    /// [`Error::Wallet`] with [`WalletFault::Mnemonic`], which says which word is not in the list and which are near it, and
    /// so is as secret as the text: show it to whoever typed that, and log it nowhere.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |why: String| Error::Wallet(WalletFault::Mnemonic(why));
        if text.len() > TEXT_MAX {
            return Err(wrong("it is too long; write 12 or 24 words".into()));
        }
        let text = Zeroizing::new(text.to_lowercase());
        let count = text.split_whitespace().count();
        if count != 12 && count != 24 {
            return Err(wrong(format!("it has {count} words; write 12 or 24")));
        }
        bip39::Mnemonic::parse_in_normalized(Language::English, &text)
            .map(Self)
            .map_err(|fault| match fault {
                bip39::Error::UnknownWord(at) => wrong(unknown_word(at, text.split_whitespace().nth(at).unwrap_or(""))),
                _ => wrong(
                    "every word is in the list, and together they are none: one is another word, or two are swapped"
                        .into(),
                ),
            })
    }

    /// How many words there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.word_count()
    }

    /// Never: there are 12 or 24 words.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The words with one space between them: the secret itself.
    #[must_use]
    pub fn phrase(&self) -> Zeroizing<String> {
        // Room for the longest words, so that no piece is left behind by growing.
        let mut phrase = Zeroizing::new(String::with_capacity(self.len() * 9));
        for word in self.0.words() {
            if !phrase.is_empty() {
                phrase.push(' ');
            }
            phrase.push_str(word);
        }
        phrase
    }

    /// What keys are derived from: BIP39 with an empty passphrase. 2048 rounds of HMAC-SHA-512, some 2 ms.
    pub(super) fn seed(&self) -> Zeroizing<[u8; 64]> {
        Zeroizing::new(self.0.to_seed_normalized(""))
    }
}

fn unknown_word(at: usize, word: &str) -> String {
    let mut near: Vec<(usize, &str)> = Language::English
        .word_list()
        .iter()
        .map(|known| (strsim::damerau_levenshtein(known, word), *known))
        .filter(|(distance, _)| *distance <= 2)
        .collect();
    near.sort_unstable();
    let best = near.first().map_or(0, |(distance, _)| *distance);
    let near: Vec<&str> = near
        .into_iter()
        .filter(|(distance, _)| *distance == best)
        .map(|(_, known)| known)
        .take(NEAR_MAX)
        .collect();
    let shown: String = word.chars().filter(|c| !steers_a_terminal(*c)).take(16).collect();
    let what = format!("word {} (`{shown}`) is not in the list of BIP39", at + 1);
    match near.is_empty() {
        true => what,
        false => format!("{what}; near it: {}", near.join(", ")),
    }
}

impl fmt::Display for Mnemonic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} words)", self.len())
    }
}

impl fmt::Debug for Mnemonic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mnemonic({} words)", self.len())
    }
}
