//! packet-stream and muxrpc: multiplexed calls and streams over one connection, sans-IO, with a tokio adapter
