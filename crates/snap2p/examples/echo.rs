//! Two peers over loopback: one gives back what the other says.
//!
//! `cargo run -p handfast-snap2p --example echo`

use handfast_snap2p::{Network, Peer, Visibility, tokio::Session, wallet::Wallet};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bob = Peer::builder(Wallet::ephemeral(Network::Mainnet)?)
        .visibility(Visibility::Public)
        .start()
        .await?;
    let at = bob.listen("127.0.0.1:0").await?;
    println!("{} listens at {at}", bob.principal());
    tokio::spawn(echo(bob));

    let alice = Peer::builder(Wallet::ephemeral(Network::Mainnet)?).start().await?;
    let session: Session = alice.dial(at).await?;
    println!("{} is there, and has proved it", session.principal());

    let mut stream = session.open_stream("echo").await?;
    stream.write_all(b"kia ora").await?;
    stream.shutdown().await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    println!("it says: {answer}");
    session.close().await;
    Ok(())
}

/// Gives back the bytes of each stream of each session, and closes its side when the other has closed its own.
async fn echo(peer: Peer) {
    while let Some((session, mut incoming)) = peer.accept().await {
        println!("{} has come", session.principal());
        tokio::spawn(async move {
            while let Some(stream) = incoming.next().await {
                tokio::spawn(async move {
                    let (mut reader, mut writer) = stream.into_split();
                    copy(&mut reader, &mut writer).await?;
                    writer.shutdown().await
                });
            }
        });
    }
}
