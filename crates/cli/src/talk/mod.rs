//! A conversation in a terminal: what was said, and the line that is being typed.

mod input;
mod view;

pub(crate) use input::Input;
pub(crate) use view::{Line, View};

use crate::out::Clean;

/// A text of somebody else as it may be shown: cut, and with nothing in it that a terminal obeys.
pub(crate) fn tame(text: &str, longest: usize) -> String {
    let text = text.trim();
    let shown: String = text.chars().take(longest).collect();
    let cut = if shown.len() < text.len() { "…" } else { "" };
    format!("{}{cut}", Clean(shown))
}
