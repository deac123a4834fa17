//! Arrays: vectors that are dropped without recursion.

use crate::{Value, value};
use std::ops::{Deref, DerefMut};
use std::{fmt, mem, slice, vec};

/// The values of a JSON array: a `Vec<Value>` in all but name, save that nesting of any depth can be dropped, cloned and
/// compared.
///
/// ```
/// use handfast_json::{Array, Value};
/// let mut array = Array::from(vec![Value::from(1)]);
/// array.push(Value::from("two"));
/// assert_eq!(Value::from(array).to_compact(), r#"[1,"two"]"#);
/// ```
#[derive(Default)]
pub struct Array(Vec<Value>);

impl Array {
    /// An array without values.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The values, as a vector.
    pub fn into_vec(mut self) -> Vec<Value> {
        mem::take(&mut self.0)
    }
}

impl Deref for Array {
    type Target = Vec<Value>;

    fn deref(&self) -> &Vec<Value> {
        &self.0
    }
}

impl DerefMut for Array {
    fn deref_mut(&mut self) -> &mut Vec<Value> {
        &mut self.0
    }
}

impl From<Vec<Value>> for Array {
    fn from(values: Vec<Value>) -> Self {
        Self(values)
    }
}

impl From<&[Value]> for Array {
    fn from(values: &[Value]) -> Self {
        Self(values.to_vec())
    }
}

impl From<Array> for Vec<Value> {
    fn from(array: Array) -> Self {
        array.into_vec()
    }
}

impl<V: Into<Value>> FromIterator<V> for Array {
    fn from_iter<I: IntoIterator<Item = V>>(values: I) -> Self {
        Self(values.into_iter().map(Into::into).collect())
    }
}

impl IntoIterator for Array {
    type Item = Value;
    type IntoIter = vec::IntoIter<Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.into_vec().into_iter()
    }
}

impl<'a> IntoIterator for &'a Array {
    type Item = &'a Value;
    type IntoIter = slice::Iter<'a, Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a mut Array {
    type Item = &'a mut Value;
    type IntoIter = slice::IterMut<'a, Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter_mut()
    }
}

/// Nesting of any depth is taken apart without recursion.
impl Drop for Array {
    fn drop(&mut self) {
        if self.0.iter().any(Value::is_nested) {
            value::dismantle(mem::take(&mut self.0).into_iter());
        }
    }
}

impl Clone for Array {
    fn clone(&self) -> Self {
        value::clone_array(self)
    }
}

impl PartialEq for Array {
    fn eq(&self, other: &Self) -> bool {
        value::equal_slices(&self.0, &other.0)
    }
}

impl Eq for Array {}

/// The compact text.
impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        crate::print::array(&self.0, &mut text);
        f.write_str(&text)
    }
}
