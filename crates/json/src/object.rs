//! Objects, in the order in which V8 holds their properties.

mod indexed;

use crate::{Text, Value, value};
use hashbrown::HashTable;
use indexed::Indexed;
use std::hash::{BuildHasher as _, RandomState};
use std::{fmt, mem, slice};

/// From this many names on they are found by hash. Fewer are compared one by one, which is faster and takes no room.
const HASHED_FROM: usize = 16;

/// The members of a JSON object, in the order of JavaScript: names that are array indexes (`"0"` to `"4294967294"`, as JavaScript
/// prints them) come first and ascend; all others follow in the order in which they came.
///
/// A name that comes again replaces the value and keeps the place. No name is special: `__proto__` is one like others.
///
/// ```
/// use handfast_json::Object;
/// let mut object = Object::new();
/// object.insert("type", "post");
/// object.insert("10", 1);
/// object.insert("9", 2);
/// object.insert("type", "about");
/// assert_eq!(format!("{object}"), r#"{"9":2,"10":1,"type":"about"}"#);
/// ```
///
/// Two objects are equal if they have the same members in the same order: equal objects print alike.
#[derive(Default)]
pub struct Object {
    /// The names that are no indexes, in order. `None` is a member that was removed while `Rest::places` points at others.
    named: Vec<Option<Member>>,
    /// What small objects do not need.
    rest: Option<Box<Rest>>,
}

#[derive(Debug)]
struct Member {
    key: Text,
    value: Value,
}

#[derive(Debug, Default)]
struct Rest {
    /// The members whose names are indexes.
    indexed: Indexed,
    places: Option<Box<Places>>,
    /// How many of `named` are `None`.
    removed: usize,
}

/// Where each name stands. The hash is keyed at random in each object, so nobody can choose names that collide.
#[derive(Debug, Default)]
struct Places {
    table: HashTable<u32>,
    hasher: RandomState,
}

/// The array index that this name is, if it is one: 0 to 2^32 - 2 as JavaScript prints it.
pub(crate) fn array_index(name: &[u8]) -> Option<u32> {
    match name {
        [b'0'] => Some(0),
        [b'1'..=b'9', rest @ ..] if rest.len() < 10 && rest.iter().all(u8::is_ascii_digit) => {
            let index: u32 = std::str::from_utf8(name).ok()?.parse().ok()?;
            (index != u32::MAX).then_some(index)
        }
        _ => None,
    }
}

impl Object {
    /// An object without members.
    pub const fn new() -> Self {
        Self {
            named: Vec::new(),
            rest: None,
        }
    }

    /// An object with room for this many names that are no indexes.
    pub(crate) fn with_capacity(members: usize) -> Self {
        let rest = (members >= HASHED_FROM).then(|| {
            let places = Places {
                table: HashTable::with_capacity(members),
                ..Places::default()
            };
            Box::new(Rest {
                places: Some(Box::new(places)),
                ..Rest::default()
            })
        });
        Self {
            named: Vec::with_capacity(members),
            rest,
        }
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        match &self.rest {
            None => self.named.len(),
            Some(rest) => self.named.len() - rest.removed + rest.indexed.len(),
        }
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of the member of this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let name = name.as_bytes();
        if let Some(index) = array_index(name) {
            return Some(&self.rest.as_ref()?.indexed.get(index)?.value);
        }
        let place = self.place(name)?;
        Some(&self.named.get(place)?.as_ref()?.value)
    }

    /// As [`get`](Self::get), to change it.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.slot(name.as_bytes())
    }

    /// Whether there is a member of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Sets the member of this name and returns the value that it had. A new member comes last, or among the indexes.
    pub fn insert(&mut self, name: impl Into<Text>, value: impl Into<Value>) -> Option<Value> {
        let (key, value) = (name.into(), value.into());
        if let Some(slot) = self.slot(key.as_wtf8()) {
            return Some(mem::replace(slot, value));
        }
        self.push(key, value);
        None
    }

    /// Takes the member of this name out. The others keep their order.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let name = name.as_bytes();
        if let Some(index) = array_index(name) {
            return Some(self.rest.as_mut()?.indexed.remove(index)?.value);
        }
        let place = self.place(name)?;
        let Some((rest, places)) = self.rest.as_mut().and_then(|rest| {
            let Rest { places, removed, .. } = &mut **rest;
            Some((removed, places.as_mut()?))
        }) else {
            return Some(self.named.remove(place)?.value);
        };
        let found = places
            .table
            .find_entry(places.hasher.hash_one(name), |at| *at as usize == place);
        if let Ok(found) = found {
            found.remove();
        }
        let member = self.named.get_mut(place)?.take()?;
        *rest += 1;
        // Closing the gaps costs as much as there are members, so it waits until half are gaps.
        if *rest * 2 > self.named.len() {
            *rest = 0;
            self.named.retain(Option::is_some);
            self.index();
        }
        Some(member.value)
    }

    /// The members, in order.
    pub fn iter(&self) -> Iter<'_> {
        Iter {
            indexed: self.rest.as_ref().map(|rest| rest.indexed.iter()),
            named: self.named.iter(),
            left: self.len(),
        }
    }

    /// The names, in order.
    pub fn keys(&self) -> impl Iterator<Item = &Text> {
        self.iter().map(|(key, _)| key)
    }

    /// The values, in the order of their names.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.iter().map(|(_, value)| value)
    }

    /// The values, to change them.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        let indexed = self.rest.iter_mut().flat_map(|rest| rest.indexed.values_mut());
        indexed
            .chain(self.named.iter_mut().flatten())
            .map(|member| &mut member.value)
    }

    /// Adds a member whose name the object does not have.
    #[inline]
    pub(crate) fn push(&mut self, key: Text, value: Value) {
        if let Some(index) = array_index(key.as_wtf8()) {
            let rest = self.rest.get_or_insert_default();
            rest.indexed.insert(index, Member { key, value });
            return;
        }
        let place = self.named.len();
        if let Some(places) = self.rest.as_mut().and_then(|rest| rest.places.as_mut()) {
            let hash = places.hasher.hash_one(key.as_wtf8());
            self.named.push(Some(Member { key, value }));
            places.insert(hash, place, &self.named);
            return;
        }
        self.named.push(Some(Member { key, value }));
        if self.named.len() >= HASHED_FROM {
            self.index();
        }
    }

    /// Makes the table anew.
    fn index(&mut self) {
        let mut places = Places::default();
        for (place, member) in self.named.iter().enumerate() {
            if let Some(member) = member {
                let hash = places.hasher.hash_one(member.key.as_wtf8());
                places.insert(hash, place, &self.named);
            }
        }
        self.rest.get_or_insert_default().places = Some(Box::new(places));
    }

    fn place(&self, name: &[u8]) -> Option<usize> {
        let is_it = |member: &Option<Member>| member.as_ref().is_some_and(|member| member.key.as_wtf8() == name);
        let Some(places) = self.rest.as_ref().and_then(|rest| rest.places.as_ref()) else {
            return self.named.iter().position(is_it);
        };
        let found = places.table.find(places.hasher.hash_one(name), |place| {
            self.named.get(*place as usize).is_some_and(is_it)
        });
        found.map(|place| *place as usize)
    }

    fn slot(&mut self, name: &[u8]) -> Option<&mut Value> {
        if let Some(index) = array_index(name) {
            return Some(&mut self.rest.as_mut()?.indexed.get_mut(index)?.value);
        }
        let place = self.place(name)?;
        Some(&mut self.named.get_mut(place)?.as_mut()?.value)
    }

    /// Takes all members out, in order.
    fn take_members(&mut self) -> impl Iterator<Item = Member> + use<> {
        let rest = self.rest.take().map_or_else(Rest::default, |rest| *rest);
        rest.indexed
            .into_iter()
            .chain(mem::take(&mut self.named).into_iter().flatten())
    }

    /// Takes all values out.
    pub(crate) fn take_values(&mut self) -> impl Iterator<Item = Value> + use<> {
        self.take_members().map(|member| member.value)
    }
}

impl Places {
    fn insert(&mut self, hash: u64, place: usize, named: &[Option<Member>]) {
        // Four thousand million members do not fit the memory; if they did, the last would be found by no name.
        let Ok(place) = u32::try_from(place) else { return };
        self.table.insert_unique(hash, place, |place| {
            let member = named.get(*place as usize).and_then(Option::as_ref);
            self.hasher
                .hash_one(member.map_or(&[][..], |member| member.key.as_wtf8()))
        });
    }
}

/// Nesting of any depth is taken apart without recursion.
impl Drop for Object {
    fn drop(&mut self) {
        if self.values().any(Value::is_nested) {
            value::dismantle(self.take_values());
        }
    }
}

impl Clone for Object {
    fn clone(&self) -> Self {
        value::clone_object(self)
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        value::equal_objects(self, other)
    }
}

impl Eq for Object {}

/// The compact text.
impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        crate::print::object(self, &mut text);
        f.write_str(&text)
    }
}

/// The compact text.
impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<K: Into<Text>, V: Into<Value>> Extend<(K, V)> for Object {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, members: I) {
        for (key, value) in members {
            self.insert(key, value);
        }
    }
}

impl<K: Into<Text>, V: Into<Value>> FromIterator<(K, V)> for Object {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(members: I) -> Self {
        let mut object = Self::new();
        object.extend(members);
        object
    }
}

impl<K: Into<Text>, V: Into<Value>, const N: usize> From<[(K, V); N]> for Object {
    fn from(members: [(K, V); N]) -> Self {
        members.into_iter().collect()
    }
}

/// The members of an [`Object`], in order.
#[derive(Clone)]
pub struct Iter<'a> {
    indexed: Option<indexed::Iter<'a>>,
    named: slice::Iter<'a, Option<Member>>,
    left: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a Text, &'a Value);

    fn next(&mut self) -> Option<Self::Item> {
        let member = match self.indexed.as_mut().and_then(Iterator::next) {
            Some(member) => member,
            None => self.named.by_ref().flatten().next()?,
        };
        self.left = self.left.saturating_sub(1);
        Some((&member.key, &member.value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl fmt::Debug for Iter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.clone()).finish()
    }
}

impl<'a> IntoIterator for &'a Object {
    type Item = (&'a Text, &'a Value);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl IntoIterator for Object {
    type Item = (Text, Value);
    type IntoIter = IntoIter;

    fn into_iter(mut self) -> IntoIter {
        let rest = self.rest.take().map_or_else(Rest::default, |rest| *rest);
        IntoIter {
            indexed: rest.indexed.into_iter(),
            named: mem::take(&mut self.named).into_iter(),
        }
    }
}

/// The members of an [`Object`], in order, taken out of it.
pub struct IntoIter {
    indexed: indexed::IntoIter,
    named: std::vec::IntoIter<Option<Member>>,
}

impl Iterator for IntoIter {
    type Item = (Text, Value);

    fn next(&mut self) -> Option<Self::Item> {
        let member = match self.indexed.next() {
            Some(member) => member,
            None => self.named.by_ref().flatten().next()?,
        };
        Some((member.key, member.value))
    }
}

impl fmt::Debug for IntoIter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntoIter").finish_non_exhaustive()
    }
}
