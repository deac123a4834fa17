//! A text that has been read, looked into without a copy.

use crate::out::Out;
use crate::print::Layout;
use crate::tape::{Kind, Node, Tape};
use crate::value::Open;
use crate::{Array, Number, Object, Text, Value, escape};
use std::borrow::Cow;
use std::fmt;

/// A value in a text that a [`Tape`] has read: the whole of it, or a part.
///
/// Everything is as V8 would have it after `JSON.parse`, order of members included, yet nothing is copied until it is asked
/// for. To print is little more than to copy: this is the fast way from a compact text to a pretty one.
///
/// ```
/// use handfast_json::Tape;
/// let mut tape = Tape::new();
/// let message = tape.read(r#"{"author":"@a","sequence":2,"signature":"x.sig"}"#)?;
/// assert_eq!(message.get("sequence").and_then(|it| it.as_u64()), Some(2));
/// assert_eq!(message.without("signature").to_pretty(), "{\n  \"author\": \"@a\",\n  \"sequence\": 2\n}");
/// # Ok::<(), handfast_json::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Document<'t> {
    tape: &'t Tape,
    text: &'t str,
    node: u32,
    without: Without,
}

/// The nodes of the names of the members that are left out, the first ones first; 0, which is never a name, where none is.
type Without = [u32; WITHOUT_MAX];

/// How many members may be left out. They have their place in the document itself, which is small and copied freely; protocols
/// leave out one, or two.
const WITHOUT_MAX: usize = 4;

impl<'t> Document<'t> {
    pub(crate) fn new(tape: &'t Tape, text: &'t str) -> Self {
        Self {
            tape,
            text,
            node: 0,
            without: [0; WITHOUT_MAX],
        }
    }

    /// The same object without the member of this name; if there is none, the same value. What was left out before stays out.
    ///
    /// Four members can be left out; a fifth stays in.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        if let Some(node) = self.find(name)
            && let Some(place) = self.without.iter_mut().find(|place| **place == 0)
        {
            *place = node;
        }
        self
    }

    /// The member of this name, if this is an object that has it.
    pub fn get(self, name: &str) -> Option<Self> {
        self.find(name).map(|name| self.at(name + 1))
    }

    /// The members in V8's order, each name once; none if this is no object.
    pub fn members(self) -> impl Iterator<Item = (Text, Self)> + use<'t> {
        self.names().map(move |name| (self.text_of(name), self.at(name + 1)))
    }

    /// The values in a row; none if this is no array.
    pub fn items(self) -> impl Iterator<Item = Self> + use<'t> {
        let level = (self.kind() == Kind::Array).then(|| Level::of(self.tape, self.node, [0; WITHOUT_MAX]));
        level
            .into_iter()
            .flat_map(move |mut level| std::iter::from_fn(move || level.next(self.tape)))
            .map(move |node| self.at(node))
    }

    /// How many members or values an object or array has; 0 for all else.
    pub fn len(self) -> usize {
        count(self.tape, self.node, self.without)
    }

    /// Whether [`len`](Self::len) is 0.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Whether this is an object.
    pub fn is_object(self) -> bool {
        matches!(self.kind(), Kind::Object | Kind::Reordered)
    }

    /// Whether this is an array.
    pub fn is_array(self) -> bool {
        self.kind() == Kind::Array
    }

    /// Whether this is a text.
    pub fn is_string(self) -> bool {
        matches!(self.kind(), Kind::Plain | Kind::Escaped)
    }

    /// Whether this is `null`.
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// The truth value, if it is one.
    pub fn as_bool(self) -> Option<bool> {
        match self.kind() {
            Kind::True => Some(true),
            Kind::False => Some(false),
            _ => None,
        }
    }

    /// The number, if it is one.
    pub fn as_number(self) -> Option<Number> {
        let number = match self.kind() {
            Kind::Number => read_number(canonical(self.tape, self.text, self.node)),
            Kind::Float => float(self.tape, self.node),
            _ => return None,
        };
        Some(Number::from(number))
    }

    /// The number, if it is one.
    pub fn as_f64(self) -> Option<f64> {
        self.as_number().map(Number::as_f64)
    }

    /// The number, if it is a whole one in range: see [`Number::as_u64`].
    pub fn as_u64(self) -> Option<u64> {
        self.as_number()?.as_u64()
    }

    /// The text, if it is one.
    pub fn as_text(self) -> Option<Text> {
        self.is_string().then(|| self.text_of(self.node))
    }

    /// The text, if it is one without lone surrogates; borrowed if it is written without escapes.
    pub fn as_str(self) -> Option<Cow<'t, str>> {
        match self.kind() {
            Kind::Plain => Some(Cow::Borrowed(unquoted(self.tape, self.text, self.node))),
            Kind::Escaped => self.text_of(self.node).into_string().ok().map(Cow::Owned),
            _ => None,
        }
    }

    /// The value, copied out of the text.
    pub fn to_value(self) -> Value {
        let Some((mut open, mut level)) = self.begin() else {
            return self.leaf();
        };
        let mut around = Vec::new();
        loop {
            // All leaves up to the next array or object.
            let inner = match &mut open {
                Open::Array(array) => loop {
                    let Some(item) = level.next(self.tape).map(|item| self.at(item)) else {
                        break None;
                    };
                    let inner = item.begin();
                    if inner.is_some() {
                        break inner;
                    }
                    array.push(item.leaf());
                },
                Open::Object(object, key) => loop {
                    let Some(name) = level.next(self.tape) else { break None };
                    let item = self.at(name + 1);
                    let inner = item.begin();
                    if inner.is_some() {
                        *key = self.text_of(name);
                        break inner;
                    }
                    object.push(self.text_of(name), item.leaf());
                },
            };
            if let Some(inner) = inner {
                around.push((open, level));
                (open, level) = inner;
                continue;
            }
            let closed = open.close();
            let Some(outer) = around.pop() else { return closed };
            (open, level) = outer;
            open.push(closed);
        }
    }

    /// An empty copy of an array or object, and what is to be copied into it.
    #[inline]
    fn begin(self) -> Option<(Open, Level)> {
        let open = match self.kind() {
            Kind::Array => Open::Array(Array::from(Vec::with_capacity(self.len()))),
            Kind::Object | Kind::Reordered => Open::Object(Object::with_capacity(self.len()), Text::new()),
            _ => return None,
        };
        Some((open, Level::of(self.tape, self.node, self.without)))
    }

    /// The text without whitespace: `JSON.stringify(value)`.
    pub fn to_compact(self) -> String {
        let mut out = String::new();
        self.print::<false>(&mut out);
        out
    }

    /// The text in lines, two spaces for each level: `JSON.stringify(value, null, 2)`. There is no line feed at its end.
    pub fn to_pretty(self) -> String {
        let mut out = String::new();
        self.print::<true>(&mut out);
        out
    }

    /// Appends what [`to_compact`](Self::to_compact) gives.
    pub fn write_compact(self, out: &mut Vec<u8>) {
        self.print::<false>(out);
    }

    /// Appends what [`to_pretty`](Self::to_pretty) gives.
    pub fn write_pretty(self, out: &mut Vec<u8>) {
        self.print::<true>(out);
    }

    fn print<const PRETTY: bool>(self, out: &mut impl Out) {
        if self.node == 0 {
            // Line feeds and indentation are about a fourth of most texts.
            out.reserve(self.text.len() + self.text.len() / 4);
        }
        let mut around: Vec<Level> = Vec::new();
        let mut node = self.node;
        let mut without = self.without;
        loop {
            match self.kind_of(node) {
                Kind::Array | Kind::Object | Kind::Reordered => {
                    let level = Level::of(self.tape, node, std::mem::take(&mut without));
                    out.push_str(if level.is_object { "{" } else { "[" });
                    around.push(level);
                }
                Kind::Float => Number::from(float(self.tape, node)).write(out),
                _ => out.push_str(canonical(self.tape, self.text, node)),
            }
            loop {
                let depth = around.len();
                let Some(level) = around.last_mut() else { return };
                let first = level.first;
                if let Some(next) = level.next(self.tape) {
                    Layout::<PRETTY>::item(first, depth, out);
                    node = next;
                    if level.is_object {
                        out.push_str(canonical(self.tape, self.text, next));
                        Layout::<PRETTY>::colon(out);
                        node = next + 1;
                    }
                    break;
                }
                if !first {
                    Layout::<PRETTY>::close(depth - 1, out);
                }
                out.push_str(if level.is_object { "}" } else { "]" });
                around.pop();
            }
        }
    }

    fn at(self, node: u32) -> Self {
        Self {
            node,
            without: [0; WITHOUT_MAX],
            ..self
        }
    }

    fn kind(self) -> Kind {
        self.kind_of(self.node)
    }

    fn kind_of(self, node: u32) -> Kind {
        self.tape.nodes.get(node as usize).map_or(Kind::Null, |node| node.kind)
    }

    fn names(self) -> impl Iterator<Item = u32> + use<'t> {
        let level = self.is_object().then(|| Level::of(self.tape, self.node, self.without));
        level
            .into_iter()
            .flat_map(move |mut level| std::iter::from_fn(move || level.next(self.tape)))
    }

    /// The node of the name of a member.
    fn find(self, name: &str) -> Option<u32> {
        let is_plain = crate::scan::plain(name.as_bytes()) == name.len();
        if is_plain {
            return self.names().find(|node| unquoted(self.tape, self.text, *node) == name);
        }
        let mut quoted = String::with_capacity(name.len() + 8);
        quoted.push('"');
        escape::write_str(name, &mut quoted);
        quoted.push('"');
        self.names()
            .find(|node| canonical(self.tape, self.text, *node) == quoted)
    }

    fn text_of(self, node: u32) -> Text {
        let inner = unquoted(self.tape, self.text, node);
        if self.kind_of(node) == Kind::Plain {
            inner.into()
        } else {
            escape::decode(inner)
        }
    }

    /// The value of what is neither array nor object.
    fn leaf(self) -> Value {
        match self.kind() {
            Kind::True => Value::Bool(true),
            Kind::False => Value::Bool(false),
            Kind::Plain | Kind::Escaped => Value::String(self.text_of(self.node)),
            _ => self.as_number().map_or(Value::Null, Value::Number),
        }
    }
}

/// Where one stands in an array or object.
struct Level {
    /// The node of the next value, or name; in an object that is reordered, the place of that name's node in the order.
    next: u32,
    /// Where the array, the object or the order ends.
    end: u32,
    is_object: bool,
    is_reordered: bool,
    /// Whether nothing has been taken yet.
    first: bool,
    without: Without,
}

impl Level {
    fn of(tape: &Tape, node: u32, without: Without) -> Self {
        let Some(Node { start, end, kind, .. }) = tape.nodes.get(node as usize).copied() else {
            return Self {
                next: 0,
                end: 0,
                is_object: false,
                is_reordered: false,
                first: true,
                without,
            };
        };
        let is_reordered = kind == Kind::Reordered;
        let (next, end) = if is_reordered {
            let count = tape.orders.get(start as usize).copied().unwrap_or_default();
            (start + 1, start + 1 + count)
        } else {
            (node + 1, end)
        };
        Self {
            next,
            end,
            is_object: kind != Kind::Array,
            is_reordered,
            first: true,
            without,
        }
    }

    /// The node of the next value of an array, or of the next name of an object.
    #[inline]
    fn next(&mut self, tape: &Tape) -> Option<u32> {
        loop {
            if self.next >= self.end {
                return None;
            }
            let node = if self.is_reordered {
                let node = tape.orders.get(self.next as usize).copied()?;
                self.next += 1;
                node
            } else {
                let node = self.next;
                self.next = behind(tape, node + u32::from(self.is_object));
                node
            };
            if !self.without.contains(&node) {
                self.first = false;
                return Some(node);
            }
        }
    }
}

/// The node behind a value and all that it holds.
#[inline]
fn behind(tape: &Tape, node: u32) -> u32 {
    match tape.nodes.get(node as usize) {
        Some(Node {
            kind: Kind::Array | Kind::Object | Kind::Reordered,
            end,
            ..
        }) => *end,
        _ => node + 1,
    }
}

fn count(tape: &Tape, node: u32, without: Without) -> usize {
    let count = match tape.nodes.get(node as usize) {
        Some(Node {
            kind: Kind::Array | Kind::Object,
            start,
            ..
        }) => *start,
        Some(Node {
            kind: Kind::Reordered,
            start,
            ..
        }) => tape.orders.get(*start as usize).copied().unwrap_or_default(),
        _ => return 0,
    };
    (count as usize).saturating_sub(without.iter().filter(|node| **node != 0).count())
}

/// The canonical text of a name or of a value that is neither array nor object.
#[inline]
fn canonical<'t>(tape: &'t Tape, text: &'t str, node: u32) -> &'t str {
    let Some(Node { start, end, aside, .. }) = tape.nodes.get(node as usize) else {
        return "";
    };
    let text = if *aside { tape.side.as_str() } else { text };
    text.get(*start as usize..*end as usize).unwrap_or_default()
}

/// What stands between the quotes of a string's canonical text.
fn unquoted<'t>(tape: &'t Tape, text: &'t str, node: u32) -> &'t str {
    let quoted = canonical(tape, text, node);
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default()
}

/// The number of a node that is a `Float`.
fn float(tape: &Tape, node: u32) -> f64 {
    let place = tape.nodes.get(node as usize).map(|node| node.start as usize);
    place
        .and_then(|place| tape.floats.get(place))
        .copied()
        .unwrap_or_default()
}

/// The powers of ten that are floats.
const TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// Reads a number in canonical form. Its digits make a number of at most 2^53, which is a float, and so is the power of ten
/// by which it is to be divided; the division of two floats rounds as reading the text would.
fn read_number(text: &str) -> f64 {
    let (mut digits, mut places, mut behind_point) = (0_u64, 0_usize, 0_usize);
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' => {
                digits = digits.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
                places += behind_point;
            }
            b'.' => behind_point = 1,
            _ => {}
        }
    }
    let number = match TENS.get(places) {
        Some(_) if places == 0 => digits as f64,
        Some(power) => digits as f64 / power,
        None => return text.parse().unwrap_or_default(),
    };
    if text.starts_with('-') { -number } else { number }
}

/// The compact text.
impl fmt::Display for Document<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_compact())
    }
}

/// The compact text.
impl fmt::Debug for Document<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
