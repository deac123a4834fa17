//! The text of a stream, line by line.

use bytes::BytesMut;
use std::{io, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::timeout,
};

/// The longest line that is waited for, bytes: what is longer comes in pieces, and fills no memory.
const LONGEST: usize = 16 * 1024;

/// Reads lines.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: R,
    buffer: BytesMut,
    /// How long the rest of a line may stay away before what is there of it is given out; `None` is for ever.
    patience: Option<Duration>,
    ended: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(reader: R, patience: Option<Duration>) -> Self {
        Self {
            reader,
            buffer: BytesMut::new(),
            patience,
            ended: false,
        }
    }

    /// The next line, without its end; `None` behind the last one. What is no UTF-8 becomes a sign for that.
    ///
    /// Cancel safe: what was read is kept.
    pub(super) async fn next(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end + 1);
                return Ok(Some(text(&line)));
            }
            if self.buffer.len() >= LONGEST || (self.ended && !self.buffer.is_empty()) {
                return Ok(Some(text(&self.buffer.split())));
            }
            if self.ended {
                return Ok(None);
            }
            let patience = self.patience.filter(|_| !self.buffer.is_empty());
            let reading = self.reader.read_buf(&mut self.buffer);
            match patience {
                Some(patience) => match timeout(patience, reading).await {
                    Ok(read) => self.ended = read? == 0,
                    Err(_) => return Ok(Some(text(&self.buffer.split()))),
                },
                None => self.ended = reading.await? == 0,
            }
        }
    }
}

fn text(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    text.trim_end_matches(['\r', '\n']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncWriteExt, duplex};

    async fn all(bytes: &[u8]) -> Vec<String> {
        let mut lines = Lines::new(bytes, None);
        let mut all = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            all.push(line);
        }
        all
    }

    #[tokio::test]
    async fn lines_come_whole_and_the_last_needs_no_end() {
        assert_eq!(all(b"kia\r\n\nora").await, ["kia", "", "ora"]);
        assert_eq!(all(b"").await, [""; 0]);
        assert_eq!(all(b"\xff\n").await, ["\u{fffd}"]);
    }

    #[tokio::test]
    async fn a_line_without_end_comes_in_pieces() {
        let lines = all(&[b'x'; 100_000]).await;
        assert!(lines.len() > 1 && lines.concat().len() == 100_000);
        assert!(lines.iter().all(|line| line.len() <= 3 * LONGEST));
    }

    #[tokio::test]
    async fn whoever_never_ends_a_line_is_heard_all_the_same() {
        let (mut here, there) = duplex(100);
        let mut lines = Lines::new(there, Some(Duration::from_millis(200)));
        here.write_all(b"no end").await.unwrap();
        assert_eq!(lines.next().await.unwrap().as_deref(), Some("no end"));
    }
}
