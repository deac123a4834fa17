//! Helpers that the tests of several crates share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod chunked_io;
#[cfg(feature = "mux")]
pub mod mux;

pub use chunked_io::ChunkedIo;

/// Decodes the hexadecimal text of a test vector.
///
/// # Panics
/// On anything that is not hexadecimal: a broken vector is a broken test.
pub fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "odd number of hexadecimal digits");
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&text[i..i + 2], 16).expect("hexadecimal digits"))
        .collect()
}

/// [`unhex`] into an array.
///
/// # Panics
/// If the text does not decode to exactly `N` bytes.
pub fn unhex_array<const N: usize>(text: &str) -> [u8; N] {
    unhex(text)
        .try_into()
        .unwrap_or_else(|v: Vec<u8>| panic!("{} bytes where {N} are wanted", v.len()))
}

/// Raises the limit of open files towards `wanted` and returns what is now allowed.
///
/// # Panics
/// If the operating system does not tell its limits.
pub fn raise_open_files(wanted: u64) -> u64 {
    let (_, hard) = rlimit::Resource::NOFILE.get().expect("limits are readable");
    // Only a privileged process may raise the hard limit; others get as much as it allows.
    if rlimit::Resource::NOFILE.set(wanted, hard.max(wanted)).is_err() {
        rlimit::Resource::NOFILE
            .set(wanted.min(hard), hard)
            .expect("the soft limit may reach the hard one");
    }
    rlimit::Resource::NOFILE.get().expect("limits are readable").0
}
