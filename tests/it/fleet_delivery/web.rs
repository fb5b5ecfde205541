//! A web server with TLS that answers as a test wants.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use stockrelay::fleet::topics::BundleAddress;
use stockrelay::tls;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What the server answers to every request.
#[derive(Clone)]
pub struct Answer {
    status: &'static str,
    headers: String,
    body: Bytes,
    etag: Option<&'static str>,
    has_body_always: bool,
    end: End,
}

/// How a body ends.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Complete,
    /// It stops before its end, and the connection stays.
    Never,
    /// It has no end.
    Endless,
}

impl Answer {
    pub fn status(status: &'static str) -> Self {
        Self {
            status,
            headers: String::new(),
            body: Bytes::new(),
            etag: None,
            has_body_always: false,
            end: End::Complete,
        }
    }

    pub fn bundle(body: &Bytes) -> Self {
        Self {
            body: body.clone(),
            ..Self::status("200 OK")
        }
    }

    pub fn with_etag(self, etag: &'static str) -> Self {
        Self {
            etag: Some(etag),
            ..self
        }
    }

    /// A whole answer to a request with the same `ETag`, too.
    pub fn ignoring_etag(self) -> Self {
        Self {
            has_body_always: true,
            ..self
        }
    }

    pub fn redirect(to: &str) -> Self {
        Self {
            headers: format!("Location: {to}\r\n"),
            ..Self::status("302 Found")
        }
    }

    pub fn slow(body: &Bytes) -> Self {
        Self {
            end: End::Never,
            ..Self::bundle(body)
        }
    }

    pub fn endless() -> Self {
        Self {
            end: End::Endless,
            ..Self::status("200 OK")
        }
    }
}

#[derive(Default)]
struct Counts {
    requests: usize,
    bodies: usize,
    not_modified: usize,
    path: String,
}

pub struct WebServer {
    pub url: String,
    answer: Arc<Mutex<Answer>>,
    counts: Arc<Mutex<Counts>>,
    task: JoinHandle<()>,
}

impl WebServer {
    /// Starts a server with the certificate in `dir`.
    pub async fn start(dir: &Path) -> Self {
        let (cert, key) = (dir.join("server.pem"), dir.join("server.key"));
        let server = tls::server_config(&cert, &key, None, false).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(server));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answer = Arc::new(Mutex::new(Answer::status("404 Not Found")));
        let counts = Arc::<Mutex<Counts>>::default();
        let (answers, counted) = (Arc::clone(&answer), Arc::clone(&counts));
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    return;
                };
                let (acceptor, answers) = (acceptor.clone(), Arc::clone(&answers));
                let counted = Arc::clone(&counted);
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        // The client may have gone.
                        serve(stream, &answers, &counted).await.ok();
                    }
                });
            }
        });
        Self {
            url: format!("https://localhost:{port}"),
            answer,
            counts,
            task,
        }
    }

    pub fn answer(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    /// The message that announces a bundle of this server.
    pub fn announce(&self, serial: u64, bundle: &Bytes) -> String {
        BundleAddress {
            serial,
            url: format!("{}/{serial}.bundle", self.url),
            sha256: Sha256::digest(bundle).into(),
            bytes: bundle.len() as u64,
        }
        .text()
    }

    pub fn requests(&self) -> usize {
        self.counts.lock().unwrap().requests
    }

    pub fn bodies(&self) -> usize {
        self.counts.lock().unwrap().bodies
    }

    pub fn not_modified(&self) -> usize {
        self.counts.lock().unwrap().not_modified
    }

    pub fn path(&self) -> String {
        self.counts.lock().unwrap().path.clone()
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TlsStream<TcpStream>,
    answers: &Mutex<Answer>,
    counts: &Mutex<Counts>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let answer = answers.lock().unwrap().clone();
    let asked = head.split("if-none-match: ").nth(1);
    let asked = asked.and_then(|rest| rest.split("\r\n").next());
    let is_same = asked.is_some() && asked == answer.etag && !answer.has_body_always;
    {
        let mut counts = counts.lock().unwrap();
        counts.requests += 1;
        let path = head.split(' ').nth(1).unwrap_or_default();
        path.clone_into(&mut counts.path);
        if is_same {
            counts.not_modified += 1;
        } else if answer.status == "200 OK" {
            counts.bodies += 1;
        }
    }
    let etag = answer.etag.map(|etag| format!("ETag: {etag}\r\n"));
    let etag = etag.unwrap_or_default();
    if is_same {
        let text = format!("HTTP/1.1 304 Not Modified\r\n{etag}Connection: close\r\n\r\n");
        stream.write_all(text.as_bytes()).await?;
        return stream.shutdown().await;
    }
    let length = match answer.end {
        End::Endless => String::new(),
        _ => format!("Content-Length: {}\r\n", answer.body.len()),
    };
    let (status, headers) = (answer.status, &answer.headers);
    let text = format!("HTTP/1.1 {status}\r\n{headers}{etag}{length}Connection: close\r\n\r\n");
    stream.write_all(text.as_bytes()).await?;
    match answer.end {
        End::Complete => stream.write_all(&answer.body).await?,
        End::Never => {
            stream
                .write_all(&answer.body[..answer.body.len() / 2])
                .await?;
            stream.flush().await?;
            // The client gives up first.
            tokio::time::sleep(Duration::from_hours(1)).await;
        }
        End::Endless => loop {
            stream.write_all(&[0; 16 << 10]).await?;
        },
    }
    stream.shutdown().await
}
