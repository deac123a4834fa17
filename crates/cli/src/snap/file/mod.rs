//! Files, from `handfast snap send` to `handfast snap receive`.

mod disk;
mod machine;
mod message;
mod name;
mod receive;
mod send;
mod travel;

pub(super) use receive::run as receive;
pub(super) use send::run as send;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on stderr; where that is no terminal there is none.
fn bar(title: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template(
        "{prefix} [{wide_bar}] {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}",
    ) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(title.to_owned());
    bar
}
