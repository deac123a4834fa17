//! Secret Handshake and Box Stream without muxrpc: bytes go out and come back.

use super::super::cases::{bytes_summary, pattern};
use anyhow::Result;
use handfast_boxstream::tokio::{BoxReader, BoxStream};
use handfast_keys::{KeyPair, NetworkIdentifier, PublicKey};
use handfast_shs::tokio::{Identity, Refusal, accept, connect};
use serde_json::Value;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// How the end that speaks of itself stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With a goodbye.
    Goodbye,
    /// Without one: the socket just closes.
    Cut,
}

/// What one end heard.
#[derive(Debug)]
pub(crate) struct Heard {
    /// Who the other end proved to be.
    pub(crate) peer: PublicKey,
    /// The bytes, as outcomes name them.
    pub(crate) bytes: Value,
    /// Whether the other end said goodbye.
    pub(crate) clean: bool,
}

/// Sends `length` bytes, reads as many, ends, and reads what is left.
///
/// # Errors
/// If the handshake fails.
pub(crate) async fn dial_echo(
    place: (&str, u16),
    network: &NetworkIdentifier,
    identity: Identity<'_>,
    server: &PublicKey,
    length: usize,
    ending: Ending,
) -> Result<Heard> {
    let mut tcp = TcpStream::connect(place).await?;
    tcp.set_nodelay(true)?;
    let outcome = connect(&mut tcp, network, identity, server).await?;
    let stream = BoxStream::new(tcp, outcome.encrypt, outcome.decrypt).strict();
    let (mut reader, mut writer) = stream.split_with(TcpStream::into_split);
    let mut heard = vec![0; length];
    let payload = pattern(length);
    let sending = async {
        writer.write_all(&payload).await?;
        writer.flush().await?;
        io::Result::Ok(writer)
    };
    let (sent, read) = tokio::join!(sending, reader.read_exact(&mut heard));
    let (mut writer, _) = (sent?, read?);
    let clean = match ending {
        Ending::Goodbye => {
            // A peer that has left already cannot be told goodbye; what it said last is judged all the same.
            let _ = writer.shutdown().await;
            read_rest(&mut reader, &mut heard).await
        }
        Ending::Cut => {
            // Both halves, or the socket stays open.
            drop((reader, writer));
            false
        }
    };
    Ok(Heard {
        peer: outcome.peer,
        bytes: bytes_summary(&heard),
        clean,
    })
}

/// How a client is turned away.
pub(crate) type Refuse = fn() -> Result<Option<()>, Refusal>;

/// Serves one client: shakes hands, sends back what it says, and says goodbye when it does; with [`Ending::Cut`] it closes
/// the socket after the first bytes instead. With `refusal` the client is turned away.
///
/// # Errors
/// If the handshake fails.
pub(crate) async fn serve_echo(
    listener: TcpListener,
    network: &NetworkIdentifier,
    identity: &KeyPair,
    refusal: Option<Refuse>,
    ending: Ending,
) -> Result<Heard> {
    let (mut tcp, _) = listener.accept().await?;
    tcp.set_nodelay(true)?;
    let decide = |_| async move { refusal.map_or(Ok(Some(())), |refuse| refuse()) };
    let client = accept(&mut tcp, network, identity, decide).await?;
    let mut stream = BoxStream::new(tcp, client.encrypt, client.decrypt).strict();
    let mut heard = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    let clean = loop {
        match stream.read(&mut buffer).await {
            Ok(0) => {
                stream.shutdown().await?;
                break true;
            }
            Ok(count) => {
                let piece = buffer.get(..count).unwrap_or_default();
                heard.extend_from_slice(piece);
                stream.write_all(piece).await?;
                stream.flush().await?;
                if ending == Ending::Cut {
                    break true;
                }
            }
            Err(_) => break false,
        }
    };
    Ok(Heard {
        peer: client.peer,
        bytes: bytes_summary(&heard),
        clean,
    })
}

async fn read_rest<R: AsyncRead + Unpin>(reader: &mut BoxReader<R>, heard: &mut Vec<u8>) -> bool {
    reader.read_to_end(heard).await.is_ok()
}
