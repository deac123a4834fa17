//! TCP sockets: tuning, dialling, listening. What `net` and `ws` share.

use super::racing;
use crate::{
    Endpoint, Error, Incoming, Scope, Scopes,
    interfaces::{self, Reach},
};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    future::poll_fn,
    io::{self, IoSlice},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream, lookup_host},
};

/// How many connections the system holds ready between two accepts. More than the usual 128, so that a burst of honest
/// clients is not refused; the system has a limit of its own.
const BACKLOG: i32 = 1024;

/// A [`TcpStream`] tuned for calls: nothing waits to be sent, and acknowledgements do not wait either.
///
/// JavaScript peers write one frame as several small segments and do not switch off Nagle's algorithm, so their second
/// segment waits for our acknowledgement of the first, which the system delays by 40 ms. Linux forgets the wish for
/// quick acknowledgements, so it is renewed whenever everything is read that has come: then the peer may wait for us. Elsewhere
/// this is a plain socket without Nagle's algorithm.
#[derive(Debug)]
pub struct NetSocket {
    tcp: TcpStream,
    /// Whether something was read since quick acknowledgements were asked for.
    has_read: bool,
}

impl NetSocket {
    /// Tunes a connected socket.
    ///
    /// # Errors
    /// What the system says, usually that the connection is gone already.
    pub fn new(tcp: TcpStream) -> io::Result<Self> {
        tcp.set_nodelay(true)?;
        let socket = Self { tcp, has_read: false };
        socket.acknowledge_quickly();
        Ok(socket)
    }

    /// The socket within.
    #[must_use]
    pub const fn get_ref(&self) -> &TcpStream {
        &self.tcp
    }

    fn acknowledge_quickly(&self) {
        // Failure costs speed, nothing else.
        #[cfg(target_os = "linux")]
        let _ = self.tcp.set_quickack(true);
    }
}

impl AsyncRead for NetSocket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.tcp).poll_read(cx, buf);
        // Not with each read: it makes the system send an acknowledgement, and there may be much to read.
        if std::mem::replace(&mut self.has_read, read.is_ready()) && read.is_pending() {
            self.acknowledge_quickly();
        }
        read
    }
}

impl AsyncWrite for NetSocket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

/// Connects to the first address of `host` that answers.
pub(super) async fn dial(host: &str, port: u16) -> Result<NetSocket, Error> {
    let connected = racing::connect(host, port).await.and_then(NetSocket::new);
    connected.map_err(|source| Error::Connect {
        place: place(host, port),
        source,
    })
}

/// Whether the system's resolver must not hear of this name.
pub(super) fn is_onion(host: &str) -> bool {
    host.trim_end_matches('.').to_ascii_lowercase().ends_with(".onion")
}

/// A transport was handed an endpoint that it does not understand.
pub(super) fn not_mine(transport: &str, endpoint: &Endpoint) -> Error {
    Error::NotUnderstood(format!("{transport} does not dial {}", endpoint.transport()))
}

fn place(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// One or several sockets that listen at one port.
#[derive(Debug)]
pub(super) struct Places {
    listeners: Vec<TcpListener>,
    /// The listener that is asked first next time, so that a busy one does not starve the others.
    first: usize,
    scope: Scopes,
    /// The configured hosts, or none for those of the interfaces.
    named: Vec<String>,
    external: Vec<String>,
    port: u16,
    v4_only: bool,
    /// What reaches further than this is closed at once.
    reach: Reach,
}

impl Places {
    /// Binds what `options` ask for.
    pub(super) async fn bind(transport: &str, options: &Incoming, default_port: u16) -> Result<Self, Error> {
        if options.scope.is_empty() {
            return Err(Error::Misconfigured {
                transport: transport.to_owned(),
                problem: "it names no scope; write one or several of device, local, private and public".to_owned(),
            });
        }
        let wanted = options.port.unwrap_or(default_port);
        let mut listeners: Vec<TcpListener> = Vec::new();
        if options.host.is_empty() {
            bind_by_scope(options.scope, wanted, &mut listeners)?;
        } else {
            for host in &options.host {
                let port = first_port(&listeners).unwrap_or(wanted);
                bind_host(host, port, &mut listeners).await?;
            }
        }
        let unspecified = |host: &String| matches!(host.parse(), Ok(ip) if IpAddr::is_unspecified(&ip));
        let named: Vec<_> = options.host.iter().filter(|host| !unspecified(host)).cloned().collect();
        let every_address = options.host.is_empty() || options.host.iter().any(unspecified);
        let widest = options.scope.iter().map(Reach::from).max();
        Ok(Self {
            first: 0,
            scope: options.scope,
            named: if every_address { Vec::new() } else { named },
            external: options.external.clone(),
            port: first_port(&listeners).unwrap_or(wanted),
            v4_only: listeners
                .iter()
                .all(|one| one.local_addr().is_ok_and(|bound| bound.is_ipv4())),
            // Whoever names a host means it.
            reach: widest.filter(|_| options.host.is_empty()).unwrap_or(Reach::Public),
            listeners,
        })
    }

    /// Hosts and ports to give to others.
    pub(super) fn hosts(&self, scope: Scope) -> Vec<(String, u16)> {
        if !self.scope.contains(scope) {
            return Vec::new();
        }
        let hosts = if scope == Scope::Public && !self.external.is_empty() {
            self.external.clone()
        } else if self.named.is_empty() {
            interfaces::hosts(scope, self.v4_only)
        } else {
            self.named.iter().map(|host| without_zone(host)).collect()
        };
        hosts.into_iter().map(|host| (host, self.port)).collect()
    }

    /// Hosts and ports as the system bound them.
    pub(super) fn bound(&self) -> Vec<(String, u16)> {
        let bound = self.listeners.iter().filter_map(|listener| listener.local_addr().ok());
        bound.map(|bound| (bound.ip().to_string(), bound.port())).collect()
    }

    /// The next connection. Cancel safe.
    pub(super) async fn accept(&mut self) -> io::Result<(NetSocket, SocketAddr)> {
        loop {
            let (tcp, from) = poll_fn(|cx| self.poll_accept(cx)).await?;
            match tcp.local_addr().map(|at| at.ip()) {
                Ok(at) if Reach::of(at) > self.reach => {
                    tracing::debug!(%from, %at, "closing a connection from beyond the configured scope");
                    continue;
                }
                _ => {}
            }
            match NetSocket::new(tcp) {
                Ok(socket) => return Ok((socket, from)),
                // It has left already.
                Err(error) => tracing::debug!(%from, %error, "a connection ended before it began"),
            }
        }
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let (front, back) = self.listeners.split_at(self.first.min(self.listeners.len()));
        for listener in back.iter().chain(front) {
            if let Poll::Ready(accepted) = listener.poll_accept(cx) {
                self.first = (self.first + 1) % self.listeners.len();
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    }
}

fn first_port(listeners: &[TcpListener]) -> Option<u16> {
    listeners.first()?.local_addr().ok().map(|bound| bound.port())
}

/// Addresses for others carry no zone: the name of an interface means nothing on another machine.
fn without_zone(host: &str) -> String {
    match host.split_once('%') {
        Some((address, _)) if address.contains(':') => address.to_owned(),
        _ => host.to_owned(),
    }
}

/// Loopback for the scope `device` alone; otherwise every address of the machine, since those of the interfaces change.
fn bind_by_scope(scope: Scopes, port: u16, listeners: &mut Vec<TcpListener>) -> Result<(), Error> {
    if scope.is_device_only() {
        return bind_loopback(port, listeners);
    }
    let listener = match listen((Ipv6Addr::UNSPECIFIED, port).into()) {
        // Both families, or a machine without IPv6.
        Err(Error::Listen { source, .. }) if lacks_family(&source) => listen((Ipv4Addr::UNSPECIFIED, port).into()),
        other => other,
    };
    listeners.push(listener?);
    Ok(())
}

/// Both addresses that `localhost` may stand for, as far as the machine has them.
fn bind_loopback(port: u16, listeners: &mut Vec<TcpListener>) -> Result<(), Error> {
    let v4 = match listen((Ipv4Addr::LOCALHOST, port).into()) {
        Err(Error::Listen { source, .. }) if lacks_family(&source) => None,
        other => Some(other?),
    };
    let bound = v4.as_ref().and_then(|v4| v4.local_addr().ok());
    match (
        listen((Ipv6Addr::LOCALHOST, bound.map_or(port, |bound| bound.port())).into()),
        &v4,
    ) {
        (Ok(v6), _) => listeners.extend(v4.into_iter().chain([v6])),
        (Err(Error::Listen { source, .. }), Some(_)) if lacks_family(&source) => listeners.extend(v4),
        // The port was chosen by the system, for IPv4 alone.
        (Err(error), Some(_)) if port == 0 => {
            tracing::debug!(%error, "listening on 127.0.0.1 only");
            listeners.extend(v4);
        }
        (Err(error), _) => return Err(error),
    }
    Ok(())
}

async fn bind_host(host: &str, port: u16, listeners: &mut Vec<TcpListener>) -> Result<(), Error> {
    if host == "localhost" {
        return bind_loopback(port, listeners);
    }
    let failed = |source| Error::Listen {
        place: place(host, port),
        source,
    };
    let mut last = None;
    for address in lookup_host((host, port)).await.map_err(failed)? {
        match listen(address) {
            Ok(listener) => {
                listeners.push(listener);
                return Ok(());
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| failed(io::Error::new(io::ErrorKind::NotFound, "the host has no address"))))
}

fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    let bind = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            // `::` stands for every address, of IPv4 too, as in JavaScript and by Linux's default.
            socket.set_only_v6(!address.ip().is_unspecified())?;
        }
        // On Windows this would let other programs take the port as well; elsewhere it lets a node start again at once.
        #[cfg(not(windows))]
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    };
    bind().map_err(|source| Error::Listen {
        place: address.to_string(),
        source,
    })
}

/// Whether the error says that the machine has no IPv4, or no IPv6, rather than that the port is taken or forbidden.
fn lacks_family(error: &io::Error) -> bool {
    !matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    fn place(reach: Reach) -> (Places, u16) {
        let listener = listen((Ipv4Addr::UNSPECIFIED, 0).into()).unwrap();
        let port = listener.local_addr().unwrap().port();
        let places = Places {
            listeners: vec![listener],
            first: 0,
            scope: Scopes::all(),
            named: Vec::new(),
            external: Vec::new(),
            port,
            v4_only: true,
            reach,
        };
        (places, port)
    }

    #[tokio::test]
    async fn nothing_waits_to_be_sent() {
        let (mut places, port) = place(Reach::Public);
        let (dialled, accepted) = tokio::join!(dial("localhost", port), places.accept());
        assert!(dialled.unwrap().get_ref().nodelay().unwrap());
        assert!(accepted.unwrap().0.get_ref().nodelay().unwrap());
    }

    #[tokio::test]
    async fn what_arrives_from_beyond_the_scope_is_closed_unread() {
        let beyond = [Scope::Local, Scope::Public]
            .map(|scope| interfaces::hosts(scope, true))
            .concat();
        // A machine with nothing but loopback has no beyond.
        let Some(beyond) = beyond.first() else { return };
        let (mut places, port) = place(Reach::Device);
        let mut stranger = TcpStream::connect((beyond.as_str(), port)).await.unwrap();
        let mut end = [0; 1];
        tokio::select! {
            accepted = places.accept() => panic!("{accepted:?}"),
            read = tokio::io::AsyncReadExt::read(&mut stranger, &mut end) => assert_eq!(read.unwrap_or(0), 0),
        }
        let _neighbour = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        places.accept().await.unwrap();
    }

    #[tokio::test]
    async fn a_busy_listener_starves_no_other() {
        let (mut places, busy) = place(Reach::Public);
        let (other, quiet) = place(Reach::Public);
        places.listeners.extend(other.listeners);
        let mut waiting = Vec::new();
        for port in [busy, busy, busy, quiet] {
            waiting.push(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
        }
        let mut ports = Vec::new();
        for _ in 0..2 {
            ports.push(places.accept().await.unwrap().0.get_ref().local_addr().unwrap().port());
        }
        ports.sort_unstable();
        let mut both = [busy, quiet];
        both.sort_unstable();
        assert_eq!(ports, both);
        assert!(places.accept().now_or_never().is_some());
    }

    #[test]
    fn names_of_onion_services_are_known_in_every_spelling() {
        assert!(is_onion("abc.onion") && is_onion("ABC.Onion."));
        assert!(!is_onion("onion.example") && !is_onion("onion"));
    }

    #[test]
    fn zones_stay_on_this_machine() {
        assert_eq!(without_zone("fe80::1%eth0"), "fe80::1");
        assert_eq!(without_zone("::1"), "::1");
    }
}
