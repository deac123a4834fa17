//! A transfer over a stream: the machines, the disk, and a bar that shows how far it is.

use super::{
    disk::{Ending, Partial},
    machine::{Receiver, Receiving, Sender, Sending, farewell},
    message::{Fault, Offer},
};
use crate::exit::Failure;
use anyhow::{Context as _, anyhow};
use bytes::{Bytes, BytesMut};
use indicatif::ProgressBar;
use std::{
    io::{ErrorKind, SeekFrom},
    path::PathBuf,
};
use tokio::{
    fs::File,
    io::{AsyncRead, AsyncReadExt, AsyncSeekExt, AsyncWrite, AsyncWriteExt, split},
};

/// How much is read from a file, or taken from the stream, at once: what one frame carries.
const CHUNK: usize = handfast_snap2p::limits::DATA_MAX;

/// Sends a file. Where it went on from.
///
/// Dropping the future breaks the transfer off; it can be gone on with.
pub(super) async fn give(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    mut file: File,
    offer: Offer,
    bar: &ProgressBar,
) -> Result<u64, Failure> {
    let size = offer.size;
    let mut sender = Sender::new(offer);
    let (mut reader, mut writer) = split(stream);
    let mut ears = Ears::default();
    // Whoever refuses at once closes the stream before all is flushed: what they said counts, and reading tells it.
    let hello = async {
        writer.write_all(&sender.hello()).await?;
        writer.flush().await
    };
    if let Err(error) = hello.await {
        tracing::debug!(%error, "the offer");
    }

    let from = match ears.next(&mut sender, &mut reader).await? {
        Sending::From(from) => from,
        Sending::Refused(why) => return Err(Failure::remote(anyhow!("the other side does not take it: {why}"))),
        other => return Err(unexpected(&other)),
    };
    // What was there already says nothing of how fast the rest travels.
    bar.set_position(from);
    bar.reset_eta();
    file.seek(SeekFrom::Start(from)).await.map_err(Failure::local)?;
    let rest = async {
        let mut chunk = vec![0; CHUNK];
        let mut sent = from;
        loop {
            let length = match file.read(&mut chunk).await {
                Ok(length) => length,
                Err(error) => return Ok(Err(Failure::local(error))),
            };
            // A file that grows meanwhile is sent as long as it was offered.
            let length = length.min(usize::try_from(size - sent).unwrap_or(usize::MAX));
            if length == 0 {
                break;
            }
            let piece = chunk.get(..length).unwrap_or_default();
            writer.write_all(piece).await.map_err(broken)?;
            sent += length as u64;
            bar.set_position(sent);
        }
        if sent < size {
            let shorter = anyhow!("the file became shorter while it was sent; send it again once nobody writes to it");
            return Ok(Err(Failure::local(shorter)));
        }
        writer.shutdown().await.map_err(broken).map(Ok)
    };
    // Who cannot keep the file says so before all of it has come.
    let outcome = tokio::select! {
        biased;
        outcome = ears.next(&mut sender, &mut reader) => outcome?,
        sent = rest => match sent {
            Ok(Ok(())) => ears.next(&mut sender, &mut reader).await?,
            // Our own fault: the other side waits for the rest, and has nothing to say.
            Ok(Err(own)) => return Err(own),
            Err(failure) => return Err(ears.last_words(&mut sender, &mut reader).await.unwrap_or(failure)),
        },
    };
    match outcome {
        Sending::Arrived => Ok(from),
        Sending::Failed(why) => Err(Failure::remote(anyhow!("the other side could not keep it: {why}"))),
        other => Err(unexpected(&other)),
    }
}

/// Reads what the receiver says.
#[derive(Default)]
struct Ears(BytesMut);

impl Ears {
    /// Cancel safe: what was read is kept.
    async fn next(&mut self, sender: &mut Sender, reader: &mut (impl AsyncRead + Unpin)) -> Result<Sending, Failure> {
        loop {
            let mut input = self.0.split().freeze();
            let next = sender.handle_input(&mut input).map_err(Failure::connection)?;
            self.0.extend_from_slice(&input);
            if let Some(next) = next {
                return Ok(next);
            }
            if reader.read_buf(&mut self.0).await.map_err(broken)? == 0 {
                return Err(Failure::connection(Fault::NoWord));
            }
        }
    }

    /// Why the other side broke off, if it has said so.
    async fn last_words(&mut self, sender: &mut Sender, reader: &mut (impl AsyncRead + Unpin)) -> Option<Failure> {
        match self.next(sender, reader).await {
            Ok(Sending::Failed(why)) => Some(Failure::remote(anyhow!("the other side could not keep it: {why}"))),
            _ => None,
        }
    }
}

fn unexpected(what: &Sending) -> Failure {
    tracing::debug!(?what, "out of turn");
    Failure::connection(Fault::Message)
}

fn broken(error: std::io::Error) -> Failure {
    Failure::connection(
        anyhow::Error::new(error).context("the transfer broke off; send the same file again and it goes on"),
    )
}

/// A file that somebody offers.
#[derive(Debug)]
pub(super) struct Offered<S> {
    stream: S,
    receiver: Receiver,
    surplus: Bytes,
    pub(super) offer: Offer,
}

/// Reads what is offered on a stream.
pub(super) async fn offered<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> Result<Offered<S>, Failure> {
    let mut receiver = Receiver::new();
    let mut buffer = BytesMut::new();
    loop {
        if stream.read_buf(&mut buffer).await.map_err(broken)? == 0 {
            return Err(Failure::connection(Fault::Message));
        }
        let mut surplus = buffer.split().freeze();
        if let Some(Receiving::Offered(offer)) = receiver.handle_input(&mut surplus).map_err(Failure::connection)? {
            return Ok(Offered {
                stream,
                receiver,
                surplus,
                offer,
            });
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Offered<S> {
    /// Says no, and why. A sender that does not stay to hear it misses nothing else.
    pub(super) async fn refuse(mut self, why: &str) {
        let no = self.receiver.refuse(why);
        self.last(&no).await;
    }

    /// Says that all of it is here already.
    pub(super) async fn have(mut self) {
        let mut yes = self.receiver.take(self.offer.size, super::machine::fresh_hash());
        yes.extend(farewell(Ok(())));
        self.last(&yes).await;
    }

    /// Says this, and nothing more.
    async fn last(&mut self, line: &[u8]) {
        let said = async {
            self.stream.write_all(line).await?;
            self.stream.shutdown().await
        };
        if let Err(error) = said.await {
            tracing::info!(%error, "the sender did not stay to hear the answer");
        }
    }

    /// Takes it. Where it is in the end.
    ///
    /// Dropping the future breaks the transfer off, and leaves what has arrived.
    pub(super) async fn take(mut self, partial: Box<Partial>, bar: &ProgressBar) -> Result<PathBuf, Failure> {
        let (file, hash, from, ending) = partial.open();
        let mut file = File::from_std(file);
        bar.set_position(from);
        bar.reset_eta();
        let answer = self.receiver.take(from, hash);
        self.stream.write_all(&answer).await.map_err(broken)?;
        self.stream.flush().await.map_err(broken)?;
        let arrived = self.rest(&mut file, bar).await;
        // Whatever has come is written, also when the rest has not.
        let flushed = file.flush().await;
        let file = file.into_std().await;
        let (said, result) = match (arrived, flushed) {
            (Ok(true), Ok(())) => finish(ending, file).await,
            (Ok(false), _) => {
                ending.discard();
                let why = "what has arrived is not what was offered: its checksum differs";
                (Err(why), Err(Failure::remote(anyhow!("{why}; it was thrown away"))))
            }
            (Err(Ended::Peer(failure)), Ok(())) => {
                ending.keep_part(&file);
                return Err(failure);
            }
            (Err(Ended::Disk(error)), _) | (_, Err(error)) => {
                let why = why_not(&error);
                let part = ending.part().display().to_string();
                (
                    Err(why),
                    Err(Failure::local(
                        anyhow::Error::new(error).context(format!("cannot write {part}")),
                    )),
                )
            }
        };
        // Whether the sender hears it or not, the file is here, or not.
        self.last(&farewell(said)).await;
        result
    }

    /// Writes what comes, up to the end. Whether it is what was offered.
    async fn rest(&mut self, file: &mut File, bar: &ProgressBar) -> Result<bool, Ended> {
        let fault = |fault| Ended::Peer(Failure::connection(fault));
        let mut buffer = BytesMut::with_capacity(CHUNK);
        let mut input = std::mem::take(&mut self.surplus);
        loop {
            while let Some(next) = self.receiver.handle_input(&mut input).map_err(fault)? {
                if let Receiving::Keep(bytes) = next {
                    file.write_all(&bytes).await.map_err(Ended::Disk)?;
                    bar.inc(bytes.len() as u64);
                }
            }
            drop(input);
            buffer.reserve(CHUNK);
            match self.stream.read_buf(&mut buffer).await {
                Ok(0) => return self.receiver.handle_end().map_err(fault),
                Ok(_) => input = buffer.split().freeze(),
                Err(error) => return Err(Ended::Peer(broken(error))),
            }
        }
    }
}

/// Why a transfer ended early.
enum Ended {
    Peer(Failure),
    Disk(std::io::Error),
}

/// Gives the file its name; what to tell the sender, and what came of it.
async fn finish(ending: Ending, file: std::fs::File) -> (Result<(), &'static str>, Result<PathBuf, Failure>) {
    let part = ending.part().to_owned();
    let kept = tokio::task::spawn_blocking(move || ending.keep(file)).await;
    match kept.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
        Ok(path) => (Ok(()), Ok(path)),
        Err(error) => {
            let why = why_not(&error);
            let context = format!("the file has arrived, and stays in {}", part.display());
            (
                Err(why),
                Err(Failure::local(anyhow::Error::new(error).context(context))),
            )
        }
    }
}

/// What a sender learns of what went wrong here: nothing of our disk.
fn why_not(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "there is no room for it",
        ErrorKind::AlreadyExists => "there is a file of this name meanwhile",
        _ => "it cannot be written there",
    }
}

/// Opens a file to be sent, and computes what to offer. Blocks while it reads.
pub(super) fn offer_of(path: &std::path::Path, bar: &ProgressBar) -> Result<(std::fs::File, Offer), Failure> {
    let what = || format!("cannot read {}", path.display());
    let mut file = std::fs::File::open(path).with_context(what).map_err(Failure::local)?;
    let about = file.metadata().with_context(what).map_err(Failure::local)?;
    if !about.is_file() {
        return Err(Failure::usage(anyhow!(
            "{} is no file; a folder can be sent as an archive",
            path.display()
        )));
    }
    bar.set_length(about.len());
    let mut hash = super::machine::fresh_hash();
    let size = super::disk::absorb(&mut file, &mut hash, |read| bar.set_position(read))
        .with_context(what)
        .map_err(Failure::local)?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let offer = Offer {
        name: name.unwrap_or_default(),
        size,
        sha256: super::message::Checksum::of(hash),
    };
    bar.set_length(size);
    Ok((file, offer))
}

#[cfg(test)]
mod tests {
    use super::{super::disk, *};
    use tokio::io::{DuplexStream, duplex};

    struct Two {
        from: tempfile::TempDir,
        to: tempfile::TempDir,
    }

    impl Two {
        fn new(content: &[u8]) -> Self {
            let two = Self {
                from: tempfile::tempdir().unwrap(),
                to: tempfile::tempdir().unwrap(),
            };
            std::fs::write(two.from.path().join("x.bin"), content).unwrap();
            two
        }

        async fn give(&self, stream: DuplexStream) -> Result<u64, Failure> {
            let bar = ProgressBar::hidden();
            let (file, offer) = offer_of(&self.from.path().join("x.bin"), &bar)?;
            give(stream, File::from_std(file), offer, &bar).await
        }

        async fn get(&self, stream: DuplexStream) -> Result<PathBuf, Failure> {
            let offered = offered(stream).await?;
            match disk::prepare(self.to.path(), &offered.offer, false).unwrap() {
                disk::Place::Partial(partial) => offered.take(partial, &ProgressBar::hidden()).await,
                disk::Place::Whole(path) => {
                    offered.have().await;
                    Ok(path)
                }
                other => {
                    let why = format!("{other:?}");
                    offered.refuse("taken").await;
                    Err(Failure::local(anyhow!(why)))
                }
            }
        }
    }

    fn content() -> Vec<u8> {
        (0..=250).cycle().take(300_000).collect()
    }

    #[tokio::test]
    async fn a_file_arrives_and_a_second_time_nothing_travels() {
        let two = Two::new(&content());
        for from in [0, 300_000] {
            let (here, there) = duplex(1000);
            let (given, got) = tokio::join!(two.give(here), two.get(there));
            assert_eq!(given.unwrap(), from);
            assert_eq!(std::fs::read(got.unwrap()).unwrap(), content());
        }
    }

    #[tokio::test]
    async fn an_empty_file_is_a_file() {
        let two = Two::new(b"");
        let (here, there) = duplex(1000);
        let (given, got) = tokio::join!(two.give(here), two.get(there));
        assert_eq!(given.unwrap(), 0);
        assert_eq!(std::fs::read(got.unwrap()).unwrap(), b"");
    }

    #[tokio::test]
    async fn a_broken_transfer_is_an_error_at_both_ends_and_goes_on() {
        let two = Two::new(&content());
        let (here, mut tap) = duplex(1000);
        let (mut wire, there) = duplex(1000);
        let cut = async {
            // Both directions pass here, until so much of the file has passed.
            let mut limited = (&mut tap).take(100_000);
            let mut answer = vec![0; 11];
            let (mut from_receiver, mut to_receiver) = split(wire);
            let mut line = [0; 1000];
            let first = limited.read(&mut line).await.unwrap();
            to_receiver.write_all(&line[..first]).await.unwrap();
            from_receiver.read_exact(&mut answer).await.unwrap();
            limited.get_mut().write_all(&answer).await.unwrap();
            tokio::io::copy(&mut limited, &mut to_receiver).await.unwrap();
            wire = from_receiver.unsplit(to_receiver);
            drop((wire, tap));
        };
        let (given, got, ()) = tokio::join!(two.give(here), two.get(there), cut);
        let (given, got) = (given.unwrap_err().to_string(), got.unwrap_err().to_string());
        assert!(
            given.contains("broke off") || given.contains("without saying"),
            "{given}"
        );
        assert!(got.contains("broke off after"), "{got}");

        let (here, there) = duplex(1000);
        let (given, got) = tokio::join!(two.give(here), two.get(there));
        let from = given.unwrap();
        assert!((90_000..100_000).contains(&from), "{from}");
        assert_eq!(std::fs::read(got.unwrap()).unwrap(), content());
    }

    #[tokio::test]
    async fn a_part_that_is_wrong_is_found_and_thrown_away() {
        let two = Two::new(&content());
        let bar = ProgressBar::hidden();
        let (_, offer) = offer_of(&two.from.path().join("x.bin"), &bar).unwrap();
        std::fs::write(disk::part_of(two.to.path(), &offer), b"wrong").unwrap();
        let (here, there) = duplex(1000);
        let (given, got) = tokio::join!(two.give(here), two.get(there));
        assert!(given.unwrap_err().to_string().contains("checksum"));
        assert!(got.unwrap_err().to_string().contains("thrown away"));
        assert_eq!(std::fs::read_dir(two.to.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_file_that_becomes_shorter_is_told_at_both_ends() {
        let two = Two::new(&content());
        let bar = ProgressBar::hidden();
        let path = two.from.path().join("x.bin");
        let (file, offer) = offer_of(&path, &bar).unwrap();
        std::fs::write(&path, b"short").unwrap();
        let (here, there) = duplex(1000);
        let giving = give(here, File::from_std(file), offer, &bar);
        let both = async { tokio::join!(giving, two.get(there)) };
        let patience = std::time::Duration::from_secs(60);
        let (given, got) = tokio::time::timeout(patience, both)
            .await
            .expect("neither waits for the other");
        assert!(given.unwrap_err().to_string().contains("became shorter"));
        assert!(got.unwrap_err().to_string().contains("broke off"));
    }

    #[tokio::test]
    async fn a_refusal_says_why() {
        let two = Two::new(&content());
        std::fs::write(two.to.path().join("x.bin"), "mine").unwrap();
        let (here, there) = duplex(1000);
        let (given, _) = tokio::join!(two.give(here), two.get(there));
        assert!(given.unwrap_err().to_string().contains("does not take it: taken"));
    }
}
