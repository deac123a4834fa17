//! The reader: JSON text to tape, in one pass and without recursion.

use crate::error::Position;
use crate::tape::{Frame, Kind, Node, Tape};
use crate::{Error, Number, escape, order, scan};

/// What could have stood where the text stops being JSON.
type Expected = &'static str;

const VALUE: Expected = "a value";

pub(crate) struct Reader<'t, 'a> {
    tape: &'t mut Tape,
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'t, 'a> Reader<'t, 'a> {
    pub(crate) fn new(tape: &'t mut Tape, bytes: &'a [u8]) -> Result<Self, Error> {
        // Places on the tape have 32 bits.
        let limit = tape.limits.bytes.min(u32::MAX as usize);
        if bytes.len() > limit {
            return Err(Error::TooLong {
                bytes: bytes.len(),
                limit,
            });
        }
        let text = std::str::from_utf8(bytes).map_err(|error| Error::NotUtf8 {
            at: Position::of(bytes, error.valid_up_to()),
        })?;
        Ok(Self {
            tape,
            text,
            bytes,
            at: 0,
        })
    }

    /// Reads the whole text and gives it back.
    pub(crate) fn read(mut self) -> Result<&'a str, Error> {
        loop {
            // A value begins here; arrays and objects that are not empty begin with another one.
            if !self.value()? {
                continue;
            }
            // A value is complete, and with it perhaps what is around it.
            loop {
                let Some(frame) = self.tape.open.last_mut() else {
                    return match self.space() {
                        None => Ok(self.text),
                        Some(_) => Err(self.error("the end of the text")),
                    };
                };
                let is_object = frame.is_object;
                frame.names += u32::from(!is_object);
                match (self.space(), is_object) {
                    (Some(b','), false) => {
                        self.at += 1;
                        break;
                    }
                    (Some(b','), true) => {
                        self.at += 1;
                        self.name("a name in quotes")?;
                        break;
                    }
                    (Some(b']'), false) | (Some(b'}'), true) => {
                        self.at += 1;
                        self.close()?;
                    }
                    (_, false) => return Err(self.error("a comma or the end of the array")),
                    (_, true) => return Err(self.error("a comma or the end of the object")),
                }
            }
        }
    }

    /// Skips whitespace: these four bytes and no other. The next byte, which is left.
    #[inline]
    fn space(&mut self) -> Option<u8> {
        loop {
            let byte = self.bytes.get(self.at).copied();
            if !matches!(byte, Some(b' ' | b'\n' | b'\r' | b'\t')) {
                return byte;
            }
            self.at += 1;
        }
    }

    /// Reads a value, or the beginning of one: says whether it is complete.
    #[inline]
    fn value(&mut self) -> Result<bool, Error> {
        match self.space() {
            Some(b'"') => self.string(false)?,
            Some(b'{') => return self.open(true),
            Some(b'[') => return self.open(false),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.word("true", Kind::True)?,
            Some(b'f') => self.word("false", Kind::False)?,
            Some(b'n') => self.word("null", Kind::Null)?,
            _ => return Err(self.error(VALUE)),
        }
        Ok(true)
    }

    fn open(&mut self, is_object: bool) -> Result<bool, Error> {
        if self.tape.open.len() >= self.tape.limits.depth {
            return Err(Error::TooDeep {
                limit: self.tape.limits.depth,
                at: Position::of(self.bytes, self.at),
            });
        }
        let (kind, end) = if is_object {
            (Kind::Object, b'}')
        } else {
            (Kind::Array, b']')
        };
        let node = place(self.tape.nodes.len())?;
        self.at += 1;
        let is_empty = self.space() == Some(end);
        self.push(kind, 0, node as usize + 1)?;
        if is_empty {
            self.at += 1;
            return Ok(true);
        }
        self.tape.open.push(Frame {
            node,
            names: if is_object { place(self.tape.names.len())? } else { 0 },
            is_object,
            has_digit: false,
        });
        if is_object {
            self.name("a name in quotes or the end of the object")?;
        }
        Ok(false)
    }

    /// Reads a name and its colon.
    #[inline]
    fn name(&mut self, expected: Expected) -> Result<(), Error> {
        if self.space() != Some(b'"') {
            return Err(self.error(expected));
        }
        let node = place(self.tape.nodes.len())?;
        self.tape.names.push(node);
        if let (Some(b'0'..=b'9' | b'\\'), Some(frame)) = (self.bytes.get(self.at + 1), self.tape.open.last_mut()) {
            frame.has_digit = true;
        }
        self.string(true)?;
        if self.space() != Some(b':') {
            return Err(self.error("a colon"));
        }
        self.at += 1;
        Ok(())
    }

    fn close(&mut self) -> Result<(), Error> {
        let Some(frame) = self.tape.open.pop() else {
            return Ok(());
        };
        let end = place(self.tape.nodes.len())?;
        let (kind, start) = if frame.is_object {
            order::settle(self.tape, self.text, frame)?
        } else {
            (Kind::Array, frame.names)
        };
        if let Some(node) = self.tape.nodes.get_mut(frame.node as usize) {
            *node = Node {
                start,
                end,
                kind,
                aside: false,
            };
        }
        Ok(())
    }

    fn word(&mut self, word: &'static str, kind: Kind) -> Result<(), Error> {
        let start = self.at;
        for byte in word.bytes() {
            if self.bytes.get(self.at) != Some(&byte) {
                return Err(self.error(word));
            }
            self.at += 1;
        }
        self.push(kind, start, self.at)
    }

    /// Reads a string from its first quote to its last.
    #[inline]
    fn string(&mut self, _is_name: bool) -> Result<(), Error> {
        let start = self.at;
        let mut at = start + 1;
        at += scan::plain(self.bytes.get(at..).unwrap_or_default());
        if self.bytes.get(at) == Some(&b'"') {
            self.at = at + 1;
            return self.push(Kind::Plain, start, at + 1);
        }
        self.at = at;
        self.string_with_escapes(start)
    }

    /// Goes on reading a string from its first byte that is neither plain nor the quote at its end.
    #[cold]
    fn string_with_escapes(&mut self, start: usize) -> Result<(), Error> {
        let mut canonical = true;
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {}
                Some(_) => return Err(self.error("an escape, as in \\n, instead of a control character")),
                None => return Err(self.error("the quote at the end of the string")),
            }
            self.at += 1;
            match self.bytes.get(self.at) {
                Some(b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't') => {}
                Some(b'/') => canonical = false,
                Some(b'u') => {
                    canonical = false;
                    for _ in 0..4 {
                        self.at += 1;
                        if !self.bytes.get(self.at).is_some_and(u8::is_ascii_hexdigit) {
                            return Err(self.error("four hexadecimal digits"));
                        }
                    }
                }
                _ => return Err(self.error("one of \" \\ / b f n r t u")),
            }
            self.at += 1;
            self.at += scan::plain(self.bytes.get(self.at..).unwrap_or_default());
        }
        self.at += 1;
        if canonical {
            return self.push(Kind::Escaped, start, self.at);
        }
        let text = escape::decode(self.text.get(start + 1..self.at - 1).unwrap_or_default());
        self.push_aside(Kind::Escaped, |side| escape::write(&text, side))
    }

    fn number(&mut self) -> Result<(), Error> {
        let start = self.at;
        let negative = self.bytes.get(start) == Some(&b'-');
        self.at += usize::from(negative);
        let whole = self.at;
        let whole_digits = self.digits();
        match self.bytes.get(whole) {
            Some(b'0') if whole_digits > 1 => {
                self.at = whole + 1;
                return Err(self.error("no digit behind a zero at the beginning"));
            }
            Some(b'0'..=b'9') => {}
            _ => return Err(self.error("a digit")),
        }
        // Invariant: a number of at most 15 digits without exponent is its own shortest form, if it has no superfluous
        // zeros: such numbers are farther apart than floats are. Only minus zero and those below 1e-6 print otherwise.
        let is_zero = self.bytes.get(whole) == Some(&b'0');
        let mut canonical = whole_digits <= 15;
        let next = self.bytes.get(self.at);
        if !matches!(next, Some(b'.' | b'e' | b'E')) {
            if canonical && !(negative && is_zero) {
                return self.push(Kind::Number, start, self.at);
            }
            return self.odd_number(start);
        }
        if next == Some(&b'.') {
            self.at += 1;
            let fraction = self.at;
            let fraction_digits = self.digits();
            if fraction_digits == 0 {
                return Err(self.error("a digit"));
            }
            let fraction = self.bytes.get(fraction..self.at).unwrap_or_default();
            canonical &= whole_digits + fraction_digits <= 15
                && fraction.last() != Some(&b'0')
                && !(is_zero && fraction.starts_with(b"000000"));
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            canonical = false;
            self.at += 1;
            self.at += usize::from(matches!(self.bytes.get(self.at), Some(b'+' | b'-')));
            if self.digits() == 0 {
                return Err(self.error("a digit"));
            }
        }
        if canonical {
            return self.push(Kind::Number, start, self.at);
        }
        self.odd_number(start)
    }

    /// Skips digits and counts them.
    #[inline]
    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        self.at - start
    }

    /// A number that may print otherwise than it is written.
    #[cold]
    fn odd_number(&mut self, start: usize) -> Result<(), Error> {
        let text = self.text.get(start..self.at).unwrap_or_default();
        // JSON's numbers are among those that Rust reads, and both round to the nearest float.
        let Ok(number) = text.parse::<f64>() else {
            return Err(self.error(VALUE));
        };
        let kind = if number == f64::INFINITY {
            Kind::Infinity
        } else if number == f64::NEG_INFINITY {
            Kind::MinusInfinity
        } else if number == 0.0 && number.is_sign_negative() {
            Kind::MinusZero
        } else {
            Kind::Number
        };
        self.push_aside(kind, |side| Number::from(number).write(side))
    }

    #[inline]
    fn push(&mut self, kind: Kind, start: usize, end: usize) -> Result<(), Error> {
        self.tape.nodes.push(Node {
            start: place(start)?,
            end: place(end)?,
            kind,
            aside: false,
        });
        Ok(())
    }

    fn push_aside(&mut self, kind: Kind, write: impl FnOnce(&mut String)) -> Result<(), Error> {
        let start = place(self.tape.side.len())?;
        write(&mut self.tape.side);
        let end = place(self.tape.side.len())?;
        self.tape.nodes.push(Node {
            start,
            end,
            kind,
            aside: true,
        });
        Ok(())
    }

    #[cold]
    fn error(&self, expected: Expected) -> Error {
        Error::Syntax {
            expected,
            at: Position::of(self.bytes, self.at),
        }
    }
}

/// A place on the tape. A text is shorter than 2^32 bytes, so only its canonical forms can lie farther.
#[inline]
fn place(at: usize) -> Result<u32, Error> {
    u32::try_from(at).map_err(|_| Error::TooLong {
        bytes: at,
        limit: u32::MAX as usize,
    })
}
