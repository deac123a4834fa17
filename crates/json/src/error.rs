//! Everything that can go wrong in this crate, by whose fault it is.

use std::fmt;

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Bytes before the place.
    pub offset: usize,
    /// The line, from 1. Lines end with a line feed.
    pub line: usize,
    /// The character (code point) in the line, from 1.
    pub column: usize,
}

impl Position {
    /// The place behind `offset` bytes of `text`, which is UTF-8 up to there.
    pub(crate) fn of(text: &[u8], offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let starts_character = |byte: &&u8| **byte & 0xc0 != 0x80;
        Self {
            offset,
            line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
            column: 1 + before.iter().skip(line_start).filter(starts_character).count(),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {} (line {}, column {})", self.offset, self.line, self.column)
    }
}

/// What can go wrong with texts and values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not JSON. The author of the text is to blame; `JSON.parse` refuses it as well.
    #[error("this is not JSON: expected {expected} at {at}")]
    Syntax {
        /// What could have stood there.
        expected: &'static str,
        /// Where the text stops being JSON.
        at: Position,
    },
    /// The bytes are not UTF-8, so they are no text.
    #[error("this is not JSON: the bytes are not UTF-8 at {at}")]
    NotUtf8 {
        /// The first byte that belongs to no character.
        at: Position,
    },
    /// The text has more bytes than its reader allows.
    #[error("the text of {bytes} bytes is longer than the {limit} that are allowed (Limits::bytes)")]
    TooLong {
        /// Bytes of the text, or of its canonical form where that is what is too long.
        bytes: usize,
        /// Bytes that are allowed.
        limit: usize,
    },
    /// Arrays and objects are nested deeper than the text's reader allows.
    #[error("arrays and objects are nested deeper than the {limit} levels that are allowed (Limits::depth), at {at}")]
    TooDeep {
        /// Levels that are allowed.
        limit: usize,
        /// The bracket that opens one level too many.
        at: Position,
    },
    /// A value of the caller's is nested too deep to be converted: conversion recurses, and the stack is finite.
    #[error("a value nested deeper than {limit} levels cannot be converted; use Value itself, which has no such limit")]
    Nested {
        /// Levels that are allowed.
        limit: usize,
    },
    /// A map of the caller's has a key that is neither text, character, number nor truth value.
    #[error("the keys of a JSON object are texts; this map's keys are {found}")]
    Key {
        /// What the key is instead.
        found: &'static str,
    },
    /// A value does not have the form that the caller's type asks for, or the type refuses to be converted.
    #[error("{0}")]
    Convert(String),
}

impl serde::ser::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Convert(message.to_string())
    }
}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Convert(message.to_string())
    }
}
