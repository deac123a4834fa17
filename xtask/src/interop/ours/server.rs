//! Our server: muxrpc with the test methods, and what it saw of each connection.

use super::{Carrier, Stream, api};
use anyhow::Result;
use handfast_boxstream::tokio::BoxStream;
use handfast_keys::PublicKey;
use handfast_mux::Error;
use handfast_mux::tokio::{Config, Driver, connection_with};
use handfast_shs::tokio::accept;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

/// How one connection came and went.
#[derive(Debug)]
pub(crate) struct Cut {
    /// Who called, if the handshake told.
    pub(crate) peer: Option<PublicKey>,
    /// The order in which connections were accepted.
    pub(crate) number: usize,
    /// Its end: the text of an error, or none for a clean one.
    pub(crate) error: Option<String>,
}

/// A running server; dropped, it ends with all its connections.
pub(crate) struct Server {
    pub(crate) place: SocketAddr,
    ended: mpsc::UnboundedReceiver<Cut>,
    _accepting: JoinSet<()>,
}

impl Server {
    /// Listens on a free port of the loopback interface.
    pub(crate) async fn start(carrier: Carrier) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let place = listener.local_addr()?;
        let (report, ended) = mpsc::unbounded_channel();
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            for number in 0.. {
                let Ok((tcp, _)) = listener.accept().await else { return };
                let (carrier, report) = (carrier.clone(), report.clone());
                connections.spawn(async move {
                    let mut peer = None;
                    let served = serve(tcp, &carrier, &mut peer).await;
                    let error = served.err().map(|error| format!("{error:#}"));
                    // Nobody may be interested any more.
                    let _ = report.send(Cut { peer, number, error });
                });
            }
        });
        Ok(Self {
            place,
            ended,
            _accepting: accepting,
        })
    }

    /// The connections that have ended, once there are so many.
    pub(crate) async fn ended(&mut self, count: usize) -> Vec<Cut> {
        let mut all = Vec::new();
        while all.len() < count {
            match tokio::time::timeout(super::caller::DEADLINE, self.ended.recv()).await {
                Ok(Some(cut)) => all.push(cut),
                Ok(None) | Err(_) => break,
            }
        }
        all.sort_by_key(|cut| cut.number);
        all
    }
}

async fn serve(mut tcp: TcpStream, carrier: &Carrier, peer: &mut Option<PublicKey>) -> Result<()> {
    tcp.set_nodelay(true)?;
    let mut config = Config::default();
    config.permissions = Some(api::permissions()?);
    let stream: Box<dyn Stream> = match carrier {
        Carrier::Listening { network, identity } => {
            let client = accept(&mut tcp, network, identity, |_| async { Ok(Some(())) }).await?;
            *peer = Some(client.peer);
            config.peer = Some(client.peer);
            Box::new(BoxStream::new(tcp, client.encrypt, client.decrypt))
        }
        Carrier::Plain | Carrier::Dialling { .. } => Box::new(tcp),
    };
    let cut = Arc::new(Notify::new());
    let (_caller, driver): (_, Driver<_>) = connection_with(stream, api::of_servers(cut.clone()), config);
    tokio::select! {
        ended = driver => Ok(ended?),
        // Dropping the driver drops the socket, with no word to the caller.
        () = cut.notified() => Err(Error::Aborted("cut on purpose".into()).into()),
    }
}
