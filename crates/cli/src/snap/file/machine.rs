//! The two ends of a transfer, without a socket and without a file: bytes go in, and what to do comes out.

use super::message::{Answer, Checksum, Fault, LINE_MAX, Offer, Outcome, line, read, reason};
use bytes::{Buf, Bytes, BytesMut};
use ring::digest::{Context, SHA256};

/// Collects a line.
#[derive(Debug, Default)]
struct Line(BytesMut);

impl Line {
    /// Takes from the input up to the end of the line. The line, when it is whole.
    fn take(&mut self, input: &mut Bytes) -> Result<Option<BytesMut>, Fault> {
        let end = input.iter().position(|byte| *byte == b'\n');
        let piece = end.unwrap_or(input.len());
        if self.0.len() + piece > LINE_MAX {
            return Err(Fault::LongLine);
        }
        self.0.extend_from_slice(&input.split_to(piece));
        if end.is_none() {
            return Ok(None);
        }
        input.advance(1);
        Ok(Some(self.0.split()))
    }
}

/// What the sender does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sending {
    /// Send the file from this byte on, and end.
    From(u64),
    /// Nothing: it is not wanted.
    Refused(String),
    /// Nothing: it has arrived, and is whole.
    Arrived,
    /// Nothing: it has arrived broken, or could not be kept.
    Failed(String),
}

/// The end that sends.
#[derive(Debug)]
pub(super) struct Sender {
    offer: Offer,
    line: Line,
    answered: bool,
}

impl Sender {
    pub(super) fn new(offer: Offer) -> Self {
        Self {
            offer,
            line: Line::default(),
            answered: false,
        }
    }

    /// What to say first.
    pub(super) fn hello(&self) -> Vec<u8> {
        line(&self.offer)
    }

    /// Takes what the other side says; `None` when more of it has to come.
    ///
    /// # Errors
    /// Each [`Fault`] is the end.
    pub(super) fn handle_input(&mut self, input: &mut Bytes) -> Result<Option<Sending>, Fault> {
        let Some(line) = self.line.take(input)? else {
            return Ok(None);
        };
        let size = self.offer.size;
        let next = match self.answered {
            false => match read(&line)? {
                Answer::From(from) if from > size => return Err(Fault::Beyond { from, size }),
                Answer::From(from) => Sending::From(from),
                Answer::Refused(why) => Sending::Refused(reason(&why)),
            },
            true => match read(&line)? {
                Outcome::Done(true) => Sending::Arrived,
                Outcome::Done(false) => return Err(Fault::Message),
                Outcome::Failed(why) => Sending::Failed(reason(&why)),
            },
        };
        self.answered = true;
        Ok(Some(next))
    }
}

/// What the receiver does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Receiving {
    /// Decide, and call [`Receiver::take`] or [`Receiver::refuse`].
    Offered(Offer),
    /// Keep these bytes, which come next in the file.
    Keep(Bytes),
}

/// The end that receives.
#[derive(Debug)]
pub(super) struct Receiver {
    line: Line,
    state: State,
}

enum State {
    AwaitOffer,
    Deciding(Offer),
    Taking { offer: Offer, got: u64, hash: Box<Context> },
    Over,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::AwaitOffer => "AwaitOffer",
            Self::Deciding(_) => "Deciding",
            Self::Taking { .. } => "Taking",
            Self::Over => "Over",
        })
    }
}

impl Receiver {
    pub(super) fn new() -> Self {
        Self {
            line: Line::default(),
            state: State::AwaitOffer,
        }
    }

    /// Takes what the other side says; `None` when more of it has to come. Call again while it gives anything.
    ///
    /// # Errors
    /// Each [`Fault`] is the end.
    pub(super) fn handle_input(&mut self, input: &mut Bytes) -> Result<Option<Receiving>, Fault> {
        match &mut self.state {
            State::AwaitOffer => {
                let Some(line) = self.line.take(input)? else {
                    return Ok(None);
                };
                let offer: Offer = read(&line)?;
                self.state = State::Deciding(offer.clone());
                Ok(Some(Receiving::Offered(offer)))
            }
            // An honest sender waits for the answer.
            State::Deciding(_) | State::Over if !input.is_empty() => Err(Fault::Message),
            State::Taking { offer, got, hash } if !input.is_empty() => {
                let all = got.saturating_add(input.len() as u64);
                if all > offer.size {
                    return Err(Fault::TooMuch { size: offer.size });
                }
                *got = all;
                hash.update(input);
                Ok(Some(Receiving::Keep(input.split_to(input.len()))))
            }
            _ => Ok(None),
        }
    }

    /// Takes the file, of which `from` bytes are there already, with the hash of these. What to answer.
    pub(super) fn take(&mut self, from: u64, hash: Context) -> Vec<u8> {
        if let State::Deciding(offer) = std::mem::replace(&mut self.state, State::Over) {
            self.state = State::Taking {
                offer,
                got: from,
                hash: Box::new(hash),
            };
        }
        line(&Answer::From(from))
    }

    /// Refuses the file. What to answer.
    pub(super) fn refuse(&mut self, why: &str) -> Vec<u8> {
        self.state = State::Over;
        line(&Answer::Refused(why.into()))
    }

    /// The other side has ended: whether what came is what was offered.
    ///
    /// # Errors
    /// [`Fault::Cut`] when some of it has not come.
    pub(super) fn handle_end(&mut self) -> Result<bool, Fault> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Taking { offer, got, hash } if got == offer.size => Ok(Checksum::of(*hash) == offer.sha256),
            State::Taking { offer, got, .. } => Err(Fault::Cut { got, size: offer.size }),
            _ => Err(Fault::Message),
        }
    }
}

/// The hash of nothing yet.
pub(super) fn fresh_hash() -> Context {
    Context::new(&SHA256)
}

/// What to say in the end.
pub(super) fn farewell(result: Result<(), &str>) -> Vec<u8> {
    line(&match result {
        Ok(()) => Outcome::Done(true),
        Err(why) => Outcome::Failed(why.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashed(bytes: &[u8]) -> Context {
        let mut hash = fresh_hash();
        hash.update(bytes);
        hash
    }

    fn offer(name: &str, content: &[u8]) -> Offer {
        Offer {
            name: name.into(),
            size: content.len() as u64,
            sha256: Checksum::of(hashed(content)),
        }
    }

    /// Gives the bytes in pieces of this length, and collects what comes of it.
    fn fed(receiver: &mut Receiver, bytes: &[u8], piece: usize) -> Result<Vec<Receiving>, Fault> {
        let mut all = Vec::new();
        for piece in bytes.chunks(piece) {
            let mut input = Bytes::copy_from_slice(piece);
            while let Some(next) = receiver.handle_input(&mut input)? {
                all.push(next);
            }
        }
        Ok(all)
    }

    fn kept(all: Vec<Receiving>) -> Vec<u8> {
        all.into_iter()
            .flat_map(|next| match next {
                Receiving::Keep(bytes) => bytes,
                Receiving::Offered(_) => panic!("a second offer"),
            })
            .collect()
    }

    fn heard(sender: &mut Sender, bytes: &[u8]) -> Result<Option<Sending>, Fault> {
        sender.handle_input(&mut Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn a_file_travels_whole_or_from_where_it_broke_in_pieces_of_any_size() {
        let content: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for (piece, from) in [(1, 0), (7, 0), (4096, 0), (1, 999), (3, 500), (5, 1000)] {
            let offered = offer("a\"\n\u{1b}.bin", &content);
            let (mut sender, mut receiver) = (Sender::new(offered.clone()), Receiver::new());
            let hello = fed(&mut receiver, &sender.hello(), piece).unwrap();
            assert_eq!(hello, [Receiving::Offered(offered)]);
            let answer = receiver.take(from as u64, hashed(&content[..from]));
            assert_eq!(heard(&mut sender, &answer), Ok(Some(Sending::From(from as u64))));
            let got = kept(fed(&mut receiver, &content[from..], piece).unwrap());
            assert_eq!(got, content[from..]);
            assert_eq!(receiver.handle_end(), Ok(true));
            assert_eq!(heard(&mut sender, &farewell(Ok(()))), Ok(Some(Sending::Arrived)));
        }
    }

    #[test]
    fn a_changed_byte_is_found_also_in_what_was_there_before() {
        for (before, after) in [(&b"abX"[..], &b"def"[..]), (b"abc", b"dXf")] {
            let mut receiver = Receiver::new();
            fed(&mut receiver, &line(&offer("x", b"abcdef")), 99).unwrap();
            receiver.take(3, hashed(before));
            fed(&mut receiver, after, 2).unwrap();
            assert_eq!(receiver.handle_end(), Ok(false));
        }
    }

    #[test]
    fn less_and_more_than_was_offered_are_errors() {
        let begun = || {
            let mut receiver = Receiver::new();
            fed(&mut receiver, &line(&offer("x", b"abcdef")), 99).unwrap();
            receiver.take(0, fresh_hash());
            receiver
        };
        let mut short = begun();
        fed(&mut short, b"abc", 2).unwrap();
        assert_eq!(short.handle_end(), Err(Fault::Cut { got: 3, size: 6 }));
        assert_eq!(fed(&mut begun(), b"abcdefg", 7), Err(Fault::TooMuch { size: 6 }));
    }

    #[test]
    fn who_talks_out_of_turn_or_nonsense_is_no_peer() {
        let offered = line(&offer("x", b"abc"));
        let mut eager = offered.clone();
        eager.extend_from_slice(b"abc");
        assert_eq!(fed(&mut Receiver::new(), &eager, 999), Err(Fault::Message));
        for nonsense in [
            "kia ora\n",
            "{}\n",
            "{\"name\":\"x\",\"size\":-1,\"sha256\":\"00\"}\n",
            "\n",
        ] {
            assert_eq!(fed(&mut Receiver::new(), nonsense.as_bytes(), 3), Err(Fault::Message));
        }
        let endless = "x".repeat(LINE_MAX + 1);
        assert_eq!(fed(&mut Receiver::new(), endless.as_bytes(), 100), Err(Fault::LongLine));

        let sender = || Sender::new(offer("x", b"abc"));
        assert_eq!(
            heard(&mut sender(), b"{\"from\":4}\n"),
            Err(Fault::Beyond { from: 4, size: 3 })
        );
        assert_eq!(heard(&mut sender(), b"{\"done\":true}\n"), Err(Fault::Message));
        assert_eq!(heard(&mut sender(), endless.as_bytes()), Err(Fault::LongLine));
        assert_eq!(Receiver::new().handle_end(), Err(Fault::Message));
    }

    #[test]
    fn a_refusal_and_a_failure_say_why_and_not_endlessly() {
        let mut receiver = Receiver::new();
        let mut sender = Sender::new(offer("x", b"abc"));
        fed(&mut receiver, &sender.hello(), 99).unwrap();
        let no = receiver.refuse("no room");
        assert_eq!(heard(&mut sender, &no), Ok(Some(Sending::Refused("no room".into()))));

        let mut sender = Sender::new(offer("x", b"abc"));
        heard(&mut sender, b"{\"from\":0}\n").unwrap();
        let Ok(Some(Sending::Failed(why))) = heard(&mut sender, &farewell(Err(&"x".repeat(2000)))) else {
            panic!("a failure")
        };
        assert_eq!(why.len(), 500);
    }
}
