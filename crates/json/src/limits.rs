//! How long and how deep a text may be.

use crate::{Document, Error, Tape, Value};
use std::cell::Cell;

/// Bytes that a thread keeps for the tape of the next text. What a long text took is given back.
const KEPT: usize = 64 << 10;

thread_local! {
    static TAPE: Cell<Tape> = Cell::new(Tape::new());
}

/// What a reader accepts. The limits bound memory and output, not the stack: nothing here recurses.
///
/// ```
/// use handfast_json::Limits;
/// let limits = Limits { bytes: 16, depth: 2 };
/// assert!(limits.parse("[[1]]").is_ok());
/// assert!(limits.parse("[[[1]]]").is_err());
/// assert!(limits.parse("                 1").is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the text. A text of `n` bytes takes up to `14 n` more while it is read and up to `40 n` as a [`Value`]
    /// (a list of numbers of one digit; most texts take a tenth of that), so this is what stops a peer from filling the
    /// memory. 64 MiB unless told otherwise; never more than 4 GiB.
    pub bytes: usize,
    /// Levels of arrays and objects; a number or a text alone has none. 512 unless told otherwise.
    ///
    /// A text of `n` bytes nested `d` deep prints pretty as up to `n (d + 1)` bytes: indentation turns a small text into
    /// a huge one, and this limit is what bounds by how much. No feed comes near it: 8192 UTF-16 units, the size of a
    /// message, hold 62 levels. V8 itself reads any depth but prints only some thousands.
    pub depth: usize,
}

impl Limits {
    /// The limits of [`parse`](crate::parse).
    pub const DEFAULT: Self = Self {
        bytes: 64 << 20,
        depth: 512,
    };

    /// Reads a text, as [`parse`](crate::parse) does, within these limits.
    ///
    /// # Errors
    /// If the text is not JSON or exceeds a limit.
    pub fn parse(&self, text: impl AsRef<[u8]>) -> Result<Value, Error> {
        // Short texts, which come by the million, find a tape that has room already.
        let mut tape = TAPE.try_with(Cell::take).unwrap_or_default();
        tape.limits = *self;
        let value = tape.read(text.as_ref()).map(Document::to_value);
        if tape.room() <= KEPT {
            // A thread that is ending keeps nothing.
            let _ = TAPE.try_with(|kept| kept.set(tape));
        }
        value
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Reads a text as `JSON.parse` does, within [`Limits::DEFAULT`]: 64 MiB, 512 levels.
///
/// ```
/// let value = handfast_json::parse(r#"{"b": 1.0, "10": [], "9": "\u0041"}"#)?;
/// assert_eq!(value.to_compact(), r#"{"9":"A","10":[],"b":1}"#);
/// # Ok::<(), handfast_json::Error>(())
/// ```
///
/// # Errors
/// If the text is not JSON or exceeds a limit; the error says where.
pub fn parse(text: impl AsRef<[u8]>) -> Result<Value, Error> {
    Limits::DEFAULT.parse(text)
}
