//! JSON as JavaScript reads and prints it, as far as frames need it.

use std::borrow::Cow;
use std::io;

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Longest part of what a peer sent that an error quotes, in bytes. JavaScript quotes all of it; a limit keeps the answer to
/// a hostile request, and the line in a log, from being as long as the request.
pub(crate) const MAX_QUOTE: usize = 1024;

/// At most [`MAX_QUOTE`] bytes of `text`.
pub(crate) fn quote(text: &str) -> Cow<'_, str> {
    match start(text, MAX_QUOTE) {
        whole if whole.len() == text.len() => Cow::Borrowed(text),
        start => Cow::Owned(format!("{start}…")),
    }
}

/// The characters of `text` that lie wholly in its first `max` bytes.
pub(crate) fn start(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// Whether `bytes` are exactly one JSON value. Allocates nothing but one byte per level of nesting, and does not recurse,
/// so neither a long nor a deep body can hurt.
pub(crate) fn is_valid(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

/// The named fields of a JSON object, the last one winning where a name repeats, as in JavaScript; `None` if `bytes` are
/// not an object.
pub(crate) fn fields<'a, const N: usize>(bytes: &'a [u8], names: [&str; N]) -> Option<[Option<&'a RawValue>; N]> {
    struct Fields<'n, const N: usize>([&'n str; N]);

    impl<'de, const N: usize> Visitor<'de> for Fields<'_, N> {
        type Value = [Option<&'de RawValue>; N];

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a JSON object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut found = [None; N];
            while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
                match self.0.iter().zip(&mut found).find(|(name, _)| name.as_bytes() == &*key) {
                    Some((_, slot)) => *slot = Some(map.next_value::<&'de RawValue>()?),
                    None => drop(map.next_value::<IgnoredAny>()?),
                }
            }
            Ok(found)
        }
    }

    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return None;
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    json.deserialize_map(Fields(names)).ok()
}

/// A key of an object as bytes: keys may hold lone surrogates, which no `str` can.
struct Key<'a>(Cow<'a, [u8]>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(bytes)))
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(bytes.to_vec())))
            }
        }
        deserializer.deserialize_bytes(KeyVisitor)
    }
}

/// The text of a JSON string; of any other value its JSON text.
pub(crate) fn text_of(raw: &RawValue) -> Box<str> {
    string_of(raw.get().as_bytes()).unwrap_or_else(|| raw.get().into())
}

/// The text of a JSON string, lone surrogates replaced; `None` for other values.
pub(crate) fn string_of(bytes: &[u8]) -> Option<Box<str>> {
    serde_json::from_slice::<Cow<'_, str>>(&without_lone_surrogates(bytes))
        .ok()
        .map(|text| text.into_owned().into_boxed_str())
}

/// `bytes` with each escaped lone surrogate (`\ud800`, valid in JavaScript's JSON and in no Rust string) replaced by the
/// escape of U+FFFD. Copies only if there is one.
///
/// `bytes` are valid JSON, so a backslash stands only inside a string.
pub(crate) fn without_lone_surrogates(bytes: &[u8]) -> Cow<'_, [u8]> {
    let mut copy: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(step) = bytes
        .get(at..)
        .and_then(|rest| rest.iter().position(|&byte| byte == b'\\'))
    {
        let escape = at + step;
        match surrogate_at(bytes, escape) {
            None => at = escape + 2,
            Some(high) if high < 0xdc00 && surrogate_at(bytes, escape + 6).is_some_and(|low| low >= 0xdc00) => {
                at = escape + 12;
            }
            Some(_) => {
                let copy = copy.get_or_insert_with(|| bytes.to_vec());
                if let Some(digits) = copy.get_mut(escape + 2..escape + 6) {
                    digits.copy_from_slice(b"fffd");
                }
                at = escape + 6;
            }
        }
    }
    copy.map_or(Cow::Borrowed(bytes), Cow::Owned)
}

/// The surrogate whose `\uXXXX` escape starts at `at`, if one does.
fn surrogate_at(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    let unit = u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    (0xd800..0xe000).contains(&unit).then_some(unit)
}

/// Prints numbers as JavaScript does (`1e21`, `0` for `-0`) and bytes inside a value as Node's Buffers
/// (`{"type":"Buffer","data":[…]}`).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct JsFormatter;

impl serde_json::ser::Formatter for JsFormatter {
    fn write_f64<W: io::Write + ?Sized>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(ryu_js::Buffer::new().format_finite(value).as_bytes())
    }

    fn write_f32<W: io::Write + ?Sized>(&mut self, writer: &mut W, value: f32) -> io::Result<()> {
        writer.write_all(ryu_js::Buffer::new().format_finite(value).as_bytes())
    }

    fn write_byte_array<W: io::Write + ?Sized>(&mut self, writer: &mut W, value: &[u8]) -> io::Result<()> {
        writer.write_all(buffer_form(value).as_bytes())
    }
}

/// Node's JSON form of a Buffer.
pub(crate) fn buffer_form(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 4 + 27);
    text.push_str(r#"{"type":"Buffer","data":["#);
    for (index, byte) in bytes.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = write!(text, "{comma}{byte}");
    }
    text.push_str("]}");
    text
}

/// The bytes of a value in Node's JSON form of a Buffer; `None` for any other value.
pub(crate) fn from_buffer_form(bytes: &[u8]) -> Option<Vec<u8>> {
    let [kind, data] = fields(bytes, ["type", "data"])?;
    if kind?.get() != r#""Buffer""# {
        return None;
    }
    serde_json::from_str(data?.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lone_surrogates_are_replaced_and_pairs_are_kept() {
        let fixed = |text: &str| String::from_utf8(without_lone_surrogates(text.as_bytes()).into_owned()).unwrap();
        assert_eq!(fixed(r#""a\ud800b""#), r#""a\ufffdb""#);
        assert_eq!(fixed(r#""\uD83D\uDE00""#), r#""\uD83D\uDE00""#);
        assert_eq!(fixed(r#""\udc00\ud800""#), r#""\ufffd\ufffd""#);
        assert_eq!(fixed(r#""\ud800\ud83d\ude00""#), r#""\ufffd\ud83d\ude00""#);
        assert_eq!(
            fixed(r#""\\ud800""#),
            r#""\\ud800""#,
            "an escaped backslash is no escape"
        );
        assert!(matches!(without_lone_surrogates(b"\"plain\\n\""), Cow::Borrowed(_)));
    }

    #[test]
    fn the_last_of_repeated_fields_wins_and_odd_keys_are_skipped() {
        let [a, b] = fields(br#" {"a":1,"\ud800":2,"\u0061":3}"#, ["a", "b"]).unwrap();
        assert_eq!(a.unwrap().get(), "3");
        assert!(b.is_none());
        assert!(fields(b"[1]", ["a"]).is_none());
        assert!(fields(b"\"a\"", ["a"]).is_none());
    }

    #[test]
    fn a_deep_body_is_checked_without_recursion() {
        let deep = ["[".repeat(1_000_000), "]".repeat(1_000_000)].concat();
        assert!(is_valid(deep.as_bytes()));
        assert!(!is_valid(deep.get(1..).unwrap().as_bytes()));
    }

    #[test]
    fn the_json_form_of_a_buffer_goes_both_ways() {
        assert_eq!(buffer_form(&[1, 200]), r#"{"type":"Buffer","data":[1,200]}"#);
        assert_eq!(
            from_buffer_form(br#"{"type":"Buffer","data":[1,200]}"#),
            Some(vec![1, 200])
        );
        assert_eq!(from_buffer_form(br#"{"type":"Buffer","data":[]}"#), Some(vec![]));
        assert_eq!(from_buffer_form(br#"{"type":"Other","data":[]}"#), None);
        assert_eq!(from_buffer_form(br#"{"type":"Buffer","data":[256]}"#), None);
    }
}
