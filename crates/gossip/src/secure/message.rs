//! One message, as it is signed, as it travels, and what it is called.

use crate::{Author, Error, Item, MessageId, Refused, Sequence, limits::Recent};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use handfast_json::{Document, Limits, Tape, Value};
use handfast_keys::{
    KeyPair, PublicKey, Signature,
    batch::{self, Claim},
};
use ring::digest;
use std::{fmt, io::Write};

/// The longest line that is taken or sent, in bytes, its line feed not counted. Every node keeps and passes on what one
/// author says once.
pub const LINE_MAX: usize = 64 << 10;

/// The deepest nesting of a line. What is signed is the pretty text, which indents by two spaces a level: without a limit, a
/// line of 64 KiB would have to be hashed as gigabytes.
pub const DEPTH_MAX: usize = 64;

/// The longest signed text in bytes: sixteen times the longest line. Within [`DEPTH_MAX`] alone, a line of 64 KiB could be
/// hashed as 4 MiB, and a few of them would fill the memory of a batch.
///
/// The pretty text of points, of tables and of whatever else people write is up to eight times as long as the line, even
/// where every number has one digit. At sixteen times, hashing costs no more for a byte of line than the signature of an
/// ordinary message does, so nobody makes work cheaply by nesting.
pub const SIGNED_MAX: usize = 16 * LINE_MAX;

/// The largest whole number that JavaScript holds exactly: no number of a message is larger.
pub const SEQUENCE_MAX: u64 = (1 << 53) - 1;

/// Messages that are checked in one equation: more would save little and keep other links waiting for longer.
const BATCH_MESSAGES: usize = 512;

/// Bytes of signed text in one batch, which bounds the memory that pretty texts take.
const BATCH_BYTES: usize = 1 << 20;

/// How many checked keys are remembered, twice: checking a key costs half as much as checking a signature.
const KEYS_HALF: usize = 1 << 13;

/// What stands before the number that an author proves. No text that is signed as a message begins like this.
const PROOF_DOMAIN: &[u8] = b"handfast-gossip sequence 1\0";

const KEY_SUFFIX: &str = ".ed25519";
const SIGNATURE_SUFFIX: &str = ".sig.ed25519";

/// A message whose signature was checked or made.
///
/// It travels as one line, without whitespace and with its members in this order:
///
/// ```text
/// {"data":{…,"signature":"….sig.ed25519"},"public":"….ed25519","seq":N,"sig2":"….sig.ed25519"}
/// ```
///
/// `signature` signs the text of the other members of `data`, printed by JavaScript's rules with two spaces a level. `seq` is
/// not part of that, so anybody may rewrite it; `sig2`, which secure-gossip neither knows nor minds, is the author's signature
/// of the 27 bytes `handfast-gossip sequence 1\0`, the key (32 bytes), the number (8 bytes, big-endian) and the name of the
/// message (32 bytes): whoever checks it knows the number to be the author's. The name is the SHA-256 of the signature
/// (64 bytes) and the key (32 bytes).
#[derive(Clone, PartialEq, Eq)]
pub struct Message(Item);

impl Message {
    /// Signs `content` under `number`, and the number, too.
    ///
    /// The nonce of the signature is drawn from the number as well, so that publishing the same content again makes another
    /// message. The original, whose signatures are deterministic, sees a sound signature.
    ///
    /// # Errors
    /// [`Error::NotAnObject`], [`Error::Reserved`] if it has a `signature`, [`Error::TooLong`] beyond [`LINE_MAX`],
    /// [`Error::Caller`] for a member `__proto__`, nesting beyond [`DEPTH_MAX`], a signed text beyond [`SIGNED_MAX`] or a
    /// number beyond [`SEQUENCE_MAX`],
    /// [`Error::Keys`] if the cryptographic library fails.
    pub fn sign(keys: &KeyPair, content: &Value, number: u64) -> Result<Self, Error> {
        Self::make(keys, content, number, true)
    }

    /// Signs `content` as secure-gossip itself does, byte for byte: nobody can tell the number from one that a relay made up,
    /// and the same content makes the same message, whatever its number.
    ///
    /// # Errors
    /// As [`Message::sign`].
    pub fn sign_without_proof(keys: &KeyPair, content: &Value, number: u64) -> Result<Self, Error> {
        Self::make(keys, content, number, false)
    }

    fn make(keys: &KeyPair, content: &Value, number: u64, prove: bool) -> Result<Self, Error> {
        let content = match content {
            Value::Object(content) => content,
            Value::Null => return Err(Error::NotAnObject { found: "null" }),
            Value::Bool(_) => return Err(Error::NotAnObject { found: "a truth value" }),
            Value::Number(_) => return Err(Error::NotAnObject { found: "a number" }),
            Value::String(_) => return Err(Error::NotAnObject { found: "a text" }),
            Value::Array(_) => return Err(Error::NotAnObject { found: "an array" }),
        };
        if content.contains("signature") {
            return Err(Error::Reserved);
        }
        if content.contains("__proto__") {
            // The original copies messages member by member, which JavaScript takes for a change of prototype.
            return Err(Error::Caller(
                "a message has no member `__proto__` of its own: secure-gossip loses it and the signature with it; choose another name",
            ));
        }
        if number > SEQUENCE_MAX {
            return Err(Error::Caller(
                "a message's number is at most 2^53 - 1, the largest that JavaScript counts to",
            ));
        }
        let mut data = content.clone();
        let mut signed = Vec::new();
        Value::Object(data.clone()).write_pretty(&mut signed);
        if signed.len() > SIGNED_MAX {
            return Err(Error::Caller(
                "a message printed in lines, as it is signed, has at most 1 MiB: nest its long lists less deep",
            ));
        }
        let signature = if prove {
            let mut salt = [0; 32];
            for (to, from) in salt.iter_mut().zip(number.to_be_bytes()) {
                *to = from;
            }
            keys.sign_salted(&signed, &salt)
        } else {
            keys.sign(&signed)?
        };
        let id = name(keys.public().as_bytes(), &signature);
        data.insert("signature", signature_text(&signature));
        let proof = if prove {
            Some(keys.sign(&proof_text(keys.public().as_bytes(), number, &id))?)
        } else {
            None
        };
        let mut line = b"{\"data\":".to_vec();
        Value::Object(data).write_compact(&mut line);
        write_tail(&mut line, keys.public().as_bytes(), Some(number), proof.as_ref());
        if line.len() > LINE_MAX {
            return Err(Error::TooLong {
                bytes: line.len(),
                limit: LINE_MAX,
            });
        }
        // What others refuse must not go out, whatever the reason.
        if Reader::limits().parse(&line).is_err() {
            return Err(Error::Caller(
                "a message nests objects and arrays at most 63 deep, itself included",
            ));
        }
        Ok(Self(Item {
            id,
            author: Author::from_bytes(*keys.public().as_bytes()),
            sequence: if prove {
                Sequence::Proven(number)
            } else {
                Sequence::Claimed(number)
            },
            body: line.into(),
        }))
    }

    /// Reads and checks one line, with or without its line feed. Many at once are read faster by
    /// [`SignedRules`](super::SignedRules).
    ///
    /// # Errors
    /// [`Refused::Forged`] if it is no message or not signed by whom it says.
    pub fn parse(line: &[u8]) -> Result<Self, Refused> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let mut reader = Reader::default();
        let opened = reader.open(line)?;
        reader
            .check(vec![opened])
            .pop()
            .unwrap_or(Err(Refused::Forged))
            .map(Self)
    }

    /// The name.
    #[must_use]
    pub const fn id(&self) -> MessageId {
        self.0.id
    }

    /// Who signed it.
    #[must_use]
    pub const fn author(&self) -> Author {
        self.0.author
    }

    /// Its number, and whether the author vouches for it. A line without a usable number counts as number 0.
    #[must_use]
    pub const fn sequence(&self) -> Sequence {
        self.0.sequence
    }

    /// The line as it travels, without line feed.
    #[must_use]
    pub const fn line(&self) -> &Bytes {
        &self.0.body
    }

    /// What the author published.
    #[must_use]
    pub fn content(&self) -> Value {
        content(&self.0.body).unwrap_or_default()
    }

    /// The message as the machines know it.
    #[must_use]
    pub fn into_item(self) -> Item {
        self.0
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Item {
            id,
            author,
            sequence,
            body,
        } = &self.0;
        write!(f, "Message({id:?}, {author:?}, {sequence:?}, {} bytes)", body.len())
    }
}

/// What the author of a line published: its `data` without the signature. The line is trusted to be sound; `None` if it is no
/// message at all.
#[must_use]
pub fn content(line: &[u8]) -> Option<Value> {
    let mut tape = Tape::with_limits(Reader::limits());
    let data = tape.read(line).ok()?.get("data")?;
    Some(data.without("signature").to_value())
}

/// Reads and checks messages as they arrived, each by itself: the answers stand in their order, each with what its author
/// published.
pub fn read_batch(bodies: &[Bytes]) -> Vec<Result<(Item, Value), Refused>> {
    let read = Reader::default().read(bodies);
    read.into_iter()
        .map(|read| read.map(|item| (content(&item.body).unwrap_or_default(), item)))
        .map(|read| read.map(|(content, item)| (item, content)))
        .collect()
}

/// Whether a line of ours carries a number. Lines without go to no peer of the original's kind: it takes them again each time
/// they come.
pub(crate) fn has_number(body: &[u8]) -> bool {
    // Invariant: `write_tail` puts the number last, or a proof, which does not stand without a number.
    !body.ends_with(b".ed25519\"}") || body.ends_with(b".sig.ed25519\"}")
}

/// A line whose parts were found, and nothing checked but its form.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) id: MessageId,
    pub(crate) author: Author,
    pub(crate) number: Option<u64>,
    key: PublicKey,
    signature: Signature,
    proof: Option<Signature>,
    /// What the signature signs.
    signed: Vec<u8>,
    /// The line as we pass it on.
    line: Vec<u8>,
    /// Where the line's proof begins.
    proof_at: usize,
}

impl Opened {
    /// The line as it goes on if all of its claims are true.
    #[cfg(feature = "_check")]
    pub(crate) fn canonical(&self) -> &[u8] {
        &self.line
    }

    /// Whether the line has what may be the author's signature of its number.
    pub(crate) const fn claims_proof(&self) -> bool {
        self.proof.is_some()
    }

    /// Bytes of memory that wait with it.
    pub(crate) fn weight(&self) -> usize {
        self.signed.len() + self.line.len()
    }
}

/// Opens lines and checks what they claim, with what is worth keeping between them.
#[derive(Debug)]
pub(crate) struct Reader {
    tape: Tape,
    /// Keys that were looked at, `None` for those that are none.
    keys: Recent<[u8; 32], Option<PublicKey>>,
    /// Among how many threads a large batch is divided.
    pub(crate) threads: usize,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            tape: Tape::with_limits(Self::limits()),
            keys: Recent::new(KEYS_HALF),
            threads: 1,
        }
    }
}

impl Reader {
    const fn limits() -> Limits {
        Limits {
            bytes: LINE_MAX,
            depth: DEPTH_MAX,
        }
    }

    /// Finds the parts of a line.
    pub(crate) fn open(&mut self, line: &[u8]) -> Result<Opened, Refused> {
        let Self { tape, keys, .. } = self;
        let message = tape.read(line).map_err(|_| Refused::Forged)?;
        open(message, line.len(), keys).ok_or(Refused::Forged)
    }

    /// Reads and checks many lines, each by itself.
    pub(crate) fn read(&mut self, lines: &[Bytes]) -> Vec<Result<Item, Refused>> {
        let mut answers = Vec::with_capacity(lines.len());
        let mut batch: Vec<Opened> = Vec::new();
        // Where the answers of the batch belong.
        let mut places = Vec::new();
        let mut weight = 0;
        let settle = |reader: &mut Self, batch: &mut Vec<Opened>, places: &mut Vec<usize>, answers: &mut Vec<_>| {
            for (place, answer) in places.drain(..).zip(reader.check(std::mem::take(batch))) {
                if let Some(slot) = answers.get_mut(place) {
                    *slot = answer;
                }
            }
        };
        for (place, line) in lines.iter().enumerate() {
            answers.push(Err(Refused::Forged));
            if let Ok(opened) = self.open(line) {
                weight += opened.weight();
                batch.push(opened);
                places.push(place);
            }
            if batch.len() >= BATCH_MESSAGES || weight >= BATCH_BYTES {
                settle(self, &mut batch, &mut places, &mut answers);
                weight = 0;
            }
        }
        settle(self, &mut batch, &mut places, &mut answers);
        answers
    }

    /// Checks the signatures of opened lines in one batch; the answers stand in their order.
    pub(crate) fn check(&self, batch: Vec<Opened>) -> Vec<Result<Item, Refused>> {
        let proofs: Vec<(&Opened, &Signature, [u8; 99])> = batch
            .iter()
            .filter_map(|opened| {
                let proof = opened.proof.as_ref()?;
                let text = proof_text(opened.author.as_bytes(), opened.number?, &opened.id);
                Some((opened, proof, text))
            })
            .collect();
        let messages = batch.iter().map(|opened| Claim {
            key: &opened.key,
            message: &opened.signed,
            signature: &opened.signature,
        });
        let proven = proofs.iter().map(|(opened, signature, text)| Claim {
            key: &opened.key,
            message: text,
            signature,
        });
        let claims: Vec<_> = messages.chain(proven).collect();
        let answers = batch::verify_parallel(&claims, self.threads);
        let (sound, proven) = answers.split_at_checked(batch.len()).unwrap_or_default();
        let mut proven = proven.iter();
        batch
            .into_iter()
            .zip(sound)
            .map(|(opened, sound)| {
                let proven = opened.proof.is_some() && proven.next() == Some(&true);
                if *sound {
                    Ok(opened.into_item(proven))
                } else {
                    Err(Refused::Forged)
                }
            })
            .collect()
    }
}

impl Opened {
    fn into_item(mut self, proven: bool) -> Item {
        let number = self.number.unwrap_or_default();
        if self.proof.is_some() && !proven {
            // A proof that proves nothing is not passed on.
            self.line.truncate(self.proof_at);
            self.line.push(b'}');
        }
        Item {
            id: self.id,
            author: self.author,
            sequence: if proven {
                Sequence::Proven(number)
            } else {
                Sequence::Claimed(number)
            },
            body: Bytes::from(self.line),
        }
    }
}

fn open(message: Document<'_>, length: usize, keys: &mut Recent<[u8; 32], Option<PublicKey>>) -> Option<Opened> {
    let data = message.get("data").filter(|data| data.is_object())?;
    let public: [u8; 32] = decode(&message.get("public")?.as_str()?, KEY_SUFFIX)?;
    let key = (*keys.get_or_insert_with(public, || PublicKey::from_bytes(&public).ok()))?;
    let signature = Signature::from_bytes(decode(&data.get("signature")?.as_str()?, SIGNATURE_SUFFIX)?);
    let number = message
        .get("seq")
        .and_then(Document::as_u64)
        .filter(|number| *number <= SEQUENCE_MAX);
    let proof = message
        .get("sig2")
        .filter(|_| number.is_some())
        .and_then(|proof| decode(&proof.as_str()?, SIGNATURE_SUFFIX))
        .map(Signature::from_bytes);

    // Room for most, so that nothing is copied while they grow.
    let mut signed = Vec::with_capacity(length);
    data.without("signature").write_pretty(&mut signed);
    if signed.len() > SIGNED_MAX {
        return None;
    }
    let mut line = Vec::with_capacity(length + 8);
    line.extend_from_slice(b"{\"data\":");
    data.write_compact(&mut line);
    let proof_at = write_tail(&mut line, &public, number, proof.as_ref());
    // What others would have to skip is not passed on, and a number may print longer than it was written.
    (line.len() <= LINE_MAX).then(|| Opened {
        id: name(&public, &signature),
        author: Author::from_bytes(public),
        number,
        key,
        signature,
        proof,
        signed,
        line,
        proof_at,
    })
}

/// What follows the data of a line; returns where the proof begins.
fn write_tail(line: &mut Vec<u8>, public: &[u8; 32], number: Option<u64>, proof: Option<&Signature>) -> usize {
    line.extend_from_slice(b",\"public\":\"");
    encode(public, line);
    line.extend_from_slice(KEY_SUFFIX.as_bytes());
    line.push(b'"');
    if let Some(number) = number {
        line.extend_from_slice(b",\"seq\":");
        // A vector takes all that is written to it.
        let _ = write!(line, "{number}");
    }
    let proof_at = line.len();
    if let Some(proof) = proof {
        line.extend_from_slice(b",\"sig2\":\"");
        encode(proof.as_bytes(), line);
        line.extend_from_slice(SIGNATURE_SUFFIX.as_bytes());
        line.push(b'"');
    }
    line.push(b'}');
    proof_at
}

fn signature_text(signature: &Signature) -> String {
    let mut text = STANDARD.encode(signature.as_bytes());
    text.push_str(SIGNATURE_SUFFIX);
    text
}

/// Appends the text of a key or a signature, 88 bytes at most, without a text of its own in between: every message has some.
fn encode(bytes: &[u8], line: &mut Vec<u8>) {
    let mut room = [0; 88];
    let length = STANDARD.encode_slice(bytes, &mut room).unwrap_or_default();
    line.extend_from_slice(room.get(..length).unwrap_or_default());
}

/// The bytes of the one canonical text of a key or a signature.
fn decode<const N: usize>(text: &str, suffix: &str) -> Option<[u8; N]> {
    let text = text.strip_suffix(suffix)?;
    if text.len() != N.div_ceil(3) * 4 {
        return None;
    }
    // The engine asks for room for the padding too.
    let mut room = [0; 66];
    let length = STANDARD.decode_slice(text, room.get_mut(..N.div_ceil(3) * 3)?).ok()?;
    room.get(..length)?.try_into().ok()
}

fn name(public: &[u8; 32], signature: &Signature) -> MessageId {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(signature.as_bytes());
    hash.update(public);
    let mut bytes = [0; 32];
    bytes.copy_from_slice(hash.finish().as_ref());
    MessageId::from_bytes(bytes)
}

/// What `sig2` signs.
fn proof_text(public: &[u8; 32], number: u64, id: &MessageId) -> [u8; 99] {
    let mut text = [0; 99];
    let parts = [PROOF_DOMAIN, public, &number.to_be_bytes(), id.as_bytes()];
    for (to, from) in text.iter_mut().zip(parts.into_iter().flatten()) {
        *to = *from;
    }
    text
}
