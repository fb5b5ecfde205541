//! The client of the control socket, for the commands and the terminal UI.
//!
//! Each request uses a connection of its own: requests are few, and a restart of the daemon between
//! two of them has no effect.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use futures_util::StreamExt as _;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::records::Refusal;
use super::rights::describe_access;
use crate::journal::WorkDone;

/// The largest answer that the client accepts, in bytes: a page of the longest events and lines is
/// smaller.
const ANSWER_BYTES_MAX: usize = 32 << 20;
/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long the daemon may send nothing of a long answer.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_mins(1);

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(
        "no daemon answers on {}: start it with `stockrelay run` or `systemctl start stockrelay`, or name its socket with --socket", socket.display()
    )]
    NotRunning { socket: PathBuf },
    #[error("this user may not connect to {}: {}", .0.display(), describe_access(.0))]
    NotPermitted(PathBuf),
    #[error(
        "no daemon answers on {}, because the file is not a socket: remove the file or correct control.socket, then start stockrelay", .0.display()
    )]
    NoSocket(PathBuf),
    /// The daemon refused the request; the refusal has the reason.
    #[error("{}; {}", .refusal.error, .refusal.remedy)]
    Refused {
        status: StatusCode,
        refusal: Refusal,
    },
    #[error("the daemon on {} did not answer within {TIMEOUT:?}: see its log", .0.display())]
    Slow(PathBuf),
    #[error("the daemon on {} closed the connection ({why}): try again, or see its log", socket.display())]
    Broken { socket: PathBuf, why: String },
    #[error(
        "cannot read the daemon's answer ({0}): use a `stockrelay` command of the same version as the daemon"
    )]
    NotUnderstood(String),
    #[error("cannot write the answer: {0}")]
    Output(io::Error),
}

#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    #[must_use]
    pub fn new(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
        }
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.request(Method::GET, path, Body::empty()).await
    }

    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<T, ClientError> {
        self.request(Method::POST, path, Body::from(body.to_string()))
            .await
    }

    /// Sends a file, such as a bundle.
    pub async fn post_bytes<T: DeserializeOwned>(
        &self,
        path: &str,
        bytes: Bytes,
    ) -> Result<T, ClientError> {
        self.request(Method::POST, path, Body::from(bytes)).await
    }

    /// Sends a request, and writes the body of the answer part by part. `progress` counts bytes.
    pub async fn download(
        &self,
        path: &str,
        out: &mut dyn Write,
        progress: &WorkDone,
    ) -> Result<(), ClientError> {
        let broken = |why: String| ClientError::Broken {
            socket: self.socket.clone(),
            why,
        };
        let slow = |_| ClientError::Slow(self.socket.clone());
        let (response, connection) = self.send(Method::POST, path, Body::empty()).await?;
        let serving = tokio::spawn(connection);
        let answer = tokio::time::timeout(DOWNLOAD_TIMEOUT, response).await;
        let answer = answer
            .map_err(slow)?
            .map_err(|error| broken(error.to_string()))?;
        let status = answer.status();
        let body = Body::new(answer.into_body());
        if !status.is_success() {
            let bytes = to_bytes(body, ANSWER_BYTES_MAX).await;
            let bytes = bytes.map_err(|error| broken(error.to_string()))?;
            return Err(refused(status, &bytes));
        }
        let mut chunks = body.into_data_stream();
        loop {
            let chunk = tokio::time::timeout(DOWNLOAD_TIMEOUT, chunks.next()).await;
            let Some(chunk) = chunk.map_err(slow)? else {
                break;
            };
            let chunk = chunk.map_err(|error| broken(error.to_string()))?;
            progress.add(chunk.len() as u64);
            out.write_all(&chunk).map_err(ClientError::Output)?;
        }
        serving.abort();
        Ok(())
    }

    async fn request<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Body,
    ) -> Result<T, ClientError> {
        let answer = tokio::time::timeout(TIMEOUT, self.exchange(method, path, body)).await;
        let (status, bytes) = answer.map_err(|_| ClientError::Slow(self.socket.clone()))??;
        if !status.is_success() {
            return Err(refused(status, &bytes));
        }
        serde_json::from_slice(&bytes)
            .map_err(|error| ClientError::NotUnderstood(error.to_string()))
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Body,
    ) -> Result<(StatusCode, axum::body::Bytes), ClientError> {
        let broken = |why: String| ClientError::Broken {
            socket: self.socket.clone(),
            why,
        };
        let (response, connection) = self.send(method, path, body).await?;
        let exchange = async {
            let response = response.await.map_err(|error| broken(error.to_string()))?;
            let status = response.status();
            let body = Body::new(response.into_body());
            let bytes = to_bytes(body, ANSWER_BYTES_MAX)
                .await
                .map_err(|error| broken(error.to_string()))?;
            Ok((status, bytes))
        };
        let mut exchange = std::pin::pin!(exchange);
        // The connection may end first: the answer that it has read by then is still delivered.
        tokio::select! {
            biased;
            answer = exchange.as_mut() => answer,
            _ = connection => exchange.await,
        }
    }

    /// Connects and sends a request. Returns its answer, which comes while the connection is
    /// polled, and the connection.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Body,
    ) -> Result<(impl Future<Output = Answered> + use<>, UnixConnection), ClientError> {
        let broken = |why: String| ClientError::Broken {
            socket: self.socket.clone(),
            why,
        };
        let stream = UnixStream::connect(&self.socket)
            .await
            .map_err(|error| self.unreachable(&error))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| broken(error.to_string()))?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "stockrelay")
            .body(body)
            .map_err(|error| broken(error.to_string()))?;
        let response = async move { sender.send_request(request).await };
        Ok((response, connection))
    }

    fn unreachable(&self, error: &io::Error) -> ClientError {
        use std::os::unix::fs::FileTypeExt as _;
        let socket = self.socket.clone();
        if std::fs::metadata(&socket).is_ok_and(|found| !found.file_type().is_socket()) {
            return ClientError::NoSocket(socket);
        }
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                ClientError::NotRunning { socket }
            }
            io::ErrorKind::PermissionDenied => ClientError::NotPermitted(socket),
            _ => ClientError::Broken {
                socket,
                why: error.to_string(),
            },
        }
    }
}

type Answered = hyper::Result<hyper::Response<hyper::body::Incoming>>;
type UnixConnection = http1::Connection<TokioIo<UnixStream>, Body>;

/// What the daemon refused, and why.
fn refused(status: StatusCode, bytes: &[u8]) -> ClientError {
    let refusal = serde_json::from_slice(bytes).unwrap_or_else(|_| Refusal {
        error: format!("the daemon answered {status}"),
        remedy: "see the daemon's log".to_owned(),
        journal_damaged: false,
        faults: Vec::new(),
    });
    ClientError::Refused { status, refusal }
}

/// Percent-encodes an id so that it can be a part of a path.
#[must_use]
pub fn encode_for_path(id: &str) -> String {
    let mut part = String::new();
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            part.push(char::from(byte));
        } else {
            part.extend(['%', hex(byte >> 4), hex(byte & 15)]);
        }
    }
    part
}

fn hex(digit: u8) -> char {
    char::from_digit(digit.into(), 16)
        .unwrap_or('0')
        .to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_a_daemon_the_socket_and_the_remedy_are_named() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("control.sock");
        let result: Result<serde_json::Value, _> = Client::new(&socket).get("/v1/status").await;
        let error = result.unwrap_err();
        assert!(matches!(error, ClientError::NotRunning { .. }));
        let text = error.to_string();
        assert!(text.contains(&*socket.to_string_lossy()), "{text}");
        assert!(text.contains("stockrelay run"), "{text}");
    }

    #[tokio::test]
    async fn a_file_that_is_not_a_socket_is_reported() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("control.sock");
        std::fs::write(&socket, "").unwrap();
        let result: Result<serde_json::Value, _> = Client::new(&socket).get("/v1/status").await;
        let error = result.unwrap_err();
        assert!(matches!(error, ClientError::NoSocket(_)), "{error}");
    }

    #[test]
    fn ids_of_any_kind_fit_into_a_path() {
        assert_eq!(encode_for_path("pda-1/a b?ü"), "pda-1%2Fa%20b%3F%C3%BC");
    }
}
