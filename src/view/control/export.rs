//! `POST /v1/journal/backup` and `/v1/journal/export`: the whole journal as lines of JSON.
//!
//! The lines are read in one transaction on a thread of its own, while the writer goes on. A client
//! that reads slowly slows the reading down: the memory holds [`CHUNKS_MAX`] chunks. If the reading
//! fails, the connection ends without the last line, so that the client knows.

use std::io::{self, Write};
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Gateway;
use super::problem::Problem;
use crate::clock;
use crate::journal::{ExportError, Namespace, WorkDone};

const CHUNK_BYTES: usize = 64 << 10;
const CHUNKS_MAX: usize = 4;
/// How long sealing may take: each step is a commit.
const SEAL_WITHIN: Duration = Duration::from_secs(30);

/// Seals all open documents first, so that a restored journal seals nothing from before the backup.
pub async fn back_up(
    State(gateway): State<Gateway>,
    Extension(cancel): Extension<CancellationToken>,
) -> Result<Response, Problem> {
    let stopping = || {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the daemon does not seal its open documents: it is stopping, or its disk is full",
            "send the request again when `stockrelay status` shows no alarm about the journal",
        )
    };
    let permit = begin(&gateway)?;
    if let Some(sealer) = &gateway.sealer {
        let sealed = tokio::time::timeout(SEAL_WITHIN, sealer.seal()).await;
        if !sealed.unwrap_or(false) {
            return Err(stopping());
        }
    }
    // Seals alone wait in memory for the next group (`journal/writer.rs`). This change makes them
    // durable: else a power cut could have their events sealed in other documents.
    let now = clock::now().as_second().to_string().into_bytes();
    let mark = vec![(Namespace::LastBackup.only_key(), Some(now))];
    gateway.journal.inbox().store_side_values(mark).await?;
    Ok(stream(gateway, permit, cancel))
}

/// Seals nothing.
pub async fn export(
    State(gateway): State<Gateway>,
    Extension(cancel): Extension<CancellationToken>,
) -> Result<Response, Problem> {
    let permit = begin(&gateway)?;
    Ok(stream(gateway, permit, cancel))
}

type Permit = tokio::sync::OwnedSemaphorePermit;

fn begin(gateway: &Gateway) -> Result<Permit, Problem> {
    gateway.exports.clone().try_acquire_owned().map_err(|_| {
        Problem::new(
            StatusCode::CONFLICT,
            "another backup or export is running",
            "send the request again when the other one has ended",
        )
    })
}

fn stream(gateway: Gateway, permit: Permit, cancel: CancellationToken) -> Response {
    let (sender, receiver) = mpsc::channel(CHUNKS_MAX);
    tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let failing = sender.clone();
        let chunks = Chunks {
            sender,
            chunk: Vec::with_capacity(CHUNK_BYTES),
            cancel,
        };
        let mut out = chunks;
        let exported = gateway
            .journal
            .export(&gateway.site, &mut out, &WorkDone::default());
        if let Err(error) = exported {
            // Without an error in the body, a client would wait for the rest.
            if !matches!(error, ExportError::Output(_)) {
                tracing::error!("the export of the journal ends early: {error}");
            }
            let cut = io::Error::other(error.to_string());
            drop(failing.blocking_send(Err(cut)));
        }
    });
    let body = unfold(receiver, async |mut receiver| {
        let chunk = receiver.recv().await?;
        Some((chunk, receiver))
    });
    let kind = [(header::CONTENT_TYPE, "application/jsonl")];
    (kind, Body::from_stream(body)).into_response()
}

/// Writes to the connection, a chunk at a time.
struct Chunks {
    sender: mpsc::Sender<io::Result<Bytes>>,
    chunk: Vec<u8>,
    cancel: CancellationToken,
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.chunk.extend_from_slice(bytes);
        if self.chunk.len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.cancel.is_cancelled() {
            return Err(io::Error::other("the daemon is stopping"));
        }
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK_BYTES));
        self.sender
            .blocking_send(Ok(chunk.into()))
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
