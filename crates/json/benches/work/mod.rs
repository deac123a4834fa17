//! What is read and printed: texts like those of feeds, the same in every run.

/// A source of numbers that look random (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }

    fn base64(&mut self, letters: usize) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        (0..letters)
            .map(|_| char::from(ALPHABET[self.roll(64) as usize]))
            .collect()
    }

    fn words(&mut self, count: u64) -> String {
        const WORDS: [&str; 16] = [
            "the",
            "scuttlebutt",
            "gossip",
            "of",
            "a",
            "boat",
            "Wörter",
            "mit",
            "kia",
            "ora",
            "\\n\\n",
            "私は",
            "said",
            "\\\"no\\\"",
            "🐚",
            "everything",
        ];
        let words: Vec<&str> = (0..count).map(|_| WORDS[self.roll(16) as usize]).collect();
        words.join(" ")
    }
}

/// A set of texts with a name.
pub(crate) struct Corpus {
    pub(crate) name: &'static str,
    pub(crate) texts: Vec<String>,
}

impl Corpus {
    pub(crate) fn bytes(&self) -> usize {
        self.texts.iter().map(String::len).sum()
    }
}

pub(crate) fn corpora() -> Vec<Corpus> {
    let mut dice = Dice(1);
    let messages = feed(&mut dice, 500);
    let log = format!("[{}]", messages.join(","));
    let floats: Vec<String> = (0..5_000)
        .map(|_| (dice.roll(1 << 53) as f64 / 1_000_003.0).to_string())
        .collect();
    let names: Vec<String> = (0..5_000)
        .map(|number| format!("\"{}{number}\":{number}", dice.base64(8)))
        .collect();
    vec![
        Corpus {
            name: "messages of a feed, one by one",
            texts: messages,
        },
        Corpus {
            name: "the same in one array",
            texts: vec![log],
        },
        Corpus {
            name: "floats of 16 digits",
            texts: vec![format!("[{}]", floats.join(","))],
        },
        Corpus {
            name: "one object of 5,000 names",
            texts: vec![format!("{{{}}}", names.join(","))],
        },
        Corpus {
            name: "one text of 1 MiB",
            texts: vec![format!("\"{}\"", dice.base64(1 << 20))],
        },
    ]
}

/// Messages in the proportions of a lively feed: posts, votes, contacts, and boxes.
fn feed(dice: &mut Dice, count: usize) -> Vec<String> {
    let author = format!("@{}=.ed25519", dice.base64(43));
    (1..=count)
        .map(|sequence| {
            let content = match dice.roll(10) {
                0..5 => {
                    let (count, root, branch) = (10 + dice.roll(90), dice.base64(43), dice.base64(43));
                    format!(
                        r#"{{"type":"post","root":"%{root}=.sha256","branch":"%{branch}=.sha256","text":"{}","mentions":[{{"link":"@{}=.ed25519","name":"cookie"}}]}}"#,
                        dice.words(count),
                        dice.base64(43),
                    )
                }
                5..8 => format!(
                    r#"{{"type":"vote","vote":{{"link":"%{}=.sha256","value":1,"expression":"Like"}}}}"#,
                    dice.base64(43)
                ),
                8 => format!(
                    r#"{{"type":"contact","contact":"@{}=.ed25519","following":true}}"#,
                    dice.base64(43)
                ),
                _ => format!("\"{}==.box\"", dice.base64(700)),
            };
            let (previous, signature) = (dice.base64(43), dice.base64(86));
            // Milliseconds, for a third of the messages with a fraction, as ssb's monotonic timestamps have it.
            let fraction = if sequence % 3 == 0 { ".002" } else { "" };
            format!(
                r#"{{"previous":"%{previous}=.sha256","sequence":{sequence},"author":"{author}","timestamp":{}{fraction},"hash":"sha256","content":{content},"signature":"{signature}==.sig.ed25519"}}"#,
                1_514_517_067_954 + 1000 * sequence,
            )
        })
        .collect()
}
