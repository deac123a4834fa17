//! The future that moves the bytes of one stream.

use super::shared::{Bell, Phase, Shared};
use crate::{Error, secure::LinkId};
use bytes::BytesMut;
use std::{sync::Arc, time::Duration};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes that are read at once: at first, and at most. The most bounds for how long one stream's messages keep the machine
/// from the others: some 400 messages of 500 bytes, checked in a few milliseconds.
const READ_MIN: usize = 8 << 10;
const READ_MAX: usize = 256 << 10;

/// How often a stream that waits for a slow peer looks whether it may be read again.
const PRESSED_SPAN: Duration = Duration::from_millis(20);

/// A link of the machine that is closed when this is dropped.
#[derive(Debug)]
pub(super) struct Wire {
    shared: Arc<Shared>,
    link: LinkId,
    bell: Arc<Bell>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.shared.close(self.link);
    }
}

impl Wire {
    pub(super) fn open(shared: &Arc<Shared>) -> Result<Self, Error> {
        let (link, bell) = shared.open()?;
        Ok(Self {
            shared: Arc::clone(shared),
            link,
            bell,
        })
    }

    pub(super) async fn run<S: AsyncRead + AsyncWrite>(self, stream: S) -> Result<(), Error> {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut phase = self.shared.phase();
        let mut incoming = vec![0; READ_MIN];
        let mut outgoing = BytesMut::new();
        let mut reading = true;
        let mut flushed = true;
        loop {
            if let Some(fault) = self.bell.fault() {
                return Err(fault.into());
            }
            let pressed = self.shared.turn(|links, now| {
                if outgoing.is_empty() && links.transmit(self.link, &mut outgoing, now) {
                    flushed = false;
                }
                reading && links.pressed(now)
            });
            let now_phase = *phase.borrow_and_update();
            if now_phase == Phase::Stopped {
                return Ok(());
            }
            let done = outgoing.is_empty() && flushed;
            if done && (!reading || now_phase == Phase::Draining) {
                tokio::select! {
                    // A peer that is gone already is no fault of anybody.
                    _ = writer.shutdown() => {}
                    _ = phase.wait_for(|phase| *phase == Phase::Stopped) => {}
                }
                return Ok(());
            }
            tokio::select! {
                read = reader.read(&mut incoming), if reading && !pressed => match read? {
                    0 => reading = false,
                    length => {
                        let bytes = incoming.get(..length).unwrap_or_default();
                        self.shared.turn(|links, now| links.input(self.link, bytes, now));
                        if length == incoming.len() && length < READ_MAX {
                            incoming.resize(length * 2, 0);
                        }
                    }
                },
                result = write(&mut writer, &mut outgoing, &mut flushed), if !done => result?,
                () = self.bell.ring.notified() => {}
                _ = phase.changed() => {}
                () = tokio::time::sleep(PRESSED_SPAN), if pressed => {}
            }
        }
    }
}

/// Writes some of what waits; when all is written, flushes it. Dropped before its end, it has done nothing or all.
async fn write(
    writer: &mut (impl AsyncWrite + Unpin),
    outgoing: &mut BytesMut,
    flushed: &mut bool,
) -> Result<(), std::io::Error> {
    if outgoing.is_empty() {
        writer.flush().await?;
        *flushed = true;
    } else if writer.write_buf(outgoing).await? == 0 {
        return Err(std::io::ErrorKind::WriteZero.into());
    }
    Ok(())
}
