//! secure-gossip's protocol, and what two peers of our kind make of it.
//!
//! ```text
//!        lines                         Links                          lines or frames
//!  ───────────────► line ─► message ─► batch check ─► Swarm ─────────► peers of our kind, at once
//!   peer of the                                         │ history
//!   original's kind ◄─ outbox ◄─ rounds, in order ◄─────┤
//!                                                       └────────────► the application, each message once
//! ```
//!
//! # The wire of secure-gossip 0.3.1
//! A duplex stream of bytes without handshake; one message a line, as [`Message`] shows it. A node writes what is new to every
//! stream once a round and then forgets it; a receiver takes a message if its number is above the highest that it knows of
//! the author. [`Links`] speaks this to whoever does not say that it is of our kind.
//!
//! # Between peers of our kind
//! The first line that we write is `{"sg2":{"v":1,"node":"….ed25519","caps":["plum","vv","rbsr"]}}`. The original skips it: it
//! has no `data`. Whoever reads it answers `{"sg2":{"switch":true}}` and speaks frames from there on in its direction: 4 bytes
//! of length, big-endian, then a [`swarm::Frame`](crate::swarm::Frame) of at most 1 MiB. A peer that says something else
//! first, or nothing for two rounds, is taken for the original. Nothing in that line is proven; it grants nothing either.
//!
//! # What becomes of the original's faults
//! | the original | here |
//! |---|---|
//! | each line crosses each link twice, echo included | once over each link of the original's kind, never back to whom it came from; over links of our kind once in all, down a tree |
//! | who comes late gets nothing; what is published without peers is lost | the history: peers of our kind catch up on all of it, others are given the last [`Config::replay`] messages of each author, in order |
//! | a restarted author is not heard | numbers begin at the milliseconds since 1970 times 1024, and go on above what the author is known to have used |
//! | numbers are not signed: an absurd one mutes its author | no number decides whether a message is taken here; `sig2` proves ours; what cannot be right does not go to peers of the original's kind (see below) |
//! | the same message under a higher number is a new one | messages are named by signature and key, and delivered once |
//! | what comes out of order is dropped | it is delivered; for peers of the original's kind each author's messages are put in order within a round, and what came over links of our kind waits up to two seconds for what its author said before |
//! | numbers may be anything, other members are passed on unsigned | lines are passed on in one canonical form with nothing but what is known |
//! | closed streams are written to | they are forgotten |
//! | a peer that does not read fills the memory | [`Config::outbox`], [`Config::congested`], [`Config::patience`] |
//! | no limit on anything | [`LINE_MAX`], [`DEPTH_MAX`], [`SIGNED_MAX`], [`Config::author`], [`Config::unsound`], bounded tables throughout |
//! | texts are published as `{"0":"s",…}`; a member `signature` is lost | refused with an error that says what to do |
//!
//! # Decided
//! * **No number, `0.5`, `"7"`, `-3`, above 2^53 - 1**: the message is taken, once, passes among peers of our kind without the
//!   number, and sorts as number 0. It does not go to peers of the original's kind: those take a message without number every
//!   time it comes, and pass it round in circles.
//! * **Numbers that cannot be right**: without proof, more than 4096 above the highest that is believed of the author, or
//!   above 2^20 of an author never heard of, or of an author that proves its numbers. They do not go to peers of the
//!   original's kind, where they would mute the author, until a copy with a better number comes. So a relay can still mute an
//!   author *there* for at most 4096 messages, which any peer can do that is linked to the original itself.
//! * **The same content twice** from an author of the original's kind has one signature and is one message: nothing tells it
//!   from a replay. What is published here is signed so that it differs ([`Message::sign`]).
//! * **Spelling**: whitespace, order of members and unknown outer members do not survive the first node of ours. A line that is
//!   canonical already, as all lines of the original are, goes on byte for byte.
//! * **`__proto__` in a message**: the original loses that member before it checks the signature. A line with one is checked
//!   as it stands, and publishing one is refused.
//! * **Keys of small or mixed order, `S` not reduced**: refused, see [`handfast_keys::batch`].
//! * **Lines beyond 64 KiB** are skipped, and the stream goes on: the original passes them on in good faith. So are lines
//!   whose signed text, two spaces a level, is beyond [`SIGNED_MAX`].
mod config;
mod line;
mod link;
mod links;
mod message;
mod negotiation;
mod numbers;
mod outbox;
mod rounds;
mod rules;

#[cfg(feature = "_check")]
pub(crate) mod check;

pub use config::Config;
pub use links::{Fault, LinkId, Links, Output, State};
pub use message::{DEPTH_MAX, LINE_MAX, Message, SEQUENCE_MAX, SIGNED_MAX, content, read_batch};
pub use rules::SignedRules;
