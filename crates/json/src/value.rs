//! A JSON value that owns what it holds.

use crate::{Array, Error, Number, Object, Text, object, parse, print};
use std::{fmt, mem, slice, str};

/// A JSON value, as V8 holds it after `JSON.parse`.
///
/// Nothing that is done to a value recurses, so values may be nested to any depth: cloning, comparing, printing and
/// dropping take heap, not stack. (Only conversion from and to other types recurses; that has a limit and says so.)
///
/// Two values are equal if they are of one kind and print alike: the order of an object's members counts.
#[derive(Default)]
pub enum Value {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    String(Text),
    /// Values in a row.
    Array(Array),
    /// Values with names.
    Object(Object),
}

impl Value {
    /// The text without whitespace: `JSON.stringify(value)`.
    pub fn to_compact(&self) -> String {
        let mut text = String::new();
        print::value::<false>(self, &mut text);
        text
    }

    /// The text in lines, two spaces for each level: `JSON.stringify(value, null, 2)`. There is no line feed at its end.
    pub fn to_pretty(&self) -> String {
        let mut text = String::new();
        print::value::<true>(self, &mut text);
        text
    }

    /// Appends what [`to_compact`](Self::to_compact) gives.
    pub fn write_compact(&self, out: &mut Vec<u8>) {
        print::value::<false>(self, out);
    }

    /// Appends what [`to_pretty`](Self::to_pretty) gives.
    pub fn write_pretty(&self, out: &mut Vec<u8>) {
        print::value::<true>(self, out);
    }

    /// The member of this name, if this is an object that has it.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.as_object()?.get(name)
    }

    /// As [`get`](Self::get), to change it.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Self> {
        self.as_object_mut()?.get_mut(name)
    }

    /// Takes the value and leaves `null`.
    #[must_use]
    pub fn take(&mut self) -> Self {
        mem::take(self)
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether this is an object.
    pub fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    /// Whether this is an array.
    pub fn is_array(&self) -> bool {
        matches!(self, Self::Array(_))
    }

    /// Whether this is a text, with or without lone surrogates.
    pub fn is_string(&self) -> bool {
        matches!(self, Self::String(_))
    }

    /// Whether this is a number.
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Number(_))
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The number, if it is one.
    pub fn as_number(&self) -> Option<Number> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The number, if it is one.
    pub fn as_f64(&self) -> Option<f64> {
        self.as_number().map(Number::as_f64)
    }

    /// The number, if it is a whole one in range: see [`Number::as_u64`].
    pub fn as_u64(&self) -> Option<u64> {
        self.as_number()?.as_u64()
    }

    /// The number, if it is a whole one in range: see [`Number::as_i64`].
    pub fn as_i64(&self) -> Option<i64> {
        self.as_number()?.as_i64()
    }

    /// The text, if it is one without lone surrogates.
    pub fn as_str(&self) -> Option<&str> {
        self.as_text()?.as_str()
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&Text> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The values in a row, if this is an array.
    pub fn as_array(&self) -> Option<&Array> {
        match self {
            Self::Array(array) => Some(array),
            _ => None,
        }
    }

    /// As [`as_array`](Self::as_array), to change it.
    pub fn as_array_mut(&mut self) -> Option<&mut Array> {
        match self {
            Self::Array(array) => Some(array),
            _ => None,
        }
    }

    /// The members, if this is an object.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// As [`as_object`](Self::as_object), to change it.
    pub fn as_object_mut(&mut self) -> Option<&mut Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// Whether there is something in it.
    pub(crate) fn is_nested(&self) -> bool {
        match self {
            Self::Array(array) => !array.is_empty(),
            Self::Object(object) => !object.is_empty(),
            _ => false,
        }
    }
}

/// Levels that are taken apart by recursion, which is faster than a list and takes some hundred bytes of stack each.
const RECURSION: usize = 32;

/// Drops values, however deep they are nested.
pub(crate) fn dismantle(values: impl Iterator<Item = Value>) {
    let mut deep = Vec::new();
    values.for_each(|value| take_apart(value, 0, &mut deep));
    while let Some(value) = deep.pop() {
        take_apart(value, 0, &mut deep);
    }
}

/// Drops a value; what is too deep for recursion is put off.
fn take_apart(mut value: Value, depth: usize, deep: &mut Vec<Value>) {
    if !value.is_nested() {
        return;
    }
    if depth == RECURSION {
        deep.push(value);
        return;
    }
    // What is dropped at the end is an empty shell.
    match &mut value {
        Value::Array(array) => {
            for value in mem::take(&mut **array) {
                take_apart(value, depth + 1, deep);
            }
        }
        Value::Object(object) => {
            for value in object.take_values() {
                take_apart(value, depth + 1, deep);
            }
        }
        _ => {}
    }
}

/// What is left of an array or object while it is walked through.
pub(crate) enum Items<'a> {
    Array(slice::Iter<'a, Value>),
    Object(object::Iter<'a>),
}

impl<'a> Items<'a> {
    pub(crate) fn of(value: &'a Value) -> Option<Self> {
        match value {
            Value::Array(array) => Some(Self::Array(array.iter())),
            Value::Object(object) => Some(Self::Object(object.iter())),
            _ => None,
        }
    }

    pub(crate) fn next(&mut self) -> Option<(Option<&'a Text>, &'a Value)> {
        match self {
            Self::Array(values) => Some((None, values.next()?)),
            Self::Object(members) => members.next().map(|(key, value)| (Some(key), value)),
        }
    }
}

/// An array or object that is being put together.
#[derive(Debug)]
pub(crate) enum Open {
    Array(Array),
    /// The key is that of the member whose value comes next.
    Object(Object, Text),
}

impl Open {
    /// Adds a value; a name that the object has already must not come again.
    pub(crate) fn push(&mut self, value: Value) {
        match self {
            Self::Array(array) => array.push(value),
            Self::Object(object, key) => object.push(mem::take(key), value),
        }
    }

    pub(crate) fn close(self) -> Value {
        match self {
            Self::Array(array) => Value::Array(array),
            Self::Object(object, _) => Value::Object(object),
        }
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        match self {
            Self::Null => Self::Null,
            Self::Bool(truth) => Self::Bool(*truth),
            Self::Number(number) => Self::Number(*number),
            Self::String(text) => Self::String(text.clone()),
            Self::Array(array) => Self::Array(clone_array(array)),
            Self::Object(object) => Self::Object(clone_object(object)),
        }
    }
}

pub(crate) fn clone_array(array: &Array) -> Array {
    let copy = clone_items(
        Items::Array(array.iter()),
        Open::Array(Vec::with_capacity(array.len()).into()),
    );
    match copy {
        Value::Array(array) => array,
        _ => Array::new(),
    }
}

pub(crate) fn clone_object(object: &Object) -> Object {
    let copy = Open::Object(Object::with_capacity(object.len()), Text::new());
    match clone_items(Items::Object(object.iter()), copy) {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}

fn clone_items(items: Items<'_>, copy: Open) -> Value {
    let mut around = Vec::new();
    let (mut items, mut copy) = (items, copy);
    loop {
        let Some((key, value)) = items.next() else {
            let closed = copy.close();
            let Some(outer) = around.pop() else { return closed };
            (items, copy) = outer;
            copy.push(closed);
            continue;
        };
        if let (Open::Object(_, pending), Some(key)) = (&mut copy, key) {
            *pending = key.clone();
        }
        let inner = match value {
            Value::Array(array) => Open::Array(Vec::with_capacity(array.len()).into()),
            Value::Object(object) => Open::Object(Object::with_capacity(object.len()), Text::new()),
            leaf => {
                copy.push(leaf.clone());
                continue;
            }
        };
        if let Some(inner_items) = Items::of(value) {
            around.push((mem::replace(&mut items, inner_items), mem::replace(&mut copy, inner)));
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (Items::of(self), Items::of(other)) {
            (Some(one), Some(other)) => equal_items(one, other),
            (None, None) => equal_leaves(self, other),
            _ => false,
        }
    }
}

impl Eq for Value {}

pub(crate) fn equal_objects(one: &Object, other: &Object) -> bool {
    equal_items(Items::Object(one.iter()), Items::Object(other.iter()))
}

pub(crate) fn equal_slices(one: &[Value], other: &[Value]) -> bool {
    equal_items(Items::Array(one.iter()), Items::Array(other.iter()))
}

fn equal_leaves(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(one), Value::Bool(other)) => one == other,
        (Value::Number(one), Value::Number(other)) => one == other,
        (Value::String(one), Value::String(other)) => one == other,
        _ => false,
    }
}

fn equal_items(one: Items<'_>, other: Items<'_>) -> bool {
    let mut around = vec![(one, other)];
    while let Some((one, other)) = around.last_mut() {
        match (one, other) {
            (Items::Array(one), Items::Array(other)) if one.len() == other.len() => {}
            (Items::Object(one), Items::Object(other)) if one.len() == other.len() => {}
            _ => return false,
        }
        let Some((one, other)) = around.last_mut() else { break };
        match (one.next(), other.next()) {
            (None, None) => {
                around.pop();
            }
            (Some((one_key, one)), Some((other_key, other))) if one_key == other_key => {
                match (Items::of(one), Items::of(other)) {
                    (Some(one), Some(other)) => around.push((one, other)),
                    (None, None) if equal_leaves(one, other) => {}
                    _ => return false,
                }
            }
            _ => return false,
        }
    }
    true
}

/// The compact text.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_compact())
    }
}

/// The compact text.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl str::FromStr for Value {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text)
    }
}

impl From<()> for Value {
    fn from((): ()) -> Self {
        Self::Null
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

macro_rules! from {
    ($($kind:ident: $($type:ty)*;)*) => {$($(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$kind(value.into())
            }
        }
    )*)*};
}
from! {
    Number: Number u8 u16 u32 u64 usize i8 i16 i32 i64 isize f32 f64;
    String: Text String &str &String char;
    Array: Array Vec<Self> &[Self];
    Object: Object;
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<const N: usize> From<[Self; N]> for Value {
    fn from(values: [Self; N]) -> Self {
        Self::Array(Vec::from(values).into())
    }
}

impl PartialEq<str> for Value {
    fn eq(&self, other: &str) -> bool {
        self.as_text().is_some_and(|text| text == other)
    }
}

impl PartialEq<&str> for Value {
    fn eq(&self, other: &&str) -> bool {
        *self == **other
    }
}
