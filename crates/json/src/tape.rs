//! A text once read: what stands where, in one flat list.

use crate::read::Reader;
use crate::{Document, Error, Limits};

/// What reads texts, and holds what it found in the last one: a flat list of the places of all values, with no copy of
/// the text.
///
/// A tape that is used again takes no memory anew, which is what makes millions of short texts fast. It keeps the room of
/// the longest text that it has read: as many bytes as it has, or up to fourteen times as many if it is all brackets and digits.
///
/// ```
/// use handfast_json::Tape;
/// let mut tape = Tape::new();
/// for line in [r#"{"seq":1,"10":[]}"#, r#"{"seq":2,"\u0041":1E2}"#] {
///     let document = tape.read(line)?;
///     println!("{:?}: {}", document.get("seq"), document.to_pretty());
/// }
/// # Ok::<(), handfast_json::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Tape {
    pub(crate) limits: Limits,
    /// All values and names, in the order of the text; an array or object stands before what it holds.
    pub(crate) nodes: Vec<Node>,
    /// The canonical form of strings that are not written in it.
    pub(crate) side: String,
    /// The numbers that may print otherwise than they are written.
    pub(crate) floats: Vec<f64>,
    /// For objects whose members are not in V8's order: the nodes of their names in that order.
    pub(crate) orders: Vec<u32>,
    /// The arrays and objects that are open while a text is read.
    pub(crate) open: Vec<Frame>,
    /// The nodes of the names of the objects that are open.
    pub(crate) names: Vec<u32>,
}

/// A value or name. Twelve bytes: a short text has as many of them as a fourth of its bytes, `[1,1,...` half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Node {
    /// Where its canonical text begins; for a `Float`, where it stands in `Tape::floats`. For arrays and objects: how many
    /// items it has; for a `Reordered`, where its order begins.
    pub(crate) start: u32,
    /// Where its canonical text ends. For arrays and objects: the node behind all that it holds.
    pub(crate) end: u32,
    pub(crate) kind: Kind,
    /// Whether the canonical text is that of `Tape::side`, not of the text itself.
    pub(crate) aside: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    True,
    False,
    /// A number that is written as V8 prints it.
    Number,
    /// Any other number.
    Float,
    /// A string without escapes.
    Plain,
    /// A string with escapes, each of them as V8 prints it.
    Escaped,
    Array,
    /// An object whose members stand in V8's order, each name once.
    Object,
    /// Any other object.
    Reordered,
}

/// An array or object that is open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    /// Its node.
    pub(crate) node: u32,
    /// For an object, where its names begin in `Tape::names`; for an array, how many items it has so far.
    pub(crate) names: u32,
    pub(crate) is_object: bool,
    /// Whether a name begins with a digit, so that it may be an index.
    pub(crate) has_digit: bool,
}

impl Tape {
    /// A tape with the limits of [`parse`](crate::parse).
    pub fn new() -> Self {
        Self::default()
    }

    /// A tape with other limits.
    pub fn with_limits(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// About how many bytes the tape holds.
    pub(crate) fn room(&self) -> usize {
        size_of::<Node>() * self.nodes.capacity()
            + size_of::<Frame>() * self.open.capacity()
            + size_of::<f64>() * self.floats.capacity()
            + size_of::<u32>() * (self.orders.capacity() + self.names.capacity())
            + self.side.capacity()
    }

    /// Reads a text, all of it: afterwards nothing about it is in doubt. What was read before is forgotten.
    ///
    /// Accepted is what `JSON.parse` accepts, which is RFC 8259 without a byte order mark.
    ///
    /// # Errors
    /// If the text is not JSON or exceeds a limit.
    pub fn read<'t>(&'t mut self, text: &'t (impl AsRef<[u8]> + ?Sized)) -> Result<Document<'t>, Error> {
        let bytes = text.as_ref();
        self.nodes.clear();
        self.side.clear();
        self.floats.clear();
        self.orders.clear();
        self.open.clear();
        self.names.clear();
        let text = Reader::new(self, bytes)?.read()?;
        Ok(Document::new(self, text))
    }
}
