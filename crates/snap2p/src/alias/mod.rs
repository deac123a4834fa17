//! Names that principals give themselves (§6 of the specification; the reference has none of it).
//!
//! A principal signs an [`AliasCard`] and shows it to its peers, who keep the newest of each principal in a [`Book`]. Names
//! are not unique and prove nothing: two people may both be `bob`, and only the principal tells them apart.

mod book;
mod card;

pub use book::{BOOK_MAX, Book};
pub use card::{ALIAS_MAX, AliasCard, DISPLAY_NAME_MAX, VALIDITY, normal};
