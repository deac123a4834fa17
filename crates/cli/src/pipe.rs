//! `handfast pipe`: an authenticated, encrypted netcat.

use crate::{
    args, config, dial,
    doors::Doorstep,
    exit::Failure,
    home::Home,
    listen::{self, Client, Porter},
    socket::Socket,
};
use anyhow::{Context, anyhow};
use futures_util::{StreamExt, stream::FuturesUnordered};
use handfast_boxstream::tokio::BoxStream;
use std::time::Duration;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, copy_buf},
    net::TcpListener,
};

/// What stdin gives and stdout takes at once at most: as much as the record layer seals or opens for one system call.
const CHUNK: usize = 64 * 1024;

/// How long to wait after a connection could not be accepted.
const RETRY: Duration = Duration::from_millis(100);

/// How many strangers may try to shake hands while the peer that is meant is awaited.
const MAX_HANDSHAKES: usize = 256;

pub(crate) async fn run(home: &Home, options: args::Pipe) -> Result<(), Failure> {
    let network = config::network(home, &options.network)?;
    let stream = match (options.listen, options.address) {
        (Some(place), _) => {
            let identity = home.identity()?;
            let (listener, address) = listen::bind(&place, &identity).await?;
            eprintln!("listening {address}");
            let porter = Porter {
                network,
                identity,
                doorstep: Doorstep::new(MAX_HANDSHAKES),
                allowed: options.allow,
            };
            first_client(&listener, &porter).await?.stream
        }
        (None, Some(address)) => {
            let identity = dial::identity(home, &address, options.who)?;
            dial::dial(&address, &network, &identity).await?
        }
        (None, None) => return Err(Failure::usage(anyhow!("say whom to dial, or where to --listen"))),
    };
    tokio::select! {
        result = transfer(stream, tokio::io::stdin(), tokio::io::stdout()) => result,
        _ = tokio::signal::ctrl_c() => Err(Failure::connection(anyhow!("interrupted; the peer sees a cut connection"))),
    }
}

/// The first client that is let in. Handshakes run side by side, so that a stranger who stalls does not keep it out.
async fn first_client(listener: &TcpListener, porter: &Porter) -> Result<Client, Failure> {
    let mut handshakes = FuturesUnordered::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Out of files, or a client that left already: neither is a reason not to await the one that is meant.
                match accepted {
                    Ok((tcp, from)) => handshakes.push(porter.welcome(tcp, from)),
                    Err(error) => {
                        eprintln!("handfast: cannot accept a connection: {error}");
                        tokio::time::sleep(RETRY).await;
                    }
                }
            }
            Some(result) = handshakes.next() => match result {
                Ok(client) => {
                    eprintln!("connected {}", client.peer);
                    return Ok(client);
                }
                Err(error) => eprintln!("handfast: turned away {error}"),
            },
        }
    }
}

/// Copies both ways until both ways have ended. The end of `input` says goodbye; a missing goodbye of the peer is an
/// error, because what came before may be half of something.
async fn transfer(
    stream: BoxStream<Socket>,
    input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
) -> Result<(), Failure> {
    // What travels here is not muxrpc, so a stream that ends without a goodbye was cut, whatever its last bytes are.
    let (mut reader, mut writer) = stream.strict().into_split();
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
