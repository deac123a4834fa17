//! Laws that hold for every input; fuzz targets and property tests call them.
#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used)]

use crate::{BlobId, CloakedId, FeedId, MessageId, PublicKey, secret_file};

/// A text that parses as a reference is printed again as itself, or is an `ssb:` URI of the same reference.
pub fn reference(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    macro_rules! law {
        ($($name:ident)*) => {$(
            if let Ok(id) = text.parse::<$name>() {
                let printed = id.to_string();
                assert!(printed == text || text.starts_with("ssb:"));
                assert_eq!(printed.parse::<$name>().unwrap(), id);
                assert_eq!(id.to_uri().parse::<$name>().unwrap(), id);
            }
        )*};
    }
    law!(FeedId MessageId BlobId CloakedId);
    if let Ok(key) = text.parse::<PublicKey>() {
        assert_eq!(key.to_string().parse::<PublicKey>().unwrap(), key);
    }
}

/// An identity read from the text of a secret file is printed as a text that gives it back.
pub fn secret_text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(pair) = secret_file::parse(text) {
        let again = secret_file::parse(&secret_file::print(&pair)).expect("our own text parses");
        assert_eq!(again.public(), pair.public());
    }
}
