//! The reader: JSON text to tape, in one pass and without recursion.

use crate::error::Position;
use crate::tape::{Frame, Kind, Node, Tape};
use crate::{Error, escape, order, scan};

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
        let text = simdutf8::basic::from_utf8(bytes).map_err(|_| Error::NotUtf8 {
            at: Position::of(bytes, valid_up_to(bytes)),
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
                        self.close();
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
            Some(b'"') => self.string()?,
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
        let node = self.tape.nodes.len() as u32;
        self.at += 1;
        let is_empty = self.space() == Some(end);
        self.push(kind, 0, node as usize + 1);
        if is_empty {
            self.at += 1;
            return Ok(true);
        }
        self.tape.open.push(Frame {
            node,
            names: if is_object { self.tape.names.len() as u32 } else { 0 },
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
        let node = self.tape.nodes.len() as u32;
        self.tape.names.push(node);
        if let (Some(b'0'..=b'9' | b'\\'), Some(frame)) = (self.bytes.get(self.at + 1), self.tape.open.last_mut()) {
            frame.has_digit = true;
        }
        self.string()?;
        if self.space() != Some(b':') {
            return Err(self.error("a colon"));
        }
        self.at += 1;
        Ok(())
    }

    fn close(&mut self) {
        let Some(frame) = self.tape.open.pop() else { return };
        let end = self.tape.nodes.len() as u32;
        let (kind, start) = if frame.is_object {
            order::settle(self.tape, self.text, frame)
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
    }

    fn word(&mut self, word: &'static str, kind: Kind) -> Result<(), Error> {
        let start = self.at;
        for byte in word.bytes() {
            if self.bytes.get(self.at) != Some(&byte) {
                return Err(self.error(word));
            }
            self.at += 1;
        }
        self.push(kind, start, self.at);
        Ok(())
    }

    /// Reads a string from its first quote to its last.
    #[inline]
    fn string(&mut self) -> Result<(), Error> {
        let start = self.at;
        let mut at = start + 1;
        at += scan::plain(self.bytes.get(at..).unwrap_or_default());
        if self.bytes.get(at) == Some(&b'"') {
            self.at = at + 1;
            self.push(Kind::Plain, start, at + 1);
            return Ok(());
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
            self.push(Kind::Escaped, start, self.at);
            return Ok(());
        }
        let text = escape::decode(self.text.get(start + 1..self.at - 1).unwrap_or_default());
        // Canonical forms are not longer than what is written, so these places fit as well.
        let start = self.tape.side.len() as u32;
        escape::write(&text, &mut self.tape.side);
        self.tape.nodes.push(Node {
            start,
            end: self.tape.side.len() as u32,
            kind: Kind::Escaped,
            aside: true,
        });
        Ok(())
    }

    fn number(&mut self) -> Result<(), Error> {
        let start = self.at;
        let negative = self.bytes.get(start) == Some(&b'-');
        self.at += usize::from(negative);
        let whole = self.at;
        let mut digits = Digits::default();
        self.digits(&mut digits);
        let is_zero = self.bytes.get(whole) == Some(&b'0');
        if is_zero && self.at > whole + 1 {
            self.at = whole + 1;
            return Err(self.error("no digit behind a zero at the beginning"));
        }
        if self.at == whole {
            return Err(self.error("a digit"));
        }
        let next = self.bytes.get(self.at);
        if !matches!(next, Some(b'.' | b'e' | b'E')) {
            // Every integer up to 2^53 is a float and prints as its digits; minus zero prints without its sign.
            if digits.at_most(1 << 53) && !(negative && is_zero) {
                self.push(Kind::Number, start, self.at);
                return Ok(());
            }
            return self.float(start);
        }
        let mut canonical = true;
        if next == Some(&b'.') {
            self.at += 1;
            let fraction = self.at;
            self.digits(&mut digits);
            let fraction = self.bytes.get(fraction..self.at).unwrap_or_default();
            if fraction.is_empty() {
                return Err(self.error("a digit"));
            }
            // A decimal whose digits make a number below 2^52 is the shortest that reads back as its float: decimals of so
            // many places are farther apart than floats of that size. It prints as it is written, save for zeros at
            // its end, and below 1e-6.
            canonical = digits.at_most(1 << 52)
                && fraction.last() != Some(&b'0')
                && !(is_zero && fraction.starts_with(b"000000"));
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            canonical = false;
            self.at += 1;
            self.at += usize::from(matches!(self.bytes.get(self.at), Some(b'+' | b'-')));
            let exponent = self.at;
            self.digits(&mut digits);
            if self.at == exponent {
                return Err(self.error("a digit"));
            }
        }
        if canonical {
            self.push(Kind::Number, start, self.at);
            return Ok(());
        }
        self.float(start)
    }

    /// Skips digits and takes them in.
    #[inline]
    fn digits(&mut self, digits: &mut Digits) {
        while let Some(digit @ b'0'..=b'9') = self.bytes.get(self.at) {
            digits.number = digits.number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            digits.count += 1;
            self.at += 1;
        }
    }

    /// A number that may print otherwise than it is written.
    fn float(&mut self, start: usize) -> Result<(), Error> {
        let text = self.text.get(start..self.at).unwrap_or_default();
        // JSON's numbers are among those that Rust reads, and both round to the nearest float.
        let Ok(number) = text.parse::<f64>() else {
            return Err(self.error(VALUE));
        };
        let place = self.tape.floats.len();
        self.tape.floats.push(number);
        self.push(Kind::Float, place, place);
        Ok(())
    }

    #[inline]
    fn push(&mut self, kind: Kind, start: usize, end: usize) {
        // The text is shorter than 2^32 bytes, so no place in it is cut off.
        self.tape.nodes.push(Node {
            start: start as u32,
            end: end as u32,
            kind,
            aside: false,
        });
    }

    #[cold]
    fn error(&self, expected: Expected) -> Error {
        Error::Syntax {
            expected,
            at: Position::of(self.bytes, self.at),
        }
    }
}

/// The digits of a number.
#[derive(Debug, Default)]
struct Digits {
    /// What they make together, without the point; of no meaning if there are too many.
    number: u64,
    count: usize,
}

impl Digits {
    /// Whether the number is at most `bound`.
    fn at_most(&self, bound: u64) -> bool {
        // Nineteen digits cannot overflow.
        self.count <= 19 && self.number <= bound
    }
}

/// How many bytes there are before the first that is not UTF-8.
#[cold]
fn valid_up_to(bytes: &[u8]) -> usize {
    std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len)
}
