//! The error object that travels in replies and end frames.

use std::fmt;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{Body, BodyKind, json};

/// Longest text of a peer's error that is kept, in bytes: errors are kept for as long as somebody may ask how a stream ended,
/// and there may be thousands of streams.
const MAX_TEXT: usize = 8 * 1024;

/// An error as it travels on the wire: `{"message":…,"name":…,"stack":…}`.
///
/// A handler returns one to refuse a call, and [`Error::Remote`](crate::Error::Remote) carries the one a peer answered
/// with. JavaScript packages compare `message` texts, so those of this crate are the texts that muxrpc uses.
/// `stack` is sent as the empty string: a local stack trace would tell a stranger about this machine.
///
/// An error of the other side that is not an error object (JavaScript's `cb("text")` travels as `{}`) has neither
/// message nor name; [`RemoteError::is_opaque`] tells.
#[derive(Clone, PartialEq, Eq)]
pub struct RemoteError {
    message: Option<Box<str>>,
    name: Option<Box<str>>,
    stack: Option<Box<str>>,
}

/// The wire form: field order is what JavaScript peers print, and absent fields stay absent.
#[derive(Serialize)]
struct Wire<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stack: Option<&'a str>,
}

#[derive(Serialize)]
struct Echo<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stack: Option<&'a RawValue>,
}

impl RemoteError {
    /// An error named `Error` with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self::named("Error", message)
    }

    /// An error with a name of its own, such as `TypeError`.
    pub fn named(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            message: Some(message.into().into_boxed_str()),
            name: Some(name.into().into_boxed_str()),
            stack: Some("".into()),
        }
    }

    /// An error without message and name: it travels as `{}`, as JavaScript's `cb("text")` does.
    pub fn opaque() -> Self {
        Self {
            message: None,
            name: None,
            stack: None,
        }
    }

    /// What went wrong; the empty string if the other side did not say.
    pub fn message(&self) -> &str {
        self.message.as_deref().unwrap_or("")
    }

    /// The kind of error, `Error` and `TypeError` being the usual ones; the empty string if the other side did not say.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or("")
    }

    /// The stack trace that a JavaScript peer sent; never one of ours.
    pub fn stack(&self) -> &str {
        self.stack.as_deref().unwrap_or("")
    }

    /// Whether the other side sent neither message nor name.
    pub fn is_opaque(&self) -> bool {
        self.message.is_none() && self.name.is_none()
    }

    /// Reads the body of an error reply or of an end frame that is not a plain end. Never fails: what is not an error
    /// object becomes an opaque error, a bare string keeps its text as the message. Of each text at most 8 KiB are kept.
    pub fn from_body(body: &Body) -> Self {
        if body.kind() != BodyKind::Json {
            let message = body.as_str().map(|text| shortened(text.into()));
            return Self {
                message,
                name: None,
                stack: None,
            };
        }
        match json::fields(body.as_bytes(), ["message", "name", "stack"]) {
            Some([message, name, stack]) => {
                let text = |raw: Option<&RawValue>| raw.map(|raw| shortened(json::text_of(raw)));
                Self {
                    message: text(message),
                    name: text(name),
                    stack: text(stack),
                }
            }
            None => Self {
                message: json::string_of(body.as_bytes()).map(shortened),
                name: None,
                stack: None,
            },
        }
    }

    /// The body of an error reply: compact JSON.
    pub fn to_body(&self) -> Body {
        let wire = Wire {
            message: self.message.as_deref(),
            name: self.name.as_deref(),
            stack: self.stack.as_deref(),
        };
        encode(&wire)
    }

    /// The body with which the end `body` of the other side is answered: `true` for a plain end, otherwise the three
    /// fields of its error object as they came, which is `{}` for anything that is not an object.
    pub(crate) fn echo(body: &Body) -> Body {
        if body.is_true() {
            return Body::json_true();
        }
        let fields = match body.kind() {
            BodyKind::Json => json::fields(body.as_bytes(), ["message", "name", "stack"]),
            _ => None,
        };
        let [message, name, stack] = fields.unwrap_or_default();
        encode(&Echo { message, name, stack })
    }
}

fn shortened(text: Box<str>) -> Box<str> {
    match json::start(&text, MAX_TEXT) {
        start if start.len() < text.len() => start.into(),
        _ => text,
    }
}

fn encode(value: &impl Serialize) -> Body {
    // Strings and validated JSON always print; the fallback keeps the answer an error all the same.
    let text = serde_json::to_vec(value).map_or_else(|_| Bytes::from_static(b"{}"), Bytes::from);
    Body::trusted(BodyKind::Json, text)
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.name(), self.message()) {
            ("", "") => f.write_str("an error without a message"),
            ("" | "Error", message) => f.write_str(message),
            (name, "") => f.write_str(name),
            (name, message) => write!(f, "{name}: {message}"),
        }
    }
}

impl fmt::Debug for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The stack is left out: it is long, foreign and never needed to tell errors apart.
        f.debug_struct("RemoteError")
            .field("name", &self.name())
            .field("message", &self.message())
            .finish()
    }
}

impl std::error::Error for RemoteError {}

impl From<&str> for RemoteError {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}

impl From<String> for RemoteError {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

impl From<std::io::Error> for RemoteError {
    fn from(error: std::io::Error) -> Self {
        Self::new(error.to_string())
    }
}

impl From<serde_json::Error> for RemoteError {
    fn from(error: serde_json::Error) -> Self {
        Self::new(error.to_string())
    }
}

impl From<crate::Error> for RemoteError {
    fn from(error: crate::Error) -> Self {
        match error {
            // The error of a peer that a handler asked is passed on as it came.
            crate::Error::Remote(error) => Self {
                stack: Some("".into()),
                ..error
            },
            other => Self::new(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_form_has_message_name_and_an_empty_stack_in_that_order() {
        let body = RemoteError::named("TypeError", "boom sync").to_body();
        assert_eq!(
            body.as_bytes(),
            br#"{"message":"boom sync","name":"TypeError","stack":""}"#
        );
        assert_eq!(RemoteError::opaque().to_body().as_bytes(), b"{}");
    }

    #[test]
    fn an_echo_repeats_the_three_fields_and_nothing_else() {
        let end = |text: &'static str| RemoteError::echo(&Body::json(text).unwrap());
        assert_eq!(
            end(r#"{"name":"Error","x":1,"message":"stop","stack":""}"#).as_bytes(),
            br#"{"message":"stop","name":"Error","stack":""}"#
        );
        assert_eq!(end("true").as_bytes(), b"true");
        assert_eq!(end("5").as_bytes(), b"{}");
        assert_eq!(RemoteError::echo(&Body::string("true")).as_bytes(), b"{}");
    }

    #[test]
    fn odd_error_bodies_are_read_without_failing() {
        let read = |text: &'static str| RemoteError::from_body(&Body::json(text).unwrap());
        assert_eq!(read(r#"{"message":5,"name":null}"#).message(), "5");
        assert!(read("{}").is_opaque());
        assert_eq!(read(r#""text""#).message(), "text");
        assert_eq!(read(r#"{"message":"a\ud800b"}"#).message(), "a\u{fffd}b");
        let long = Body::json(format!(r#"{{"message":"{}"}}"#, "€".repeat(100_000))).unwrap();
        let error = RemoteError::from_body(&long);
        assert!(error.message().len() <= MAX_TEXT && error.message().starts_with("€€"));
    }
}
