//! Secret Handshake v1 (SHS1): mutually authenticated key agreement, sans-IO, with a tokio adapter
