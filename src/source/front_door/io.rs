//! Reads and writes the bytes of a socket in one task.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::{Buf, BufMut as _, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

/// The free room in the buffer before a read; grows with the data.
const READ_BYTES: usize = 4_096;

#[derive(Debug)]
pub struct Io<S> {
    stream: S,
    pub input: BytesMut,
    pub output: BytesMut,
    /// Bytes were written that TLS may still hold.
    unflushed: bool,
}

/// The bytes that a step has read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Bytes came in; 0 is the end of the stream.
    pub read: Option<usize>,
    pub wrote: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Io<S> {
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            input: BytesMut::new(),
            output: BytesMut::new(),
            unflushed: false,
        }
    }

    /// Writes waiting bytes and reads up to `room` bytes. Returns as soon as some bytes were
    /// written or read. Dropping the future loses nothing.
    pub async fn exchange(&mut self, room: usize) -> io::Result<Moved> {
        poll_fn(|context| {
            let mut moved = Moved {
                read: None,
                wrote: false,
            };
            while !self.output.is_empty() {
                match Pin::new(&mut self.stream).poll_write(context, &self.output) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    Poll::Ready(Ok(count)) => {
                        self.output.advance(count);
                        self.unflushed = true;
                        moved.wrote = true;
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => break,
                }
            }
            if self.unflushed {
                match Pin::new(&mut self.stream).poll_flush(context) {
                    Poll::Ready(Ok(())) => self.unflushed = false,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => {}
                }
            }
            if room > 0 {
                if self.input.capacity() - self.input.len() < READ_BYTES / 4 {
                    // Twice the bytes that are waiting: the length that a packet announces reserves
                    // nothing.
                    let more = READ_BYTES.max(self.input.len()).min(room);
                    self.input.reserve(more);
                }
                let mut input = (&mut self.input).limit(room);
                let read = pin!(self.stream.read_buf(&mut input));
                match read.poll(context) {
                    Poll::Ready(Ok(count)) => moved.read = Some(count),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => {}
                }
            }
            if moved.read.is_some() || moved.wrote {
                Poll::Ready(Ok(moved))
            } else {
                Poll::Pending
            }
        })
        .await
    }

    /// Gives back what a burst has left in the buffers.
    pub fn shrink(&mut self) {
        if self.output.is_empty() && self.output.capacity() > READ_BYTES {
            self.output = BytesMut::new();
        }
        if self.input.is_empty() && self.input.capacity() > READ_BYTES {
            self.input = BytesMut::new();
        }
    }

    /// Writes all that is left and closes our side.
    pub async fn finish(&mut self) -> io::Result<()> {
        use tokio::io::AsyncWriteExt;
        while !self.output.is_empty() {
            self.exchange(0).await?;
        }
        self.stream.shutdown().await
    }
}
