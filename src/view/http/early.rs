//! Gives a JSON body to the answers that hyper sends by itself, because it cannot read the request.
//!
//! Such an answer has no body, and reaches no handler. **In**: what hyper writes. **Out**: the same
//! if a request has reached the router; before that, a refusal in the form of all others.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::BUFFER_BYTES_MAX;
use super::connections::Activity;
use crate::view::records::Refusal;

/// The longest URI that hyper reads, in bytes.
const URI_BYTES_MAX: usize = u16::MAX as usize - 1;
/// The beginning of a line with the status 4xx, and where the status is.
const REFUSAL: &[u8] = b"HTTP/1.1 4";
const STATUS: std::ops::Range<usize> = 9..12;

/// A stream that replaces hyper's own refusals.
#[derive(Debug)]
pub struct Described<S> {
    stream: S,
    activity: Activity,
    /// The refusal that replaces what hyper writes, as far as it is not written yet.
    refusal: Option<Vec<u8>>,
}

impl<S> Described<S> {
    pub fn new(stream: S, activity: Activity) -> Self {
        Self {
            stream,
            activity,
            refusal: None,
        }
    }
}

impl<S: AsyncWrite + Unpin> Described<S> {
    /// Writes what is left of the refusal.
    fn poll_refusal(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(left) = &mut self.refusal else {
            return Poll::Ready(Ok(()));
        };
        while !left.is_empty() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(context, left))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            left.drain(..count);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Described<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Described<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.refusal.is_none() && !self.activity.has_request() && bytes.starts_with(REFUSAL) {
            self.refusal = bytes.get(STATUS).and_then(describe);
        }
        if self.refusal.is_none() {
            return Pin::new(&mut self.stream).poll_write(context, bytes);
        }
        ready!(self.poll_refusal(context))?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.activity.has_request() {
            return Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        }
        let first = slices.iter().find(|slice| !slice.is_empty());
        self.poll_write(context, first.map_or(&[], |slice| slice))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_refusal(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_refusal(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The whole answer with this status. `None`: it has no text.
fn describe(status: &[u8]) -> Option<Vec<u8>> {
    let status = StatusCode::from_bytes(status).ok()?;
    let (error, remedy) = match status {
        StatusCode::URI_TOO_LONG => (
            format!("the path with its parameters has more than {URI_BYTES_MAX} bytes"),
            "send a shorter path, or fewer parameters",
        ),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => (
            format!(
                "the head of the request has more than {BUFFER_BYTES_MAX} bytes or too many headers"
            ),
            "send fewer or shorter headers",
        ),
        _ => (
            "the request is not valid HTTP/1.1".to_owned(),
            "correct the first line and the headers of the request",
        ),
    };
    let refusal = Refusal {
        error,
        remedy: remedy.to_owned(),
        journal_damaged: false,
        faults: Vec::new(),
    };
    let body = serde_json::to_string(&refusal).ok()?;
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    Some((head + &body).into_bytes())
}
