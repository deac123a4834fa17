//! The JSON of a request: `{"name":["blobs","get"],"args":[…],"type":"source"}`.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::json::{MAX_QUOTE, quote};
use crate::method::{MAX_LENGTH, MAX_PARTS};
use crate::{Body, BodyKind, CallType, MethodName, RemoteError, json};

/// A request as it arrives or leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Which method.
    pub method: MethodName,
    /// The arguments: the text of a JSON array.
    pub args: Bytes,
    /// The kind of the call. `Async` stands for a request with a single answer, which names no kind on the wire.
    pub kind: CallType,
}

impl Request {
    /// The body of the request's packet.
    ///
    /// `args` must be the text of a JSON array: [`Body::json`] and [`args_to_json`](crate::args_to_json) make such texts.
    pub(crate) fn to_body(&self) -> Body {
        let mut text = Vec::with_capacity(self.args.len() + 64);
        text.extend_from_slice(br#"{"name":"#);
        // A name is strings only, so printing it cannot fail; were it to, the peer would answer an error.
        let _ = self.method.serialize(&mut serde_json::Serializer::new(&mut text));
        text.extend_from_slice(br#","args":"#);
        text.extend_from_slice(&self.args);
        if self.kind.is_stream() {
            text.extend_from_slice(br#","type":""#);
            text.extend_from_slice(self.kind.as_str().as_bytes());
            text.push(b'"');
        }
        text.push(b'}');
        Body::trusted(BodyKind::Json, Bytes::from(text))
    }

    /// Reads the body of a request that has a single answer.
    ///
    /// # Errors
    /// The error to answer with.
    pub fn parse(body: &Body) -> Result<Self, RemoteError> {
        let (method, args, _) = parts(body)?;
        Ok(Self {
            method,
            args,
            kind: CallType::Async,
        })
    }

    /// Reads the body of a packet that opens a stream.
    ///
    /// # Errors
    /// The error to answer with.
    pub fn parse_stream(body: &Body) -> Result<Self, RemoteError> {
        let kind = match body.kind() {
            BodyKind::Json => json::fields(body.as_bytes(), ["type"]).and_then(|[kind]| kind),
            _ => None,
        };
        let word = kind.map_or_else(|| "undefined".into(), json::text_of);
        let Some(kind) = CallType::parse(&word).filter(|kind| kind.is_stream()) else {
            return Err(RemoteError::new(format!("unsupported stream type: {}", quote(&word))));
        };
        let (method, args, _) = parts(body)?;
        Ok(Self { method, args, kind })
    }
}

fn parts(body: &Body) -> Result<(MethodName, Bytes, Option<&RawValue>), RemoteError> {
    let refused = |what: &str| RemoteError::new(format!("invalid request, {what}, was: {}", quote(&printed(body))));
    let fields = match body.kind() {
        BodyKind::Json => json::fields(body.as_bytes(), ["name", "args", "type"]),
        _ => None,
    };
    let Some([name, Some(args), kind]) = fields else {
        return Err(refused("args should be array"));
    };
    if !args.get().starts_with('[') {
        return Err(refused("args should be array"));
    }
    let Some(method) = name.and_then(|name| method_name(name.get())) else {
        return Err(refused("name should be a string or an array of strings"));
    };
    let args = args.get().as_bytes();
    // A slice of the body is not copied, but keeps all of the body alive, so the body must not consist of something else.
    let args = if args.len() < body.len() / 2 {
        Bytes::copy_from_slice(args)
    } else {
        body.clone().into_bytes().slice_ref(args)
    };
    Ok((method, args, kind))
}

fn method_name(text: &str) -> Option<MethodName> {
    if text.len() > MAX_LENGTH {
        return None;
    }
    let text = json::without_lone_surrogates(text.as_bytes());
    // Decided by the first byte, since trying the one and failing costs more than all the rest: nearly all names are lists.
    if text.first() == Some(&b'"') {
        return serde_json::from_slice::<Cow<'_, str>>(&text)
            .ok()
            .map(MethodName::plain);
    }
    let parts = serde_json::from_slice::<Vec<&RawValue>>(&text).ok()?;
    if parts.is_empty() || parts.len() > MAX_PARTS {
        return None;
    }
    let parts = parts
        .into_iter()
        .map(|part| json::string_of(part.get().as_bytes()))
        .collect::<Option<Vec<_>>>()?;
    Some(MethodName::from_parts(parts))
}

/// The request as JavaScript's `JSON.stringify` shows it.
fn printed(body: &Body) -> Cow<'_, str> {
    let bytes = body.as_bytes();
    // Four bytes of JSON stand for one byte of a Buffer at most, so this much always fills the quote.
    let start = bytes.get(..MAX_QUOTE).unwrap_or(bytes);
    match body.kind() {
        BodyKind::Json => String::from_utf8_lossy(bytes),
        BodyKind::String => Cow::Owned(serde_json::to_string(&String::from_utf8_lossy(start)).unwrap_or_default()),
        BodyKind::Buffer => Cow::Owned(json::buffer_form(start)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_goes_both_ways() {
        for (kind, text) in [
            (CallType::Async, r#"{"name":["a","b"],"args":[1,"x"]}"#),
            (CallType::Duplex, r#"{"name":["a","b"],"args":[1,"x"],"type":"duplex"}"#),
        ] {
            let request = Request {
                method: "a.b".parse().unwrap(),
                args: Bytes::from_static(br#"[1,"x"]"#),
                kind,
            };
            let body = request.to_body();
            assert_eq!(body.as_str(), Some(text));
            let parsed = if kind.is_stream() {
                Request::parse_stream(&body)
            } else {
                Request::parse(&body)
            };
            assert_eq!(parsed.unwrap(), request);
        }
    }

    #[test]
    fn the_answers_to_bad_requests_are_muxrpcs_texts() {
        let message = |body: Body| Request::parse(&body).unwrap_err().message().to_owned();
        let text = "invalid request, args should be array, was: ";
        assert_eq!(
            message(Body::json(r#"{"name":["echo"]}"#).unwrap()),
            format!(r#"{text}{{"name":["echo"]}}"#)
        );
        assert_eq!(message(Body::string("hello")), format!(r#"{text}"hello""#));
        assert_eq!(
            message(Body::buffer("he")),
            format!(r#"{text}{{"type":"Buffer","data":[104,101]}}"#)
        );
        let long = Body::json(format!(r#"{{"name":"{}"}}"#, "é".repeat(5000))).unwrap();
        assert!(message(long).len() < MAX_QUOTE + 100);
        let stream = Request::parse_stream(&Body::json(r#"{"name":["a"],"args":[]}"#).unwrap()).unwrap_err();
        assert_eq!(stream.message(), "unsupported stream type: undefined");
    }

    #[test]
    fn short_arguments_do_not_keep_a_long_body_alive() {
        let long = Body::json(format!(r#"{{"name":["a"],"args":[],"junk":"{}"}}"#, "x".repeat(1000))).unwrap();
        let request = Request::parse(&long).unwrap();
        assert_eq!(&*request.args, b"[]");
        assert!(long.into_bytes().is_unique());
    }

    #[test]
    fn names_with_too_many_parts_or_none_are_refused() {
        let many = format!(r#"{{"name":[{}"a"],"args":[]}}"#, r#""a","#.repeat(MAX_PARTS));
        assert!(Request::parse(&Body::json(many).unwrap()).is_err());
        assert!(Request::parse(&Body::json(r#"{"name":[],"args":[]}"#).unwrap()).is_err());
        assert!(Request::parse(&Body::json(r#"{"name":[5],"args":[]}"#).unwrap()).is_err());
        assert!(Request::parse(&Body::json(r#"{"args":[]}"#).unwrap()).is_err());
        assert_eq!(
            Request::parse(&Body::json(r#"{"name":"a.b","args":[]}"#).unwrap())
                .unwrap()
                .method
                .parts()
                .count(),
            1
        );
    }
}
