//! The two layouts of `JSON.stringify`, and values printed in them.

use crate::out::Out;
use crate::value::Items;
use crate::{Object, Value, escape};

/// A comma, a line feed and the indentation of the first 64 levels, so that most lines begin with one copy.
const COMMA_AND_LINE: &str = concat!(
    ",\n",
    "                                                                ",
    "                                                                "
);

/// Where the layout of one text stands.
pub(crate) struct Layout<const PRETTY: bool>;

impl<const PRETTY: bool> Layout<PRETTY> {
    /// What stands before an item at this depth: a comma unless it is the first, and a line of its own.
    #[inline]
    pub(crate) fn item(first: bool, depth: usize, out: &mut impl Out) {
        if !PRETTY {
            if !first {
                out.push_str(",");
            }
            return;
        }
        let from = usize::from(first);
        match COMMA_AND_LINE.get(from..2 + 2 * depth) {
            Some(line) => out.push_str(line),
            None => Self::deep(first, depth, out),
        }
    }

    /// What stands before a closing bracket at this depth.
    #[inline]
    pub(crate) fn close(depth: usize, out: &mut impl Out) {
        if PRETTY {
            Self::item(true, depth, out);
        }
    }

    /// What stands between name and value.
    #[inline]
    pub(crate) fn colon(out: &mut impl Out) {
        out.push_str(if PRETTY { ": " } else { ":" });
    }

    #[cold]
    fn deep(first: bool, depth: usize, out: &mut impl Out) {
        out.push_str(if first { "\n" } else { ",\n" });
        out.reserve(2 * depth);
        for _ in 0..depth {
            out.push_str("  ");
        }
    }
}

/// Appends the text of a value.
pub(crate) fn value<const PRETTY: bool>(value: &Value, out: &mut impl Out) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => number.write(out),
        Value::String(text) => escape::write(text, out),
        Value::Array(values) => items::<PRETTY>(Items::Array(values.iter()), out),
        Value::Object(members) => items::<PRETTY>(Items::Object(members.iter()), out),
    }
}

/// Appends the compact text of an object.
pub(crate) fn object(object: &Object, out: &mut impl Out) {
    items::<false>(Items::Object(object.iter()), out);
}

/// Appends the compact text of an array.
pub(crate) fn array(values: &[Value], out: &mut impl Out) {
    items::<false>(Items::Array(values.iter()), out);
}

/// Appends an array or object, however deep: what is around it waits on the heap.
fn items<const PRETTY: bool>(outermost: Items<'_>, out: &mut impl Out) {
    let mut around = Vec::new();
    let (mut current, mut first) = (outermost, true);
    out.push_str(brackets(&current).0);
    loop {
        let Some((key, item)) = current.next() else {
            if !first {
                Layout::<PRETTY>::close(around.len(), out);
            }
            out.push_str(brackets(&current).1);
            let Some(outer) = around.pop() else { return };
            (current, first) = (outer, false);
            continue;
        };
        Layout::<PRETTY>::item(first, around.len() + 1, out);
        first = false;
        if let Some(key) = key {
            escape::write(key, out);
            Layout::<PRETTY>::colon(out);
        }
        match Items::of(item) {
            None => value::<PRETTY>(item, out),
            Some(inner) => {
                out.push_str(brackets(&inner).0);
                around.push(std::mem::replace(&mut current, inner));
                first = true;
            }
        }
    }
}

fn brackets(items: &Items<'_>) -> (&'static str, &'static str) {
    match items {
        Items::Array(_) => ("[", "]"),
        Items::Object(_) => ("{", "}"),
    }
}
