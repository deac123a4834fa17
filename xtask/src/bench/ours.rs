//! One round of our own measurements, printed as the peers print theirs: `{"name": "WHAT/ours", "value": .., "unit": ".."}`.

use anyhow::Result;

/// Prints a line for each thing in the table of `table.rs`. Nothing is measured here yet: a row without a figure of ours
/// shows the peers alone.
#[cfg_attr(
    not(feature = "ours"),
    expect(clippy::unnecessary_wraps, reason = "the measurements can fail")
)]
pub(crate) fn run() -> Result<()> {
    Ok(())
}
