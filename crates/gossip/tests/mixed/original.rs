//! A model of secure-gossip 0.3.1, faults included, written from its observed behaviour.

use handfast_json::{Tape, Value};
use handfast_keys::{KeyPair, PublicKey, Signature};
use std::collections::HashMap;

/// The numbers that the original has seen, as JavaScript compares them: `None` is `undefined`.
pub(crate) type Numbers = HashMap<String, Option<f64>>;

pub(crate) struct Original {
    pub(crate) keys: KeyPair,
    next: u64,
    pub(crate) numbers: Numbers,
    /// Lines for the next round.
    store: Vec<Vec<u8>>,
    /// What has arrived on each stream without a line feed yet.
    begun: Vec<Vec<u8>>,
    /// What goes out on each stream.
    pub(crate) out: Vec<Vec<u8>>,
    pub(crate) delivered: Vec<(Value, String)>,
}

pub(crate) fn public_text(keys: &KeyPair) -> String {
    format!("{}.ed25519", keys.public().to_base64())
}

impl Original {
    pub(crate) fn new(keys: KeyPair) -> Self {
        Self {
            keys,
            next: 0,
            numbers: HashMap::new(),
            store: Vec::new(),
            begun: Vec::new(),
            out: Vec::new(),
            delivered: Vec::new(),
        }
    }

    pub(crate) fn open(&mut self) -> usize {
        self.begun.push(Vec::new());
        self.out.push(Vec::new());
        self.out.len() - 1
    }

    pub(crate) fn publish(&mut self, content: &Value) {
        let line = line(&self.keys, content, &self.next.to_string());
        self.next += 1;
        self.store.push(line);
    }

    pub(crate) fn input(&mut self, stream: usize, bytes: &[u8]) {
        self.begun[stream].extend_from_slice(bytes);
        while let Some(end) = self.begun[stream].iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.begun[stream].drain(..=end).collect();
            self.line(line);
        }
    }

    fn line(&mut self, line: Vec<u8>) {
        let mut tape = Tape::new();
        let Ok(message) = tape.read(line.trim_ascii_end()) else {
            return;
        };
        let Some(data) = message.get("data") else { return };
        let Some(public) = message.get("public").and_then(|public| public.as_str()) else {
            return;
        };
        if public == public_text(&self.keys) {
            return;
        }
        let Some(signature) = data.get("signature").and_then(|text| text.as_str()) else {
            return;
        };
        let Ok(key) = public.parse::<PublicKey>() else { return };
        let signature = signature_of(&signature);
        if !key.verify(data.without("signature").to_pretty().as_bytes(), &signature) {
            return;
        }
        let number = message.get("seq").and_then(|number| number.as_f64());
        let taken = match (self.numbers.get(public.as_ref()).copied().flatten(), number) {
            (Some(known), Some(number)) => known < number,
            _ => true,
        };
        if taken {
            self.delivered
                .push((data.without("signature").to_value(), public.to_string()));
            self.numbers.insert(public.into_owned(), number);
            drop(tape);
            self.store.push(line);
        }
    }

    /// Every line to every stream, the one it came from included.
    pub(crate) fn round(&mut self) {
        for line in self.store.drain(..) {
            self.out.iter_mut().for_each(|out| out.extend_from_slice(&line));
        }
    }
}

fn signature_of(text: &str) -> Signature {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let bytes = STANDARD
        .decode(text.trim_end_matches(".sig.ed25519"))
        .unwrap_or_default();
    Signature::from_bytes(bytes.try_into().unwrap_or([0; 64]))
}

/// A line with any text in the place of the number.
pub(crate) fn line(keys: &KeyPair, content: &Value, number: &str) -> Vec<u8> {
    let message = handfast_gossip::secure::Message::sign_without_proof(keys, content, 0).unwrap();
    let line = String::from_utf8(message.line().to_vec()).unwrap();
    let (head, _) = line.rsplit_once("\"seq\":0}").unwrap();
    let end = if number.is_empty() {
        format!("{}}}", head.trim_end_matches(','))
    } else {
        format!("{head}\"seq\":{number}}}")
    };
    format!("{end}\n").into_bytes()
}
