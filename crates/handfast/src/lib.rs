//! Secure peer-to-peer building blocks, wire-compatible with secret-handshake, muxrpc and friends
