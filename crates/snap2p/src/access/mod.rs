//! Who may come in: allowlists, invites, and limits for strangers.

mod allow;
mod half_open;
mod invite;
mod invites;
mod limiter;

pub use allow::Allow;
pub use half_open::{HALF_OPEN_MAX, HALF_OPEN_PREFIX_MAX, HalfOpen, Ticket};
pub use invite::Invite;
pub use invites::{INVITE_VALIDITY, INVITES_MAX, Invites, Listed, Reservation, Token};
pub use limiter::{Prefix, REMEMBERED_MAX, RateLimiter, WINDOW};
