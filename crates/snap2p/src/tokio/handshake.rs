//! From a byte stream to a session.

use super::{
    Config, Incoming, Session,
    link::{Ends, now},
    session::{Claims, Halves},
};
use crate::{
    Error,
    session::{Answer, Dial, Handshake, Local, Question, Secrets},
    time::later,
};
use bytes::BytesMut;
use std::{future::ready, io, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    time::{Instant, timeout, timeout_at},
};

/// How long a peer that was turned away may take to read why and close its side. Closing at once would make the system send
/// an RST, and that destroys the AUTH_FAIL on its way.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// What is read of it meanwhile, at most.
const DISCARD_MAX: u64 = 64 << 10;
/// What is reserved for the peer's messages at first: all but AUTH fit.
const INPUT: usize = 256;

/// Proves both ends of `io` to each other as the initiator, and starts the session's task on the current runtime.
///
/// `io` is anything that moves bytes: a socket, a pipe, another protocol's connection.
///
/// # Errors
/// What the peer did, [`Error::WrongPeer`], [`Error::NotAllowed`], [`Error::Refused`], [`Error::TimedOut`] after
/// [`Config::handshake_timeout`], [`Error::Truncated`] if the peer closes early, [`Error::Io`].
///
/// # Cancel safety
/// Dropped before it is ready, it closes `io`.
pub async fn dial<S>(io: S, local: &Local, dial: Dial, config: Config) -> Result<(Session, Incoming), Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (reader, writer) = split(io);
    let halves = Halves {
        reader,
        writer,
        ends: Ends::default(),
        seat: None,
    };
    let session = dial_halves(halves, local, dial, None, &config).await?;
    Ok(session.with_incoming())
}

/// Proves both ends of `io` to each other as the responder, and starts the session's task on the current runtime.
///
/// `judge` is asked whether an invite's token is good, if [`Answer::stealth`] is set, and then whether the principal that has
/// proved itself may come in, after [`Answer::allow`]. What it takes counts against [`Config::handshake_timeout`].
/// A token of few uses is best [reserved](crate::access::Invites::reserve) there, and spent once this has succeeded.
///
/// # Errors
/// As [`dial`]. [`Error::NotAllowed`] and [`Error::Refused`] also if `judge` says no.
///
/// # Cancel safety
/// Dropped before it is ready, it closes `io`.
pub async fn answer<S, J, F>(
    io: S,
    local: &Local,
    answer: Answer,
    judge: J,
    config: Config,
) -> Result<(Session, Incoming), Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    J: FnMut(Question) -> F + Send,
    F: Future<Output = bool> + Send,
{
    let (reader, writer) = split(io);
    let halves = Halves {
        reader,
        writer,
        ends: Ends::default(),
        seat: None,
    };
    let session = answer_halves(halves, local, answer, judge, None, &config).await?;
    Ok(session.with_incoming())
}

pub(super) async fn dial_halves<R, W>(
    halves: Halves<R, W>,
    local: &Local,
    dial: Dial,
    claims: Option<Claims>,
    config: &Config,
) -> Result<Session, Error>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let handshake = Handshake::dial(local, dial, Secrets::random()?, now())?;
    // An initiator is asked nothing.
    establish(handshake, halves, |_| ready(true), claims, config).await
}

pub(super) async fn answer_halves<R, W, J, F>(
    halves: Halves<R, W>,
    local: &Local,
    answer: Answer,
    judge: J,
    claims: Option<Claims>,
    config: &Config,
) -> Result<Session, Error>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
    J: FnMut(Question) -> F + Send,
    F: Future<Output = bool> + Send,
{
    let handshake = Handshake::answer(local, answer, Secrets::random()?, now())?;
    establish(handshake, halves, judge, claims, config).await
}

async fn establish<R, W, J, F>(
    mut handshake: Handshake,
    mut halves: Halves<R, W>,
    judge: J,
    claims: Option<Claims>,
    config: &Config,
) -> Result<Session, Error>
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
    J: FnMut(Question) -> F + Send,
    F: Future<Output = bool> + Send,
{
    let deadline = Instant::from_std(later(Instant::now().into_std(), config.handshake_timeout));
    handshake.set_deadline(deadline.into_std());
    let mut input = BytesMut::with_capacity(INPUT);
    let talk = talk(&mut handshake, &mut halves, &mut input, judge);
    let result = match timeout_at(deadline, talk).await {
        Ok(result) => result,
        Err(_) => Err(Error::TimedOut {
            what: handshake.awaits(),
            seconds: config.handshake_timeout.as_secs(),
        }),
    };
    match result {
        Ok(()) => {
            let machine = handshake.into_session(config.session.clone(), now())?;
            Ok(Session::start(machine, input, halves, claims, config))
        }
        Err(error) => {
            let mut last = BytesMut::new();
            handshake.poll_transmit(&mut last);
            if !last.is_empty() {
                // Whether the peer hears it changes nothing here.
                let _ = timeout(LAST_WORDS, turn_away(&mut halves, &last)).await;
            }
            Err(error)
        }
    }
}

/// Carries the handshake's bytes until it is established.
async fn talk<R, W, J, F>(
    handshake: &mut Handshake,
    halves: &mut Halves<R, W>,
    input: &mut BytesMut,
    mut judge: J,
) -> Result<(), Error>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
    J: FnMut(Question) -> F,
    F: Future<Output = bool>,
{
    let mut output = BytesMut::new();
    loop {
        handshake.poll_transmit(&mut output);
        if !output.is_empty() {
            halves.writer.write_all(&output).await.map_err(io_error)?;
            halves.writer.flush().await.map_err(io_error)?;
            output.clear();
        }
        if let Some(question) = handshake.poll_question() {
            handshake.decide(judge(question).await)?;
            handshake.handle_input(input, now())?;
            continue;
        }
        if handshake.is_established() {
            return Ok(());
        }
        if halves.reader.read_buf(input).await.map_err(io_error)? == 0 {
            return Err(Error::Truncated(handshake.awaits()));
        }
        handshake.handle_input(input, now())?;
    }
}

/// Tells the peer why it is turned away, and waits until it has closed its side.
async fn turn_away<R, W>(halves: &mut Halves<R, W>, last: &[u8]) -> io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    halves.writer.write_all(last).await?;
    halves.writer.shutdown().await?;
    let mut rest = (&mut halves.reader).take(DISCARD_MAX);
    tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
    Ok(())
}

fn io_error(error: io::Error) -> Error {
    Error::Io {
        what: "the handshake cannot go on".into(),
        error,
    }
}
