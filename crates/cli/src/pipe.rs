//! `handfast pipe`: an authenticated, encrypted netcat.

use crate::{
    args, config,
    dial::{Carries, dial, shs},
    exit::Failure,
    home::Home,
    listen::Listen,
    out::{self, Clean},
};
use anyhow::{Context, anyhow};
use async_trait::async_trait;
use handfast_keys::{KeyPair, NetworkIdentifier, PublicKey};
use handfast_multiserver::{Auth, Authenticate, BoxSocket, Multiserver, Noauth, Refusal, Server};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, copy_buf};

/// What stdin gives and stdout takes at once at most: as much as the record layer seals or opens for one system call.
const CHUNK: usize = 64 * 1024;

pub(crate) async fn run(home: &Home, options: args::Pipe) -> Result<(), Failure> {
    let (settings, network) = config::for_dialling(home, &options.network)?;
    let stream = match (options.listen, options.address) {
        (Some(place), _) => {
            let mut server = listen(&place, network, home.identity()?, options.allow).await?;
            for address in server.bound() {
                out::tell!("listening {address}");
            }
            first_client(&mut server).await?
        }
        (None, Some(address)) => dial(home, &settings, &address, network, options.who, Carries::Bytes).await?,
        (None, None) => return Err(Failure::usage(anyhow!("say whom to dial, or where to --listen"))),
    };
    tokio::select! {
        result = transfer(stream, tokio::io::stdin(), tokio::io::stdout()) => result,
        _ = tokio::signal::ctrl_c() => Err(Failure::connection(anyhow!("interrupted; the peer sees a cut connection"))),
    }
}

async fn listen(
    place: &Listen,
    network: NetworkIdentifier,
    identity: KeyPair,
    allowed: Vec<PublicKey>,
) -> Result<Server, Failure> {
    if place.is_snap2p() {
        return Err(Failure::usage(anyhow!(
            "a pipe listens with shs or noauth; for files between wallets there are handfast snap send and receive"
        )));
    }
    if !allowed.is_empty() && place.is_noauth() {
        return Err(Failure::usage(anyhow!(
            "noauth proves no identity, so --allow cannot be kept"
        )));
    }
    let noauth = Noauth::new(*identity.public());
    let shs = shs(network, identity, Carries::Bytes).authenticate(Arc::new(Allowed(allowed)));
    let multiserver = Multiserver::standard().transform(noauth).transform(shs);
    let incoming = Listen::incoming([place], "shs");
    multiserver.listen(&incoming).await.map_err(Failure::local)
}

/// The keys that may come in; all of them if there is none.
struct Allowed(Vec<PublicKey>);

#[async_trait]
impl Authenticate for Allowed {
    async fn authenticate(&self, peer: &PublicKey) -> Result<Auth, Refusal> {
        match self.0.is_empty() || self.0.contains(peer) {
            true => Ok(Auth::Anonymous),
            false => Err(Refusal::because(format!(
                "{peer} is not among those that --allow names"
            ))),
        }
    }
}

/// The first client that is let in. The server shakes hands with many at once, so a stranger who stalls does not keep it
/// out.
async fn first_client(server: &mut Server) -> Result<BoxSocket, Failure> {
    while let Some(arrived) = server.accept().await {
        match arrived {
            Ok(connection) => {
                match connection.peer {
                    Some(peer) => out::tell!("connected {peer}"),
                    None => out::tell!("connected {}", Clean(&connection.address)),
                }
                return Ok(connection.socket);
            }
            Err(failed) => out::tell!(
                "handfast: turned away {}: {}",
                Clean(&failed.from),
                Clean(&failed.error)
            ),
        }
    }
    Err(Failure::local(anyhow!("the listener closed")))
}

/// Copies both ways until both ways have ended. The end of `input` says goodbye; a missing goodbye of the peer is an
/// error, because what came before may be half of something.
async fn transfer(
    stream: BoxSocket,
    input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
) -> Result<(), Failure> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let send = async {
        let mut input = BufReader::with_capacity(CHUNK, input);
        copy_buf(&mut input, &mut writer).await.context("sending")?;
        writer.shutdown().await.context("saying goodbye")
    };
    let receive = async {
        // Each write to stdout goes to another thread and back, so many records are worth one.
        let mut records = BufReader::with_capacity(CHUNK, &mut reader);
        copy_buf(&mut records, &mut output).await.context("receiving")?;
        output.flush().await.context("writing to stdout")
    };
    tokio::try_join!(send, receive).map_err(Failure::connection)?;
    Ok(())
}
