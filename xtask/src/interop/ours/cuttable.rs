//! Transports whose sockets can be cut, as a machine does that loses its network: a transport of a node may be any type.

use async_trait::async_trait;
use handfast_multiserver::{Arrival, BoxSocket, Endpoint, Error, Incoming, Listener, Outgoing, Scope, Transport};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

/// Cuts all sockets at once, as often as one likes. Clones cut the same ones.
#[derive(Debug, Clone)]
pub(super) struct Scissors(watch::Sender<()>);

impl Scissors {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(()))
    }

    pub(super) fn cut(&self) {
        self.0.send_replace(());
    }

    /// The transport, with sockets that these scissors cut.
    pub(super) fn on<T: Transport>(&self, transport: T) -> Cuttable<T> {
        Cuttable {
            transport,
            scissors: self.clone(),
        }
    }

    fn socket(&self, socket: BoxSocket) -> BoxSocket {
        let mut cut = self.0.subscribe();
        Box::new(Thread {
            socket: Some(socket),
            cut: Box::pin(async move {
                // Scissors that are gone cut nothing.
                if cut.changed().await.is_err() {
                    std::future::pending().await
                }
            }),
        })
    }
}

#[derive(Debug)]
pub(super) struct Cuttable<T> {
    transport: T,
    scissors: Scissors,
}

#[async_trait]
impl<T: Transport> Transport for Cuttable<T> {
    fn name(&self) -> &str {
        self.transport.name()
    }

    fn understands(&self, endpoint: &Endpoint) -> bool {
        self.transport.understands(endpoint)
    }

    async fn dial(&self, to: &Endpoint, options: &Outgoing) -> Result<BoxSocket, Error> {
        Ok(self.scissors.socket(self.transport.dial(to, options).await?))
    }

    async fn listen(&self, options: &Incoming) -> Result<Box<dyn Listener>, Error> {
        Ok(Box::new(Cut {
            listener: self.transport.listen(options).await?,
            scissors: self.scissors.clone(),
        }))
    }
}

struct Cut {
    listener: Box<dyn Listener>,
    scissors: Scissors,
}

#[async_trait]
impl Listener for Cut {
    fn endpoints(&self, scope: Scope) -> Vec<Endpoint> {
        self.listener.endpoints(scope)
    }

    fn bound(&self) -> Vec<Endpoint> {
        self.listener.bound()
    }

    async fn accept(&mut self) -> io::Result<Arrival> {
        let Arrival { from, ip, socket } = self.listener.accept().await?;
        let scissors = self.scissors.clone();
        Ok(Arrival {
            from,
            ip,
            socket: Box::pin(async move { Ok(scissors.socket(socket.await?)) }),
        })
    }
}

/// A socket; cut, it is dropped and fails.
struct Thread {
    socket: Option<BoxSocket>,
    cut: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Thread {
    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut BoxSocket>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if self.socket.is_some() && self.cut.as_mut().poll(cx).is_ready() {
            self.socket = None;
        }
        match &mut self.socket {
            Some(socket) => poll(Pin::new(socket), cx),
            None => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }
}

impl AsyncRead for Thread {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, |socket, cx| socket.poll_read(cx, buf))
    }
}

impl AsyncWrite for Thread {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll(cx, |socket, cx| socket.poll_write(cx, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, |socket, cx| socket.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(cx, |socket, cx| socket.poll_shutdown(cx))
    }
}
