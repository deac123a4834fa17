//! The tokio halves.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use bytes::BytesMut;
use handfast_boxstream::tokio::{BoxReader, BoxStream, BoxWriter, WRITE_BUFFER};
use handfast_boxstream::{Cut, Error, HEADER_LEN, Opened, Opener, Sealer};
use handfast_keys::StreamKey;
use proptest::prelude::*;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use testkit::ChunkedIo;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, duplex};

fn key() -> StreamKey {
    StreamKey {
        key: [7; 32],
        nonce: [250; 24],
    }
}

fn other_key() -> StreamKey {
    StreamKey {
        key: [8; 32],
        nonce: [1; 24],
    }
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 256) as u8).collect()
}

fn sealed(writes: &[&[u8]], goodbye: bool) -> Vec<u8> {
    let mut sealer = Sealer::new(key());
    let mut wire = BytesMut::new();
    for write in writes {
        sealer.seal(write, &mut wire).unwrap();
    }
    if goodbye {
        sealer.goodbye(&mut wire).unwrap();
    }
    wire.to_vec()
}

/// The plaintext of a wire, and whether the goodbye was there.
fn opened(wire: &[u8]) -> (Vec<u8>, bool) {
    let mut opener = Opener::new(key()).strict();
    let mut buf = BytesMut::from(wire);
    let mut plain = Vec::new();
    loop {
        match opener.open(&mut buf).unwrap() {
            Opened::Record(record) => plain.extend_from_slice(&record),
            Opened::NeedMore(_) => return (plain, false),
            Opened::Goodbye => return (plain, true),
        }
    }
}

fn cause(error: &io::Error) -> Option<Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref()).copied()
}

fn poll_once<T>(poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    poll(&mut Context::from_waker(Waker::noop()))
}

/// A transport that takes `room` bytes and then blocks, and notes every call that it answered.
#[derive(Debug, Default)]
struct Transport {
    taken: Vec<u8>,
    room: usize,
    calls: Vec<Call>,
    /// Fails the next write with this.
    fail: Option<ErrorKind>,
    flush_blocked: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Call {
    Write(usize),
    Flush,
    Shutdown,
}

impl Transport {
    fn roomy() -> Self {
        Self {
            room: usize::MAX,
            ..Self::default()
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(kind) = self.fail.take() {
            return Poll::Ready(Err(kind.into()));
        }
        if self.room == 0 {
            return Poll::Pending;
        }
        let amount = buf.len().min(self.room);
        self.room -= amount;
        self.taken.extend_from_slice(&buf[..amount]);
        self.calls.push(Call::Write(amount));
        Poll::Ready(Ok(amount))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.flush_blocked {
            return Poll::Pending;
        }
        self.calls.push(Call::Flush);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.calls.push(Call::Shutdown);
        Poll::Ready(Ok(()))
    }
}

fn poll_write(writer: &mut BoxWriter<Transport>, plain: &[u8]) -> Poll<io::Result<usize>> {
    poll_once(|cx| Pin::new(writer).poll_write(cx, plain))
}

fn poll_flush(writer: &mut BoxWriter<Transport>) -> Poll<io::Result<()>> {
    poll_once(|cx| Pin::new(writer).poll_flush(cx))
}

fn poll_shutdown(writer: &mut BoxWriter<Transport>) -> Poll<io::Result<()>> {
    poll_once(|cx| Pin::new(writer).poll_shutdown(cx))
}

#[tokio::test]
async fn sixty_four_kibibytes_leave_in_one_call() {
    let mut writer = BoxWriter::new(Transport::roomy(), key());
    let plain = pattern(WRITE_BUFFER);
    assert_eq!(writer.write(&plain).await.unwrap(), WRITE_BUFFER);
    assert_eq!(writer.get_ref().calls, [Call::Write(Sealer::sealed_len(WRITE_BUFFER))]);
    assert_eq!(opened(&writer.get_ref().taken), (plain, false));
}

#[tokio::test]
async fn a_vectored_write_leaves_in_one_call_and_one_record() {
    let mut writer = BoxWriter::new(Transport::roomy(), key());
    assert!(writer.is_write_vectored());
    let parts = [&b"header"[..], b"", b"body"].map(IoSlice::new);
    assert_eq!(writer.write_vectored(&parts).await.unwrap(), 10);
    assert_eq!(writer.get_ref().calls, [Call::Write(HEADER_LEN + 10)]);
    assert_eq!(opened(&writer.get_ref().taken).0, b"headerbody");

    let long = pattern(50_000);
    let parts = [IoSlice::new(&long), IoSlice::new(&long)];
    assert_eq!(writer.write_vectored(&parts).await.unwrap(), WRITE_BUFFER);
}

#[tokio::test]
async fn a_write_of_nothing_sends_nothing() {
    let mut writer = BoxWriter::new(Transport::roomy(), key());
    assert_eq!(writer.write(b"").await.unwrap(), 0);
    assert_eq!(writer.write_vectored(&[]).await.unwrap(), 0);
    assert_eq!(writer.get_ref().calls, []);
}

#[test]
fn flush_returns_when_everything_is_sent_and_the_transport_flushed() {
    let mut writer = BoxWriter::new(
        Transport {
            room: 10,
            ..Transport::default()
        },
        key(),
    );
    assert!(matches!(poll_write(&mut writer, b"kia ora"), Poll::Ready(Ok(7))));
    assert!(poll_flush(&mut writer).is_pending());
    assert_eq!(
        writer.get_ref().calls,
        [Call::Write(10)],
        "no flush before everything is sent"
    );

    writer.get_mut().room = usize::MAX;
    writer.get_mut().flush_blocked = true;
    assert!(poll_flush(&mut writer).is_pending());
    assert_eq!(writer.get_ref().calls, [Call::Write(10), Call::Write(31)]);

    writer.get_mut().flush_blocked = false;
    assert!(matches!(poll_flush(&mut writer), Poll::Ready(Ok(()))));
    assert_eq!(writer.get_ref().calls, [Call::Write(10), Call::Write(31), Call::Flush]);
    assert_eq!(opened(&writer.get_ref().taken), (b"kia ora".to_vec(), false));
}

#[test]
fn shutdown_sends_the_rest_and_one_goodbye_then_flushes_then_shuts_down() {
    let mut writer = BoxWriter::new(
        Transport {
            room: 10,
            ..Transport::default()
        },
        key(),
    );
    assert!(matches!(poll_write(&mut writer, b"kia ora"), Poll::Ready(Ok(7))));
    for _ in 0..HEADER_LEN + 31 {
        assert!(poll_shutdown(&mut writer).is_pending());
        writer.get_mut().room = 1;
    }
    writer.get_mut().flush_blocked = true;
    assert!(poll_shutdown(&mut writer).is_pending());
    assert_eq!(opened(&writer.get_ref().taken), (b"kia ora".to_vec(), true));
    assert_eq!(writer.get_ref().taken.len(), 41 + HEADER_LEN, "one goodbye");
    writer.get_mut().calls.clear();

    writer.get_mut().flush_blocked = false;
    assert!(matches!(poll_shutdown(&mut writer), Poll::Ready(Ok(()))));
    assert_eq!(writer.get_ref().calls, [Call::Flush, Call::Shutdown]);
    assert!(
        matches!(poll_shutdown(&mut writer), Poll::Ready(Ok(()))),
        "again is fine"
    );
    assert_eq!(
        writer.get_ref().calls,
        [Call::Flush, Call::Shutdown],
        "and does nothing"
    );
}

#[test]
fn writing_after_shutdown_is_an_error() {
    let mut writer = BoxWriter::new(Transport::default(), key());
    assert!(poll_shutdown(&mut writer).is_pending());
    for _ in 0..2 {
        let Poll::Ready(Err(error)) = poll_write(&mut writer, b"late") else {
            panic!("accepted")
        };
        assert_eq!(
            (error.kind(), cause(&error)),
            (ErrorKind::BrokenPipe, Some(Error::AfterGoodbye))
        );
        writer.get_mut().room = usize::MAX;
        assert!(matches!(poll_shutdown(&mut writer), Poll::Ready(Ok(()))));
    }
    assert_eq!(opened(&writer.get_ref().taken), (vec![], true));
}

#[test]
fn a_blocked_transport_stops_writes_at_a_bound_and_loses_nothing() {
    let mut writer = BoxWriter::new(Transport::default(), key());
    let mut accepted = Vec::new();
    while let Poll::Ready(amount) = poll_write(&mut writer, &pattern(1000)) {
        assert_eq!(amount.unwrap(), 1000, "a little room is no reason for little records");
        accepted.extend_from_slice(&pattern(1000));
        assert!(accepted.len() <= WRITE_BUFFER);
    }
    assert!(accepted.len() > WRITE_BUFFER / 2, "{} bytes", accepted.len());
    // The pending write was dropped and has accepted nothing.
    assert!(poll_write(&mut writer, b"x").is_pending());
    writer.get_mut().room = usize::MAX;
    assert!(matches!(poll_write(&mut writer, b"end"), Poll::Ready(Ok(3))));
    accepted.extend_from_slice(b"end");
    assert_eq!(opened(&writer.get_ref().taken), (accepted, false));
}

#[test]
fn what_waited_leaves_in_one_call() {
    let mut writer = BoxWriter::new(Transport::default(), key());
    for _ in 0..20 {
        assert!(matches!(poll_write(&mut writer, b"kia ora"), Poll::Ready(Ok(7))));
    }
    writer.get_mut().room = usize::MAX;
    assert!(matches!(poll_flush(&mut writer), Poll::Ready(Ok(()))));
    assert_eq!(writer.get_ref().calls, [Call::Write(20 * 41), Call::Flush]);
}

#[test]
fn an_error_of_the_transport_is_told_once_and_leaves_no_hole() {
    let fail = Some(ErrorKind::ConnectionReset);
    let mut writer = BoxWriter::new(
        Transport {
            fail,
            ..Transport::roomy()
        },
        key(),
    );
    assert!(
        matches!(poll_write(&mut writer, b"first"), Poll::Ready(Ok(5))),
        "its bytes are sealed, so they count"
    );
    let Poll::Ready(Err(error)) = poll_write(&mut writer, b"other") else {
        panic!("no error")
    };
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(matches!(poll_write(&mut writer, b"third"), Poll::Ready(Ok(5))));
    assert_eq!(opened(&writer.get_ref().taken).0, b"firstthird");

    for call in [poll_flush, poll_shutdown] {
        writer.get_mut().fail = fail;
        assert!(matches!(poll_write(&mut writer, b"more"), Poll::Ready(Ok(4))));
        let Poll::Ready(Err(error)) = call(&mut writer) else {
            panic!("no error")
        };
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert!(matches!(call(&mut writer), Poll::Ready(Ok(()))));
    }
    assert_eq!(opened(&writer.get_ref().taken), (b"firstthirdmoremore".to_vec(), true));
}

#[tokio::test]
async fn a_transport_that_takes_nothing_for_ever_is_an_error() {
    let mut buffer = [0; 10];
    let mut writer = BoxWriter::new(io::Cursor::new(&mut buffer[..]), key());
    assert_eq!(writer.write(b"kia ora").await.unwrap(), 7);
    assert_eq!(writer.flush().await.unwrap_err().kind(), ErrorKind::WriteZero);
}

#[tokio::test]
async fn the_goodbye_ends_the_stream_though_the_transport_stays_open() {
    let (mut far, near) = duplex(1000);
    far.write_all(&sealed(&[b"kia ora"], true)).await.unwrap();
    far.write_all(b"whatever").await.unwrap();
    let mut reader = BoxReader::new(near, key());
    let mut plain = Vec::new();
    reader.read_to_end(&mut plain).await.unwrap();
    assert_eq!(plain, b"kia ora");
    assert_eq!(reader.read(&mut [0; 9]).await.unwrap(), 0, "and it stays ended");
}

#[tokio::test]
async fn a_missing_goodbye_is_told_after_the_plaintext() {
    let wire = sealed(&[b"kia ora"], false);
    for (wire, cut) in [
        (&wire[..], Cut::BetweenRecords),
        (&[&wire[..], b"x"].concat(), Cut::InsideRecord),
    ] {
        let mut reader = BoxReader::new(wire, key());
        let mut plain = Vec::new();
        let error = reader.read_to_end(&mut plain).await.unwrap_err();
        assert_eq!(plain, b"kia ora");
        for error in [error, reader.read(&mut [0; 9]).await.unwrap_err()] {
            assert_eq!(
                (error.kind(), cause(&error)),
                (ErrorKind::UnexpectedEof, Some(Error::Truncated { cut }))
            );
        }
    }
}

#[tokio::test]
async fn a_forged_record_is_told_after_the_plaintext_and_for_good() {
    let mut wire = sealed(&[b"kia ora", b"hoa"], true);
    wire[41] ^= 1;
    let mut reader = BoxReader::new(&wire[..], key());
    assert_eq!(reader.read(&mut [0; 100]).await.unwrap(), 7);
    for _ in 0..3 {
        let error = reader.read(&mut [0; 100]).await.unwrap_err();
        assert_eq!(
            (error.kind(), cause(&error)),
            (ErrorKind::InvalidData, Some(Error::ForgedHeader))
        );
    }
}

#[tokio::test]
async fn the_close_of_a_javascript_muxrpc_peer_is_a_clean_end_unless_strict() {
    let wire = sealed(&[b"data", &[0; 9]], false);
    let mut plain = Vec::new();
    BoxReader::new(&wire[..], key()).read_to_end(&mut plain).await.unwrap();
    assert_eq!(plain, b"data\0\0\0\0\0\0\0\0\0");
    let error = BoxReader::new(&wire[..], key())
        .strict()
        .read_to_end(&mut plain)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn an_empty_record_is_not_the_end() {
    // Writers do not make one; this is a box of nothing after the bytes of the JavaScript vector.
    let vectors: serde_json::Value = serde_json::from_str(include_str!("vectors/boxstream.json")).unwrap();
    let cases = vectors["decode_edge"].as_array().unwrap();
    let case = cases
        .iter()
        .find(|case| case["label"].as_str().unwrap().starts_with("header with length 0"))
        .unwrap();
    let nonce: [u8; 24] = testkit::unhex_array(case["nonce"].as_str().unwrap());
    let key = testkit::unhex_array(case["key"].as_str().unwrap());
    let mut wire = BytesMut::from(&testkit::unhex(case["cipher"][0].as_str().unwrap())[..]);
    let mut after = nonce;
    after[23] = after[23].checked_add(2).unwrap();
    let mut sealer = Sealer::new(StreamKey { key, nonce: after });
    sealer.seal(b"kia ora", &mut wire).unwrap();
    sealer.goodbye(&mut wire).unwrap();
    let mut plain = Vec::new();
    BoxReader::new(&wire[..], StreamKey { key, nonce })
        .read_to_end(&mut plain)
        .await
        .unwrap();
    assert_eq!(plain, b"kia ora");
}

#[test]
fn one_read_takes_all_records_that_fit() {
    let wire = sealed(&[b"one", b"two", b"three"], true);
    let mut reader = BoxReader::new(&wire[..], key());
    let mut bytes = [0; 9];
    let mut buf = ReadBuf::new(&mut bytes);
    assert!(poll_once(|cx| Pin::new(&mut reader).poll_read(cx, &mut buf)).is_ready());
    assert_eq!(buf.filled(), b"onetwothr");
    buf.clear();
    assert!(poll_once(|cx| Pin::new(&mut reader).poll_read(cx, &mut buf)).is_ready());
    assert_eq!(buf.filled(), b"ee");
}

#[test]
fn a_read_into_no_room_reads_nothing_and_does_not_wait() {
    let (_far, near) = duplex(10);
    let mut reader = BoxReader::new(near, key());
    assert!(poll_once(|cx| Pin::new(&mut reader).poll_read(cx, &mut ReadBuf::new(&mut []))).is_ready());
}

#[tokio::test]
async fn buffered_reading_lends_one_record_at_a_time() {
    let wire = sealed(&[b"one\n", b"two\nthree"], true);
    let mut reader = BoxReader::new(&wire[..], key());
    assert_eq!(reader.fill_buf().await.unwrap(), b"one\n");
    reader.consume(1);
    assert_eq!(reader.fill_buf().await.unwrap(), b"ne\n");
    let mut lines = Vec::new();
    let mut text = reader.lines();
    while let Some(line) = text.next_line().await.unwrap() {
        lines.push(line);
    }
    assert_eq!(lines, ["ne", "two", "three"]);
}

#[tokio::test]
async fn bytes_that_the_handshake_read_too_much_come_first() {
    let wire = sealed(&[b"one", b"two"], true);
    for split in 0..wire.len() {
        let mut reader = BoxReader::new(&wire[split..], key()).with_received(&wire[..split]);
        let mut plain = Vec::new();
        reader.read_to_end(&mut plain).await.unwrap();
        assert_eq!(plain, b"onetwo", "split at {split}");
    }
}

#[tokio::test]
async fn a_dropped_read_loses_nothing() {
    let (mut far, near) = duplex(1000);
    let mut reader = BoxReader::new(near, key());
    let mut plain = Vec::new();
    for byte in sealed(&[b"kia", b"ora"], true) {
        let mut bytes = [0; 9];
        let mut read = Box::pin(reader.read(&mut bytes));
        let amount = match poll_once(|cx| read.as_mut().poll(cx)) {
            Poll::Ready(amount) => amount.unwrap(),
            Poll::Pending => 0,
        };
        drop(read);
        plain.extend_from_slice(&bytes[..amount]);
        far.write_all(&[byte]).await.unwrap();
    }
    reader.read_to_end(&mut plain).await.unwrap();
    assert_eq!(plain, b"kiaora");
}

#[tokio::test]
async fn a_dropped_stream_says_no_goodbye() {
    let (near, far) = duplex(1000);
    let mut near = BoxStream::new(near, key(), other_key());
    let mut far = BoxStream::new(far, other_key(), key());
    near.write_all(b"kia ora").await.unwrap();
    drop(near);
    let mut plain = Vec::new();
    let error = far.read_to_end(&mut plain).await.unwrap_err();
    assert_eq!(plain, b"kia ora");
    assert_eq!(
        cause(&error),
        Some(Error::Truncated {
            cut: Cut::BetweenRecords
        })
    );
}

/// Both ends write `plain` and read what the other wrote, at once, and close.
async fn talk<A, B>(near: A, far: B, plain: &[u8])
where
    A: AsyncRead + AsyncWrite,
    B: AsyncRead + AsyncWrite,
{
    async fn end(
        (mut reader, mut writer): (BoxReader<impl AsyncRead + Unpin>, BoxWriter<impl AsyncWrite + Unpin>),
        plain: &[u8],
    ) {
        let write = async {
            for piece in plain.chunks(plain.len() / 7 + 1) {
                writer.write_all(piece).await.unwrap();
                writer.flush().await.unwrap();
            }
            writer.shutdown().await.unwrap();
        };
        let mut heard = Vec::new();
        let (_, read) = tokio::join!(write, reader.read_to_end(&mut heard));
        read.unwrap();
        assert!(heard == plain, "{} of {} bytes came back", heard.len(), plain.len());
    }
    let near = BoxStream::new(near, key(), other_key()).strict().into_split();
    let far = BoxStream::new(far, other_key(), key()).strict().into_split();
    tokio::join!(end(near, plain), end(far, plain));
}

#[tokio::test]
async fn two_ends_talk_through_transports_of_any_size() {
    for (capacity, len) in [
        (1, 3000),
        (7, 10_000),
        (64, 50_000),
        (5000, 300_000),
        (1_000_000, 300_000),
    ] {
        let (near, far) = duplex(capacity);
        talk(near, far, &pattern(len)).await;
    }
}

#[tokio::test]
async fn two_ends_talk_over_tcp_halves() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(tokio::net::TcpStream::connect(address), listener.accept());
    let split = tokio::net::TcpStream::into_split;
    let (mut near_reader, mut near_writer) = BoxStream::new(near.unwrap(), key(), other_key()).split_with(split);
    let (mut far_reader, mut far_writer) = BoxStream::new(far.unwrap().0, other_key(), key()).split_with(split);
    let plain = pattern(1_000_000);
    let echo = tokio::spawn(async move {
        tokio::io::copy_buf(&mut far_reader, &mut far_writer).await.unwrap();
        far_writer.shutdown().await.unwrap();
    });
    let mut heard = Vec::new();
    let write = async {
        near_writer.write_all(&plain).await.unwrap();
        near_writer.shutdown().await.unwrap();
    };
    let ((), read) = tokio::join!(write, near_reader.read_to_end(&mut heard));
    read.unwrap();
    echo.await.unwrap();
    assert!(heard == plain);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn two_ends_talk_through_hesitant_transports(
        seed in any::<u64>(),
        max_chunk in prop_oneof![1..3_usize, 1..5000_usize],
        capacity in prop_oneof![1..100_usize, 1..100_000_usize],
        len in 0..12_000_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (near, far) = duplex(capacity);
        let near = ChunkedIo::new(near, seed).max_chunk(max_chunk);
        let far = ChunkedIo::new(far, !seed).max_chunk(max_chunk);
        runtime.block_on(talk(near, far, &pattern(len)));
    }
}
