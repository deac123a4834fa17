//! Sockets as sessions want them.

use crate::tokio::{link::Ends, session::Halves};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use std::{io, net::SocketAddr, time::Duration};
use tokio::net::{
    TcpListener, TcpStream,
    tcp::{OwnedReadHalf, OwnedWriteHalf},
};

/// After how long without a byte the system asks whether the other machine is there; as the reference.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// How many connections the system holds ready between two accepts.
const BACKLOG: i32 = 1024;

/// Tunes a connected socket and splits it.
pub(super) fn halves(tcp: TcpStream) -> io::Result<Halves<OwnedReadHalf, OwnedWriteHalf>> {
    tcp.set_nodelay(true)?;
    SockRef::from(&tcp).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
    let ends = Ends {
        remote: tcp.peer_addr().ok(),
        local: tcp.local_addr().ok(),
    };
    let (reader, writer) = tcp.into_split();
    Ok(Halves {
        reader,
        writer,
        ends,
        seat: None,
    })
}

pub(super) fn bind(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
    // On Windows this would let other programs take the port as well; elsewhere it lets a node start again at once.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}
