//! Ed25519 identities, network identifiers, SSB references and the SSB secret file

mod stream_key;

pub use stream_key::StreamKey;
