//! Box Stream: the authenticated record layer that follows a Secret Handshake, sans-IO, with a tokio adapter
